/**
 * A part of a disk, seen as a disk.
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import type { Disk } from "vehicle/ports.ts";

/**
 * Cuts a partition out of a disk. Its sync is the disk's: they share one cache.
 *
 * @param disk The whole.
 * @param first Its first sector.
 * @param sectors How many.
 * @returns The part; sectors outside it cannot be reached.
 */
export function partition(disk: Disk, first: number, sectors: number): Disk {
  invariant(first >= 0 && first + sectors <= disk.sectors, `partition ${first}+${sectors}`);
  const inside = (sector: number, count: number) =>
    invariant(sector >= 0 && sector + count <= sectors, `sector ${sector}+${count} of ${sectors}`);
  return {
    sectorBytes: disk.sectorBytes,
    sectors,
    read(sector, count) {
      inside(sector, count);
      return disk.read(first + sector, count);
    },
    readInto(sector, target) {
      inside(sector, target.length / disk.sectorBytes);
      disk.readInto(first + sector, target);
    },
    write(sector, data) {
      inside(sector, data.length / disk.sectorBytes);
      disk.write(first + sector, data);
    },
    sync: () => disk.sync(),
  };
}
