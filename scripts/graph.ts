/**
 * Explores the power-cut graph of every scenario, breaks the product on purpose in every way that
 * is listed, and writes what it saw to docs/power-cuts.md. For the night: the whole graph of three
 * ECUs takes hours.
 *
 * Usage: deno task graph [--one-nodes N] [--three-nodes N] [--whole SCENARIO]… [--only WORDS]; without
 * the bounds all of it. With --only nothing is written.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { parseArgs } from "node:util";
import { explore, type Explored } from "../tests/sim/graph.ts";
import { HARMLESS, type Mutant, MUTANTS } from "../tests/sim/graph_mutants.ts";
import { nameOf, scenario, type ScenarioWish, WISHES } from "../tests/sim/graph_scenarios.ts";
import { exploreBroken, SOURCE_MUTANTS } from "../tests/source_mutants.ts";

/** A breakage is found within some dozens of nodes, or it is none. */
const MUTANT_NODES = 600;

const { values } = parseArgs({
  options: {
    "one-nodes": { type: "string" },
    "three-nodes": { type: "string" },
    whole: { type: "string", multiple: true, default: [] },
    only: { type: "string" },
  },
});

async function exploreAll(): Promise<Explored[]> {
  const all: Explored[] = [];
  for (const wish of WISHES.filter((one) => nameOf(one).includes(values.only ?? ""))) {
    const whole = values.whole.includes(nameOf(wish));
    const bound = whole ? undefined : values[wish.ecus === 1 ? "one-nodes" : "three-nodes"];
    const startedMs = performance.now();
    const explored = await explore(await scenario(wish), {
      ...(bound === undefined ? {} : { maxNodes: Number(bound) }),
      onProgress: ({ nodes, edges }) => {
        if (nodes % 5000 === 0) console.log(`  ${nodes} nodes, ${edges} edges`);
      },
    });
    all.push(explored);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed();
    console.log(`${row(explored)} ${seconds} s`);
    for (const { what, way } of explored.violations) console.log(what, "\n", way.join("\n "));
  }
  return all;
}

function row(seen: Explored): string {
  const outcomes = Object.entries(seen.outcomes).toSorted().map(([what, times]) =>
    `${what}: ${times}`
  );
  const { nodes, waiting, edges, cutPoints, depth, interrupted, violations } = seen;
  const whole = waiting === 0 ? "yes" : `no, ${waiting} wait`;
  const cells = [seen.scenario, nodes, whole, edges, cutPoints, depth, interrupted]
    .concat(outcomes.join("; "), violations.length);
  return `| ${cells.join(" | ")} |`;
}

async function foundBy({ wish, parts }: Mutant): Promise<string | null> {
  const made = await scenario(wish as ScenarioWish, parts);
  const { violations } = await explore(made, { maxNodes: MUTANT_NODES, exhaustive: 6 });
  return violations[0]?.what ?? null;
}

function breakage(name: string, breaks: string, found: string | null): string {
  const what = found === null ? "NOT FOUND" : found.split(": ")[0]!.split("\n")[0]!;
  const line = `| ${name} | ${breaks} | ${what} |`;
  console.log(line);
  return line;
}

function quoted(arg: string): string {
  return arg.includes(" ") ? `"${arg}"` : arg;
}

const PAGE = new URL("../docs/power-cuts.md", import.meta.url);
const all = await exploreAll();
if (values.only !== undefined) Deno.exit(all.some((one) => one.violations.length > 0) ? 1 : 0);
const broken: string[] = [];
for (const one of MUTANTS) broken.push(breakage(one.name, one.breaks, await foundBy(one)));
for (const one of SOURCE_MUTANTS) {
  const found = await exploreBroken(one, MUTANT_NODES);
  broken.push(breakage(`${one.name} (\`${one.file}\`)`, one.breaks, found?.what ?? null));
}
const harmless: string[] = [];
for (const one of HARMLESS) {
  const found = await foundBy(one);
  harmless.push(`- ${one.name}: ${found === null ? one.because : `FOUND: ${found}`}`);
}
const sum = (key: "nodes" | "edges" | "cutPoints") =>
  all.reduce((total, one) => total + one[key], 0);
const violations = all.reduce((total, one) => total + one.violations.length, 0);
await Deno.writeTextFile(
  PAGE,
  `# Power cuts

Written by \`${
    ["deno task graph", ...Deno.args.map(quoted)].join(" ")
  }\`. How it is done and why it proves something: decision 0013.

A node is a state of all disks, with what the server knows; an edge is a power cut before one
durable operation that leaves one of the states the medium allows. From every node one life is lived
to its end and watched: an image that starts is whole and released; outside the drive lock all ECUs
run one release, confirmed; the journal reads; what a boot record names bootable lies there; a
trial takes a try first and a verdict is written before it is acted on; the update ends, at an
outcome that the scenario allows, and the server hears it. Cuts in recovery and on the way back are
edges as all others.

${sum("nodes")} nodes, ${sum("edges")} edges, ${
    sum("cutPoints")
  } cut points, ${violations} violations.

| scenario | nodes | whole graph | edges | cut points | depth | in interrupted trials | ends | violations |
|---|---|---|---|---|---|---|---|---|
${all.map(row).join("\n")}

Depth is the number of cuts on the way to a node. "In interrupted trials": nodes of an update that
the power had already cost all its tries once or more.

## Deliberate breakages

Each is found by the graph; the last column is what it found first.

| what is broken | the rule | found |
|---|---|---|
${broken.join("\n")}

These change nothing that a power cut can reach:

${harmless.join("\n")}
`,
);
await new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", PAGE.pathname] }).output();
const failed = violations > 0 || broken.some((line) => line.includes("NOT FOUND")) ||
  harmless.some((line) => line.includes("FOUND: "));
console.log(failed ? "graph: FAILED" : "graph: ok, written to docs/power-cuts.md");
Deno.exit(failed ? 1 : 0);
