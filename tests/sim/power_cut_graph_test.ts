/**
 * The power-cut graph in the suite: the whole of it for one ECU, a part of it, broad and deep, for
 * every other scenario, and every breakage of the order of writes. `deno task graph` explores the
 * rest.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { assert, assertEquals } from "@std/assert/mod.js";
import { explore, type Explored } from "./graph.ts";
import { HARMLESS, MUTANTS } from "./graph_mutants.ts";
import { nameOf, scenario, WISHES } from "./graph_scenarios.ts";

/** Of the scenarios that are not explored to their end. */
const ONE_NODES = 120;
const THREE_NODES = 90;
/** The slowest breakage is found at node 75. */
const MUTANT_NODES = 300;

function tell(seen: Explored): void {
  const { nodes, waiting, edges, cutPoints, depth, outcomes, interrupted, violations } = seen;
  console.log(
    `${seen.scenario}: ${nodes} nodes, ${waiting} not lived, ${edges} edges at ${cutPoints} cut ` +
      `points, depth ${depth}, ${interrupted} in interrupted trials, ${
        JSON.stringify(outcomes)
      }, ` +
      `${violations.length} violations`,
  );
}

function assertSound({ violations }: Explored): void {
  const [first] = violations;
  assert(first === undefined, `${first?.what}\n${first?.way.join("\n")}`);
}

const PHASES = ["idle", "preparing", "ready", "waiting", "installing", "trialAll", "reporting"];
const WHOLE = { ecus: 1, way: "delta", course: "good" } as const;

Deno.test("one ECU, delta: the whole graph of power cuts has no violation, and old, new and interrupted ends", async () => {
  const seen = await explore(await scenario(WHOLE));
  tell(seen);
  assertSound(seen);
  assertEquals(seen.waiting, 0);
  // New; and old, when the power was cut in more trials than are tried again.
  assertEquals(Object.keys(seen.outcomes).toSorted(), ["2.0.0 after trialInterrupted", "3.0.0"]);
  assert(seen.nodes > 1000 && seen.edges > 100_000 && seen.interrupted > 100);
  assert(seen.depth > 18, "every try of every trial was cut, one after the other");
  for (const phase of [...PHASES, "confirmAll", "rollBackAll"]) {
    assert(seen.phases[phase]! > 0, phase);
  }
});

/** Ends that must be seen, beside those that each scenario allows. */
const ENDS = {
  good: ["3.0.0"],
  bad: ["2.0.0 after imageCrashed"],
  withdrawn: ["2.0.0", "3.0.0"],
  replaced: ["4.0.0"],
  declined: ["2.0.0 after declined"],
  canceled: ["2.0.0 after declined"],
  rotten: ["3.0.0"],
} as const;

for (const wish of WISHES) {
  if (nameOf(wish) === nameOf(WHOLE)) continue;
  Deno.test(`${nameOf(wish)}: power cuts leave one sound release on all ECUs, and the update ends`, async () => {
    const maxNodes = wish.ecus === 1 ? ONE_NODES : THREE_NODES;
    const seen = await explore(await scenario(wish), { maxNodes, exhaustive: 8 });
    tell(seen);
    assertSound(seen);
    assertEquals(seen.nodes, maxNodes);
    // At three ECUs a cut leaves so many media that a bounded search is broad first.
    assert(seen.depth >= (wish.ecus === 1 ? 3 : 2), `depth ${seen.depth}`);
    for (const end of ENDS[wish.course]) assert(seen.outcomes[end]! > 0, `none ends with ${end}`);
    if (wish.course === "bad") assert(seen.phases["rollBackAll"]! > 0, "no cut on the way back");
    if (wish.course === "good") assert(seen.phases["confirmAll"]! > 0, "no cut while confirming");
  });
}

for (const mutant of MUTANTS) {
  Deno.test(`the power-cut graph finds out: ${mutant.name}`, async () => {
    const broken = await scenario(mutant.wish, mutant.parts);
    const seen = await explore(broken, { maxNodes: MUTANT_NODES, exhaustive: 6 });
    assert(seen.violations.length > 0, `nothing found in ${seen.nodes} nodes`);
    // A wrapper that does not fit the product would prove nothing.
    assert(!/TypeError|ReferenceError/.test(seen.violations[0]!.what), seen.violations[0]!.what);
  });
}

for (const one of HARMLESS) {
  Deno.test(`the power-cut graph shows that it is harmless: ${one.name}`, async () => {
    const seen = await explore(await scenario(one.wish, one.parts), { maxNodes: 100 });
    assertSound(seen);
  });
}
