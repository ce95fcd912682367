/**
 * Runs benches and writes what they found into docs/benchmarks.md, each between marks of its own.
 *
 * Usage: deno task bench [NAME…]     (without a name: all of them)
 *
 * @module
 */
// deno-lint-ignore-file no-console
import os from "node:os";
import { benchApplyMemory } from "../tests/bench/apply_memory.ts";
import { benchDelta } from "../tests/bench/delta.ts";
import { benchSafety } from "../tests/bench/safety.ts";

type Bench = (log: (line: string) => void) => Promise<string | { skipped: string }>;

const BENCHES: Readonly<Record<string, { readonly title: string; readonly run: Bench }>> = {
  delta: { title: "Differential images", run: benchDelta },
  "apply-memory": { title: "Memory to apply a container", run: benchApplyMemory },
  safety: { title: "The cost of safety", run: benchSafety },
};
const FILE = new URL("../docs/benchmarks.md", import.meta.url);
const HEAD = `# Benchmarks

Made by \`deno task bench\`; nothing here is typed by hand. Compare ratios of one run, not times of
two: machines are noisy, and not yours.
`;

const names = Deno.args.length === 0 ? Object.keys(BENCHES) : Deno.args;
const unknown = names.find((name) => !Object.hasOwn(BENCHES, name));
if (unknown !== undefined) {
  console.error(`Cannot run bench "${unknown}": there are ${Object.keys(BENCHES).join(", ")}`);
  Deno.exit(2);
}
for (const name of names) {
  const { title, run } = BENCHES[name]!;
  const found = await run((line) => console.error(line));
  if (typeof found !== "string") {
    console.log(`skipped: ${name}: ${found.skipped}`);
    continue;
  }
  const machine = `${os.cpus()[0]?.model ?? "?"}, ${os.cpus().length} cores, ` +
    `${(os.totalmem() / 2 ** 30).toFixed(0)} GiB, ${os.type()} ${os.release()}; ` +
    `${new Date().toISOString().slice(0, 10)}`;
  const text = `## ${title}\n\n${machine}.\n\n${found}\n`;
  console.log(text);
  write(name, text);
}
await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", FILE.pathname] }).output();

function write(name: string, text: string): void {
  const [begin, end] = [`<!-- bench ${name} -->`, `<!-- end of ${name} -->`];
  const marked = `${begin}\n\n${text}\n${end}\n`;
  let old = HEAD;
  try {
    old = Deno.readTextFileSync(FILE);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const [from, to] = [old.indexOf(begin), old.indexOf(end)];
  const next = from < 0 || to < 0
    ? `${old}\n${marked}`
    : old.slice(0, from) + marked + old.slice(to + end.length + 1);
  Deno.writeTextFileSync(FILE, next);
}
