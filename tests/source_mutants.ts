/**
 * Deliberate breakages inside the product's own sources, where no wrapper reaches: one file with
 * one edit, put in the place of the original for a child process that explores the power-cut graph.
 *
 * @module
 */
import type { ScenarioWish } from "./sim/graph_scenarios.ts";

/** A breakage of one source. */
export interface SourceMutant {
  readonly name: string;
  readonly breaks: string;
  /** From the repository's root. */
  readonly file: string;
  /** Must be found, once at least; else the test fails: the breakage would prove nothing. */
  readonly find: RegExp;
  readonly replace: string;
  readonly wish: ScenarioWish;
}

const ONE: ScenarioWish = { ecus: 1, way: "full", course: "good" };
const THREE: ScenarioWish = { ecus: 3, way: "full", course: "good" };

// deno-fmt-ignore
/** All of them. */
export const SOURCE_MUTANTS: readonly SourceMutant[] = [
  { name: "loader takes no try before it tries", breaks: "tries decremented first",
    file: "vehicle/bootloader/boot.ts", find: /if \(!successful\) records\.change\([^;]*;/, replace: "", wish: ONE },
  { name: "loader starts a slot without its digest", breaks: "verified boot",
    file: "vehicle/bootloader/boot.ts", find: /return step\.value === image\.sha256;/, replace: "return true;",
    wish: { ...ONE, course: "rotten" } },
  { name: "slot is filled without being marked bad", breaks: "bad before the first byte",
    file: "vehicle/ecu/slot_update.ts", find: /this\.#slots\.records\.write\(\{ \.\.\.record, \[slot\]: emptied[^;]*;/, replace: "", wish: ONE },
  { name: "torn record counts as whole", breaks: "a checksum over all of a record",
    file: "vehicle/storage/sector_record.ts", find: /if \([^;]*!== crc32\([^;]*return undefined;/, replace: "", wish: ONE },
  { name: "checkpoint is saved before the segment is written", breaks: "data before the checkpoint that counts it",
    file: "vehicle/storage/staged_file.ts", find: /if \(wholeBytes > 0\)/, replace: "this.#save(doneBytes);\n    if (wholeBytes > 0)", wish: ONE },
  { name: "journal names a campaign before its targets are stored", breaks: "targets before the journal that names them",
    file: "vehicle/gateway/gateway.ts", find: /ledger\.begin\(offer\);([\s\S]*?)return ledger\.take\("offered", ([^;]*)\);/,
    replace: '$1ledger.take("offered", $2);\n        ledger.begin(offer);\n        return;', wish: ONE },
  { name: "a cut beyond the commit point leads back", breaks: "only forward behind the commit point",
    file: "vehicle/gateway/update_table.ts", find: /confirmAll: +"confirmAll",/, replace: 'confirmAll: "rollBackAll",', wish: THREE },
  { name: "a cut in a trial forgets that it is one", breaks: "each phase picks up where it stood",
    file: "vehicle/gateway/update_table.ts", find: /trialAll: +"trialAll",/, replace: 'trialAll: "ready",', wish: ONE },
];

/**
 * Runs a scenario with one source broken.
 *
 * @param mutant The breakage.
 * @param maxNodes How far to go.
 * @returns What was found first, or `null` if nothing was.
 * @throws {Error} If the edit is not found, or the child does not answer.
 */
export async function exploreBroken(
  mutant: SourceMutant,
  maxNodes: number,
): Promise<{ readonly what: string; readonly way: readonly string[] } | null> {
  const root = new URL("../", import.meta.url);
  const original = new URL(mutant.file, root);
  const text = await Deno.readTextFile(original);
  const broken = text.replace(mutant.find, mutant.replace);
  if (broken === text) throw new Error(`Cannot break ${mutant.file}: ${mutant.find} is not found`);
  const folder = await Deno.makeTempDir({ prefix: "headunit-ota-mutant-" });
  try {
    const copy = new URL(`file://${folder}/${original.pathname.split("/").at(-1)}`);
    // It lies elsewhere, but what it imports does not.
    await Deno.writeTextFile(
      copy,
      broken.replace(/ from "(\.[^"]+)"/g, (_, path) => ` from "${new URL(path, original)}"`),
    );
    const map = `${folder}/imports.json`;
    await Deno.writeTextFile(map, JSON.stringify(await importMap(root, original, copy)));
    return await child(root, map, [JSON.stringify(mutant.wish), `${maxNodes}`]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function importMap(root: URL, original: URL, copy: URL): Promise<unknown> {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const absolute = Object.entries<string>(imports).map(([name, target]) => [
    name,
    target.startsWith("./") ? `${new URL(target, root)}` : target,
  ]);
  const name = Object.keys(imports).find((one) => original.href.startsWith(`${root}${one}`));
  const bare = `${name}${original.href.slice(`${root}${name}`.length)}`;
  const there = [[original.href, copy.href], [bare, copy.href]];
  return { imports: Object.fromEntries([...absolute, ...there]) };
}

async function child(
  root: URL,
  map: string,
  args: readonly string[],
): Promise<{ what: string; way: string[] } | null> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--no-lock",
      `--import-map=${map}`,
      "tests/graph_child.ts",
      ...args,
    ],
    cwd: root,
    stdin: "null",
  });
  const { stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout).trim();
  if (text === "") throw new Error(`The child said nothing: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(text);
}
