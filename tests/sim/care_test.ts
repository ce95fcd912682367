/**
 * What is told of rot while it is healed: how many leaves are whole again, and why it waits.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { SCRUB_REST_MS } from "shared/limits.ts";
import type { RotReport } from "shared/protocol/messages.ts";
import { isSound, slotsOf, updated } from "./rot_world.ts";
import type { SimVehicle } from "./sim_vehicle.ts";

/** Longer than a round with its rest. */
const ROUND_MS = SCRUB_REST_MS + 5000;

function shown(vehicle: SimVehicle, ecu: string): RotReport | undefined {
  return vehicle.screen().rot?.find((one) => one.ecu === ecu);
}

Deno.test("while a slot is healed, screen and status say how many of its bad leaves are whole again", async () => {
  const vehicle = await updated();
  assertEquals(vehicle.screen().rot, undefined, "nothing has rotted");
  const { fallback } = slotsOf(vehicle, "ivi");
  const disk = vehicle.disksOf("ivi")[fallback];
  for (const sector of [0, 2, 5]) disk.flip(sector, 7);
  const told: (RotReport["healing"] | "unknown")[] = [];
  const byStatus: RotReport["healing"][] = [];
  vehicle.backend.leaves.hold = async (signal) => {
    told.push(shown(vehicle, "ivi")!.healing ?? "unknown");
    await vehicle.clock.life().sleep(600, signal); // A slow line: longer than statuses are apart.
    byStatus.push(vehicle.broker.retained!.rot!.find(({ ecu }) => ecu === "ivi")!.healing);
  };
  await vehicle.pass(ROUND_MS);
  assert(isSound(vehicle, "ivi", fallback));
  const leaves = [0, 1, 2].map((doneLeaves) => ({ doneLeaves, totalLeaves: 3 }));
  assertEquals(told, ["unknown", ...leaves]);
  assertEquals(byStatus.slice(2), leaves.slice(1));
  const last = vehicle.backend.manifests.at(-1)!.rot!.find(({ ecu }) => ecu === "ivi")!;
  assertEquals(last.healing, { doneLeaves: 3, totalLeaves: 3 });
  assert(last.healedAt !== null);
});

Deno.test("rot that cannot be healed says why it waits, since when it is known, and no longer once it is healed", async () => {
  const vehicle = await updated();
  const { fallback } = slotsOf(vehicle, "body");
  vehicle.backend.down = true;
  vehicle.disksOf("body")[fallback].flip(0, 7);
  await vehicle.pass(ROUND_MS);
  const { at, failure, waits } = shown(vehicle, "body")!;
  assertEquals([failure.name, waits?.name], ["slotRotten", "serverUnreachable"]);
  vehicle.backend.down = false;
  vehicle.backend.leaves.meddle = (answer) => answer.subarray(0, 10);
  await vehicle.pass(6 * 60_000);
  const manifest = vehicle.backend.manifests.at(-1)!.rot!.find(({ ecu }) => ecu === "body")!;
  assertEquals([manifest.failure.name, manifest.waits?.name], ["leafDiffers", "leafDiffers"]);
  assertEquals(manifest.at, at, "the same rot, for another reason");
  vehicle.backend.leaves.meddle = undefined;
  await vehicle.until(() => isSound(vehicle, "body", fallback), "it is healed", 6 * 60_000);
  await vehicle.pass(1000);
  const healed = shown(vehicle, "body")!;
  assertEquals([healed.waits, healed.healing], [undefined, { doneLeaves: 1, totalLeaves: 1 }]);
  assert(healed.healedAt !== null && healed.healedAt > at);
});
