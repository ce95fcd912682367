/**
 * Power cuts in every phase from `installing` on, lost and foreign journals: the vehicle
 * ends wholly old or wholly new, and the server hears which.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { crc32 } from "shared/bytes.ts";
import { MAX_INTERRUPTED_TRIALS, TRIAL_TRIES } from "shared/limits.ts";
import type { EcuState } from "shared/protocol/common.ts";
import { Journal, JOURNAL_HEADS, TARGETS_HEADS } from "vehicle/gateway/journal.ts";
import type { SimDisk } from "./sim_disk.ts";
import { everyEcu } from "./sim_bundle.ts";
import { SimVehicle } from "./sim_vehicle.ts";

const ALL = <T>(value: T) => ({ body: value, cluster: value, ivi: value });
const BAD = { cluster: { does: "crash@300" } } as const;

for (const phase of ["installing", "trialAll", "confirmAll"] as const) {
  Deno.test(`a good release whose power is cut in ${phase} is confirmed in the end`, async () => {
    for (const after of [0, 1, 2, 3]) {
      for (const choice of ["old", "new", "torn"] as const) {
        const vehicle = await SimVehicle.running();
        vehicle.cutIn(phase, after);
        vehicle.offer("c2", everyEcu(2));
        await vehicle.dies();
        vehicle.cut(() => choice);
        vehicle.powerOn();
        await vehicle.settled("c2");
        assert(vehicle.allRun("2.0.0"), `${after} ${choice}`);
        assertEquals(vehicle.states(), ALL<EcuState>("confirmed"));
        assertEquals(vehicle.screen().phase, "succeeded");
      }
    }
  });
}

for (const phase of ["installing", "trialAll", "rollBackAll"] as const) {
  Deno.test(`a bad release whose power is cut in ${phase} goes back in the end`, async () => {
    for (const after of [0, 1, 2, 3]) {
      for (const choice of ["old", "new", "torn"] as const) {
        const vehicle = await SimVehicle.running();
        vehicle.cutIn(phase, after);
        vehicle.offer("c2", everyEcu(2, BAD));
        await vehicle.dies();
        vehicle.cut(() => choice);
        vehicle.powerOn();
        await vehicle.settled("c2");
        assert(vehicle.allRun("1.0.0"), `${after} ${choice}`);
        assertEquals(vehicle.failures(), { ...ALL("partnerFailed"), cluster: "imageCrashed" });
        assertEquals(vehicle.screen().phase, "rolledBack");
      }
    }
  });
}

Deno.test("a power cut while the result is being reported loses none of it", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.cutIn("reporting", 0);
  vehicle.offer("c2", everyEcu(2, BAD));
  await vehicle.dies();
  vehicle.cut(() => "old");
  vehicle.powerOn();
  await vehicle.settled("c2");
  assertEquals(vehicle.backend.reported("cluster")?.state, "rolledBack");
  assertEquals(vehicle.backend.reported("cluster")?.failure?.name, "imageCrashed");
});

Deno.test("an unreachable server delays the result, across a power cut, and loses nothing", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2));
  await vehicle.phase("trialAll");
  vehicle.backend.down = true;
  await vehicle.phase("reporting");
  await vehicle.pass(3_600_000);
  assertEquals([vehicle.journal().phase, vehicle.screen().phase], ["reporting", "succeeded"]);
  assertEquals(vehicle.screen().driveLock, false);
  vehicle.cut(() => "old");
  vehicle.powerOn();
  await vehicle.pass(3_600_000);
  assert(vehicle.allRun("2.0.0"));
  vehicle.backend.down = false;
  await vehicle.settled("c2", 61_000);
  assertEquals(vehicle.backend.reported("ivi")?.state, "confirmed");
});

Deno.test("events that happen without a broker are told when it is there again, in order", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.link(false);
  vehicle.offer("c2", everyEcu(2));
  await vehicle.settled("c2");
  assertEquals(vehicle.broker.events, []);
  vehicle.link(true);
  assertEquals(vehicle.told("ivi").slice(-3), ["activating", "trial", "confirmed"]);
  const sequence = vehicle.broker.events.map(({ seq }) => seq);
  assertEquals(sequence, sequence.toSorted((a, b) => a - b));
  assertEquals(vehicle.broker.conns.at(-1), "online");
});

/** Cuts the power whenever a trial has just begun. */
async function cutTrials(vehicle: SimVehicle, times: number): Promise<number> {
  let cuts = 0;
  for (; cuts < times; cuts++) {
    vehicle.starts.length = 0;
    const concluded = () => vehicle.journal().concluded === "c2";
    const trying = () => vehicle.starts.some(({ version }) => version === "2.0.0");
    await vehicle.until(() => trying() || concluded(), "a trial begins");
    if (concluded()) break;
    vehicle.cut(() => "old");
    vehicle.powerOn();
  }
  return cuts;
}

Deno.test("tries that the power cut spent are no verdict: the same release is tried again", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2));
  assertEquals(await cutTrials(vehicle, TRIAL_TRIES + 1), TRIAL_TRIES + 1);
  await vehicle.settled("c2");
  assert(vehicle.allRun("2.0.0"));
  assertEquals(vehicle.journal().interruptedTrials, 1);
});

Deno.test("a release whose trials the power cuts for ever goes back as trialInterrupted, bounded", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2));
  const cuts = await cutTrials(vehicle, 1000);
  // Of the first ECU every try is cut, and of the others the one after its fall back.
  assertEquals(cuts, (MAX_INTERRUPTED_TRIALS + 1) * (TRIAL_TRIES + 1));
  await vehicle.settled("c2");
  assert(vehicle.allRun("1.0.0"));
  assertEquals(vehicle.journal().interruptedTrials, MAX_INTERRUPTED_TRIALS);
  assertEquals(Object.values(vehicle.failures()).toSorted(), [
    "partnerFailed",
    "partnerFailed",
    "trialInterrupted",
  ]);
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3");
  assert(vehicle.allRun("3.0.0"));
});

Deno.test("a newer campaign that comes while the power is away waits for the one that is committed", async () => {
  for (const phase of ["installing", "trialAll", "confirmAll"] as const) {
    const vehicle = await SimVehicle.running();
    vehicle.cutIn(phase, 0);
    vehicle.offer("c2", everyEcu(2));
    await vehicle.dies();
    vehicle.cut(() => "new");
    vehicle.broker.events.length = 0;
    vehicle.offer("c3", everyEcu(3));
    vehicle.powerOn();
    await vehicle.settled("c3");
    const won = vehicle.broker.events.filter(({ state }) => state === "confirmed");
    assertEquals(won.map(({ campaign }) => campaign), ["c2", "c2", "c2", "c3", "c3", "c3"]);
    assert(vehicle.allRun("3.0.0"));
  }
});

Deno.test("beyond the commit point the way leads forward, even when the power spends every try", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.cutIn("confirmAll", 0);
  vehicle.offer("c2", everyEcu(2));
  await vehicle.dies();
  const BOOT_OPERATIONS = 4 + 3 * 2; // The journal's start, and a try of each ECU.
  for (let tries = TRIAL_TRIES - 1; tries > 0; tries--) {
    vehicle.cut(() => "new");
    vehicle.power.cutAt = vehicle.power.operations + BOOT_OPERATIONS;
    vehicle.powerOn();
    await vehicle.dies();
  }
  vehicle.cut(() => "new");
  vehicle.starts.length = 0;
  vehicle.backend.down = true;
  vehicle.powerOn();
  await vehicle.until(() => vehicle.starts.length >= 3, "all have booted");
  assertEquals(vehicle.starts.slice(0, 3).map(({ version }) => version), Array(3).fill("1.0.0"));
  await vehicle.pass(5000);
  assertEquals(vehicle.runs(), ALL("2.0.0"));
  vehicle.backend.down = false;
  await vehicle.settled("c2");
  assertEquals(vehicle.states(), ALL<EcuState>("confirmed"));
});

function wipe(disk: SimDisk, ...sectors: readonly number[]): void {
  for (const sector of sectors) disk.write(sector, new Uint8Array(512));
  disk.sync();
}

/** Makes both copies of a one-sector record look as if another version had written them. */
function foreign(disk: SimDisk, ...sectors: readonly number[]): void {
  for (const sector of sectors) {
    const bytes = disk.read(sector, 1);
    bytes[4] = 2;
    new DataView(bytes.buffer).setUint32(508, crc32(bytes.subarray(0, 508)), true);
    disk.write(sector, bytes);
  }
  disk.sync();
}

function rewrite(disk: SimDisk, change: object): void {
  const journal = new Journal(disk);
  journal.write({ ...journal.read(), ...change });
}

// deno-fmt-ignore
const JOURNALS: readonly (readonly [string, (disk: SimDisk) => void])[] = [
  ["lost", (disk) => wipe(disk, ...JOURNAL_HEADS)],
  ["of an unknown schema version", (disk) => rewrite(disk, { v: 2 })],
  ["in a phase this version does not know", (disk) => rewrite(disk, { phase: "verifying" })],
  ["in a record of an unknown version", (disk) => foreign(disk, ...JOURNAL_HEADS)],
  ["whose targets are lost", (disk) => wipe(disk, ...TARGETS_HEADS)],
  ["whose targets are in a record of an unknown version", (disk) => foreign(disk, ...TARGETS_HEADS)],
];
for (const [words, damage] of JOURNALS) {
  for (const phase of ["preparing", "installing", "trialAll", "rollBackAll"] as const) {
    Deno.test(`a journal ${words} in ${phase} leads back to what ran before, and the next release installs`, async () => {
      const vehicle = await SimVehicle.running();
      vehicle.cutIn(phase, phase === "trialAll" ? 5 : 3);
      vehicle.offer("c2", everyEcu(2, phase === "rollBackAll" ? BAD : {}));
      await vehicle.dies();
      vehicle.cut(() => "new");
      damage(vehicle.power.gateway);
      vehicle.backend.down = true;
      vehicle.powerOn();
      await vehicle.pass(60_000);
      assertEquals(vehicle.runs(), ALL("1.0.0"));
      assertEquals(vehicle.screen().driveLock, false);
      vehicle.backend.down = false;
      vehicle.offer("c3", everyEcu(3));
      await vehicle.settled("c3");
      assertEquals(vehicle.runs(), ALL("3.0.0"));
      assertEquals(vehicle.backend.reported("ivi")?.version, "3.0.0");
    });
  }
}

Deno.test("a trial that no journal knows is taken back with journalUnknown in its boot record", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2));
  await vehicle.until(() => vehicle.runs()["ivi"] === "trial2.0.0", "ivi is on trial");
  vehicle.offer(null, {});
  vehicle.cut(() => "new");
  wipe(vehicle.power.gateway, ...JOURNAL_HEADS);
  vehicle.powerOn();
  await vehicle.pass(30_000);
  assertEquals(vehicle.runs(), ALL("1.0.0"));
  for (const serial of ["body", "cluster", "ivi"] as const) {
    const { record, running } = vehicle.ecu(serial).inventory();
    const { verdict, unbootable } = record[running!.slot === "A" ? "B" : "A"];
    assertEquals([verdict, unbootable], ["journalUnknown", true]);
  }
  assert(vehicle.log.some((line) => line.includes("no journal knows it")));
});

Deno.test("a vehicle whose journal was lost still reaches the server: its sequence does not go back", async () => {
  const vehicle = await SimVehicle.running();
  await vehicle.pass(5000);
  const before = vehicle.backend.manifests.at(-1)!.seq;
  vehicle.cut(() => "new");
  wipe(vehicle.power.gateway, ...JOURNAL_HEADS);
  vehicle.powerOn();
  await vehicle.pass(5000);
  assert(vehicle.backend.manifests.at(-1)!.seq > before);
  assert(Number.isSafeInteger(vehicle.backend.manifests.at(-1)!.seq + 2 ** 20));
});

Deno.test("one copy of every record may rot: the other one carries on", async () => {
  for (const copy of [0, 1]) {
    const vehicle = await SimVehicle.running();
    vehicle.cut(() => "new");
    for (const sector of [...JOURNAL_HEADS, ...TARGETS_HEADS]) {
      if ((sector >= 32 ? 1 : 0) === copy) vehicle.power.gateway.flip(sector, 100);
    }
    for (const { boot } of Object.values(vehicle.power.ecus)) {
      boot.flip(copy * (boot.sectors >> 1), 900);
    }
    vehicle.powerOn();
    vehicle.offer("c2", everyEcu(2));
    await vehicle.settled("c2");
    assert(vehicle.allRun("2.0.0"));
  }
});
