/**
 * Vehicle processes are killed at random moments of real updates on a real file system: after
 * each the vehicle goes on by itself, and every update ends as it must.
 *
 * KILL_SEED: the seed of moments and choices. KILLS: how many kills, 200 if not given.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { assert, assertEquals } from "@std/assert/mod.js";
import { noProc } from "./image_processes.ts";
import type { DiskPhase } from "./kill_disk.ts";
import { KillTally } from "./kill_tally.ts";
import { KillWorld } from "./kill_world.ts";
import { seeded } from "./sim/sim_release.ts";

const KILLS = Number(Deno.env.get("KILLS") ?? 200);
const SEED = Number(Deno.env.get("KILL_SEED") ?? Math.floor(Math.random() * 2 ** 31));
/** Where an update can be cut: each must be hit. */
const COVERED: readonly DiskPhase[] = [
  "downloading",
  "verifying",
  "installing",
  "trial",
  "confirming",
  "rollingBack",
];

/** Worlds, one after the other: each stays well within the deadline of a test, however busy the machine. */
const PARTS = 4;
const tally = new KillTally(`KILL_SEED=${SEED} KILLS=${KILLS}`);

for (let part = 1; part <= PARTS; part++) {
  Deno.test({
    name: `vehicle processes are killed again and again, part ${part} of ${PARTS}: every update ` +
      `ends right by itself${noProc()}`,
    ignore: noProc() !== "",
    fn: () => killMany(part),
  });
}

async function killMany(part: number): Promise<void> {
  console.log(`    ${tally.replay}, part ${part}`);
  await using world = await new KillWorld(tally).start(SEED + part);
  const [begunMs, wanted] = [performance.now(), Math.ceil(KILLS / PARTS * part)];
  const over = new AbortController();
  // All of them to their end: a lane that went on would disturb the next part.
  const ends = await Promise.allSettled(world.lanes.map(async (lane, i) => {
    const random = seeded(SEED * 37 + part * 7 + i);
    try {
      while (tally.kills < wanted && !over.signal.aborted) {
        await lane.update(1 + Math.floor(random() * 5));
      }
      await lane.update(0); // What the kills left behind must not trouble the next one.
    } catch (error) {
      over.abort();
      console.log((error as Error).message); // At once: the other parts take minutes.
      throw error;
    }
  }));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  await tally.settled();
  const running = world.lanes.map(({ vin, sha256 }) => [vin, [sha256]]);
  assertEquals(await world.listed(), Object.fromEntries(running), "what the publisher is told");
  console.log(`    ${tally.kills} kills; ${((performance.now() - begunMs) / 1000).toFixed(0)} s`);
}

Deno.test({
  name:
    `${KILLS} kills hit every phase of updates in full and by deltas, and bad releases${noProc()}`,
  ignore: noProc() !== "",
  fn() {
    for (const line of tally.lines()) console.log(`    ${line}`);
    assert(tally.kills >= KILLS, `${tally.kills} kills`);
    for (const phase of COVERED) {
      const hits = tally.hits(phase);
      assert(
        hits >= KILLS / 40,
        `${phase} was hit ${hits} times: not where the kills were to fall`,
      );
    }
    for (const way of ["full", "delta"] as const) {
      const hits = COVERED.reduce((sum, phase) => sum + tally.hits(phase, way), 0);
      assert(hits >= KILLS / 5, `${hits} kills in updates by ${way}`);
    }
    const bad = tally.updates.filter(({ good, kills }) => !good && kills.length > 0);
    assert(bad.length >= KILLS / 40, `${bad.length} bad releases were cut`);
  },
});
