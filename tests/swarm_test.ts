/**
 * The swarm: worlds drawn from seeds, in each of which other things go wrong, and laws that hold in
 * all of them. `deno task simulate SEED` replays one.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { assert, assertEquals } from "@std/assert/mod.js";
import { FAULTS } from "./swarm/plan.ts";
import { World } from "./swarm/world.ts";

const SEEDS = 200;
/** Worlds of one test, so that a test ends well before its deadline on a busy machine. */
const OF_ONE_TEST = 10;
/** What 200 worlds must have come to at least once. */
const OUTCOMES = [
  ...["confirmed", "canceled (withdrawn)", "canceled (replaced)", "declined (declined)"],
  ...["rolledBack (imageCrashed)", "rolledBack (imageHung)", "rolledBack (selfTestFailed)"],
  ...["failed (slotDigestDiffers)", "failed (storageFailed)", "failed (storageFull)"],
  ...["assigned (needsUnmet)"],
].map((words) => `outcome ${words}`);
/** In these phases the power must have gone. */
const CUT_IN = ["idle", "preparing", "ready", "installing", "trialAll", "rollBackAll", "reporting"]
  .map((phase) => `cut in ${phase}`);

const marks = new Map<string, number>();

async function holds(seed: number): Promise<void> {
  const result = await World.run(seed);
  for (const [name, times] of result.marks) marks.set(name, (marks.get(name) ?? 0) + times);
  const broken = result.violations.map(({ law, what }) => `${law}: ${what}`);
  assertEquals(broken, [], `\nagain: deno task simulate ${seed} --trace`);
}

for (let first = 1; first <= SEEDS; first += OF_ONE_TEST) {
  Deno.test(`every law holds in worlds ${first} to ${first + OF_ONE_TEST - 1}`, async () => {
    for (let seed = first; seed < first + OF_ONE_TEST; seed++) await holds(seed);
  });
}

/** Worlds that once broke a law, and why; and one for an outcome that the others do not come to. */
const NOTED: Readonly<Record<number, string>> = {
  262: "a medium is full until the update is given up",
  10403: "a confirmed image that hangs for ever was looked at just before it was started again",
  10658: "one ECU could not read its part of a bundle when the power came back",
  30247: "half a bundle was offered, since one ECU was still on trial of a newer one",
};

for (const [seed, why] of Object.entries(NOTED)) {
  Deno.test(`every law holds in world ${seed}, in which ${why}`, () => holds(Number(seed)));
}

Deno.test("every law holds in a world that was never seen before", async () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  console.log(`a random world: deno task simulate ${seed}`);
  await holds(seed);
});

Deno.test("the worlds met every kind of fault, outcome and moment of a cut", () => {
  for (const [name, times] of [...marks].sort()) {
    console.log(`${String(times).padStart(8)}  ${name}`);
  }
  for (const mark of [...FAULTS, ...OUTCOMES, ...CUT_IN]) {
    assert((marks.get(mark) ?? 0) > 0, `no world met "${mark}"`);
  }
});

/** A world in which the power goes, the server ends and messages overtake each other. */
const EVENTFUL = 27;

Deno.test("one seed gives one story, twice in a process and in another one", async () => {
  const [once, twice] = [await World.run(EVENTFUL), await World.run(EVENTFUL)];
  assertEquals(twice.digest, once.digest);
  const child = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "scripts/simulate.ts", String(EVENTFUL)],
    cwd: new URL("../", import.meta.url).pathname,
    stdout: "piped",
    stderr: "inherit",
  }).output();
  const text = new TextDecoder().decode(child.stdout);
  assertEquals(/^digest ([0-9a-f]{64})$/m.exec(text)?.[1], once.digest, text);
  assert(once.events > 100, `${once.events} events`);
  const other = await World.run(EVENTFUL + 1);
  assert(other.digest !== once.digest);
});
