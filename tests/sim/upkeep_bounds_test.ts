/**
 * Healing keeps to its bounds: a medium that rots again as soon as it is healed costs few writes, and
 * no update waits for it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { MAX_SECURE_HEALS } from "shared/limits.ts";
import { isSound, slotsOf, toldFailures, toldNotes, updated } from "./rot_world.ts";
import { everyEcu } from "./sim_bundle.ts";
import type { SimDisk } from "./sim_disk.ts";
import { SimVehicle } from "./sim_vehicle.ts";

/** The sector of the tests, which does not keep what is written. */
const WEAK = 2;

/** Counts the writes to a sector of a disk from now on, and tells of each. */
function onWrite(disk: SimDisk, act: (writes: number) => void): () => number {
  let writes = 0;
  const write = disk.write.bind(disk);
  disk.write = (sector, data) => {
    write(sector, data);
    if (sector <= WEAK && sector + data.length / disk.sectorBytes > WEAK) act(++writes);
  };
  return () => writes;
}

Deno.test("a way back that rots again as soon as it is healed: few writes, then the release is refused by name", async () => {
  const vehicle = await updated();
  const { running, fallback } = slotsOf(vehicle, "body");
  const disk = vehicle.disksOf("body")[running];
  disk.flip(WEAK, 10);
  let goodReads = 0;
  const writes = onWrite(disk, (count) => {
    assert(count < 50, "it is healed again and again");
    goodReads = 2; // What reads it back, and the digest after the healing.
  });
  const read = disk.read.bind(disk);
  disk.read = (sector, count) => {
    const bytes = read(sector, count);
    const met = sector <= WEAK && sector + count > WEAK && goodReads > 0;
    if (met && --goodReads === 0) disk.flip(WEAK, 10);
    return bytes;
  };
  const untouched = vehicle.disksOf("body")[fallback].operations;
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3");
  const { failure } = vehicle.screen().result!;
  assertEquals([failure?.name, failure?.serial], ["fallbackUnsound", "body"]);
  assert(writes() >= MAX_SECURE_HEALS && writes() <= 2 * MAX_SECURE_HEALS, `${writes()} writes`);
  assertEquals(vehicle.disksOf("body")[fallback].operations, untouched);
  assert(vehicle.allRun("2.0.0"));
});

Deno.test("a spot that rots half a minute after each healing is healed with growing pauses, and told as often", async () => {
  const vehicle = await updated();
  const { fallback } = slotsOf(vehicle, "body");
  const disk = vehicle.disksOf("body")[fallback];
  disk.flip(WEAK, 10);
  let lasts = false;
  const writes = onWrite(disk, () => {
    if (!lasts) void vehicle.clock.life().sleep(30_000).then(() => disk.flip(WEAK, 10));
  });
  await vehicle.pass(2 * 3_600_000);
  assert(writes() >= 10 && writes() <= 15, `${writes()} writes in two hours`);
  assert(toldFailures(vehicle, "body").length <= writes() + 1);
  assert(vehicle.allRun("2.0.0"));
  lasts = true;
  await vehicle.until(() => isSound(vehicle, "body", fallback), "healed", 3 * 3_600_000);
  await vehicle.pass(60_000);
  assertEquals(vehicle.failures()["body"], null);
});

Deno.test("a leaf that the medium never keeps costs fewer and fewer writes", async () => {
  const vehicle = await updated();
  const { fallback } = slotsOf(vehicle, "cluster");
  const disk = vehicle.disksOf("cluster")[fallback];
  disk.flip(WEAK, 10);
  disk.worn.set(WEAK, Infinity);
  const writes = onWrite(disk, () => {});
  await vehicle.pass(2 * 3_600_000);
  assert(writes() >= 30 && writes() <= 45, `${writes()} writes in two hours`);
  assertEquals(vehicle.failures()["cluster"], "storageFailed");
  const before = [writes(), vehicle.backend.leaves.requests.length] as const;
  await vehicle.pass(2 * 3_600_000);
  assert(writes() - before[0] <= 6 && vehicle.backend.leaves.requests.length - before[1] <= 4);
  assertEquals(toldFailures(vehicle, "cluster"), ["slotRotten", "storageFailed"]);
});

Deno.test("a record of the gateway that the medium does not keep is told once, and not as healed", async () => {
  const vehicle = await updated();
  const disk = vehicle.power.gateway;
  disk.flip(40, 100);
  disk.worn.set(40, Infinity);
  await vehicle.pass(30 * 60_000);
  assertEquals(toldFailures(vehicle, "gateway"), ["recordRotten"]);
  assertEquals(toldNotes(vehicle, "gateway"), []);
  const rot = vehicle.backend.manifests.at(-1)!.rot!.find(({ ecu }) => ecu === "gateway");
  assertEquals([rot?.what, rot?.healedAt], ["targets", null]);
  disk.worn.clear();
  await vehicle.until(() => toldNotes(vehicle, "gateway").length === 1, "healed", 5 * 60_000);
});

Deno.test("beyond the commit point a slot that never holds its image is filled more and more seldom, and goes forward when it holds", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2));
  await vehicle.until(() => vehicle.runs()["ivi"] === "trial2.0.0", "ivi is on trial");
  vehicle.cutIn("confirmAll", 0);
  await vehicle.dies();
  vehicle.power.cut(() => "new");
  const disk = vehicle.disksOf("ivi").B;
  disk.flip(WEAK, 10);
  disk.worn.set(WEAK, Infinity);
  const writes = onWrite(disk, () => {});
  vehicle.powerOn();
  await vehicle.pass(60 * 60_000);
  assertEquals(vehicle.journal().phase, "confirmAll");
  assertEquals(vehicle.failures()["ivi"], "slotDigestDiffers");
  assertEquals(vehicle.screen().driveLock, true);
  assert(writes() >= 10 && writes() <= 40, `${writes()} images written in an hour`);
  assert(vehicle.backend.requests.length <= 40, `${vehicle.backend.requests.length} downloads`);
  disk.worn.clear();
  await vehicle.settled("c2", 2 * 3_600_000);
  assert(vehicle.allRun("2.0.0"));
});
