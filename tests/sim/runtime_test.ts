/**
 * What an ECU does with its image beside updates: late heartbeats of a busy process,
 * crashes of a confirmed image, damage in the slots, an end in good order.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { HEARTBEAT_TIMEOUT_MS } from "shared/limits.ts";
import { everyEcu } from "./sim_bundle.ts";
import { SimVehicle } from "./sim_vehicle.ts";

Deno.test("late heartbeats are judged only after the messages that waited are heard", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2));
  await vehicle.until(() => vehicle.runs()["ivi"] === "trial2.0.0", "ivi is on trial");
  await vehicle.pass(1500);
  vehicle.clock.block(3 * HEARTBEAT_TIMEOUT_MS); // The whole process is busy.
  await vehicle.settled("c2");
  assert(vehicle.allRun("2.0.0"));
  assertEquals(vehicle.starts.filter(({ version }) => version === "2.0.0").length, 3);
});

Deno.test("a confirmed image outlives a process that was busy for a minute", async () => {
  const vehicle = await SimVehicle.running();
  await vehicle.pass(20_000);
  vehicle.starts.length = 0;
  vehicle.clock.block(60_000);
  await vehicle.pass(20_000);
  assertEquals(vehicle.starts, []);
});

Deno.test("a confirmed image that hangs is started again and keeps its slot", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.misbehave("cluster", "hang@5000");
  vehicle.cut(() => "new");
  vehicle.powerOn();
  await vehicle.pass(1000);
  const { slot } = vehicle.ecu("cluster").inventory().running!;
  vehicle.starts.length = 0;
  await vehicle.pass(60_000);
  assert(vehicle.starts.length >= 3);
  assert(vehicle.starts.every((start) => start.serial === "cluster" && start.slot === slot));
  const { record } = vehicle.ecu("cluster").inventory();
  assertEquals([record[slot].successful, record[slot].unbootable], [true, false]);
});

Deno.test("an update heals an ECU whose confirmed image crashes again and again", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.misbehave("ivi", "crash@300");
  vehicle.cut(() => "new");
  vehicle.powerOn();
  await vehicle.pass(100_000);
  vehicle.misbehave("ivi", "good");
  vehicle.offer("c2", everyEcu(2));
  await vehicle.settled("c2");
  assert(vehicle.allRun("2.0.0"));
});

Deno.test("an ECU can be switched off at once while it pauses before a restart", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.misbehave("ivi", "crash@300");
  vehicle.cut(() => "new");
  vehicle.powerOn();
  await vehicle.pass(100_000); // By now the pauses last a minute.
  let off = false;
  vehicle.ecu("ivi").powerOff().then(() => off = true);
  await vehicle.pass(50);
  assert(off);
  vehicle.starts.length = 0;
  await vehicle.pass(120_000);
  assertEquals(vehicle.starts, []);
});

Deno.test("a slot that rotted is not booted: the other one runs, says why, and the next release installs", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2));
  await vehicle.settled("c2");
  const { slot } = vehicle.ecu("body").inventory().running!;
  vehicle.cut(() => "new");
  vehicle.power.ecus["body"]![slot].flip(2, 77);
  vehicle.backend.leaves.clear();
  vehicle.powerOn();
  await vehicle.pass(5000);
  assertEquals(vehicle.runs(), { body: "1.0.0", cluster: "2.0.0", ivi: "2.0.0" });
  assertEquals(vehicle.ecu("body").inventory().record[slot].verdict, "slotUnsound");
  assertEquals([vehicle.failures()["body"], vehicle.screen().driveLock], [
    "healSourceMissing",
    true,
  ]);
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3");
  assert(vehicle.allRun("3.0.0"));
});

Deno.test("what the images show reaches the screen, by ECU", async () => {
  const vehicle = await SimVehicle.running();
  await vehicle.pass(1000);
  assertEquals(vehicle.screen().displays["cluster"], {
    type: "display",
    title: "cluster",
    lines: ["1.0.0"],
  });
});

Deno.test("a verdict that storage does not take is found again by the next try", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2, { ivi: { does: "crash@2000" } }));
  await vehicle.until(() => vehicle.runs()["ivi"] === "trial2.0.0", "ivi is on trial");
  const { boot } = vehicle.disksOf("ivi");
  vehicle.power.failing.add(boot);
  await vehicle.pass(5000);
  assertEquals(vehicle.journal().phase, "trialAll");
  vehicle.power.failing.delete(boot);
  await vehicle.settled("c2");
  assert(vehicle.allRun("1.0.0"));
  assertEquals(vehicle.failures(), {
    body: "partnerFailed",
    cluster: "partnerFailed",
    ivi: "imageCrashed",
  });
});

Deno.test("storage that fails while the vehicle goes back is waited out", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2, { ivi: { does: "crash@2000" } }));
  await vehicle.until(() => vehicle.runs()["ivi"] === "trial2.0.0", "ivi is on trial");
  const { boot } = vehicle.disksOf("body");
  vehicle.power.failing.add(boot);
  await vehicle.pass(60_000);
  assertEquals([vehicle.journal().phase, vehicle.screen().driveLock], ["rollBackAll", true]);
  vehicle.power.failing.delete(boot);
  await vehicle.settled("c2");
  assert(vehicle.allRun("1.0.0"));
});

Deno.test("storage that fails while a slot is written fails the update and nothing else", async () => {
  const vehicle = await SimVehicle.running();
  const { A, B } = vehicle.disksOf("cluster");
  vehicle.power.failing.add(A).add(B);
  vehicle.offer("c2", everyEcu(2));
  await vehicle.settled("c2");
  assertEquals(vehicle.failures(), {
    body: "partnerFailed",
    cluster: "storageFailed",
    ivi: "partnerFailed",
  });
  assert(vehicle.allRun("1.0.0"));
  vehicle.power.failing.clear();
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3");
  assert(vehicle.allRun("3.0.0"));
});
