/**
 * The boot record's bytes: those of version 1 are read for ever, those of a later version are
 * refused by name.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert/mod.js";
import { crc32, fromHex } from "shared/bytes.ts";
import { UpdateFailure } from "shared/failure.ts";
import { SimDisk } from "../../tests/sim/sim_disk.ts";
import { BootRecordStore, EMPTY_SLOT } from "./boot_record.ts";

/** Slot A of version 1: priority 2, successful, counter 7, 3000 bytes, SHA-256 of abab…, 1.2.3. */
const SLOT_V1 = "02" + "00" + "05" + "00" + "07000000" + "b80b000000000000" + "ab".repeat(32) +
  "0000" + "05" + "312e322e33" + "00".repeat(43);
const EMPTY_V1 = "00" + "00" + "02" + "00" + "00".repeat(95);
const IMAGE = { sha256: "ab".repeat(32), lengthBytes: 3000, counter: 7, version: "1.2.3" };

function sector(version: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(512);
  bytes.set(new TextEncoder().encode("BOOT"));
  const view = new DataView(bytes.buffer);
  view.setUint8(4, version);
  view.setBigUint64(8, 9n, true);
  view.setUint16(16, payload.length, true);
  bytes.set(payload, 18);
  view.setUint32(508, crc32(bytes.subarray(0, 508)), true);
  return bytes;
}

function disk(version: number): SimDisk {
  const made = new SimDisk(64);
  made.write(0, sector(version, fromHex(SLOT_V1 + EMPTY_V1)));
  made.sync();
  return made;
}

Deno.test("a boot record of version 1 is read, kept by even(), and replaced by version 2 when it changes", () => {
  const made = disk(1);
  const expected = {
    A: { ...EMPTY_SLOT, priority: 2, successful: true, unbootable: false, image: IMAGE },
    B: EMPTY_SLOT,
  };
  assertEquals(new BootRecordStore(made).read(), expected);
  assertEquals([new BootRecordStore(made).even(), new BootRecordStore(made).even()], [
    "behind",
    "even",
  ]);
  assertEquals([made.read(0, 1)[4], made.read(32, 1)[4]], [1, 1]);
  made.flip(0, 700);
  assertEquals(new BootRecordStore(made).read(), expected, "the copy is as good");
  const image = { ...IMAGE, merkleRoot: "cd".repeat(32) };
  new BootRecordStore(made).change("A", { image });
  assertEquals(new BootRecordStore(made).read().A.image, image);
  assertEquals([made.read(0, 1)[4], made.read(32, 1)[4]], [2, 1]);
});

Deno.test("a boot record of a later version is refused by name, not guessed, and not overwritten by even()", () => {
  const made = disk(3);
  const before = made.read(0, 16);
  assertEquals(
    assertThrows(() => new BootRecordStore(made).read(), UpdateFailure).failure,
    "schemaUnknown",
  );
  new BootRecordStore(made).even();
  assertEquals(made.read(0, 1), before.subarray(0, 512));
  assertEquals(made.read(32, 1)[4], 3, "the copy is of the version that it copies");
});
