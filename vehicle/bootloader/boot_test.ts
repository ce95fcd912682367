import { assert, assertEquals } from "@std/assert/mod.js";
import { sha256Digest, sha256Hex } from "shared/node/digest.ts";
import type { Slot } from "shared/protocol/common.ts";
import { SimDisk } from "../../tests/sim/sim_disk.ts";
import { boot, type EcuStorage } from "./boot.ts";
import { chooseBoot, type SlotView } from "./boot_choice.ts";
import { type BootRecord, BootRecordStore, EMPTY_SLOT, type SlotRecord } from "./boot_record.ts";

/** Every view there can be: 8, so 64 pairs. */
const VIEWS: SlotView[] = [true, false].flatMap((bootable) =>
  [true, false].flatMap((successful) =>
    [true, false].map((tries) => ({ bootable, successful, tries }))
  )
);

Deno.test("chooseBoot() never boots a slot that is empty, judged or out of tries", () => {
  for (const preferred of VIEWS) {
    for (const other of VIEWS) {
      const choice = chooseBoot(preferred, other);
      if (choice === "recovery") continue;
      const chosen = choice === "preferred" ? preferred : other;
      assert(chosen.bootable && (chosen.successful || chosen.tries));
    }
  }
});

Deno.test("chooseBoot() goes to recovery only when neither slot may run", () => {
  let recoveries = 0;
  for (const preferred of VIEWS) {
    for (const other of VIEWS) {
      if (chooseBoot(preferred, other) !== "recovery") continue;
      recoveries++;
      for (const slot of [preferred, other]) {
        assert(!(slot.bootable && (slot.successful || slot.tries)));
      }
    }
  }
  assertEquals(recoveries, 25);
});

const IMAGES = { A: new Uint8Array(1300).fill(1), B: new Uint8Array(2000).fill(2) };

function world(change: Partial<Record<Slot, Partial<SlotRecord>>>) {
  const slots = { A: new SimDisk(8), B: new SimDisk(8) };
  const storage: EcuStorage = { boot: new SimDisk(64), slots };
  const records = new BootRecordStore(storage.boot);
  const record = {} as Record<Slot, SlotRecord>;
  for (const slot of ["A", "B"] as const) {
    const bytes = new Uint8Array(2048);
    bytes.set(IMAGES[slot]);
    slots[slot].write(0, bytes);
    slots[slot].sync();
    const image = {
      sha256: sha256Hex(IMAGES[slot]),
      lengthBytes: IMAGES[slot].length,
      counter: slot === "A" ? 1 : 2,
      version: slot === "A" ? "1.0.0" : "1.1.0",
    };
    record[slot] = { ...EMPTY_SLOT, unbootable: false, image, ...change[slot] };
  }
  records.write(record as BootRecord);
  return { records, storage, slots, boot: () => boot(records, storage, sha256Digest) };
}

const OLD: Partial<SlotRecord> = { priority: 1, successful: true };
const TRIAL: Partial<SlotRecord> = { priority: 2, triesRemaining: 3 };

Deno.test("BootRecordStore gives back every field, and two empty slots on an empty disk", () => {
  assertEquals(new BootRecordStore(new SimDisk(64)).read(), { A: EMPTY_SLOT, B: EMPTY_SLOT });
  const { records } = world({ A: OLD, B: { ...TRIAL, verdict: "imageHung" } });
  const { B } = records.read();
  assertEquals([B.priority, B.triesRemaining, B.verdict], [2, 3, "imageHung"]);
  assertEquals(B.image?.version, "1.1.0");
});

Deno.test("boot() takes a try before each trial, and falls back when all are spent", () => {
  const { boot, records } = world({ A: OLD, B: TRIAL });
  for (const left of [2, 1, 0]) {
    const result = boot();
    assertEquals([result?.slot, result?.trial, result?.triesRemaining], ["B", true, left]);
    assertEquals(records.read().B.triesRemaining, left);
  }
  assertEquals([boot()?.slot, boot()?.trial], ["A", false]);
  assertEquals(records.read().B.verdict, null, "spent tries alone are no verdict");
});

Deno.test("boot() judges a slot whose bytes changed, and boots the other", () => {
  const { boot, records, slots } = world({ A: OLD, B: TRIAL });
  slots.B.flip(3, 77);
  assertEquals(boot()?.slot, "A");
  const { B } = records.read();
  assertEquals([B.unbootable, B.verdict, B.triesRemaining], [true, "slotUnsound", 2]);
});

Deno.test("boot() goes to recovery when both slots are unsound, and stays there", () => {
  const { boot, slots } = world({ A: OLD, B: TRIAL });
  slots.A.flip(0, 1);
  slots.B.flip(0, 1);
  assertEquals([boot(), boot()], [null, null]);
});

Deno.test("boot() reads a length beyond the slot as unsound, not as a crash", () => {
  const image = { sha256: "0".repeat(64), lengthBytes: 1e9, counter: 2, version: "9" };
  const { boot } = world({ A: OLD, B: { ...TRIAL, image } });
  assertEquals(boot()?.slot, "A");
});

Deno.test("boot() hands out the image's bytes, not the slot's padding", () => {
  const { boot } = world({ A: OLD });
  const result = boot();
  assert(result);
  assertEquals(result.file.read(0, result.file.lengthBytes), IMAGES.A);
});
