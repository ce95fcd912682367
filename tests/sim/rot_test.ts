/**
 * Bit flips in everything that lasts: each is noticed, named and survived. Of one-sector records
 * every bit of each copy; of slots and large areas a bit of every sector and seeded ones; of both
 * copies at once, since then something is truly lost.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { bootLayout } from "vehicle/bootloader/boot_layout.ts";
import { BootRecordStore } from "vehicle/bootloader/boot_record.ts";
import {
  Journal,
  JOURNAL_HEADS,
  type JournalState,
  TARGETS_HEADS,
} from "vehicle/gateway/journal.ts";
import { SectorRecord } from "vehicle/storage/sector_record.ts";
import { isSound, SERIALS, slotsOf, toldFailures, updated } from "./rot_world.ts";
import { everyEcu } from "./sim_bundle.ts";
import { SimDisk } from "./sim_disk.ts";
import { seeded } from "./sim_release.ts";
import { SimVehicle } from "./sim_vehicle.ts";

const SECTOR_BITS = 512 * 8;

/** A copy of what is durable on a disk. */
function cloned(disk: SimDisk): SimDisk {
  const copy = new SimDisk(disk.sectors);
  copy.write(0, disk.read(0, disk.sectors));
  copy.sync();
  return copy;
}

Deno.test("every bit of either copy of a boot record: the other copy says the same, and heals it", async () => {
  const vehicle = await updated();
  const { boot } = vehicle.disksOf("body");
  const known = new BootRecordStore(boot).read();
  assert(known.A.successful && known.B.successful);
  for (const sector of [0, boot.sectors >> 1]) {
    const disk = cloned(boot);
    for (let bit = 0; bit < SECTOR_BITS; bit++) {
      disk.flip(sector, bit);
      const store = new BootRecordStore(disk);
      assertEquals(store.health(), "rotten", `sector ${sector}, bit ${bit}`);
      assertEquals(store.read(), known, `sector ${sector}, bit ${bit}`);
      assertEquals([store.even(), store.health()], ["rotten", "even"]);
    }
  }
});

Deno.test("every bit of either copy of a checkpoint: at worst the download begins a segment earlier", async () => {
  const vehicle = await SimVehicle.running({ consent: "ask" });
  vehicle.offer("c2", everyEcu(2));
  await vehicle.phase("ready");
  const { boot } = vehicle.disksOf("body");
  const { checkpoint: sectors } = bootLayout(boot);
  const read = (disk: SimDisk) => new SectorRecord(disk, { magic: "CKPT", sectors }).copies();
  const [newest, older] = read(boot);
  assert(newest !== undefined && older !== undefined);
  for (const [sector, kept] of [[sectors[0], 0], [sectors[1], 1]] as const) {
    const left = kept === newest.which ? older : newest;
    for (let bit = 0; bit < SECTOR_BITS; bit++) {
      const disk = cloned(boot);
      disk.flip(sector, bit);
      assertEquals(read(disk).map(({ payload }) => payload), [left.payload], `${sector}, ${bit}`);
    }
  }
});

Deno.test("every bit of either head, and of every fifth byte used of either area, of the journal: nothing is lost", async () => {
  const vehicle = await updated();
  const { gateway } = vehicle.power;
  const known: JournalState = new Journal(gateway).read();
  const disk = cloned(gateway);
  const areas = [64, 64 + 512];
  const usedBytes = new TextEncoder().encode(JSON.stringify(known)).length;
  const flips = [
    ...JOURNAL_HEADS.flatMap((sector) =>
      Array.from({ length: SECTOR_BITS }, (_, bit) => [sector, bit])
    ),
    ...areas.flatMap((sector) =>
      Array.from({ length: Math.ceil(usedBytes / 5) }, (_, i) => [sector, i * 40 + i % 40])
    ),
  ] as const;
  for (const [sector, bit] of flips) {
    disk.flip(sector! + Math.floor(bit! / SECTOR_BITS), bit! % SECTOR_BITS);
    const journal = new Journal(disk);
    assertEquals(journal.read(), known, `sector ${sector}, bit ${bit}`);
    const healthOf = () => journal.look(true).find(({ record }) => record === "journal")!.health;
    assertEquals([healthOf(), healthOf()], ["rotten", "even"], `sector ${sector}, bit ${bit}`);
  }
});

Deno.test("seeded bits of each record of a whole vehicle, while it is off and while it runs: named, healed, and it drives", async () => {
  const vehicle = await updated();
  const random = seeded(5);
  const half = vehicle.disksOf("body").boot.sectors >> 1;
  const places = [
    ...SERIALS.flatMap((serial) =>
      [0, half].map((sector) => ({ ecu: serial, disk: vehicle.disksOf(serial).boot, sector }))
    ),
    ...[...JOURNAL_HEADS, 64, 64 + 512].map((sector) => ({
      ecu: "gateway",
      disk: vehicle.power.gateway,
      sector,
    })),
    ...TARGETS_HEADS.map((sector) => ({ ecu: "gateway", disk: vehicle.power.gateway, sector })),
  ];
  for (const off of [true, false]) {
    for (const { ecu, disk, sector } of places) {
      for (let i = 0; i < 4; i++) {
        vehicle.broker.events.length = 0;
        const bit = Math.floor(random() * SECTOR_BITS);
        if (off) vehicle.cut(() => "new");
        disk.flip(sector, bit);
        if (off) vehicle.powerOn();
        const what = `${ecu}, sector ${sector}, bit ${bit}, ${off ? "off" : "on"}`;
        await vehicle.until(() => toldFailures(vehicle, ecu).length > 0, what, 3 * 60_000);
        assertEquals(toldFailures(vehicle, ecu), ["recordRotten"], what);
        await vehicle.until(() => vehicle.allRun("2.0.0"), what);
        assertEquals(vehicle.screen().driveLock, false, what);
        await vehicle.pass(2000);
      }
    }
  }
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3");
  assert(vehicle.allRun("3.0.0"));
});

for (const which of ["running", "fallback"] as const) {
  Deno.test(`a bit of every sector of the ${which} slot, while it is off and while it runs: named, healed, and it drives`, async () => {
    const vehicle = await updated();
    const random = seeded(6);
    for (const off of [true, false]) {
      for (let sector = 0; sector < 6; sector++) {
        vehicle.broker.events.length = 0;
        const slot = slotsOf(vehicle, "body")[which];
        const { lengthBytes } = vehicle.ecu("body").inventory().record[slot].image!;
        const bits = Math.min(SECTOR_BITS, (lengthBytes - sector * 512) * 8);
        const bit = Math.floor(random() * bits);
        if (off) vehicle.cut(() => "new");
        vehicle.disksOf("body")[slot].flip(sector, bit);
        if (off) vehicle.powerOn();
        const what = `sector ${sector}, bit ${bit}, ${off ? "off" : "on"}`;
        const met = off && which === "running";
        await vehicle.until(
          () => toldFailures(vehicle, "body").length > 0 && vehicle.allRun("2.0.0"),
          what,
          3 * 60_000,
        );
        assertEquals(toldFailures(vehicle, "body"), [met ? "slotUnsound" : "slotRotten"], what);
        await vehicle.until(() => isSound(vehicle, "body", slot), what, 60_000);
        assertEquals(vehicle.screen().driveLock, false, what);
      }
    }
    vehicle.offer("c3", everyEcu(3));
    await vehicle.settled("c3");
    assert(vehicle.allRun("3.0.0"));
  });
}

Deno.test("a bit of every sector of a slot that is half written, or ready: the release installs all the same, or is refused by name", async () => {
  for (let sector = 0; sector < 6; sector++) {
    const vehicle = await SimVehicle.running({ consent: "ask" });
    const { fallback } = slotsOf(vehicle, "body");
    vehicle.offer("c2", everyEcu(2));
    if (sector % 2 === 0) await vehicle.phase("ready");
    else {
      vehicle.cutIn("preparing", 8 + sector);
      await vehicle.dies();
    }
    if (vehicle.on) vehicle.cut(() => "new");
    else vehicle.power.cut(() => "new");
    vehicle.disksOf("body")[fallback].flip(sector, 33);
    vehicle.powerOn();
    await vehicle.phase("ready");
    vehicle.say("accept", "c2");
    await vehicle.settled("c2");
    const named = vehicle.screen().result?.failure?.name;
    assert(
      vehicle.allRun("2.0.0") || (vehicle.allRun("1.0.0") && named === "slotDigestDiffers"),
      `sector ${sector}: ${JSON.stringify(vehicle.runs())}, ${named}`,
    );
  }
});

Deno.test("both copies of the journal, of the targets, and of all of it rot in each phase: recordLost or as before, and the vehicle gets there", async () => {
  const phases = [
    "idle",
    "preparing",
    "ready",
    "installing",
    "trialAll",
    "confirmAll",
    "rollBackAll",
  ] as const;
  for (const sectors of [JOURNAL_HEADS, TARGETS_HEADS, [...JOURNAL_HEADS, ...TARGETS_HEADS]]) {
    for (const phase of phases) {
      const vehicle = phase === "idle" ? await updated() : await SimVehicle.running();
      const bad = phase === "rollBackAll" ? { ivi: { does: "crash@2000" } as const } : {};
      if (phase !== "idle") {
        vehicle.offer("c2", everyEcu(2, bad));
        vehicle.cutIn(phase, 3);
        await vehicle.dies();
        vehicle.power.cut(() => "new");
      } else vehicle.cut(() => "new");
      for (const sector of sectors) vehicle.power.gateway.flip(sector, 222);
      vehicle.crash();
      vehicle.powerOn();
      vehicle.offer("c3", everyEcu(3));
      await vehicle.until(() => vehicle.allRun("3.0.0"), `${phase}, ${sectors}`, 20 * 60_000);
      const told = vehicle.log.some((line) => line.includes("recordLost")) ||
        vehicle.log.some((line) => line.includes("targets are lost"));
      assert(told, `${phase}, ${sectors}: ${vehicle.log.join("\n")}`);
      await vehicle.pass(2 * 60_000);
      assertEquals(vehicle.screen().driveLock, false);
    }
  }
});
