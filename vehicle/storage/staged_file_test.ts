import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import fc from "fast-check";
import { readInto } from "shared/delta/random_read.ts";
import { UpdateFailure } from "shared/failure.ts";
import { PowerCut, SimDisk } from "../../tests/sim/sim_disk.ts";
import { imageBytes } from "../../tests/sim/sim_release.ts";
import { SectorRecord } from "./sector_record.ts";
import { readPartition, StagedFile } from "./staged_file.ts";

const BYTES = imageBytes("good", 5000, 3);
const TARGET = { sha256: "ab".repeat(32), lengthBytes: BYTES.length };

function world() {
  const [disk, marks] = [new SimDisk(16), new SimDisk(16)];
  const file = () =>
    new StagedFile(disk, new SectorRecord(marks, { magic: "CKPT", sectors: [0, 8] }));
  return { disk, marks, file };
}

Deno.test("StagedFile goes on behind the last segment, whatever their lengths", () => {
  const { file } = world();
  const first = file();
  assertEquals(first.begin(TARGET), 0);
  first.write(BYTES.subarray(0, 1024));
  first.write(BYTES.subarray(1024, 1536));
  const second = file();
  assertEquals(second.begin(TARGET), 1536);
  assertEquals(second.read().read(0, 1536), BYTES.subarray(0, 1536));
  second.write(BYTES.subarray(1536));
  assertEquals(second.read().read(0, 5000), BYTES);
  assertEquals(file().begin(TARGET), 5000);
  assertEquals(
    file().begin({ ...TARGET, sha256: "cd".repeat(32) }),
    0,
    "another file begins afresh",
  );
});

Deno.test("StagedFile keeps no more than it is asked to, and remembers that", () => {
  const { file } = world();
  const first = file();
  first.begin(TARGET);
  first.write(BYTES.subarray(0, 2048));
  assertEquals(file().begin(TARGET, { keepBytes: 4096 }), 2048);
  assertEquals(file().begin(TARGET, { keepBytes: 1024 }), 1024);
  assertEquals(file().begin(TARGET), 1024);
  assertEquals(file().begin(TARGET, { keepBytes: 0 }), 0);
});

Deno.test("StagedFile claims no more than what is there after a cut, at any operation and with any loss", () => {
  for (let cutAt = 0; cutAt < 5; cutAt++) {
    for (let mask = 0; mask < 3 ** 4; mask++) {
      const { disk, marks, file } = world();
      const first = file();
      first.begin(TARGET);
      first.write(BYTES.subarray(0, 1024));
      // One write and one sync of the segment, then those of the checkpoint.
      const [one, at] = cutAt < 2 ? [disk, cutAt] : [marks, cutAt - 2];
      one.cutAt = one.operations + at;
      try {
        first.write(BYTES.subarray(1024, 2048));
      } catch (error) {
        assert(error instanceof PowerCut, String(error));
      }
      let n = 0;
      const choose = () =>
        (["old", "new", "torn"] as const)[Math.floor(mask / 3 ** (n++ % 4)) % 3]!;
      disk.cut(choose);
      marks.cut(choose);
      const again = file();
      const there = again.begin(TARGET);
      assert(there === 1024 || there === 2048, `${there}`);
      assertEquals(again.read().read(0, there), BYTES.subarray(0, there));
      if (cutAt < 2) assertEquals(there, 1024);
      if (cutAt === 4) assertEquals(there, 2048, "nothing was cut");
    }
  }
});

/** A disk that counts its syncs, and fails those that it is told to. */
class CountedDisk extends SimDisk {
  syncs = 0;
  failing = false;

  override sync(): void {
    this.syncs++;
    if (this.failing) throw new UpdateFailure("storageFailed", "disk", "Cannot sync: told so");
    super.sync();
  }
}

function sharedWorld() {
  const [disk, marks] = [new CountedDisk(16), new CountedDisk(16)];
  const record = () => new SectorRecord(marks, { magic: "CKPT", sectors: [0, 8] });
  return { disk, marks, file: () => new StagedFile(disk, record(), 2048) };
}

Deno.test("StagedFile lets segments share a sync, and syncs the last", () => {
  const { disk, marks, file } = sharedWorld();
  const first = file();
  first.begin(TARGET);
  const before = marks.syncs;
  const durable: number[] = [];
  for (const [from, to] of [[0, 1024], [1024, 2048], [2048, 4096], [4096, 4608], [4608, 5000]]) {
    first.write(BYTES.subarray(from, to));
    durable.push(file().saved()!.doneBytes);
  }
  assertEquals(durable, [0, 2048, 4096, 4096, 5000]);
  assertEquals([disk.syncs, marks.syncs - before], [3, 3]);
  assertEquals(first.read().read(0, 5000), BYTES);
});

Deno.test("StagedFile that shares syncs claims no more than what is there after a cut, with any loss", () => {
  for (let cutAt = 0; cutAt < 6; cutAt++) {
    for (let mask = 0; mask < 3 ** 6; mask++) {
      const { disk, marks, file } = sharedWorld();
      const first = file();
      first.begin(TARGET);
      // Two writes and a sync of both segments, then those of the checkpoint.
      const [one, at] = cutAt < 3 ? [disk, cutAt] : [marks, cutAt - 3];
      one.cutAt = one.operations + at;
      try {
        first.write(BYTES.subarray(0, 1024));
        first.write(BYTES.subarray(1024, 2048));
      } catch (error) {
        assert(error instanceof PowerCut, String(error));
      }
      let n = 0;
      const choose = () =>
        (["old", "new", "torn"] as const)[Math.floor(mask / 3 ** (n++ % 6)) % 3]!;
      disk.cut(choose);
      marks.cut(choose);
      const again = file();
      const there = again.begin(TARGET);
      assert(there === 0 || there === 2048, `${there}`);
      assertEquals(again.read().read(0, there), BYTES.subarray(0, there));
      if (cutAt < 3) assertEquals(there, 0);
      if (cutAt === 5) assertEquals(there, 2048, "nothing was cut");
    }
  }
});

Deno.test("StagedFile takes bytes whose sync failed for not written, whatever the next sync says", () => {
  const { disk, file } = sharedWorld();
  const first = file();
  first.begin(TARGET);
  first.write(BYTES.subarray(0, 1024));
  disk.failing = true;
  assertThrows(() => first.write(BYTES.subarray(1024, 2048)), UpdateFailure);
  disk.failing = false;
  first.flush();
  assertEquals(file().saved()?.doneBytes, 0);
  first.write(BYTES.subarray(0, 2048));
  assertEquals(file().begin(TARGET), 2048);
});

Deno.test("readPartition() reads the same into an array of the caller's, wherever it lies", () => {
  const disk = new SimDisk(16);
  const padded = new Uint8Array(16 * 512);
  padded.set(BYTES);
  disk.write(0, padded);
  const file = readPartition(disk, BYTES.length);
  fc.assert(fc.property(fc.nat(5000), fc.nat(5000), fc.boolean(), (a, b, aligned) => {
    const round = (at: number) => aligned ? at - at % 512 : at;
    const [from, to] = [round(Math.min(a, b)), round(Math.max(a, b))];
    const target = new Uint8Array(to - from);
    readInto(file, from, target);
    assertEquals(target, BYTES.subarray(from, to));
    assertEquals(file.read(from, to - from), target);
  }));
  for (const [at, length] of [[4999, 2], [-1, 1], [4608, 512], [0, 5120]] as const) {
    assertThrows(() => readInto(file, at, new Uint8Array(length)), RangeError);
  }
});
