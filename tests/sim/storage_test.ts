/**
 * Storage that fails for a while, or has no room, at each step: patience or a named failure, and
 * nothing counts as done that a power cut could undo.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { MAX_STORAGE_ATTEMPTS, TRIAL_TRIES } from "shared/limits.ts";
import { everyEcu } from "./sim_bundle.ts";
import { release } from "./sim_release.ts";
import { SimVehicle } from "./sim_vehicle.ts";

const KINDS = ["failing", "failingSync", "failingRead"] as const;

function confirmed(vehicle: SimVehicle, version: string): string[] {
  return (["body", "cluster", "ivi"] as const).filter((serial) => {
    const { record } = vehicle.ecu(serial).inventory();
    return [record.A, record.B].some((slot) => slot.image?.version === version && slot.successful);
  });
}

Deno.test("no ECU is confirmed before the journal has taken the commit point", async () => {
  for (const kind of ["failing", "failingSync"] as const) {
    const vehicle = await SimVehicle.running();
    vehicle.offer("c2", everyEcu(2));
    await vehicle.until(() => vehicle.runs()["ivi"] === "trial2.0.0", "ivi is on trial");
    vehicle.power[kind].add(vehicle.power.gateway);
    await vehicle.pass(60_000);
    assertEquals([confirmed(vehicle, "2.0.0"), vehicle.journal().phase], [[], "trialAll"]);
    vehicle.power[kind].clear();
    await vehicle.settled("c2", 120_000);
    assert(vehicle.allRun("2.0.0"));
  }
});

Deno.test("a confirmation that was not synced does not count, whatever a cut leaves of it", async () => {
  for (const choice of ["old", "new", "torn"] as const) {
    const vehicle = await SimVehicle.running();
    vehicle.offer("c2", everyEcu(2));
    const { boot } = vehicle.disksOf("cluster");
    await vehicle.until(() => vehicle.runs()["ivi"] === "trial2.0.0", "ivi is on trial");
    vehicle.power.failingSync.add(boot);
    await vehicle.pass(60_000);
    assertEquals([vehicle.journal().phase, vehicle.screen().driveLock], ["confirmAll", true]);
    assert(!confirmed(vehicle, "2.0.0").includes("cluster"), "only its cache says so");
    vehicle.power.failingSync.clear();
    vehicle.cut(() => choice);
    vehicle.powerOn();
    await vehicle.settled("c2", 120_000);
    assert(vehicle.allRun("2.0.0"));
    vehicle.cut(() => "old"); // And now it lasts.
    vehicle.powerOn();
    await vehicle.until(() => vehicle.allRun("2.0.0"), "release 2 runs");
  }
});

Deno.test("a process that finds an unsynced confirmation writes it again before it goes on", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2));
  const { boot } = vehicle.disksOf("body");
  await vehicle.until(() => vehicle.runs()["ivi"] === "trial2.0.0", "ivi is on trial");
  vehicle.power.failingSync.add(boot);
  await vehicle.until(() => vehicle.journal().phase === "confirmAll", "committed");
  await vehicle.pass(2000);
  assert(boot.unsynced.length > 0, "the word lies in the cache");
  vehicle.crash();
  vehicle.power.failingSync.clear();
  vehicle.powerOn();
  await vehicle.settled("c2", 120_000);
  vehicle.cut(() => "old");
  vehicle.powerOn();
  await vehicle.until(() => vehicle.allRun("2.0.0"), "release 2 runs");
});

for (const kind of KINDS) {
  Deno.test(`storage that comes back in time does not end the update: ${kind}`, async () => {
    const vehicle = await SimVehicle.running();
    const { A, B } = vehicle.disksOf("cluster");
    vehicle.power[kind].add(A).add(B);
    vehicle.offer("c2", everyEcu(2));
    await vehicle.until(
      () => vehicle.log.some((line) => line.includes("storageFailed")),
      "it was noticed",
    );
    vehicle.power[kind].clear();
    await vehicle.settled("c2");
    assert(vehicle.allRun("2.0.0"));
  });

  Deno.test(`storage that stays away ends the update as storageFailed, and the next one installs: ${kind}`, async () => {
    const vehicle = await SimVehicle.running();
    const { A, B } = vehicle.disksOf("cluster");
    vehicle.power[kind].add(A).add(B);
    vehicle.offer("c2", everyEcu(2));
    await vehicle.settled("c2");
    assertEquals(vehicle.failures()["cluster"], "storageFailed");
    const told = vehicle.log.filter((line) => line.startsWith("preparing: storageFailed"));
    assertEquals(told.length, MAX_STORAGE_ATTEMPTS - 1);
    assert(vehicle.allRun("1.0.0"));
    vehicle.power[kind].clear();
    vehicle.offer("c3", everyEcu(3));
    await vehicle.settled("c3");
    assert(vehicle.allRun("3.0.0"));
  });
}

Deno.test("a trial that cannot be loaded for want of room goes back as storageFull, and may be offered again", async () => {
  const vehicle = await SimVehicle.running();
  const image = release("body-sim", 2, { does: "noRoom" });
  vehicle.offer("c2", { body: image });
  await vehicle.settled("c2");
  assertEquals([vehicle.runs()["body"], vehicle.failures()["body"]], ["1.0.0", "storageFull"]);
  const starts = vehicle.starts.filter(({ version }) => version === "2.0.0");
  assertEquals(starts.length, TRIAL_TRIES);

  // The same release in a new campaign: it was never judged.
  vehicle.misbehave("body", "good");
  vehicle.cut(() => "new");
  vehicle.powerOn();
  vehicle.offer("c3", { body: image });
  await vehicle.settled("c3");
  assertEquals([vehicle.runs()["body"], vehicle.failures()["body"]], ["2.0.0", null]);
});

Deno.test("a trial is given another try when there is room again", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.misbehave("body", "noRoom");
  vehicle.offer("c2", { body: release("body-sim", 2) });
  await vehicle.until(
    () => vehicle.starts.filter(({ version }) => version === "2.0.0").length === 2,
    "the second try",
  );
  vehicle.misbehave("body", "good");
  await vehicle.settled("c2");
  assertEquals(vehicle.runs()["body"], "2.0.0");
});

Deno.test("a confirmed image that cannot be loaded says why, and runs when there is room", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.misbehave("body", "noRoom");
  vehicle.cut(() => "new");
  vehicle.powerOn();
  await vehicle.pass(30_000);
  assertEquals(vehicle.failures()["body"], "storageFull");
  assertEquals(vehicle.ecu("body").inventory().record.A.verdict, null);
  vehicle.misbehave("body", "good");
  await vehicle.pass(61_000);
  assertEquals([vehicle.runs()["body"], vehicle.failures()["body"]], ["1.0.0", null]);
});

Deno.test("a slot that cannot be read does not keep the vehicle from starting, and runs when it can", async () => {
  const vehicle = await SimVehicle.running();
  const { A, B } = vehicle.disksOf("body");
  vehicle.cut(() => "new");
  vehicle.power.failingRead.add(A).add(B);
  vehicle.powerOn();
  await vehicle.pass(30_000);
  assertEquals(vehicle.runs(), { body: null, cluster: "1.0.0", ivi: "1.0.0" });
  assertEquals(vehicle.failures()["body"], "storageFailed");
  vehicle.power.failingRead.clear();
  await vehicle.pass(61_000);
  assert(vehicle.allRun("1.0.0"));
  assertEquals(vehicle.failures()["body"], null);
});

Deno.test("a trial whose slot cannot be read goes back as storageFailed", async () => {
  const vehicle = await SimVehicle.running({ consent: "ask" });
  vehicle.offer("c2", everyEcu(2));
  await vehicle.phase("ready");
  const { slot } = vehicle.ecu("ivi").inventory().running!;
  vehicle.power.failingRead.add(vehicle.disksOf("ivi")[slot === "A" ? "B" : "A"]);
  vehicle.say("accept", "c2");
  await vehicle.settled("c2");
  assert(vehicle.allRun("1.0.0"));
  assertEquals(vehicle.failures()["ivi"], "storageFailed");
});

Deno.test("a boot record that cannot be read any more is still known: all goes on, and the update too when it can", async () => {
  const vehicle = await SimVehicle.running();
  const { boot } = vehicle.disksOf("ivi");
  vehicle.power.failingRead.add(boot);
  vehicle.offer("c2", everyEcu(2));
  await vehicle.pass(2000);
  assert(vehicle.allRun("1.0.0"));
  vehicle.power.failingRead.clear();
  await vehicle.settled("c2");
  assert(vehicle.allRun("2.0.0"));
});
