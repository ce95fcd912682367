import { assertEquals } from "@std/assert/mod.js";
import { SectorRecord } from "vehicle/storage/sector_record.ts";
import { SimDisk } from "../../tests/sim/sim_disk.ts";
import { slot } from "../../tests/sim/sim_inventory.ts";
import {
  type BootRecord,
  BootRecordStore,
  counterFloor,
  emptied,
  EMPTY_SLOT,
} from "./boot_record.ts";

Deno.test("BootRecordStore keeps the tag of a bundle, and tells when there is none", () => {
  const disk = new SimDisk(64);
  const A = slot(2, { triesRemaining: 3, bundle: "0123456789abcdef" });
  new BootRecordStore(disk).write({ A, B: EMPTY_SLOT });
  assertEquals(new BootRecordStore(disk).read(), { A, B: EMPTY_SLOT });
});

/** A disk with a record as an earlier version wrote it. */
function earlier(store: BootRecord, slotBytes: number): SimDisk {
  const disk = new SimDisk(64);
  new BootRecordStore(disk).write(store);
  const place = { magic: "BOOT", sectors: [0, 32] } as const;
  const now = new SectorRecord(disk, { ...place, version: 2 }).read()!;
  const half = now.length / 2;
  const then = [...now.subarray(0, slotBytes), ...now.subarray(half, half + slotBytes)];
  disk.write(0, new Uint8Array(512));
  disk.write(32, new Uint8Array(512));
  new SectorRecord(disk, place).write(new Uint8Array(then));
  return disk;
}

Deno.test("BootRecordStore reads a record from before there were bundles, and its next write has room for one", () => {
  const A = slot(2, { successful: true, bundle: null });
  const disk = earlier({ A, B: EMPTY_SLOT }, 99);
  const store = new BootRecordStore(disk);
  assertEquals(store.read(), { A, B: EMPTY_SLOT });
  store.change("B", { bundle: "ff".repeat(8) });
  assertEquals(new BootRecordStore(disk).read().B.bundle, "ff".repeat(8));
});

Deno.test("BootRecordStore keeps what a slot owes, beside an image and without one", () => {
  const disk = new SimDisk(64);
  const owed = { counter: 2 ** 32 - 1, bundle: "ff".repeat(8), successful: true };
  const A = slot(2, { triesRemaining: 3, bundle: "0123456789abcdef", owed });
  const B = { ...EMPTY_SLOT, owed: { counter: 1, bundle: null, successful: false } };
  new BootRecordStore(disk).write({ A, B });
  assertEquals(new BootRecordStore(disk).read(), { A, B });
  const back = { A, B: { ...B, owed: { ...owed, back: true } } };
  new BootRecordStore(disk).write(back);
  assertEquals(new BootRecordStore(disk).read(), back);
  assertEquals([counterFloor({ A, B }), counterFloor({ A: EMPTY_SLOT, B })], [2 ** 32 - 1, 0]);
});

Deno.test("emptied() keeps what was confirmed when a later trial failed, and forgets it once one is kept", () => {
  const A = slot(1, { successful: true, bundle: "0a".repeat(8) });
  const first = emptied({ A, B: slot(2, { successful: true, bundle: "0b".repeat(8) }) }, "B");
  const owed = { counter: 2, bundle: "0b".repeat(8), successful: true };
  assertEquals(first, { ...EMPTY_SLOT, bundle: "0b".repeat(8), owed });
  const failed = slot(3, { unbootable: true, bundle: "0c".repeat(8), owed });
  assertEquals(emptied({ A, B: failed }, "B"), { ...EMPTY_SLOT, bundle: "0c".repeat(8), owed });
  assertEquals(emptied({ A, B: first }, "B"), first);
  const replaced = { A: slot(4, { successful: true }), B: failed };
  assertEquals(emptied(replaced, "B"), EMPTY_SLOT);
});

Deno.test("BootRecordStore reads a record with bundles from before there were roots, and keeps both from then on", () => {
  const bundle = "0123456789abcdef";
  const [A, B] = [slot(2, { triesRemaining: 3, bundle }), slot(1, { successful: true })];
  const disk = earlier({ A, B }, 107);
  const store = new BootRecordStore(disk);
  assertEquals(store.read(), { A, B });
  store.change("A", { image: { ...A.image!, merkleRoot: "cd".repeat(32) } });
  const read = new BootRecordStore(disk).read();
  assertEquals([read.A.bundle, read.A.image!.merkleRoot], [bundle, "cd".repeat(32)]);
  assertEquals(read.B, B);
});
