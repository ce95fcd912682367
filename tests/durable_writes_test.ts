/**
 * The law of house 3: every durable byte of the vehicle goes through the Disk port. What else
 * changes a file or a folder is listed here with the reason why no recovery leans on it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";

/** Files of `vehicle/` and `shared/` that may change the file system, and why. */
const ALLOWED: Readonly<Record<string, string>> = {
  "vehicle/adapters/disk_file.ts": "the Disk port itself",
  "vehicle/adapters/identity_file.ts":
    "the identity, written once at enrolment: new, synced, renamed",
  "vehicle/adapters/kept_port.ts":
    "the screen's port: a convenience, another one is taken when it is lost",
  "vehicle/adapters/ecu_storage.ts": "the folder of the disks, before the first byte is in it",
  "vehicle/adapters/runner_ram.ts": "run files of images, in memory, made anew at every start",
  "vehicle/adapters/runner_worker.ts":
    "the folder and the copies of images that run, made at every start",
  "vehicle/adapters/runner_harness.ts": "the run folder of a test, removed by it",
  "vehicle/firmware/build.ts": "a publisher's tool: no part of the vehicle's process",
  "vehicle/self_proof.ts": "the self-test's own folder, removed by it",
  "shared/host/folder_lock.ts": "the folder and its lock: empty, made anew when it is lost",
};

/** Everything of the two file interfaces that can change a file system. */
const CHANGES = new RegExp(
  [
    String
      .raw`\bDeno\.(?:write|append|create|mkdir|makeTemp|rename|remove|copyFile|link|symlink|truncate|chmod|chown|utime)\w*\(`,
    String
      .raw`\b(?:fs|fsp|promises)\.(?:write|append|mkdir|mkdtemp|rename|rm|unlink|cp|copyFile|link|symlink|f?truncate|f?chmod|f?chown|createWriteStream)\w*\(`,
    String.raw`\b(?:open|openSync)\([^;]*?(?:write|create|createNew|append|truncate): true`,
    String.raw`\bopenSync\([^;]*?O_(?:RDWR|WRONLY|CREAT|TRUNC|APPEND)`,
    // Ways around: a database, a store, another program that writes.
    String.raw`\bDeno\.openKv\(|"node:sqlite"|\blocalStorage\b|\bcaches\.open\(|\bnew WebStorage`,
  ].join("|"),
  "s",
);

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* sources(path);
    else if (/\.tsx?$/.test(path) && !path.endsWith("_test.ts")) yield path;
  }
}

function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "");
}

Deno.test("no file of vehicle/ or shared/ changes the file system but through the Disk port, or for a reason in the list", async () => {
  const root = new URL("..", import.meta.url).pathname;
  const found = new Set<string>();
  let files = 0;
  for (const part of ["vehicle", "shared"]) {
    for await (const path of sources(`${root}${part}`)) {
      files++;
      if (CHANGES.test(code(await Deno.readTextFile(path)))) found.add(path.slice(root.length));
    }
  }
  assert(files > 100, `${files} files`);
  assertEquals([...found].toSorted(), Object.keys(ALLOWED).toSorted());
});

Deno.test("the law sees each way of changing a file, and no mere reading", () => {
  const writes = [
    `Deno.writeTextFileSync(path, "x");`,
    `await Deno.rename(a, b);`,
    `Deno.openSync(path, { read: true, write: true });`,
    `Deno.open(path, {\n  create: true,\n});`,
    `fs.writeSync(fd, data);`,
    `fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT);`,
    `import { DatabaseSync } from "node:sqlite";`,
    `localStorage.setItem("a", "b");`,
  ];
  for (const line of writes) assert(CHANGES.test(code(line)), line);
  const reads = [
    `Deno.readFileSync(path);`,
    `Deno.openSync(path, { read: true });`,
    `fs.openSync(path, "r"); response.write(bytes);`,
    `// Deno.writeFileSync(path) is not used`,
    `disk.write(sector, bytes); staged.truncate(1);`,
  ];
  for (const line of reads) assert(!CHANGES.test(code(line)), line);
});
