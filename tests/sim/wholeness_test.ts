/**
 * Rot that an ECU meets when it boots: the vehicle is made whole again without a person, forward by
 * healing or back with all of the bundle (decision 0011), also out of recovery and without a boot
 * record, whatever the power does meanwhile.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { HEAL_PATIENCE_MS } from "shared/limits.ts";
import { JOURNAL_HEADS } from "vehicle/gateway/journal.ts";
import { isSound, rotWhileOff, SERIALS, slotsOf, toldFailures, updated } from "./rot_world.ts";
import { everyEcu, type Serial } from "./sim_bundle.ts";
import { release } from "./sim_release.ts";
import { SimVehicle } from "./sim_vehicle.ts";

const NEW = { body: "2.0.0", cluster: "2.0.0", ivi: "2.0.0" };
const OLD = { body: "1.0.0", cluster: "1.0.0", ivi: "1.0.0" };

for (const serial of SERIALS) {
  Deno.test(`${serial} falls back since its new image rotted: under drive lock until it is healed, then all run the new one`, async () => {
    const vehicle = await updated();
    const { running } = slotsOf(vehicle, serial);
    vehicle.backend.down = true;
    rotWhileOff(vehicle, () => vehicle.disksOf(serial)[running].flip(2, 77));
    await vehicle.pass(5000);
    assertEquals(vehicle.runs(), { ...NEW, [serial]: "1.0.0" });
    assertEquals([vehicle.screen().driveLock, vehicle.failures()[serial]], [true, "slotUnsound"]);
    vehicle.backend.down = false;
    await vehicle.until(() => vehicle.allRun("2.0.0"), "it is whole", 2 * 60_000);
    await vehicle.pass(2000);
    assertEquals([vehicle.screen().driveLock, vehicle.failures()[serial]], [false, null]);
    assert(isSound(vehicle, serial, running));
    assertEquals(vehicle.ecu(serial).inventory().record[running].verdict, null);
    rotWhileOff(vehicle, () => {});
    await vehicle.until(() => vehicle.allRun("2.0.0"), "and stays so");
  });
}

Deno.test("the power goes before every operation while a fallen ECU is made whole", async () => {
  for (let cut = 0;; cut++) {
    const vehicle = await updated();
    const { running } = slotsOf(vehicle, "body");
    rotWhileOff(vehicle, () => vehicle.disksOf("body")[running].flip(2, 77));
    vehicle.power.cutAt = vehicle.power.operations + cut;
    const whole = () => vehicle.on && vehicle.allRun("2.0.0") && !vehicle.screen().driveLock;
    await vehicle.until(() => !vehicle.on || whole(), "a cut or the end");
    if (vehicle.on) {
      assert(cut > 6, `${cut} cuts`);
      break;
    }
    vehicle.cut(() => "torn");
    vehicle.powerOn();
    await vehicle.until(whole, "it is whole", 10 * 60_000);
  }
});

Deno.test("what cannot be healed takes the whole bundle back, and the next release goes forward again", async () => {
  const vehicle = await updated();
  const { running } = slotsOf(vehicle, "cluster");
  vehicle.backend.down = true;
  rotWhileOff(vehicle, () => vehicle.disksOf("cluster")[running].flip(2, 77));
  await vehicle.pass(HEAL_PATIENCE_MS - 5000);
  assertEquals(vehicle.runs(), { ...NEW, cluster: "1.0.0" });
  assertEquals(vehicle.screen().driveLock, true);
  await vehicle.until(() => vehicle.allRun("1.0.0"), "all are back", 6 * 60_000);
  await vehicle.pass(1000);
  assertEquals(vehicle.screen().driveLock, false);
  rotWhileOff(vehicle, () => {});
  await vehicle.pass(10 * 60_000);
  assertEquals([vehicle.runs(), vehicle.screen().driveLock], [OLD, false]);
  vehicle.backend.down = false;
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3");
  assert(vehicle.allRun("3.0.0"));
});

for (const server of ["stays without the image", "has the image again"] as const) {
  Deno.test(`the power goes before every operation of the way back, and the server ${server}: never half and free`, async () => {
    for (let cut = 0;; cut++) {
      const vehicle = await updated();
      const { running } = slotsOf(vehicle, "body");
      vehicle.backend.leaves.clear();
      rotWhileOff(vehicle, () => vehicle.disksOf("body")[running].flip(2, 77));
      await vehicle.pass(HEAL_PATIENCE_MS - 1000);
      vehicle.power.cutAt = vehicle.power.operations + cut;
      const free = () => vehicle.on && !vehicle.screen().driveLock;
      await vehicle.until(() => !vehicle.on || free(), "a cut or the end");
      if (vehicle.on) {
        assertEquals(vehicle.runs(), OLD);
        assert(cut > 10, `${cut} cuts`);
        break;
      }
      vehicle.cut(() => "torn");
      if (server === "has the image again") {
        for (const { bytes } of Object.values(everyEcu(2))) vehicle.backend.leaves.add(bytes, 512);
      }
      vehicle.powerOn();
      const whole = () => vehicle.allRun("1.0.0") || vehicle.allRun("2.0.0");
      await vehicle.until(() => free() && whole(), `cut ${cut}: wholly old or new`, 10 * 60_000);
      for (let i = 0; i < 60; i++) {
        await vehicle.pass(5000);
        assert(!free() || whole(), `cut ${cut}: ${JSON.stringify(vehicle.runs())}`);
      }
      assert(free() && whole());
    }
  });
}

Deno.test("an ECU that was updated alone and falls back is no half bundle: no lock, and it is healed all the same", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", { body: release("body-sim", 2) });
  await vehicle.settled("c2");
  const { running } = slotsOf(vehicle, "body");
  vehicle.backend.down = true;
  rotWhileOff(vehicle, () => vehicle.disksOf("body")[running].flip(0, 9));
  await vehicle.pass(10 * 60_000);
  assertEquals([vehicle.runs(), vehicle.screen().driveLock], [OLD, false]);
  vehicle.backend.down = false;
  await vehicle.until(() => vehicle.runs()["body"] === "2.0.0", "it is healed", 6 * 60_000);
});

Deno.test("an ECU that must restart to be whole waits until the vehicle stands", async () => {
  const asking = await SimVehicle.running({ consent: "ask" });
  asking.offer("c2", { body: release("body-sim", 2) });
  await asking.phase("ready");
  asking.say("accept", "c2");
  await asking.settled("c2");
  const { running } = slotsOf(asking, "body");
  rotWhileOff(asking, () => asking.disksOf("body")[running].flip(0, 9));
  asking.signals({ speedKmh: 50, parked: false });
  await asking.until(() => isSound(asking, "body", running), "healed", 6 * 60_000);
  await asking.pass(5 * 60_000);
  assertEquals(asking.runs()["body"], "1.0.0");
  asking.signals({});
  await asking.until(() => asking.runs()["body"] === "2.0.0", "it restarted", 6 * 60_000);
});

Deno.test("both slots rot: the ECU is in recovery, told as such, and comes back by itself when the server is there", async () => {
  const vehicle = await updated();
  const disks = vehicle.disksOf("ivi");
  vehicle.backend.down = true;
  rotWhileOff(vehicle, () => {
    disks.A.flip(1, 9);
    disks.B.flip(4, 9);
  });
  await vehicle.pass(5000);
  assertEquals(vehicle.runs(), { ...NEW, ivi: null });
  assertEquals(vehicle.failures()["ivi"], "slotUnsound");
  assertEquals(vehicle.screen().driveLock, true);
  vehicle.backend.down = false;
  await vehicle.until(() => vehicle.allRun("2.0.0"), "it runs again", 6 * 60_000);
  await vehicle.until(
    () => (["A", "B"] as const).every((slot) => isSound(vehicle, "ivi", slot)),
    "both are healed",
    6 * 60_000,
  );
});

Deno.test("an ECU in recovery that cannot be healed takes the next release without a person", async () => {
  const vehicle = await updated();
  const disks = vehicle.disksOf("ivi");
  vehicle.backend.leaves.clear();
  rotWhileOff(vehicle, () => {
    disks.A.flip(1, 9);
    disks.B.flip(4, 9);
  });
  await vehicle.pass(60_000);
  assertEquals(vehicle.failures()["ivi"], "healSourceMissing");
  assertEquals(vehicle.backend.reported("ivi")?.slot, null);
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3");
  assert(vehicle.allRun("3.0.0"));
  // Its other slot is still rotten: there is no way back until the next release is written there.
  assertEquals(vehicle.failures()["ivi"], "healSourceMissing");
  vehicle.offer("c4", everyEcu(4));
  await vehicle.settled("c4");
  await vehicle.pass(2 * 60_000);
  assertEquals([vehicle.allRun("4.0.0"), vehicle.failures()["ivi"]], [true, null]);
});

for (const extra of ["nothing else", "the slot as well"] as const) {
  Deno.test(`both copies of a boot record rot, and ${extra}: the gateway knows what ran, and it runs again`, async () => {
    const vehicle = await updated();
    const serial: Serial = "cluster";
    const { boot, ...slots } = vehicle.disksOf(serial);
    const { running } = slotsOf(vehicle, serial);
    rotWhileOff(vehicle, () => {
      boot.flip(0, 100);
      boot.flip(boot.sectors >> 1, 200);
      if (extra !== "nothing else") slots[running].flip(3, 5);
    });
    await vehicle.until(() => vehicle.allRun("2.0.0"), "it runs again", 6 * 60_000);
    assert(toldFailures(vehicle, serial).includes("recordLost"));
    await vehicle.pass(2 * 60_000);
    assertEquals([vehicle.failures()[serial], vehicle.screen().driveLock], [null, false]);
    vehicle.offer("c3", everyEcu(3));
    await vehicle.settled("c3");
    assert(vehicle.allRun("3.0.0"));
  });
}

Deno.test("both copies of a boot record rot under a running image: they are written again from memory", async () => {
  const vehicle = await updated();
  const { boot } = vehicle.disksOf("body");
  boot.flip(0, 100);
  boot.flip(boot.sectors >> 1, 200);
  await vehicle.pass(2 * 60_000);
  assertEquals(toldFailures(vehicle, "body"), ["recordLost"]);
  assertEquals(vehicle.failures()["body"], null, "and healed");
  vehicle.broker.events.length = 0;
  rotWhileOff(vehicle, () => {});
  await vehicle.until(() => vehicle.allRun("2.0.0"), "it runs");
  assertEquals(toldFailures(vehicle, "body"), []);
});

for (const serial of SERIALS) {
  Deno.test(`the journal is lost, both copies, in the middle of confirming, offline: all end alike (${serial} was next)`, async () => {
    const vehicle = await SimVehicle.running();
    vehicle.offer("c2", everyEcu(2));
    const { boot } = vehicle.disksOf(serial);
    await vehicle.until(() => vehicle.runs()["ivi"] === "trial2.0.0", "ivi is on trial");
    vehicle.power.failing.add(boot);
    await vehicle.until(() => vehicle.journal().phase === "confirmAll", "committed");
    await vehicle.pass(3000);
    vehicle.cut(() => "new");
    vehicle.power.failing.clear();
    vehicle.backend.down = true;
    for (const sector of JOURNAL_HEADS) vehicle.power.gateway.flip(sector, 77);
    vehicle.powerOn();
    await vehicle.pass(60_000);
    // One that cannot confirm keeps no other from it: their tags tell of the commit point.
    assert(vehicle.allRun("2.0.0"), JSON.stringify(vehicle.runs()));
    assert(vehicle.log.some((line) => line.includes("recordLost")), vehicle.log.join("\n"));
    vehicle.backend.down = false;
    await vehicle.settled("c2");
    assert(vehicle.allRun("2.0.0"), "the offer still stands");
  });
}
