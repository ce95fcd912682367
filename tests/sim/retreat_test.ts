/**
 * The way back of a bundle, begun and cut off, when another release comes before it is finished.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { HEAL_PATIENCE_MS } from "shared/limits.ts";
import { rotWhileOff, slotsOf, updated } from "./rot_world.ts";
import { everyEcu } from "./sim_bundle.ts";
import { release } from "./sim_release.ts";
import { SimVehicle } from "./sim_vehicle.ts";

/** A vehicle that drives, of which only some ECUs went back from release 2 before the power went. */
async function half(): Promise<SimVehicle> {
  const vehicle = await SimVehicle.running({ consent: "ask" });
  vehicle.offer("c2", everyEcu(2));
  await vehicle.phase("ready");
  vehicle.say("accept", "c2");
  await vehicle.settled("c2");
  const { running } = slotsOf(vehicle, "body");
  vehicle.backend.leaves.clear();
  rotWhileOff(vehicle, () => vehicle.disksOf("body")[running].flip(2, 77));
  await vehicle.pass(HEAL_PATIENCE_MS - 1000);
  const old = () => Object.values(vehicle.runs()).filter((one) => one === "1.0.0").length;
  const begun = () => vehicle.journal().retreat !== undefined;
  await vehicle.until(begun, "half of the way back", 6 * 60_000);
  vehicle.cut(() => "new");
  vehicle.powerOn();
  vehicle.signals({ speedKmh: 50, parked: false });
  await vehicle.pass(60_000);
  assertEquals([old(), vehicle.screen().driveLock], [2, true]);
  return vehicle;
}

Deno.test("a release that comes in the middle of a way back stays, once it is confirmed", async () => {
  const vehicle = await half();
  vehicle.offer("c3", everyEcu(3), ["battery"]);
  await vehicle.phase("ready");
  vehicle.say("accept", "c3");
  await vehicle.settled("c3");
  vehicle.signals({});
  await vehicle.pass(10 * 60_000);
  assert(vehicle.allRun("3.0.0"), JSON.stringify(vehicle.runs()));
  assertEquals(vehicle.screen().driveLock, false);
});

Deno.test("a release for one ECU in the middle of a way back stays, and the others still go back", async () => {
  const vehicle = await half();
  vehicle.offer("c3", { body: release("body-sim", 3) }, ["battery"]);
  await vehicle.phase("ready");
  vehicle.say("accept", "c3");
  await vehicle.settled("c3");
  assertEquals(vehicle.screen().driveLock, true);
  vehicle.signals({});
  await vehicle.until(() => !vehicle.screen().driveLock, "free", 10 * 60_000);
  assertEquals(vehicle.runs(), { body: "3.0.0", cluster: "1.0.0", ivi: "1.0.0" });
});

Deno.test("a slot that cannot be read is tried with growing pauses, and in the end all go back", async () => {
  const vehicle = await updated();
  const { running } = slotsOf(vehicle, "cluster");
  const disk = vehicle.disksOf("cluster")[running];
  rotWhileOff(vehicle, () => vehicle.power.failingRead.add(disk));
  await vehicle.pass(HEAL_PATIENCE_MS - 5000);
  assert(vehicle.screen().driveLock);
  assert(vehicle.starts.length < 30, `${vehicle.starts.length} starts`);
  await vehicle.until(() => vehicle.allRun("1.0.0"), "all are back", 10 * 60_000);
  await vehicle.pass(1000);
  assertEquals(vehicle.screen().driveLock, false);
});
