/**
 * Keeps the slots and the records of one ECU sound: see `vehicle/bus/slot_care.ts`.
 *
 * @module
 */
import { equalBytes, fromHex, toHex } from "shared/bytes.ts";
import { UpdateFailure } from "shared/failure.ts";
import { MEND_ATTEMPTS, SCRUB_STEP_BYTES } from "shared/limits.ts";
import { type HashParts, leafHash, merkleRoot as rootOf } from "shared/merkle.ts";
import type { Slot } from "shared/protocol/common.ts";
import type { TrialLog } from "shared/protocol/messages.ts";
import { bootLayout } from "vehicle/bootloader/boot_layout.ts";
import { EMPTY_SLOT, otherSlot, type SlotImage } from "vehicle/bootloader/boot_record.ts";
import type { RecordState, SlotCare, WatchedSlot } from "vehicle/bus/slot_care.ts";
import type { Digest } from "vehicle/ports.ts";
import { SectorRecord } from "vehicle/storage/sector_record.ts";
import { readPartition } from "vehicle/storage/staged_file.ts";
import type { EcuSlots } from "./slot_update.ts";
import { TrialLogStore } from "./trial_log.ts";

/** What it works with. */
export interface EcuCareParts {
  readonly serial: string;
  readonly slots: EcuSlots;
  readonly newDigest: () => Digest;
  /** The slot whose image runs now. */
  readonly running: () => Slot | null;
}

/** Keeps one ECU sound. */
export class EcuCare implements SlotCare {
  readonly #parts: EcuCareParts;
  readonly #checkpoint: SectorRecord;
  readonly #hash: HashParts;
  readonly log: TrialLogStore;

  /** @param parts What it works with. */
  constructor(parts: EcuCareParts) {
    this.#parts = parts;
    const { boot } = parts.slots.storage;
    const { checkpoint: sectors } = bootLayout(boot);
    this.#checkpoint = new SectorRecord(boot, { magic: "CKPT", sectors });
    this.log = new TrialLogStore(boot, parts.newDigest);
    this.#hash = (...bytes) => {
      const digest = parts.newDigest();
      for (const part of bytes) digest.update(part);
      return fromHex(digest.hex());
    };
  }

  watched(): WatchedSlot[] {
    const record = this.#parts.slots.records.read();
    const running = this.#parts.running();
    return (["A", "B"] as const).flatMap((slot): WatchedSlot[] => {
      const { image, successful, unbootable, verdict, priority } = record[slot];
      const condemned = unbootable && verdict === "slotUnsound";
      return image === null || !successful || (unbootable && !condemned)
        ? []
        : [{ slot, image, condemned, priority }];
    }).sort((a, b) => Number(b.slot === running) - Number(a.slot === running));
  }

  *scan(slot: Slot, leafBytes: number): Generator<number, boolean> {
    const image = this.#imageOf(slot);
    if (image === null) return true;
    const leaves: Uint8Array[] = [];
    const learn = image.merkleRoot === undefined;
    const sound = yield* this.#digest(slot, image, (bytes) => {
      for (let at = 0; learn && at < bytes.length; at += leafBytes) {
        leaves.push(leafHash(bytes.subarray(at, at + leafBytes), this.#hash));
      }
    });
    if (this.#imageOf(slot)?.sha256 !== image.sha256) return true;
    if (sound && learn) {
      const merkleRoot = toHex(rootOf(leaves, this.#hash));
      this.#parts.slots.records.change(slot, { image: { ...image, merkleRoot } });
    }
    return sound;
  }

  *badLeaves(slot: Slot, leafHashes: Uint8Array, leafBytes: number): Generator<number, number[]> {
    const image = this.#imageOf(slot);
    if (image === null) return [];
    const file = readPartition(this.#parts.slots.storage.slots[slot], image.lengthBytes);
    const bad: number[] = [];
    for (let index = 0, at = 0; at < image.lengthBytes; index++, at += leafBytes) {
      const bytes = file.read(at, Math.min(leafBytes, image.lengthBytes - at));
      const wanted = leafHashes.subarray(index * 32, (index + 1) * 32);
      if (!equalBytes(leafHash(bytes, this.#hash), wanted)) bad.push(index);
      yield bytes.length;
    }
    return bad;
  }

  mend(slot: Slot, at: number, bytes: Uint8Array): void {
    const disk = this.#parts.slots.storage.slots[slot];
    const sectors = Math.ceil(bytes.length / disk.sectorBytes);
    const padded = new Uint8Array(sectors * disk.sectorBytes);
    padded.set(bytes);
    for (let attempt = 0; attempt < MEND_ATTEMPTS; attempt++) {
      disk.write(at / disk.sectorBytes, padded);
      disk.sync();
      if (equalBytes(disk.read(at / disk.sectorBytes, sectors), padded)) return;
    }
    throw new UpdateFailure(
      "storageFailed",
      this.#parts.serial,
      `Cannot heal slot ${slot} of ${this.#parts.serial}: what is written at ${at} reads back as ` +
        `something else, ${MEND_ATTEMPTS} times`,
    );
  }

  *restore(slot: Slot, image: SlotImage): Generator<number, boolean> {
    if (!(yield* this.#digest(slot, image))) return false;
    const { records } = this.#parts.slots;
    const { unbootable, verdict, image: present } = records.read()[slot];
    const condemned = unbootable && verdict === "slotUnsound" && present?.sha256 === image.sha256;
    if (!condemned) return true;
    records.change(slot, { unbootable: false, verdict: null });
    records.even(); // The older copy must not condemn it again.
    return true;
  }

  adopt(slot: Slot, image: SlotImage): void {
    const named = {
      ...EMPTY_SLOT,
      priority: 2,
      successful: true,
      verdict: "slotUnsound" as const,
      image,
    };
    this.#parts.slots.records.write({ A: EMPTY_SLOT, B: EMPTY_SLOT, [slot]: named });
  }

  prefer(image: SlotImage): boolean {
    const { records } = this.#parts.slots;
    const record = records.read();
    const slot = (["A", "B"] as const).find((one) =>
      record[one].successful && !record[one].unbootable &&
      record[one].image?.sha256 === image.sha256 && record[one].image.counter === image.counter
    );
    if (slot === undefined) return false;
    const other = otherSlot(slot);
    if (record[slot].priority > record[other].priority) return true;
    records.write({
      ...record,
      [slot]: { ...record[slot], priority: 2 },
      [other]: { ...record[other], priority: 1 },
    });
    records.even();
    return true;
  }

  records(): RecordState[] {
    return this.#each((one) => one.health());
  }

  evenRecords(): RecordState[] {
    const before = this.#each((one) => one.even());
    // What is lost there is lost: an empty one is as good, and can be kept whole again.
    for (const { record, health } of before) {
      if (health !== "lost" || record === "boot record") continue;
      const one = record === "checkpoint" ? this.#checkpoint : this.log;
      one.empty();
      one.even();
    }
    return before;
  }

  trialLog(): TrialLog | null {
    return this.log.waiting();
  }

  trialLogReported(id: string): void {
    this.log.clear(id);
  }

  #each(look: (one: SectorRecord | TrialLogStore | EcuSlots["records"]) => RecordState["health"]) {
    return ([
      ["boot record", this.#parts.slots.records],
      ["checkpoint", this.#checkpoint],
      ["trial log", this.log],
    ] as const).map(([record, one]): RecordState => ({ record, health: look(one) }));
  }

  #imageOf(slot: Slot): SlotImage | null {
    return this.#parts.slots.records.read()[slot].image;
  }

  *#digest(
    slot: Slot,
    image: SlotImage,
    see: (bytes: Uint8Array) => void = () => {},
  ): Generator<number, boolean> {
    const disk = this.#parts.slots.storage.slots[slot];
    if (image.lengthBytes > disk.sectors * disk.sectorBytes) return false;
    const file = readPartition(disk, image.lengthBytes);
    const digest = this.#parts.newDigest();
    for (let at = 0; at < image.lengthBytes; at += SCRUB_STEP_BYTES) {
      const bytes = file.read(at, Math.min(SCRUB_STEP_BYTES, image.lengthBytes - at));
      digest.update(bytes);
      see(bytes);
      yield bytes.length;
    }
    return digest.hex() === image.sha256;
  }
}
