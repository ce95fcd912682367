import { assertEquals } from "@std/assert/mod.js";
import { SectorRecord } from "vehicle/storage/sector_record.ts";
import { SimDisk } from "../../tests/sim/sim_disk.ts";
import { slot } from "../../tests/sim/sim_inventory.ts";
import { BootRecordStore, EMPTY_SLOT } from "./boot_record.ts";

Deno.test("BootRecordStore keeps the tag of a bundle, and tells when there is none", () => {
  const disk = new SimDisk(8);
  const A = slot(2, { triesRemaining: 3, bundle: "0123456789abcdef" });
  new BootRecordStore(disk).write({ A, B: EMPTY_SLOT });
  assertEquals(new BootRecordStore(disk).read(), { A, B: EMPTY_SLOT });
});

Deno.test("BootRecordStore reads a record from before there were bundles, and its next write has room for one", () => {
  const disk = new SimDisk(8);
  const A = slot(2, { successful: true, bundle: null });
  new BootRecordStore(disk).write({ A, B: EMPTY_SLOT });
  // What an earlier version wrote: two slots of 99 bytes.
  const record = new SectorRecord(disk, { magic: "BOOT", sectors: [0, 4] });
  const now = record.read()!;
  const half = now.length / 2;
  record.write(new Uint8Array([...now.subarray(0, 99), ...now.subarray(half, half + 99)]));
  const store = new BootRecordStore(disk);
  assertEquals(store.read(), { A, B: EMPTY_SLOT });
  store.change("B", { bundle: "ff".repeat(8) });
  assertEquals(new BootRecordStore(disk).read().B.bundle, "ff".repeat(8));
});
