/**
 * The boot loader: no network, no JSON, no await. It takes a try before it tries,
 * reads the slot back, and starts nothing whose digest is not the record's.
 *
 * @module
 */
import type { RandomRead } from "shared/delta/random_read.ts";
import { UpdateFailure } from "shared/failure.ts";
import type { Slot } from "shared/protocol/common.ts";
import type { Digest, Disk } from "vehicle/ports.ts";
import { digestFile, readPartition } from "vehicle/storage/staged_file.ts";
import { chooseSlot } from "./boot_choice.ts";
import type { BootRecord, BootRecordStore, SlotImage } from "./boot_record.ts";

/** The storage of one ECU. */
export interface EcuStorage {
  readonly boot: Disk;
  readonly slots: Readonly<Record<Slot, Disk>>;
}

/** What the loader started, or why nothing runs. */
export type BootResult =
  | {
    readonly slot: Slot;
    readonly image: SlotImage;
    /** Not confirmed yet: it runs on borrowed tries. */
    readonly trial: boolean;
    readonly triesRemaining: number;
    /** The image's bytes, proved just now. */
    readonly file: RandomRead;
  }
  | null;

/**
 * Boots: at most one slot after the other, then recovery.
 *
 * @param records The boot record.
 * @param storage The slots.
 * @param newDigest Makes an empty SHA-256.
 * @returns What may run now, or `null`: recovery.
 * @throws {UpdateFailure} `storageFailed` if nothing may run only because it cannot be read now.
 */
export function boot(
  records: BootRecordStore,
  storage: EcuStorage,
  newDigest: () => Digest,
): BootResult {
  const unreadable = new Map<Slot, UpdateFailure>();
  for (;;) {
    const record = passOver(records.read(), unreadable);
    const slot = chooseSlot(record);
    if (slot === null) {
      const [failure] = unreadable.values();
      if (failure !== undefined) throw failure;
      return null;
    }
    const { image, successful, triesRemaining } = record[slot];
    if (image === null) return null;
    const left = successful ? triesRemaining : triesRemaining - 1;
    if (!successful) records.change(slot, { triesRemaining: left });
    const file = readPartition(storage.slots[slot], image.lengthBytes);
    try {
      if (soundImage(file, image, storage.slots[slot], newDigest)) {
        return { slot, image, trial: !successful, triesRemaining: left, file };
      }
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      unreadable.set(slot, error); // For this time: it may be read again the next.
      if (!successful && left === 0) {
        records.change(slot, { unbootable: true, verdict: error.failure });
      }
      continue;
    }
    // Ends the loop: each round makes one more slot unbootable.
    records.change(slot, { unbootable: true, verdict: "slotUnsound" });
  }
}

function passOver(record: BootRecord, slots: ReadonlyMap<Slot, unknown>): BootRecord {
  const seen = (slot: Slot) =>
    slots.has(slot) ? { ...record[slot], unbootable: true } : record[slot];
  return { A: seen("A"), B: seen("B") };
}

function soundImage(
  file: RandomRead,
  image: SlotImage,
  slot: Disk,
  newDigest: () => Digest,
): boolean {
  if (image.lengthBytes > slot.sectors * slot.sectorBytes) return false;
  const steps = digestFile(file, newDigest());
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value === image.sha256;
  }
}
