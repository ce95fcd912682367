/**
 * The way back of a bundle, when the journal that says so is lost in the middle of it, and when rot
 * cuts it off: the boot records alone bring the vehicle to one whole release.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { HEAL_PATIENCE_MS } from "shared/limits.ts";
import { BootRecordStore } from "vehicle/bootloader/boot_record.ts";
import { loseJournal, rotWhileOff, SERIALS, slotsOf, updated } from "./rot_world.ts";
import { everyEcu } from "./sim_bundle.ts";
import { release } from "./sim_release.ts";
import type { SimVehicle } from "./sim_vehicle.ts";

const free = (vehicle: SimVehicle) => vehicle.on && !vehicle.screen().driveLock;
const whole = (vehicle: SimVehicle) => vehicle.allRun("1.0.0") || vehicle.allRun("2.0.0");

/** A vehicle on the way back from release 2, since body's part of it has rotted. */
async function goingBack(): Promise<SimVehicle> {
  const vehicle = await updated();
  const { running } = slotsOf(vehicle, "body");
  vehicle.backend.leaves.clear();
  rotWhileOff(vehicle, () => vehicle.disksOf("body")[running].flip(2, 77));
  await vehicle.pass(HEAL_PATIENCE_MS - 1000);
  return vehicle;
}

/** The same, cut when so many ECUs prefer release 1 again. */
async function partly(back: number): Promise<SimVehicle> {
  const vehicle = await goingBack();
  const prefers = () =>
    SERIALS.filter((serial) => {
      const { record: { A, B } } = vehicle.ecu(serial).inventory();
      return (A.priority > B.priority ? A : B).image?.counter === 1;
    }).length;
  await vehicle.until(() => prefers() === back, `${back} went back`, 6 * 60_000);
  vehicle.cut(() => "new");
  return vehicle;
}

for (const back of [1, 2]) {
  Deno.test(`the journal is lost when ${back} of 3 ECUs went back: the others follow, offline and for good`, async () => {
    const vehicle = await partly(back);
    loseJournal(vehicle);
    vehicle.backend.down = true;
    vehicle.powerOn();
    await vehicle.until(() => vehicle.allRun("1.0.0"), "all are back", 60_000);
    await vehicle.until(() => free(vehicle), "it may be driven", 60_000);
    vehicle.cut(() => "old");
    vehicle.powerOn();
    await vehicle.pass(10 * 60_000);
    assert(vehicle.allRun("1.0.0") && free(vehicle));
    vehicle.backend.down = false;
    vehicle.offer("c3", everyEcu(3));
    await vehicle.settled("c3");
    assert(vehicle.allRun("3.0.0"));
  });
}

for (const server of ["stays without the image", "has the image again"] as const) {
  Deno.test(`the power goes before every operation of the way back and takes the journal, and the server ${server}: never half and free`, async () => {
    for (let cut = 0;; cut++) {
      const vehicle = await goingBack();
      vehicle.power.cutAt = vehicle.power.operations + cut;
      await vehicle.until(() => !vehicle.on || free(vehicle), "a cut or the end");
      if (vehicle.on) {
        assert(vehicle.allRun("1.0.0"));
        assert(cut > 10, `${cut} cuts`);
        break;
      }
      vehicle.cut(() => "torn");
      loseJournal(vehicle);
      if (server === "has the image again") {
        for (const { bytes } of Object.values(everyEcu(2))) vehicle.backend.leaves.add(bytes, 512);
      }
      vehicle.powerOn();
      const rests = () => free(vehicle) && whole(vehicle);
      await vehicle.until(rests, `cut ${cut}: wholly old or new`, 2 * HEAL_PATIENCE_MS);
      for (let i = 0; i < 60; i++) {
        await vehicle.pass(5000);
        assert(!free(vehicle) || whole(vehicle), `cut ${cut}: ${JSON.stringify(vehicle.runs())}`);
      }
      assert(rests(), `cut ${cut}: ${JSON.stringify(vehicle.runs())}`);
    }
  });
}

Deno.test("the journal was lost long before: what cannot be healed takes back the partners that the records name", async () => {
  const vehicle = await updated();
  vehicle.offer("c3", { ivi: release("ivi-sim", 3) }); // Whoever the last campaign was for.
  await vehicle.settled("c3");
  vehicle.offer("c4", everyEcu(4));
  await vehicle.settled("c4");
  const { running } = slotsOf(vehicle, "cluster");
  vehicle.backend.down = true; // Else the campaign would be begun again.
  rotWhileOff(vehicle, () => {
    vehicle.disksOf("cluster")[running].flip(2, 77);
    loseJournal(vehicle);
  });
  await vehicle.pass(60_000);
  assertEquals([vehicle.runs()["cluster"], free(vehicle)], ["2.0.0", false]);
  const old = { body: "2.0.0", cluster: "2.0.0", ivi: "3.0.0" };
  const back = () => JSON.stringify(vehicle.runs()) === JSON.stringify(old);
  await vehicle.until(back, "all are back", 2 * HEAL_PATIENCE_MS);
  await vehicle.until(() => free(vehicle), "it may be driven", 60_000);
});

Deno.test("a release that fails in the middle of a way back, on an ECU that is back, does not keep the others from it", async () => {
  for (const lost of [false, true]) {
    const vehicle = await partly(1);
    vehicle.power.failing.add(vehicle.disksOf("ivi").boot); // Else it is over at once.
    vehicle.offer("c3", { cluster: release("cluster-sim", 3, { does: "crash@100" }) });
    vehicle.powerOn();
    const over = () => vehicle.journal().concluded === "c3";
    await vehicle.until(over, "c3 is given up", 6 * 60_000);
    assertEquals(vehicle.runs(), { body: "1.0.0", cluster: "1.0.0", ivi: "2.0.0" });
    assertEquals(free(vehicle), false);
    vehicle.cut(() => "new");
    vehicle.power.failing.clear();
    if (lost) loseJournal(vehicle);
    vehicle.powerOn();
    await vehicle.until(() => vehicle.allRun("1.0.0"), `lost ${lost}: all are back`, 60 * 60_000);
    await vehicle.until(() => free(vehicle), "it may be driven", 60_000);
  }
});

Deno.test("a way back that rot cuts off leads forward again once the newer image is healed everywhere", async () => {
  const vehicle = await partly(1);
  const disks = vehicle.disksOf("ivi");
  const older = new BootRecordStore(disks.boot).read().A.image?.counter === 1 ? "A" : "B";
  disks[older].flip(1, 9);
  for (const { bytes } of Object.values(everyEcu(2))) vehicle.backend.leaves.add(bytes, 512);
  vehicle.powerOn();
  await vehicle.until(() => vehicle.allRun("2.0.0"), "all run release 2", 6 * 60_000);
  await vehicle.until(() => free(vehicle), "it may be driven", 60_000);
  vehicle.cut(() => "old");
  vehicle.powerOn();
  await vehicle.pass(10 * 60_000);
  assert(vehicle.allRun("2.0.0") && free(vehicle));
});
