/**
 * Differences between real images: sizes, CPU and memory against the peers, in one run, each
 * result applied and compared byte for byte. What applying alone takes is in apply_memory.ts.
 *
 * The pairs lie in `$OTA_CORPUS/pairs/NAME/{old,new}` (default `./corpus`).
 *
 * @module
 */
import { join } from "node:path";
import { BSDIFF, CONTAINER, type Files, PEERS, type Tool } from "./delta_peers.ts";
import { assertSame, type Cost, geomean, isThere, median, whyNotMeasured } from "./measure.ts";

/** The pairs of the size goal; the others only have to beat the best peer. */
const GOAL = ["vcfw", "libcrypto", "esbuild", "kernel", "root-ext4"];
const NAMES = [...GOAL, "deno", "root-sqzst"];
/** Where CPU is compared: large enough that starting a process does not count. */
const CPU = ["kernel", "root-ext4"];
/** How often a difference is applied, and one of a smaller pair made. */
const ROUNDS = 3;
const MANY_BYTES = 40 * 1024 * 1024;

interface Result {
  readonly bytes: number;
  readonly make: readonly Cost[];
  readonly apply: readonly Cost[];
}
type Results = Map<string, Map<string, Result>>;

/**
 * Runs the bench.
 *
 * @param log Takes a line about each step.
 * @returns Markdown, or why it was skipped.
 */
export async function benchDelta(
  log: (line: string) => void,
): Promise<string | { skipped: string }> {
  const why = whyNotMeasured();
  if (why !== null) return { skipped: why };
  const corpus = Deno.env.get("OTA_CORPUS") ?? "corpus";
  const pairs = NAMES.filter((name) => isThere(join(corpus, "pairs", name, "new")));
  if (pairs.length === 0) return { skipped: `no pairs in ${corpus}/pairs; see OTA_CORPUS` };
  const [tools, absent]: [Tool[], string[]] = [[], []];
  for (const tool of [BSDIFF, ...PEERS, CONTAINER]) {
    if (await tool.version() === null) absent.push(tool.name);
    else tools.push(tool);
  }
  if (!tools.includes(BSDIFF)) return { skipped: "no bsdiff: apt-get install bsdiff" };
  const folder = await Deno.makeTempDir({ prefix: "bench-delta-" });
  try {
    const results: Results = new Map();
    for (const pair of pairs) {
      const from = join(corpus, "pairs", pair);
      const found = new Map<string, Result>();
      for (const tool of tools) {
        const patch = join(folder, `${pair}.${tools.indexOf(tool)}`);
        const files = {
          old: join(from, "old"),
          new: join(from, "new"),
          patch,
          out: `${patch}.out`,
        };
        const result = await run(tool, files);
        found.set(tool.name, result);
        log(`${pair}: ${tool.name} ${result.bytes} bytes, ${result.make.at(-1)!.userS} s of CPU`);
      }
      results.set(pair, found);
    }
    const versions = await Promise.all(tools.map(async (tool) => await tool.version()));
    return [
      `Tools: ${[...new Set(versions)].join("; ")}.` +
      (absent.length > 0 ? ` Absent: ${absent.join(", ")}.` : ""),
      goals(results),
      table(results, "Size in bytes", ({ bytes }) => bytes.toLocaleString("en")),
      table(results, "User CPU to make, s (median, lowest to highest)", ({ make }) => spread(make)),
      table(results, "Peak memory to make, MiB", ({ make }) => mib(peak(make)).toFixed(0)),
      table(
        results,
        "User CPU to apply, s (median, lowest to highest)",
        ({ apply }) => spread(apply),
      ),
      table(results, "Peak memory to apply, MiB", ({ apply }) => mib(peak(apply)).toFixed(0)),
    ].join("\n\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function run(tool: Tool, files: Files): Promise<Result> {
  const { size } = await Deno.stat(files.new);
  const make: Cost[] = [];
  for (let i = 0; i < (size > MANY_BYTES ? 1 : ROUNDS); i++) make.push(await tool.make(files));
  const apply: Cost[] = [];
  for (let i = 0; i < ROUNDS; i++) apply.push(await tool.apply(files));
  await assertSame(files.out, files.new);
  await Deno.remove(files.out);
  return { bytes: (await Deno.stat(files.patch)).size, make, apply };
}

const mib = (kib: number) => kib / 1024;
const peak = (costs: readonly Cost[]) => Math.max(...costs.map(({ peakKib }) => peakKib));
const cpu = (costs: readonly Cost[]) => median(costs.map(({ userS }) => userS));

function spread(costs: readonly Cost[]): string {
  const all = costs.map(({ userS }) => userS);
  if (all.length === 1) return all[0]!.toFixed(2);
  return `${median(all).toFixed(2)} (${Math.min(...all).toFixed(2)}–${
    Math.max(...all).toFixed(2)
  })`;
}

function goals(results: Results): string {
  const of = (pair: string, tool: string) => results.get(pair)?.get(tool);
  const against = (pairs: readonly string[], value: (result: Result) => number) => {
    const there = pairs.filter((pair) => of(pair, "container") !== undefined);
    if (there.length < pairs.length) return null;
    return geomean(there.map((pair) => value(of(pair, "container")!) / value(of(pair, "bsdiff")!)));
  };
  const best = [...results].map(([pair, tools]): [string, number] => {
    const peers = [...tools].filter(([name]) => name !== "container" && name !== "HDiffPatch");
    return [pair, tools.get("container")!.bytes / Math.min(...peers.map(([, { bytes }]) => bytes))];
  }).toSorted(([, a], [, b]) => b - a)[0]!;
  const ratio = (value: number | null) =>
    value === null ? "not all pairs are here" : value.toFixed(3);
  const rows = [
    [
      `Size against bsdiff, geomean of ${GOAL.join(", ")}`,
      "0.95",
      "0.85",
      ratio(against(GOAL, ({ bytes }) => bytes)),
    ],
    [
      "Size against the best of bsdiff, xdelta3 -9, zstd -19 --patch-from, zstd -19; worst pair",
      "1.05",
      "1.00",
      `${best[1].toFixed(3)} (${best[0]})`,
    ],
    [
      `CPU to make against bsdiff, geomean of ${CPU.join(", ")}`,
      "0.5",
      "0.25",
      ratio(against(CPU, ({ make }) => cpu(make))),
    ],
    [
      "Peak memory to make against bsdiff, root-ext4",
      "0.5",
      "0.3",
      ratio(against(["root-ext4"], ({ make }) => peak(make))),
    ],
    [
      `CPU to apply against bspatch, geomean of ${CPU.join(", ")}, with the start of Deno`,
      "1.5",
      "1.0",
      ratio(against(CPU, ({ apply }) => cpu(apply))),
    ],
  ];
  return [
    "| measure | must | aim | found |",
    "| --- | --- | --- | --- |",
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ].join("\n");
}

function table(results: Results, title: string, show: (result: Result) => string): string {
  const tools = [...results.values().next().value!.keys()];
  return [
    `**${title}**`,
    "",
    `| pair | ${tools.join(" | ")} |`,
    `| --- |${" --- |".repeat(tools.length)}`,
    ...[...results].map(([pair, found]) =>
      `| ${pair} | ${tools.map((tool) => show(found.get(tool)!)).join(" | ")} |`
    ),
  ].join("\n");
}
