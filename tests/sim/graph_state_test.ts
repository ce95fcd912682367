import { assert, assertEquals, assertNotEquals } from "@std/assert/mod.js";
import { Journal, NEW_JOURNAL } from "vehicle/gateway/journal.ts";
import { BootRecordStore, EMPTY_SLOT } from "vehicle/bootloader/boot_record.ts";
import { sha256Digest } from "shared/node/digest.ts";
import { TrialLogStore } from "vehicle/ecu/trial_log.ts";
import { gatewayKey, journalText, recordsKey, SlotKeys } from "./graph_state.ts";
import { SimDisk } from "./sim_disk.ts";
import { targets } from "./sim_release.ts";

const sectorsOf = (disk: SimDisk) => (sector: number) => disk.held(sector);

function journaled(...states: readonly Partial<typeof NEW_JOURNAL>[]): SimDisk {
  const disk = new SimDisk(20_000);
  for (const state of states) new Journal(disk).write({ ...NEW_JOURNAL, ...state });
  return disk;
}

function booted(...counters: readonly number[]): SimDisk {
  const disk = new SimDisk(64);
  for (const counter of counters) {
    const image = { sha256: "ab".repeat(32), lengthBytes: 5, counter, version: `${counter}.0.0` };
    new BootRecordStore(disk).change("A", { ...EMPTY_SLOT, image });
  }
  return disk;
}

Deno.test("journalText() finds what the product's journal wrote, where it lies", () => {
  const disk = journaled({ starts: 1 }, { starts: 2, phase: "ready" }, {
    starts: 3,
    phase: "idle",
  });
  assertEquals(JSON.parse(journalText(sectorsOf(disk))!), { ...NEW_JOURNAL, starts: 3 });
  assertEquals(journalText(sectorsOf(new SimDisk(20_000))), undefined);
});

Deno.test("gatewayKey() is the same whichever place a copy lies in, whenever it was written", () => {
  const at = (
    starts: number,
    startedAt: string,
  ) => ({ phase: "ready", starts, startedAt } as const);
  const early = journaled(at(5, "2026-01-01T00:00:00Z"), at(6, "2026-01-01T00:00:01Z"));
  const late = journaled(...[7, 8, 9].map((starts) => at(starts, "2027-05-05T00:00:00Z")));
  assertEquals(gatewayKey(sectorsOf(early), 3), gatewayKey(sectorsOf(late), 3));
});

Deno.test("gatewayKey() differs by phase, by the older copy, by targets, and by what the server knows", () => {
  const keys = [
    gatewayKey(sectorsOf(journaled({ phase: "ready" }, { phase: "idle" })), 0),
    gatewayKey(sectorsOf(journaled({ phase: "idle" }, { phase: "ready" })), 0),
    gatewayKey(sectorsOf(journaled({ phase: "idle" }, { phase: "idle" })), 0),
    gatewayKey(sectorsOf(journaled({ phase: "idle" })), 0),
    gatewayKey(sectorsOf(journaled({ phase: "idle" })), 1),
    gatewayKey(sectorsOf(journaled({ phase: "idle", interruptedTrials: 1 })), 0),
  ];
  const disk = journaled({ phase: "idle" });
  new Journal(disk).writeTargets(targets(1, "c1", {}));
  keys.push(gatewayKey(sectorsOf(disk), 0));
  assertEquals(new Set(keys).size, keys.length);
});

Deno.test("recordsKey() knows order and content of whole copies, not their numbers, nor what is torn", () => {
  const key = (disk: SimDisk) => recordsKey(sectorsOf(disk), 64);
  assertEquals(key(booted(1, 2)), key(booted(9, 1, 2)));
  assertNotEquals(key(booted(1, 2)), key(booted(2, 1)));
  const torn = booted(1, 2);
  const newestAt = [0, 32].find((at) => {
    const other = booted(1, 2);
    other.flip(at, 900);
    return key(other) === key(booted(1));
  });
  assert(newestAt !== undefined, "without the newest copy only the older one is there");
  torn.flip(newestAt, 900);
  const otherwise = booted(1, 2);
  otherwise.flip(newestAt, 1000);
  assertEquals(key(torn), key(otherwise));
});

Deno.test("SlotKeys tells sectors of the images apart, and all else alike", () => {
  const image = new Uint8Array(1024).map((_, i) => i >> 9);
  const slots = new SlotKeys([image.map((byte) => byte + 1)]);
  const key = (...fills: number[]) =>
    slots.key((sector) => new Uint8Array(512).fill(fills[sector]!), fills.length);
  assertEquals(key(1, 9), key(1, 8));
  assertEquals(new Set([key(1, 2), key(2, 1), key(0, 1), key(9, 1)]).size, 4);
});

Deno.test("recordsKey() knows which failed trial a log is of and whether it waits, not when it was, nor its words", () => {
  const image = { sha256: "ab".repeat(32), lengthBytes: 5, counter: 2, version: "2.0.0" };
  const log = (failure: "imageCrashed" | "imageHung", nowMs: number, reported = false) => {
    const disk = new SimDisk(64);
    const store = new TrialLogStore(disk, sha256Digest);
    const verdict = { failure, detail: `at ${nowMs}` };
    const serial = "body";
    store.write({ serial, image, verdict, lines: [`+${nowMs} ms`], nowMs });
    if (reported) store.clear(store.waiting()!.id);
    return recordsKey(sectorsOf(disk), 64);
  };
  assertEquals(log("imageCrashed", 5_000), log("imageCrashed", 900_000));
  const keys = [
    log("imageCrashed", 5_000),
    log("imageHung", 5_000),
    log("imageCrashed", 5_000, true),
    recordsKey(sectorsOf(new SimDisk(64)), 64),
  ];
  assertEquals(new Set(keys).size, keys.length);
});
