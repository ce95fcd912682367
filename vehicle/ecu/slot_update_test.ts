import { assertEquals, assertRejects, assertThrows } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import { TRIAL_TRIES } from "shared/limits.ts";
import { sha256Digest, sha256Hex } from "shared/node/digest.ts";
import { SimClock } from "../../tests/sim/sim_clock.ts";
import { SimDisk } from "../../tests/sim/sim_disk.ts";
import { imageBytes } from "../../tests/sim/sim_release.ts";
import { BootRecordStore, counterFloor } from "vehicle/bootloader/boot_record.ts";
import type { EcuImage } from "vehicle/bus/ecu_port.ts";
import { SlotUpdate } from "./slot_update.ts";

const BYTES = imageBytes("good", 3000, 7);
const IMAGE: EcuImage = { ...named(2), sha256: sha256Hex(BYTES) };
const OLD = imageBytes("good", 3000, 1);

function named(counter: number): EcuImage {
  return { sha256: "ab".repeat(32), lengthBytes: 3000, counter, version: `${counter}.0.0` };
}

/** An ECU whose slot A runs image 1, confirmed. */
function world(more: { readonly syncBytes?: number } = {}) {
  const slots = { A: new SimDisk(8), B: new SimDisk(8) };
  const boot = new SimDisk(64);
  const records = new BootRecordStore(boot);
  const image = { ...named(1), sha256: sha256Hex(OLD) };
  const successful = { successful: true, unbootable: false, priority: 1, image };
  const padded = new Uint8Array(3072);
  padded.set(OLD);
  slots.A.write(0, padded);
  slots.A.sync();
  records.change("A", successful);
  const tools = { clock: new SimClock().life(), newDigest: sha256Digest };
  const parts = { storage: { boot, slots }, records, paths: { A: "A", B: "B" }, ...more };
  const begin = () => new SlotUpdate(parts, 4096, tools);
  return { boot, slots, records, begin, update: begin() };
}

function write({ update }: ReturnType<typeof world>, bytes = BYTES): void {
  assertEquals(update.begin(IMAGE, "A", {}), 0);
  update.write(bytes);
}

Deno.test("begin() marks the slot unbootable before the first byte", () => {
  const { records, update, slots } = world();
  records.change("B", { successful: true, unbootable: false, image: named(1) });
  update.begin(IMAGE, "A", {});
  assertEquals(records.read().B.image, null);
  assertEquals([records.read().B.unbootable, slots.B.operations], [true, 0]);
});

Deno.test("begin() keeps the tag of a bundle that is not whole here, and of no other", () => {
  const newer = { image: named(2), bundle: "ab".repeat(8) };
  const states = [
    // The way back, that a newer release replaces; even if it rotted.
    { ...newer, image: named(1), successful: true, unbootable: false },
    { ...newer, image: named(1), successful: true, unbootable: true },
    // It could not be read at the last start; it rotted.
    { ...newer, successful: true, unbootable: false },
    { ...newer, successful: true, unbootable: true },
    { ...newer, successful: false, unbootable: true, verdict: "imageCrashed" },
    { ...newer, successful: false, unbootable: false, triesRemaining: 0 },
  ] as const;
  const kept = states.map((state) => {
    const { records, update } = world();
    records.change("B", state);
    update.begin(named(3), "A", {});
    const { B } = records.read();
    assertEquals(B.owed?.bundle ?? null, B.bundle ?? null);
    return [B.bundle, counterFloor(records.read())];
  });
  const tag = "ab".repeat(8);
  assertEquals(kept, [[null, 1], [null, 1], [tag, 2], [tag, 2], [tag, 1], [tag, 1]]);
});

Deno.test("what was confirmed in a slot is not forgotten by the trials that fail in it afterwards", async () => {
  const { boot, records, update, slots } = world();
  const bundle = "ab".repeat(8);
  const kept = { successful: true, unbootable: false, priority: 2 };
  records.change("B", { ...kept, image: named(4), bundle });
  const untouched = slots.A.operations;
  const owed = { counter: 4, bundle, successful: true };
  for (const counter of [5, 6]) {
    const image = { ...IMAGE, counter };
    update.begin(image, "A", {});
    assertEquals(records.read().B.owed, owed);
    update.write(BYTES);
    await update.arm(image, "A", "cd".repeat(8));
    assertEquals([records.read().B.owed, records.read().B.bundle], [owed, "cd".repeat(8)]);
    update.disarm(image, "imageCrashed");
    assertEquals(new BootRecordStore(boot).read().B.owed, owed);
    const error = assertThrows(() => update.begin(named(3), "A", {}), UpdateFailure);
    assertEquals(error.failure, "releaseDowngrade");
  }
  update.begin(named(4), "A", {}); // The same again may come.
  assertEquals([records.read().B.owed, slots.A.operations], [owed, untouched]);
});

Deno.test("begin() never touches the slot that runs, nor the only confirmed one in recovery", () => {
  const first = world();
  first.records.change("B", { successful: true, unbootable: false, image: named(1) });
  first.update.begin(IMAGE, "B", {});
  assertEquals([first.records.read().A.image, first.records.read().B.image?.counter], [null, 1]);
  const second = world();
  second.update.begin(IMAGE, null, {});
  assertEquals(second.records.read().A.image?.counter, 1);
});

Deno.test("begin() refuses a counter that is not above the one that runs, and a large image", () => {
  const { update, records } = world();
  for (const counter of [0, 1]) {
    const error = assertThrows(() => update.begin(named(counter), "A", {}), UpdateFailure);
    assertEquals(error.failure, "releaseDowngrade");
  }
  const large = { ...IMAGE, lengthBytes: 4097 };
  assertEquals(
    assertThrows(() => update.begin(large, "A", {}), UpdateFailure).failure,
    "imageTooLarge",
  );
  assertEquals(records.read().A.image?.counter, 1);
});

Deno.test("begin() refuses what is below a confirmed counter, also when nothing runs", () => {
  const { records, update } = world();
  records.change("A", { unbootable: true, verdict: "slotUnsound", image: named(5) });
  const error = assertThrows(() => update.begin(named(4), null, {}), UpdateFailure);
  assertEquals(error.failure, "releaseDowngrade");
  assertEquals(update.begin(named(5), null, {}), 0, "the same release may heal it");
});

Deno.test("begin() tells what an earlier attempt left, unless it is asked to begin afresh", () => {
  const one = world();
  write(one);
  assertEquals(one.begin().begin(IMAGE, "A", {}), 3000);
  assertEquals(one.begin().begin(IMAGE, "A", { keepBytes: 0 }), 0);
  const other = { ...IMAGE, sha256: "cd".repeat(32) };
  write(one);
  assertEquals(one.begin().begin(other, "A", {}), 0);
});

Deno.test("verify() forgets what reads back as something else, and arm() refuses it", async () => {
  const one = world();
  write(one, imageBytes("good", 3000, 8));
  const refused = () => assertRejects(() => one.update.arm(IMAGE, "A"), UpdateFailure);
  assertEquals((await refused()).failure, "slotDigestDiffers");
  assertEquals([one.records.read().B.image, one.begin().begin(IMAGE, "A", {})], [null, 0]);
});

Deno.test("arm() lends the tries once: a second time changes nothing", async () => {
  const one = world();
  write(one);
  await one.update.arm(IMAGE, "A");
  const { A, B } = one.records.read();
  assertEquals([A.priority, B.priority, B.triesRemaining], [1, 2, TRIAL_TRIES]);
  assertEquals([B.image, B.unbootable, B.successful], [IMAGE, false, false]);
  one.records.change("B", { triesRemaining: 1 });
  const { operations } = one.boot;
  await one.begin().arm(IMAGE, "A");
  assertEquals([one.boot.operations, one.records.read().B.triesRemaining], [operations, 1]);
});

Deno.test("arm() proves the slot again in a process that did not prove it", async () => {
  const one = world();
  write(one);
  await one.update.verify(IMAGE, "A");
  one.slots.B.flip(3, 11);
  const error = await assertRejects(() => one.begin().arm(IMAGE, "A"), UpdateFailure);
  assertEquals(error.failure, "slotDigestDiffers");
});

Deno.test("disarm() keeps the ECU's own verdict, and writes the given one where there is none", async () => {
  const one = world();
  write(one);
  await one.update.arm(IMAGE, "A");
  one.update.disarm(IMAGE, null);
  const { B } = one.records.read();
  assertEquals([B.triesRemaining, B.priority, B.unbootable, B.verdict], [0, 0, false, null]);
  one.update.disarm(IMAGE, "imageHung");
  one.update.disarm(IMAGE, "partnerFailed");
  assertEquals([one.records.read().B.verdict, one.records.read().B.unbootable], [
    "imageHung",
    true,
  ]);
});

Deno.test("disarm() leaves a confirmed image alone, and one of another counter", async () => {
  const one = world();
  write(one);
  await one.update.arm(IMAGE, "A");
  one.update.disarm({ ...IMAGE, counter: 3 }, "partnerFailed");
  assertEquals(one.records.read().B.triesRemaining, TRIAL_TRIES);
  one.records.change("B", { successful: true });
  one.update.disarm(IMAGE, "partnerFailed");
  assertEquals([one.records.read().B.unbootable, one.records.read().B.successful], [false, true]);
});

Deno.test("begin() keeps what waits for its sync in this process; a cut takes it", () => {
  const { update, begin, boot, slots } = world({ syncBytes: 2048 });
  update.begin(IMAGE, "A", {});
  update.write(BYTES.subarray(0, 1024));
  assertEquals(update.begin(IMAGE, "A", {}), 1024, "another carrier goes on behind it");
  update.write(BYTES.subarray(1024, 2048));
  for (const disk of [boot, slots.A, slots.B]) disk.cut(() => "new");
  assertEquals(begin().begin(IMAGE, "A", {}), 1024, "it was readable, but never claimed");
});
