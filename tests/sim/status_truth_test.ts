/**
 * What the broker keeps of a vehicle at rest is what its boot records say: a slot that was emptied
 * is not told of as if it still held its image.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import type { EcuReport } from "shared/protocol/messages.ts";
import type { SlotRecord } from "vehicle/bootloader/boot_record.ts";
import { busWorld, concluded, lasts, watched } from "./bus_world.ts";
import { ECUS, everyEcu } from "./sim_bundle.ts";
import type { SimVehicle } from "./sim_vehicle.ts";

type Slots = Record<string, EcuReport["slots"]>;

function inTruth(vehicle: SimVehicle): Slots {
  const line = ({ image, successful, unbootable, triesRemaining }: SlotRecord) => ({
    ...{ version: image?.version ?? null, sha256: image?.sha256 ?? null },
    ...{ successful, unbootable, triesRemaining },
  });
  return Object.fromEntries(ECUS.map(([serial]) => {
    const { A, B } = vehicle.ecu(serial).inventory().record;
    return [serial, { A: line(A), B: line(B) }];
  }));
}

function kept(vehicle: SimVehicle): Slots {
  const ecus = vehicle.broker.retained?.ecus ?? [];
  return Object.fromEntries(ecus.map(({ serial, slots }) => [serial, slots]));
}

/** A vehicle that runs release 2. */
async function onRelease2(): Promise<SimVehicle> {
  const { vehicle } = await busWorld();
  vehicle.offer("c2", everyEcu(2));
  await vehicle.settled("c2");
  await lasts(vehicle, 1000);
  assertEquals(kept(vehicle), inTruth(vehicle));
  return vehicle;
}

Deno.test("the retained status of a vehicle whose update was given up names no image in the emptied slot", async () => {
  const vehicle = await onRelease2();
  const releases = everyEcu(3);
  vehicle.offer("c3", releases);
  const { carrier, bytes } = releases.body.full;
  const spoilt = bytes.map((byte, at) => at > bytes.length - 50 ? byte ^ 0x55 : byte);
  vehicle.backend.carriers.set(carrier.carrierSha256, spoilt);
  await watched(vehicle, concluded(vehicle, "c3"), "c3 is given up");
  await lasts(vehicle, 1000);
  const { A, B } = inTruth(vehicle)["body"]!;
  assertEquals([A.version, B.version].toSorted(), ["2.0.0", null]);
  assertEquals(kept(vehicle), inTruth(vehicle));
});

Deno.test("the retained status of a vehicle that went back is what the slots hold, also where nothing was tried", async () => {
  const vehicle = await onRelease2();
  vehicle.offer("c3", everyEcu(3, { body: { does: "selfTestFails@100" } }));
  await watched(vehicle, () => vehicle.journal().phase === "trialAll", "all are armed");
  assertEquals(kept(vehicle), inTruth(vehicle));
  await watched(vehicle, concluded(vehicle, "c3"), "c3 goes back");
  await lasts(vehicle, 1000);
  const { A, B } = inTruth(vehicle)["ivi"]!; // Its turn never came.
  assertEquals([A.version, B.version].toSorted(), ["2.0.0", "3.0.0"]);
  assertEquals(kept(vehicle), inTruth(vehicle));
});
