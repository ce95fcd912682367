/**
 * What every Disk must do. The simulated one and the file adapter both run this
 * suite, so a simulation cannot be kinder than the thing it stands for.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import type { Disk } from "vehicle/ports.ts";

function sector(fill: number): Uint8Array {
  return new Uint8Array(512).fill(fill);
}

/**
 * Registers the suite for one kind of disk.
 *
 * @param kind Its name, for the test names.
 * @param use Makes an empty disk of 16 sectors, hands it to the test, and cleans up.
 */
export function diskContract(kind: string, use: (test: (disk: Disk) => void) => void): void {
  Deno.test(`${kind}: a new disk has its sectors, all zero`, () =>
    use((disk) => {
      assertEquals([disk.sectorBytes, disk.sectors], [512, 16]);
      assert(disk.read(0, 16).every((byte) => byte === 0));
    }));

  Deno.test(`${kind}: read() sees what was written, before and after sync()`, () =>
    use((disk) => {
      disk.write(3, sector(7));
      assertEquals(disk.read(2, 3), new Uint8Array([...sector(0), ...sector(7), ...sector(0)]));
      disk.sync();
      assertEquals(disk.read(3, 1), sector(7));
    }));

  Deno.test(`${kind}: write() takes several sectors and overwrites in place`, () =>
    use((disk) => {
      disk.write(14, new Uint8Array([...sector(1), ...sector(2)]));
      disk.write(15, sector(3));
      assertEquals(disk.read(14, 2), new Uint8Array([...sector(1), ...sector(3)]));
    }));

  Deno.test(`${kind}: read() gives bytes of the caller's, not a view of the disk`, () =>
    use((disk) => {
      disk.read(0, 1).fill(9);
      assertEquals(disk.read(0, 1), sector(0));
    }));

  Deno.test(`${kind}: readInto() gives what read() gives`, () =>
    use((disk) => {
      disk.write(5, new Uint8Array([...sector(4), ...sector(5)]));
      const target = sector(0);
      disk.readInto(6, target);
      assertEquals(target, disk.read(6, 1));
      assertThrows(() => disk.readInto(16, target), RangeError);
    }));

  Deno.test(`${kind}: sectors outside and parts of sectors are refused`, () =>
    use((disk) => {
      assertThrows(() => disk.read(16, 1), RangeError);
      assertThrows(() => disk.read(-1, 1), RangeError);
      assertThrows(() => disk.write(15, new Uint8Array(1024)), RangeError);
      assertThrows(() => disk.write(0, new Uint8Array(100)), RangeError);
      assertThrows(() => disk.write(0.5, sector(1)), RangeError);
      assert(disk.read(0, 16).every((byte) => byte === 0));
    }));

  Deno.test(`${kind}: write() keeps what the bytes were, whatever becomes of them later`, () =>
    use((disk) => {
      const bytes = sector(6);
      disk.write(2, bytes);
      bytes.fill(1);
      disk.sync();
      assertEquals(disk.read(2, 1), sector(6));
    }));

  Deno.test(`${kind}: of several writes of a sector before sync() the last one stays`, () =>
    use((disk) => {
      for (const fill of [1, 2, 3]) disk.write(9, sector(fill));
      disk.write(8, new Uint8Array([...sector(5), ...sector(4)]));
      disk.sync();
      assertEquals(disk.read(8, 2), new Uint8Array([...sector(5), ...sector(4)]));
      disk.sync(); // Nothing is there to be synced: no failure.
    }));

  Deno.test(`${kind}: all sectors at once, and the first and the last by themselves`, () =>
    use((disk) => {
      const all = new Uint8Array(16 * 512).map((_, i) => i >> 9);
      disk.write(0, all);
      disk.sync();
      assertEquals(disk.read(0, 16), all);
      assertEquals([disk.read(0, 1)[0], disk.read(15, 1)[511]], [0, 15]);
    }));
}
