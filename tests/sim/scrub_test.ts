/**
 * The scrub and what follows from it: rot is found at idle, told, and healed leaf by leaf; offline
 * it waits; what cannot be healed is named; a cut in the middle loses nothing.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { SCRUB_BYTES_PER_SECOND, SCRUB_REST_MS } from "shared/limits.ts";
import {
  countReads,
  isSound,
  SERIALS,
  slotsOf,
  toldFailures,
  toldNotes,
  updated,
} from "./rot_world.ts";
import { BootRecordStore } from "vehicle/bootloader/boot_record.ts";
import { everyEcu } from "./sim_bundle.ts";
import { SimVehicle } from "./sim_vehicle.ts";

/** Longer than a round with its rest. */
const ROUND_MS = SCRUB_REST_MS + 5000;

for (const which of ["running", "fallback"] as const) {
  Deno.test(`the ${which} slot rots at idle: it is told, and only its bad leaf comes from the server`, async () => {
    const vehicle = await updated();
    for (const serial of SERIALS) {
      vehicle.broker.events.length = vehicle.backend.leaves.requests.length = 0;
      const slot = slotsOf(vehicle, serial)[which];
      vehicle.disksOf(serial)[slot].flip(3, 1234);
      assert(!isSound(vehicle, serial, slot));
      await vehicle.pass(ROUND_MS);
      assert(isSound(vehicle, serial, slot));
      assertEquals(vehicle.backend.leaves.requests.map(({ what }) => what), ["list", 3]);
      assertEquals(toldFailures(vehicle, serial), ["slotRotten"]);
      assertEquals(toldNotes(vehicle, serial).length, 1);
      const rot = vehicle.backend.manifests.at(-1)!.rot!.find(({ ecu }) => ecu === serial)!;
      assertEquals([rot.what, rot.failure.name], [`slot ${slot}`, "slotRotten"]);
      assert(rot.healedAt !== null);
      assertEquals(vehicle.failures()[serial], null, "what is healed is no failure");
    }
    assertEquals(vehicle.starts, [], "nothing restarts for it");
    assert(vehicle.allRun("2.0.0"));
  });
}

Deno.test("the scrub reads all slots again and again, and never faster than its rate", async () => {
  const vehicle = await updated({ slotBytes: 64 * 1024 });
  const counts = SERIALS.map((serial) => {
    const { A, B } = vehicle.disksOf(serial);
    return [countReads(A), countReads(B)] as const;
  });
  const minutes = 10;
  await vehicle.pass(minutes * 60_000);
  const read = counts.flat().map((count) => count());
  // 3000 bytes are six sectors; each slot was read in most of the minutes.
  for (const bytes of read) assert(bytes >= (minutes - 2) * 3072, `${bytes} bytes`);
  const total = read.reduce((sum, bytes) => sum + bytes, 0);
  assert(total <= minutes * 6 * 3072, `${total} bytes: more than a round a minute`);
  assert(total / (minutes * 60) <= SCRUB_BYTES_PER_SECOND);
});

Deno.test("offline, rot is told at the screen, healing waits with growing pauses, and happens when the server is back", async () => {
  const vehicle = await updated();
  const { fallback } = slotsOf(vehicle, "body");
  vehicle.backend.down = true;
  vehicle.disksOf("body")[fallback].flip(0, 7);
  await vehicle.pass(ROUND_MS);
  assertEquals(vehicle.failures()["body"], "slotRotten");
  await vehicle.pass(60 * 60_000);
  assert(!isSound(vehicle, "body", fallback));
  assert(vehicle.allRun("2.0.0"));
  assertEquals(vehicle.screen().driveLock, false, "what runs is whole");
  assertEquals(toldFailures(vehicle, "body"), ["slotRotten"], "told once");
  vehicle.backend.down = false;
  await vehicle.until(() => isSound(vehicle, "body", fallback), "it is healed", 6 * 60_000);
  await vehicle.pass(2000);
  assertEquals(vehicle.failures()["body"], null);
});

Deno.test("an image that the server no longer has is named, and the vehicle goes on", async () => {
  const vehicle = await updated();
  const { running } = slotsOf(vehicle, "cluster");
  vehicle.backend.leaves.clear();
  vehicle.disksOf("cluster")[running].flip(1, 7);
  await vehicle.pass(ROUND_MS);
  assertEquals(vehicle.failures()["cluster"], "healSourceMissing");
  assertEquals(vehicle.backend.reported("cluster")?.failure?.name, "healSourceMissing");
  assertEquals(toldFailures(vehicle, "cluster"), ["slotRotten", "healSourceMissing"]);
  assert(vehicle.allRun("2.0.0"));
});

Deno.test("a lying server heals nothing: a wrong leaf, a wrong proof, a wrong list are refused unwritten", async () => {
  const vehicle = await updated();
  const { fallback } = slotsOf(vehicle, "ivi");
  const disk = vehicle.disksOf("ivi")[fallback];
  const { leaves } = vehicle.backend;
  const lies: (typeof leaves.meddle)[] = [
    (answer, what) => what === "list" ? answer : answer.with(answer.length - 1, 1),
    (answer, what) => what === "list" ? answer : answer.with(5, answer[5]! ^ 1),
    (answer, what) => what === "list" ? answer.with(40, answer[40]! ^ 1) : answer,
    (answer, what) => what === "list" ? answer.subarray(32) : answer,
    (answer, what) => what === "list" ? answer : answer.subarray(0, 10),
  ];
  disk.flip(2, 99);
  const writes = disk.operations;
  for (const lie of lies) {
    leaves.meddle = lie;
    await vehicle.pass(6 * 60_000);
    assertEquals([isSound(vehicle, "ivi", fallback), disk.operations], [false, writes]);
    assertEquals(vehicle.failures()["ivi"], "leafDiffers");
  }
  leaves.meddle = undefined;
  await vehicle.until(() => isSound(vehicle, "ivi", fallback), "it is healed", 6 * 60_000);
});

Deno.test("the power goes before every operation of a healing: the slot ends sound, and good leaves are never written", async () => {
  for (const choice of ["old", "new", "torn"] as const) {
    for (let cut = 0;; cut++) {
      const vehicle = await updated();
      const { fallback } = slotsOf(vehicle, "body");
      const disk = vehicle.disksOf("body")[fallback];
      for (const sector of [1, 4]) disk.flip(sector, 10);
      const whole = disk.read(2, 2);
      vehicle.power.cutAt = vehicle.power.operations + cut;
      await vehicle.until(
        () => !vehicle.on || isSound(vehicle, "body", fallback),
        "a cut or the end",
        10 * 60_000,
      );
      if (vehicle.on) {
        assert(cut >= 4, `${cut} cuts: two leaves are two writes and two syncs`);
        break;
      }
      vehicle.cut(() => choice);
      assertEquals(disk.read(2, 2), whole, "good leaves stay");
      vehicle.powerOn();
      await vehicle.until(() => vehicle.allRun("2.0.0"), "it runs");
      await vehicle.until(() => isSound(vehicle, "body", fallback), "it is healed", 10 * 60_000);
    }
  }
});

Deno.test("a leaf that the medium does not keep is named, after a bounded number of writes", async () => {
  const vehicle = await updated();
  const { fallback } = slotsOf(vehicle, "body");
  const disk = vehicle.disksOf("body")[fallback];
  disk.flip(2, 10);
  disk.worn.set(2, 1000);
  const before = disk.operations;
  await vehicle.pass(ROUND_MS);
  assertEquals(vehicle.failures()["body"], "storageFailed");
  assert(disk.operations - before <= 100, `${disk.operations - before} operations in a minute`);
  disk.worn.clear();
  await vehicle.until(() => isSound(vehicle, "body", fallback), "it is healed", 10 * 60_000);
});

Deno.test("a rotten way back is healed before the other slot is written, and the release installs", async () => {
  const vehicle = await updated();
  const { running, fallback } = slotsOf(vehicle, "body");
  const [rotten, other] = [vehicle.disksOf("body")[running], vehicle.disksOf("body")[fallback]];
  rotten.flip(2, 10);
  const before = other.operations;
  let [written, sound] = [0, true];
  const { leaf } = vehicle.backend.leaves.port(() => Promise.resolve());
  assert(leaf !== undefined);
  vehicle.backend.leaves.meddle = (answer) => {
    written += other.operations - before;
    sound &&= isSound(vehicle, "body", running);
    return answer;
  };
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3");
  assertEquals([written, sound], [0, false], "asked for leaves first, wrote the other slot after");
  assert(isSound(vehicle, "body", running));
  assert(vehicle.allRun("3.0.0"));
});

Deno.test("a way back that cannot be healed: the release is refused by name, and the other slot is not touched", async () => {
  const vehicle = await updated();
  const { running, fallback } = slotsOf(vehicle, "body");
  vehicle.disksOf("body")[running].flip(2, 10);
  vehicle.backend.leaves.clear();
  const before = vehicle.disksOf("body")[fallback].operations;
  vehicle.answer(undefined);
  const three = everyEcu(3);
  vehicle.offer("c3", three);
  vehicle.backend.leaves.clear();
  await vehicle.settled("c3");
  assertEquals(vehicle.backend.reported("body")?.slots[fallback].version, "1.0.0");
  assertEquals(vehicle.disksOf("body")[fallback].operations, before);
  assert(vehicle.allRun("2.0.0"));
  assertEquals(vehicle.screen().result?.failure?.name, "fallbackUnsound");
});

for (const healable of [true, false]) {
  Deno.test(`a way back that rots after everything is ready ${healable ? "is healed before the other slot is armed" : "keeps the release from being armed"}`, async () => {
    const vehicle = await SimVehicle.running({ consent: "ask" });
    vehicle.offer("c2", everyEcu(2));
    await vehicle.phase("ready");
    const { running, fallback } = slotsOf(vehicle, "cluster");
    vehicle.disksOf("cluster")[running].flip(2, 10);
    if (!healable) vehicle.backend.leaves.clear();
    vehicle.say("accept", "c2");
    await vehicle.settled("c2");
    assertEquals(vehicle.allRun(healable ? "2.0.0" : "1.0.0"), true);
    if (healable) assert(isSound(vehicle, "cluster", running));
    else {
      assertEquals(vehicle.screen().result?.failure?.name, "fallbackUnsound");
      const tried = vehicle.starts.filter(({ version }) => version === "2.0.0");
      assertEquals(tried, [], "nothing was ever tried");
      assertEquals(vehicle.ecu("cluster").inventory().record[fallback].triesRemaining, 0);
    }
  });
}

Deno.test("an image whose root was never written down gets it from the scrub while it is whole, and can be healed then", async () => {
  const vehicle = await updated();
  const { running } = slotsOf(vehicle, "body");
  const { record } = vehicle.ecu("body").inventory();
  const { boot } = vehicle.disksOf("body");
  const { merkleRoot, ...image } = record[running].image!;
  vehicle.cut(() => "new");
  new BootRecordStore(boot).write({ ...record, [running]: { ...record[running], image } });
  vehicle.powerOn();
  await vehicle.until(() => vehicle.allRun("2.0.0"), "it runs");
  await vehicle.pass(ROUND_MS);
  assertEquals(vehicle.ecu("body").inventory().record[running].image!.merkleRoot, merkleRoot);
  vehicle.disksOf("body")[running].flip(5, 9);
  await vehicle.until(() => isSound(vehicle, "body", running), "it is healed", 2 * 60_000);
});

Deno.test("an offer does not wait for a healing whose line says nothing", async () => {
  const vehicle = await updated();
  const { fallback } = slotsOf(vehicle, "ivi");
  vehicle.disksOf("ivi")[fallback].flip(2, 9);
  let silent = true;
  const { leaves } = vehicle.backend;
  leaves.hold = (signal) =>
    silent ? vehicle.clock.life().sleep(3_600_000, signal) : Promise.resolve();
  await vehicle.pass(ROUND_MS);
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3", 5 * 60_000);
  assert(vehicle.allRun("3.0.0"));
  silent = false;
});
