/**
 * Rot while an update is under way, or is offered: the vehicle is kept sound while a person is waited
 * for, and is made whole before a release may take half of it away.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { WHOLE_PATIENCE_MS } from "shared/limits.ts";
import { BootRecordStore } from "vehicle/bootloader/boot_record.ts";
import { isSound, rotWhileOff, slotsOf, toldFailures, updated } from "./rot_world.ts";
import { everyEcu } from "./sim_bundle.ts";
import { SimVehicle } from "./sim_vehicle.ts";

/** A vehicle that waits for the driver, or for a precondition, with release 2 ready in all slots. */
async function asking(phase: "ready" | "postponed" | "waiting"): Promise<SimVehicle> {
  const vehicle = await SimVehicle.running({ consent: "ask" });
  if (phase === "waiting") vehicle.signals({ batteryPercent: 5 });
  vehicle.offer("c2", everyEcu(2), ["battery"]);
  await vehicle.phase("ready");
  if (phase === "postponed") vehicle.say("postpone", "c2");
  if (phase === "waiting") vehicle.say("accept", "c2");
  await vehicle.phase(phase);
  return vehicle;
}

for (const phase of ["ready", "postponed", "waiting"] as const) {
  Deno.test(`what runs rots while the update is ${phase}, and nobody answers: it is found, told and healed`, async () => {
    const vehicle = await asking(phase);
    const { running } = slotsOf(vehicle, "body");
    vehicle.disksOf("body")[running].flip(2, 77);
    await vehicle.until(() => isSound(vehicle, "body", running), "healed", 5 * 60_000);
    assertEquals(toldFailures(vehicle, "body"), ["slotRotten"]);
    assertEquals(vehicle.journal().phase, phase);
  });
}

for (const phase of ["ready", "postponed"] as const) {
  Deno.test(`the only image that boots rots while the update is ${phase}, and the power is away: the ECU comes back by itself, and the update goes on`, async () => {
    const vehicle = await asking(phase);
    const { running } = slotsOf(vehicle, "body");
    vehicle.backend.down = true;
    rotWhileOff(vehicle, () => vehicle.disksOf("body")[running].flip(2, 77));
    await vehicle.pass(60_000);
    assertEquals([vehicle.runs()["body"], vehicle.screen().driveLock], [null, true]);
    vehicle.backend.down = false;
    await vehicle.until(() => vehicle.allRun("1.0.0"), "it runs again", 10 * 60_000);
    await vehicle.pass(1000);
    assertEquals([vehicle.journal().phase, vehicle.screen().driveLock], [phase, false]);
    vehicle.say("accept", "c2");
    await vehicle.settled("c2");
    assert(vehicle.allRun("2.0.0"));
  });
}

Deno.test("an answer of the driver does not wait for a healing whose line says nothing", async () => {
  const vehicle = await asking("ready");
  const { running } = slotsOf(vehicle, "body");
  vehicle.backend.leaves.hold = (signal) => vehicle.clock.life().sleep(3_600_000, signal);
  vehicle.disksOf("body")[running].flip(2, 77);
  await vehicle.until(() => vehicle.failures()["body"] === "slotRotten", "found", 5 * 60_000);
  vehicle.say("decline", "c2");
  await vehicle.until(() => vehicle.states()["body"] === "declined", "declined", 5000);
});

for (const when of ["before the offer is heard", "in the middle of its download"] as const) {
  Deno.test(`an ECU falls back out of its bundle ${when}, and the release is bad: the vehicle ends whole and free`, async () => {
    const vehicle = await updated();
    const { running } = slotsOf(vehicle, "cluster");
    const bad = everyEcu(3, { ivi: { does: "crash@2000" } });
    if (when === "in the middle of its download") {
      vehicle.offer("c3", bad);
      vehicle.cutIn("preparing", 1); // Before the first slot is taken.
      await vehicle.dies();
      vehicle.power.cut(() => "new");
      vehicle.disksOf("cluster")[running].flip(2, 77);
    } else {
      vehicle.cut(() => "new");
      vehicle.disksOf("cluster")[running].flip(2, 77);
      vehicle.offer("c3", bad);
    }
    vehicle.powerOn();
    await vehicle.settled("c3");
    await vehicle.pass(60_000);
    assertEquals(vehicle.screen().result?.outcome, "rolledBack");
    assert(vehicle.allRun("2.0.0"), JSON.stringify(vehicle.runs()));
    assertEquals(vehicle.screen().driveLock, false);
  });
}

Deno.test("an offer waits for a bundle that goes back, since it cannot be healed: a bad release then leaves it whole, too", async () => {
  const vehicle = await updated();
  const { running } = slotsOf(vehicle, "cluster");
  vehicle.cut(() => "new");
  vehicle.disksOf("cluster")[running].flip(2, 77);
  vehicle.offer("c3", everyEcu(3, { ivi: { does: "crash@2000" } }));
  vehicle.backend.leaves.clear();
  vehicle.powerOn();
  await vehicle.settled("c3", 2 * WHOLE_PATIENCE_MS);
  await vehicle.pass(60_000);
  assertEquals(vehicle.screen().result?.outcome, "rolledBack");
  assert(vehicle.allRun("1.0.0"), JSON.stringify(vehicle.runs()));
  assertEquals(vehicle.screen().driveLock, false);
});

Deno.test("an offer does not wait for ever for a vehicle that nothing else can make whole", async () => {
  const vehicle = await updated();
  vehicle.cut(() => "new");
  const { A, B } = vehicle.disksOf("cluster");
  for (const slot of [A, B]) slot.flip(2, 77);
  vehicle.offer("c3", everyEcu(3));
  vehicle.backend.leaves.clear();
  vehicle.powerOn();
  await vehicle.settled("c3", 2 * WHOLE_PATIENCE_MS);
  assert(vehicle.allRun("3.0.0"), JSON.stringify(vehicle.runs()));
});

Deno.test("a boot record that was lost is made anew before an offer is taken: nothing older may come", async () => {
  const vehicle = await updated();
  const { boot } = vehicle.disksOf("body");
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3");
  vehicle.cut(() => "new");
  boot.flip(0, 100);
  boot.flip(boot.sectors >> 1, 200);
  vehicle.offer("c4", { body: everyEcu(2).body });
  vehicle.powerOn();
  await vehicle.settled("c4");
  assertEquals(vehicle.screen().result?.failure?.name, "releaseDowngrade");
  assert(vehicle.allRun("3.0.0"));
});

Deno.test("the power goes before every operation while a lost boot record is made anew, offline: it runs again", async () => {
  for (let cut = 0;; cut++) {
    const vehicle = await updated(); // What runs lies in slot B.
    const { boot } = vehicle.disksOf("body");
    assertEquals(slotsOf(vehicle, "body").running, "B");
    vehicle.backend.down = true;
    rotWhileOff(vehicle, () => {
      boot.flip(0, 100);
      boot.flip(boot.sectors >> 1, 200);
    });
    vehicle.power.cutAt = vehicle.power.operations + cut;
    const runs = () => vehicle.allRun("2.0.0");
    await vehicle.until(() => !vehicle.on || runs(), "a cut or the end");
    if (vehicle.on) {
      assert(cut > 6, `${cut} cuts`);
      break;
    }
    vehicle.cut(() => "torn");
    vehicle.powerOn();
    await vehicle.until(runs, `cut ${cut}: it runs again`, 10 * 60_000);
  }
});

Deno.test("a slot that was taken back into service is condemned in neither copy of its record", async () => {
  const vehicle = await updated();
  const { running } = slotsOf(vehicle, "body");
  const { boot } = vehicle.disksOf("body");
  vehicle.backend.down = true;
  rotWhileOff(vehicle, () => vehicle.disksOf("body")[running].flip(2, 77));
  await vehicle.until(() => vehicle.runs()["body"] === "1.0.0", "it falls back");
  vehicle.backend.down = false;
  const verdict = () => new BootRecordStore(boot).read()[running].verdict;
  assertEquals(verdict(), "slotUnsound");
  await vehicle.until(() => verdict() === null, "healed", 5 * 60_000);
  assertEquals(new BootRecordStore(boot).health(), "even");
});
