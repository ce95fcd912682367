/**
 * The journal is lost while a bundle is confirmed, one ECU after another: the boot records alone
 * decide, so that no vehicle stays mixed, whatever power cuts come on top.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { JOURNAL_HEADS, TARGETS_HEADS } from "vehicle/gateway/journal.ts";
import { isSound, loseJournal } from "./rot_world.ts";
import { everyEcu, type Serial } from "./sim_bundle.ts";
import { busWorld, lasts, watched } from "./bus_world.ts";
import { UNHURT } from "./sim_bus.ts";
import type { SimVehicle } from "./sim_vehicle.ts";

const ALL = <T>(value: T) => ({ body: value, cluster: value, ivi: value });
const SERIALS = ["body", "cluster", "ivi"] as const;

/** Both heads of the journal, or of its targets, are gone. */
function lose(vehicle: SimVehicle, what: "journal" | "targets"): void {
  const disk = vehicle.power.gateway;
  for (const sector of what === "journal" ? JOURNAL_HEADS : TARGETS_HEADS) {
    disk.write(sector, new Uint8Array(512));
  }
  disk.sync();
}

/** ECUs whose own record says that they keep release 2. */
function confirmed(vehicle: SimVehicle): Serial[] {
  return SERIALS.filter((serial) => {
    const { record } = vehicle.ecu(serial).inventory();
    return [record.A, record.B].some((slot) => slot.image?.counter === 2 && slot.successful);
  });
}

/**
 * A vehicle whose power went when so many ECUs were confirmed, without its journal.
 *
 * @param keep How many were confirmed.
 * @param what What is lost of the journal.
 */
async function torn(keep: number, what: "journal" | "targets" = "journal") {
  const { bus, vehicle } = await busWorld();
  bus.rule = ({ kind, way }) => {
    const cut = kind === "confirm" && way === "request" && confirmed(vehicle).length === keep;
    return cut ? [] : UNHURT;
  };
  vehicle.offer("c2", everyEcu(2));
  await watched(vehicle, () => vehicle.journal().phase === "trialAll", "trialAll");
  const committed = () => ["confirmAll", "reporting", "idle"].includes(vehicle.journal().phase);
  const there = () => confirmed(vehicle).length === keep && committed();
  await watched(vehicle, there, "so many are confirmed");
  assertEquals(confirmed(vehicle), SERIALS.slice(0, keep));
  vehicle.backend.down = true; // Nothing but what is on the disks may help.
  vehicle.cut(() => "new");
  bus.rule = () => UNHURT;
  lose(vehicle, what);
  return { bus, vehicle };
}

function idleSlot(vehicle: SimVehicle, serial: Serial): "A" | "B" {
  return vehicle.ecu(serial).inventory().running!.slot === "A" ? "B" : "A";
}

for (const what of ["journal", "targets"] as const) {
  for (const keep of [0, 1, 2, 3]) {
    const version = keep === 0 ? "1.0.0" : "2.0.0";
    Deno.test(`a vehicle that lost its ${what} when ${keep} of 3 were confirmed is wholly ${version} by itself`, async () => {
      const { vehicle } = await torn(keep, what);
      vehicle.powerOn();
      await watched(vehicle, () => vehicle.allRun(version), `all run ${version}`, 60_000);
      await watched(vehicle, () => !vehicle.screen().driveLock, "it may be driven", 60_000);
      vehicle.cut(() => "old"); // And it lasts.
      vehicle.powerOn();
      await watched(vehicle, () => vehicle.allRun(version), `all run ${version} again`, 60_000);
      vehicle.backend.down = false;
      vehicle.offer("c3", everyEcu(3));
      await vehicle.settled("c3");
      assert(vehicle.allRun("3.0.0"));
    });
  }
}

Deno.test("a power cut at every step of the way forward without a journal changes nothing about where it leads", async () => {
  for (let at = 0;; at++) {
    const { vehicle } = await torn(1);
    vehicle.power.cutAt = vehicle.power.operations + at;
    vehicle.powerOn();
    await vehicle.pass(30_000);
    if (vehicle.on) {
      assert(at > 10, `only ${at} steps`);
      break;
    }
    vehicle.cut(() => at % 3 === 0 ? "old" : at % 3 === 1 ? "new" : "torn");
    vehicle.powerOn();
    await watched(vehicle, () => vehicle.allRun("2.0.0"), `all run release 2, cut ${at}`, 60_000);
  }
});

Deno.test("tries that were spent do not keep a bundle from going forward", async () => {
  const { vehicle } = await torn(1);
  for (let tries = 0; tries < 3; tries++) { // Cut as soon as the last ECU has taken its try.
    vehicle.power.cutAt = vehicle.power.operations + 10;
    vehicle.powerOn();
    await vehicle.pass(50);
    vehicle.cut(() => "new");
  }
  vehicle.powerOn();
  await watched(vehicle, () => vehicle.allRun("2.0.0"), "all run release 2", 60_000);
});

Deno.test("before the way back is taken every ECU must be asked, since it may have been confirmed", async () => {
  const { bus, vehicle } = await torn(1);
  bus.rule = ({ serial }) => serial === "body" ? [] : UNHURT; // The one that was confirmed.
  vehicle.powerOn();
  await lasts(vehicle, 300_000);
  assertEquals(vehicle.runs(), { body: "2.0.0", cluster: "trial2.0.0", ivi: "trial2.0.0" });
  assert(vehicle.screen().driveLock);
  bus.rule = () => UNHURT;
  await watched(vehicle, () => vehicle.allRun("2.0.0"), "all run release 2", 120_000);
});

Deno.test("half a bundle whose other half rotted stays locked until an update heals it", async () => {
  const { vehicle } = await torn(1);
  const image = everyEcu(2).ivi.bytes;
  const { A, B } = vehicle.disksOf("ivi");
  for (const disk of [A, B]) {
    if (disk.read(0, 1)[100] === image[100] && disk.read(1, 1)[9] === image[512 + 9]) {
      disk.flip(1, 9);
    }
  }
  vehicle.powerOn();
  await lasts(vehicle, 300_000);
  assertEquals(vehicle.runs(), { body: "2.0.0", cluster: "2.0.0", ivi: "1.0.0" });
  assert(vehicle.screen().driveLock);
  vehicle.backend.down = false;
  vehicle.backend.carriers.clear(); // The slot is emptied for what then does not come.
  vehicle.hint();
  await watched(vehicle, () => vehicle.journal().concluded === "c2", "c2 is given up", 120_000);
  assertEquals(vehicle.ecu("ivi").inventory().record[idleSlot(vehicle, "ivi")].image, null);
  await lasts(vehicle, 120_000);
  assert(vehicle.screen().driveLock);
  vehicle.offer("c3", everyEcu(3));
  await watched(vehicle, () => vehicle.allRun("3.0.0"), "all run release 3", 120_000);
  await watched(vehicle, () => !vehicle.screen().driveLock, "it may be driven", 60_000);
});

Deno.test("an ECU that is exchanged for an empty one goes the way of the others", async () => {
  for (const [phase, version] of [["confirmAll", "2.0.0"], ["rollBackAll", "1.0.0"]] as const) {
    const { bus, vehicle } = await busWorld();
    const step = phase === "confirmAll" ? "confirm" : "revert";
    bus.rule = ({ serial, kind }) => serial === "cluster" && kind === step ? [] : UNHURT;
    const bad = { body: { does: "crash@9000" } } as const;
    vehicle.offer("c2", everyEcu(2, phase === "confirmAll" ? {} : bad));
    await watched(vehicle, () => vehicle.journal().phase === phase, phase);
    await lasts(vehicle, 10_000);
    vehicle.cut(() => "new");
    const { boot } = vehicle.disksOf("cluster");
    for (let sector = 0; sector < boot.sectors; sector++) boot.write(sector, new Uint8Array(512));
    boot.sync();
    bus.rule = () => UNHURT;
    vehicle.powerOn();
    await vehicle.settled("c2");
    // The gateway remembers what it confirmed, and finds that in its slot.
    await watched(vehicle, () => vehicle.allRun(version), `all run ${version}`, 60_000);
  }
});

Deno.test("beyond the commit point an image that ends, and even one that rots, goes forward", async () => {
  for (const rots of [false, true]) {
    const { bus, vehicle } = await busWorld();
    bus.rule = ({ serial, kind, way }) =>
      serial === "cluster" && kind === "confirm" && way === "request" ? [] : UNHURT;
    vehicle.offer("c2", everyEcu(2, { cluster: { does: "crash@20000" } }));
    await watched(vehicle, () => vehicle.journal().phase === "confirmAll", "the commit point");
    await watched(vehicle, () => vehicle.runs()["cluster"] === "1.0.0", "cluster fell back");
    assert(vehicle.screen().driveLock);
    if (rots) {
      vehicle.disksOf("cluster")[idleSlot(vehicle, "cluster")].flip(1, 9);
    }
    vehicle.misbehave("cluster", "good");
    bus.rule = () => UNHURT;
    vehicle.backend.requests.length = 0;
    await vehicle.settled("c2");
    assertEquals(vehicle.runs(), ALL("2.0.0"));
    assertEquals(vehicle.backend.requests.length > 0, rots);
    assertEquals([vehicle.failures(), vehicle.screen().driveLock], [ALL(null), false]);
  }
});

Deno.test("an image that was confirmed, then rotted away, locks a vehicle whose partners still run theirs", async () => {
  const { vehicle } = await busWorld();
  vehicle.offer("c2", everyEcu(2));
  await vehicle.settled("c2");
  assert(!vehicle.screen().driveLock);
  const { slot } = vehicle.ecu("body").inventory().running!;
  vehicle.cut(() => "new");
  vehicle.power.ecus["body"]![slot].flip(2, 77);
  vehicle.backend.leaves.clear(); // Else it would be healed.
  vehicle.powerOn();
  await lasts(vehicle, 60_000);
  assertEquals(vehicle.runs(), { body: "1.0.0", cluster: "2.0.0", ivi: "2.0.0" });
  assert(vehicle.screen().driveLock);
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3");
  assert(!vehicle.screen().driveLock);
});

Deno.test("beyond the commit point a way back that rotted is healed before the slot is armed again, with a journal or without", async () => {
  for (const lost of [false, true]) {
    const { bus, vehicle } = await busWorld();
    bus.rule = ({ serial, kind, way }) =>
      serial === "cluster" && kind === "confirm" && way === "request" ? [] : UNHURT;
    vehicle.offer("c2", everyEcu(2, { cluster: { does: "crash@20000" } }));
    await watched(vehicle, () => vehicle.journal().phase === "confirmAll", "the commit point");
    await watched(vehicle, () => vehicle.runs()["cluster"] === "1.0.0", "cluster fell back");
    const { slot } = vehicle.ecu("cluster").inventory().running!;
    const disk = vehicle.disksOf("cluster")[slot];
    disk.flip(1, 9);
    if (lost) {
      vehicle.cut(() => "new");
      disk.flip(1, 9); // Else the loader would find it: it rots once more below.
      loseJournal(vehicle);
      bus.rule = ({ serial, kind }) => serial === "cluster" && kind === "arm" ? [] : UNHURT;
      vehicle.misbehave("cluster", "good");
      vehicle.powerOn();
      await lasts(vehicle, 1000);
      disk.flip(1, 9);
    }
    vehicle.backend.leaves.clear();
    vehicle.misbehave("cluster", "good");
    bus.rule = () => UNHURT;
    await lasts(vehicle, 60_000);
    assert(vehicle.screen().driveLock);
    assertEquals(
      vehicle.runs()["cluster"],
      "1.0.0",
      "it keeps what runs until it can go back to it",
    );
    for (const { bytes } of Object.values(everyEcu(1))) vehicle.backend.leaves.add(bytes, 512);
    await watched(vehicle, () => vehicle.allRun("2.0.0"), "all run release 2", 6 * 60_000);
    assert(isSound(vehicle, "cluster", slot), "healed");
    await watched(vehicle, () => !vehicle.screen().driveLock, "it may be driven", 60_000);
  }
});
