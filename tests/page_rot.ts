/**
 * The last act of the page journey, played when its pictures are wanted, since the scrub takes its
 * time: bytes rot in the slot that runs, and both pages show how it is healed. `rot_test.ts` proves
 * the healing itself.
 *
 * @module
 */
import { LEAF_BYTES } from "shared/limits.ts";
import type { JourneyWorld } from "./journey_world.ts";
import { ivi, type Stage } from "./page_stage.ts";
import { Gate } from "./trouble_proxy.ts";

/** Leaves that rot; the image of this journey has some 380. */
const ROTTEN_LEAVES = [3, 40, 77, 120, 160, 199, 300];
/** Leaves that are healed before the line is held. */
const LET_THROUGH = 3;
/** A round of the scrub over 24 MiB with its rest, and half as much again. */
const SCRUB_MS = 150_000;

/** Lets the slot rot that the head unit runs from, and looks on while it is healed. */
export async function rotAndHeal(world: JourneyWorld, board: Stage, unit: Stage): Promise<void> {
  const gate = new Gate();
  let asked = 0;
  world.proxy!.trouble = (path) =>
    /^\/chunks\/\w+\/\d+$/.test(path) && ++asked > LET_THROUGH
      ? { kind: "gate", afterBytes: 0, gate }
      : undefined;
  const { slot } = (await world.ecus()).ivi!;
  using disk = Deno.openSync(`${world.vehicleData}/ecus/ivi/slot${slot}.disk`, {
    read: true,
    write: true,
  });
  for (const leaf of ROTTEN_LEAVES) {
    disk.seekSync(leaf * LEAF_BYTES, Deno.SeekMode.Start);
    disk.writeSync(new Uint8Array(16));
  }
  await board.open("vehicles");
  const care = board.page.getByTestId("care-ivi");
  const done = `${LET_THROUGH} of ${ROTTEN_LEAVES.length} leaves`;
  await care.getByText(done).waitFor({ timeout: SCRUB_MS });
  await unit.page.getByText("One control unit is being repaired. You can drive.").waitFor();
  await unit.stop("a slot is being healed");
  await ivi(board).getByText("Last failed trial").click();
  await ivi(board).locator("pre").waitFor();
  await board.stop("a slot is being healed", "notice-board-healing");
  gate.open();
  await care.getByText("Healed since power-on: 1").waitFor();
  await board.stop("a slot was healed");
  await unit.page.getByText("is being repaired").waitFor({ state: "detached" });
}
