import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import { PowerCut, SimDisk } from "../../tests/sim/sim_disk.ts";
import { DurableArea } from "./durable_area.ts";
import { SectorRecord } from "./sector_record.ts";

const PLACE = { magic: "TEST", sectors: [0, 8] } as const;
const AREA = { magic: "AREA", heads: [0, 15], areas: [1, 8], areaSectors: 7 } as const;
const CHOICES = ["old", "new", "torn"] as const;

Deno.test("SectorRecord reads nothing from an empty disk, then the last write", () => {
  const disk = new SimDisk(16);
  const record = new SectorRecord(disk, PLACE);
  assertEquals(record.read(), undefined);
  for (let i = 1; i <= 5; i++) {
    record.write(Uint8Array.of(i));
    assertEquals(new SectorRecord(disk, PLACE).read(), Uint8Array.of(i));
  }
});

Deno.test("SectorRecord cut at any operation, whatever the cache leaves, is old or new", () => {
  const seen = new Set<number>();
  for (const cutAt of [0, 1]) {
    for (const choice of CHOICES) {
      const disk = new SimDisk(16);
      const record = new SectorRecord(disk, PLACE);
      record.write(Uint8Array.of(1));
      disk.cutAt = disk.operations + cutAt;
      assertThrows(() => record.write(Uint8Array.of(2)), PowerCut);
      disk.cut(() => choice);
      const value = new SectorRecord(disk, PLACE).read()?.[0];
      assert(value === 1 || value === 2, `cut at ${cutAt}, ${choice}: ${value}`);
      seen.add(value);
    }
  }
  assertEquals(seen.size, 2, "both outcomes must occur, or this test proves nothing");
});

Deno.test("SectorRecord survives any one flipped bit of its newest copy", () => {
  for (const bit of [0, 40, 70, 130, 150, 4095]) {
    const disk = new SimDisk(16);
    const record = new SectorRecord(disk, PLACE);
    record.write(Uint8Array.of(1));
    record.write(Uint8Array.of(2));
    disk.flip(8, bit); // The second write went to sector 8.
    assertEquals(record.read(), Uint8Array.of(1));
    record.write(Uint8Array.of(3)); // Goes to the damaged copy, not to the only good one.
    assertEquals(record.read(), Uint8Array.of(3));
    disk.flip(8, bit);
    assertEquals(record.read(), Uint8Array.of(1));
  }
});

Deno.test("DurableArea cut at any operation, whatever the cache leaves, is old or new", () => {
  const [old, next] = [new Uint8Array(1500).fill(1), new Uint8Array(2000).fill(2)];
  let cuts = 0;
  const seen = new Set<number>();
  for (let cutAt = 0; cutAt < 4; cutAt++) {
    for (let mask = 0; mask < 3 ** 5; mask++) {
      const disk = new SimDisk(16);
      const area = new DurableArea(disk, AREA);
      area.write(new Uint8Array(100).fill(9));
      area.write(old);
      disk.cutAt = disk.operations + cutAt;
      assertThrows(() => area.write(next), PowerCut);
      const order = disk.unsynced;
      disk.cut((sector) => CHOICES[Math.floor(mask / 3 ** order.indexOf(sector)) % 3]!);
      const found = new DurableArea(disk, AREA).read();
      assert(found !== undefined && (found.length === 1500 || found.length === 2000));
      assert(found.every((byte) => byte === found[0]));
      seen.add(found[0]!);
      cuts++;
    }
  }
  assertEquals([cuts, seen.size], [972, 2]);
});
