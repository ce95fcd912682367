/**
 * A confirmed bundle of which one ECU cannot run its part for now, while newer campaigns come and
 * go: the slot with that part is emptied, filled with what fails, emptied again. The boot records
 * must tell all that time that the vehicle is mixed, and that nothing older may come.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { counterFloor } from "vehicle/bootloader/boot_record.ts";
import { busWorld, concluded, lasts, watched } from "./bus_world.ts";
import { UNHURT } from "./sim_bus.ts";
import { everyEcu } from "./sim_bundle.ts";
import { imageBytes } from "./sim_release.ts";
import type { SimVehicle } from "./sim_vehicle.ts";

const MIXED = { body: "2.0.0", cluster: "1.0.0", ivi: "2.0.0" };

/** A bundle is confirmed on all; then cluster could not read its slot when the power came back. */
async function fallenBehind(counter: number) {
  const { bus, vehicle } = await busWorld();
  vehicle.offer("c2", everyEcu(counter));
  await vehicle.settled("c2");
  const disks = vehicle.disksOf("cluster");
  const disk = disks[vehicle.ecu("cluster").inventory().running!.slot];
  vehicle.cut(() => "new");
  vehicle.power.failingRead.add(disk);
  // Else it would be restarted into its part as soon as that can be read.
  bus.rule = ({ serial, kind }) => serial === "cluster" && kind === "restart" ? [] : UNHURT;
  vehicle.powerOn();
  await watched(vehicle, () => vehicle.runs()["cluster"] === "1.0.0", "cluster fell back");
  vehicle.power.failingRead.delete(disk); // From the next start on it could be read again.
  await lasts(vehicle, 10_000);
  return { bus, vehicle };
}

function record(vehicle: SimVehicle) {
  return vehicle.ecu("cluster").inventory().record;
}

/** A campaign for all of which cluster's part is damaged: it is given up when its slot is empty. */
async function emptied(vehicle: SimVehicle, campaign: string, counter: number): Promise<void> {
  const own = imageBytes("good", 3000, 1000 + counter); // Else all have one carrier.
  const releases = everyEcu(counter, { cluster: { bytes: own } });
  vehicle.offer(campaign, releases);
  const { carrier, bytes } = releases.cluster.full;
  const damaged = bytes.map((byte, at) => at > bytes.length - 50 ? byte ^ 0x55 : byte);
  vehicle.backend.carriers.set(carrier.carrierSha256, damaged);
  await watched(vehicle, concluded(vehicle, campaign), `${campaign} is given up`);
  assertEquals([record(vehicle).A.image, record(vehicle).B.image].includes(null), true);
}

Deno.test("half a bundle stays locked when the slot of its other half is emptied for a newer campaign", async () => {
  const { bus, vehicle } = await fallenBehind(2);
  await emptied(vehicle, "c3", 3);
  await lasts(vehicle, 120_000);
  assertEquals(vehicle.runs(), MIXED);
  assert(vehicle.screen().driveLock);
  vehicle.cut(() => "old"); // And it lasts.
  vehicle.powerOn();
  await lasts(vehicle, 120_000);
  assert(vehicle.screen().driveLock);
  bus.rule = () => UNHURT;
  vehicle.offer("c4", everyEcu(4));
  await watched(vehicle, () => vehicle.allRun("4.0.0"), "all run release 4");
  await watched(vehicle, () => !vehicle.screen().driveLock, "it may be driven", 60_000);
});

Deno.test("half a bundle stays locked when a newer campaign fails on trial, and the one after it in its download", async () => {
  const { bus, vehicle } = await fallenBehind(2);
  vehicle.offer("c3", everyEcu(3, { ivi: { does: "selfTestFails@100" } }));
  await watched(vehicle, () => vehicle.journal().phase === "preparing", "c3 is prepared");
  bus.rule = () => UNHURT;
  await watched(vehicle, concluded(vehicle, "c3"), "c3 goes back");
  await lasts(vehicle, 60_000);
  assertEquals(vehicle.runs(), MIXED);
  assert(vehicle.screen().driveLock);
  await emptied(vehicle, "c4", 4);
  await lasts(vehicle, 60_000);
  assertEquals(vehicle.runs(), MIXED);
  assert(vehicle.screen().driveLock);
  vehicle.offer("c5", everyEcu(5));
  await watched(vehicle, () => vehicle.allRun("5.0.0"), "all run release 5");
  await watched(vehicle, () => !vehicle.screen().driveLock, "it may be driven", 60_000);
});

Deno.test("an ECU that fell behind takes the release of its bundle again, and nothing older", async () => {
  const { bus, vehicle } = await fallenBehind(4);
  await emptied(vehicle, "c3", 5);
  assertEquals(counterFloor(record(vehicle)), 4);
  vehicle.offer("c4", { cluster: everyEcu(3).cluster }); // Above release 1, which runs.
  await watched(vehicle, concluded(vehicle, "c4"), "c4 is refused");
  assertEquals(vehicle.failures()["cluster"], "releaseDowngrade");
  assert(vehicle.screen().driveLock);
  bus.rule = () => UNHURT;
  vehicle.offer("c5", { cluster: everyEcu(4).cluster });
  await watched(vehicle, () => vehicle.allRun("4.0.0"), "all run release 4");
  await watched(vehicle, () => !vehicle.screen().driveLock, "it may be driven", 60_000);
});

Deno.test("an ECU that fell behind locks the vehicle however many releases its partners take without it", async () => {
  const { bus, vehicle } = await fallenBehind(2);
  for (const counter of [3, 4, 5]) {
    const { body, ivi } = everyEcu(counter);
    vehicle.offer(`c${counter}`, { body, ivi });
    await watched(vehicle, concluded(vehicle, `c${counter}`), `release ${counter} comes`);
    const version = `${counter}.0.0`;
    assertEquals(vehicle.runs(), { body: version, cluster: "1.0.0", ivi: version });
    await lasts(vehicle, 60_000);
    assert(vehicle.screen().driveLock, version);
  }
  bus.rule = () => UNHURT; // It can be restarted into its part.
  const runs = () => vehicle.runs()["cluster"] === "2.0.0";
  await vehicle.until(runs, "cluster runs its part", 6 * 60_000);
  await vehicle.until(() => !vehicle.screen().driveLock, "it may be driven", 60_000);
});
