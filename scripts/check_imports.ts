/**
 * Checks the laws of the house: who imports whom, what pure code may not touch, how
 * long a file may be. A file that breaks one is printed with its line; exit code 1.
 *
 * Usage: deno task laws [FOLDER/], another tree than this one
 *
 * @module
 */
// deno-lint-ignore-file no-console

const HOMES = ["shared", "hmi", "server", "vehicle", "scripts", "tests"];
const MAX_LINES = 350;

/** Server and vehicle process only: bulk digests, codecs, signatures; and what touches process and files. */
const NOT_IN_BROWSER = ["!shared/node", "!shared/host", "!shared/trust"];

// deno-fmt-ignore
/** What a folder may import; the longest prefix that fits a file is its law. `!` takes out again. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "shared":             ["shared", ...NOT_IN_BROWSER],
  "shared/node":        ["shared", "!shared/host"],
  "shared/trust":       ["shared", "!shared/host"],
  "shared/host":        ["shared"],
  "hmi":                ["hmi", "shared", ...NOT_IN_BROWSER],
  "server":             ["server", "shared", "!shared/host", "!server/adapters", "!server/cli"],
  "server/adapters":    ["server", "shared", "!server/cli"],
  "server/cli":         ["server/cli", "server/delta", "server/trust", "shared", "!shared/host"],
  "server/trust":       ["server/trust", "shared", "!shared/host"],
  "vehicle":            ["vehicle", "shared", "!shared/host", "!vehicle/adapters", "!vehicle/firmware", "!vehicle/runner"],
  "vehicle/adapters":   ["vehicle", "shared", "!vehicle/firmware"],
  "vehicle/bootloader": ["vehicle", "shared", "!shared/host", "!vehicle/adapters", "!vehicle/gateway", "!vehicle/ecu", "!vehicle/bus"],
  "vehicle/firmware":   ["vehicle/firmware", "shared", "!shared/host"],
  "vehicle/runner":     ["vehicle/runner", "vehicle/ports.ts", "shared", "!shared/host"],
  "scripts":            HOMES,
  "tests":              HOMES,
};

/** Composition roots join everything of their part. */
const ROOTS = new Set([
  "server/main.ts",
  "server/compose.ts",
  "server/self_proof.ts",
  "vehicle/main.ts",
  "vehicle/compose.ts",
  "vehicle/self_proof.ts",
]);

/** Where clocks, randomness, timers, sockets and the console are allowed. */
const IMPURE = [
  "shared/host/",
  ...["server/adapters/", "server/cli/", "server/main.ts", "server/compose.ts"],
  ...["server/self_proof.ts", "vehicle/self_proof.ts"],
  ...["vehicle/adapters/", "vehicle/main.ts", "vehicle/compose.ts"],
  // Programs of other worlds: the image's own isolate, and the process that hosts it.
  ...["vehicle/firmware/", "vehicle/runner/host.ts", "vehicle/runner/sealed_worker.ts"],
  ...["hmi/feed.ts", "hmi/board/adapters/", "scripts/", "tests/"],
];
/** Browser code draws by the page's clock; its only I/O is in feed.ts and in the board's. */
const BROWSER_IO = /^hmi\/(board\/)?[a-z_/]*(feed|api|upload|hash_worker|main|clock)[a-z_]*\.tsx?$/;

const FORBIDDEN =
  /\bDeno\.|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bset(?:Timeout|Interval)\(|(?<![.\w#])fetch\(|\bconsole\.|\bperformance\.now\b/;

const root = Deno.args[0] ?? new URL("../", import.meta.url).pathname;
let broken = 0;
let files = 0;
for (const home of HOMES) {
  for await (const file of sources(home)) {
    files++;
    const text = await Deno.readTextFile(root + file);
    checkLength(file, text);
    for (const [index, line] of text.split("\n").entries()) {
      checkImport(file, index + 1, line);
      checkPurity(file, index + 1, line);
    }
  }
}
console.log(broken === 0 ? `laws: ${files} files ok` : `laws: ${broken} broken`);
Deno.exit(broken === 0 ? 0 : 1);

function report(file: string, line: number, what: string): void {
  broken++;
  console.error(`${file}:${line}: ${what}`);
}

function isTest(file: string): boolean {
  return /(_test\.tsx?|_harness\.ts)$/.test(file) || file.startsWith("tests/");
}

function checkLength(file: string, text: string): void {
  const lines = text.split("\n").length - 1;
  if (lines > MAX_LINES) report(file, lines, `${lines} lines, at most ${MAX_LINES}`);
}

function checkImport(file: string, at: number, line: string): void {
  if (ROOTS.has(file) || isTest(file)) return;
  const target = targetOf(file, line);
  if (target === undefined) return;
  const law = longestPrefix(file);
  if (!allowed(MAY_IMPORT[law]!, target)) report(file, at, `${law} may not import ${target}`);
}

function checkPurity(file: string, at: number, line: string): void {
  const free = isTest(file) || IMPURE.some((prefix) => file.startsWith(prefix)) ||
    BROWSER_IO.test(file);
  if (free || /^\s*(\*|\/\/|\/\*)/.test(line)) return;
  const found = FORBIDDEN.exec(line.replace(/\/\/.*$/, ""));
  if (found) report(file, at, `pure code may not use ${found[0]}`);
}

function longestPrefix(file: string): string {
  return Object.keys(MAY_IMPORT).filter((prefix) => inside(file, prefix))
    .toSorted((a, b) => b.length - a.length)[0]!;
}

function allowed(law: readonly string[], target: string): boolean {
  const refused = law.filter((entry) => entry.startsWith("!")).map((entry) => entry.slice(1));
  return !refused.some((entry) => inside(target, entry)) &&
    law.some((entry) => !entry.startsWith("!") && inside(target, entry));
}

function inside(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(prefix + "/");
}

/** The repository path a line imports, or `undefined` if it imports none of ours. */
function targetOf(file: string, line: string): string | undefined {
  const specifier = /(?:\bfrom|^import|\bimport\() ?"([^"]+)"/.exec(line)?.[1];
  if (specifier === undefined || /^\s*(\*|\/\/)/.test(line)) return undefined;
  if (specifier.startsWith(".")) return new URL(specifier, `file:///${file}`).pathname.slice(1);
  return HOMES.includes(specifier.split("/")[0]!) ? specifier : undefined;
}

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(root + folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* sources(path);
    else if (/\.tsx?$/.test(entry.name) && !entry.name.endsWith(".d.ts")) yield path;
  }
}
