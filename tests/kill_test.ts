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
/** Where an update can be cut: each must be hit in each part. */
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

for (let part = 1; part <= PARTS; part++) {
  const kills = Math.ceil(KILLS / PARTS);
  Deno.test({
    name: `vehicle processes are killed ${kills} times, part ${part} of ${PARTS}, and every ` +
      `update ends right by itself${noProc()}`,
    ignore: noProc() !== "",
    fn: () => killMany(kills, part),
  });
}

async function killMany(kills: number, part: number): Promise<void> {
  const tally = new KillTally(`KILL_SEED=${SEED} KILLS=${KILLS}, part ${part}`);
  console.log(`    ${tally.replay}`);
  await using world = await new KillWorld(tally).start(SEED + part);
  const begunMs = performance.now();
  const over = new AbortController();
  await Promise.all(world.lanes.map(async (lane, i) => {
    const random = seeded(SEED * 37 + part * 7 + i);
    try {
      while (tally.kills < kills && !over.signal.aborted) {
        await lane.update(1 + Math.floor(random() * 5));
      }
      await lane.update(0); // What the kills left behind must not trouble the next one.
    } catch (error) {
      over.abort();
      throw error;
    }
  }));
  await tally.settled();
  const running = world.lanes.map(({ vin, sha256 }) => [vin, [sha256]]);
  assertEquals(await world.listed(), Object.fromEntries(running), "what the publisher is told");
  const seconds = ((performance.now() - begunMs) / 1000).toFixed(0);
  for (const line of tally.lines()) console.log(`    ${line}`);
  console.log(`    in ${seconds} s`);

  assert(tally.kills >= kills);
  const killed = tally.updates.filter((one) => one.kills.length > 0);
  for (const way of ["full", "delta"] as const) {
    const hit = killed.filter((one) => one.way === way).length;
    assert(hit >= killed.length / 5, `${hit} of ${killed.length} killed updates came as ${way}`);
  }
  assert(killed.some(({ good }) => !good), "no bad release was cut");
  for (const phase of COVERED) {
    assert(tally.hits(phase) >= kills / 50, `${phase} was hit ${tally.hits(phase)} times`);
  }
}
