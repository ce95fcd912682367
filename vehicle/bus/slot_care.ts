/**
 * What the gateway asks of an ECU to keep it sound while nothing is installed: prove what its slots
 * hold, find the leaves that have rotted, write them anew, and keep its records in two good copies.
 *
 * @module
 */
import type { Slot } from "shared/protocol/common.ts";
import type { TrialLog } from "shared/protocol/messages.ts";
import type { SlotImage } from "vehicle/bootloader/boot_record.ts";
import type { RecordHealth } from "vehicle/storage/sector_record.ts";

/** A slot that is to hold a sound image, now or again. */
export interface WatchedSlot {
  readonly slot: Slot;
  readonly image: SlotImage;
  /** The loader found it unsound and passes over it until it is healed. */
  readonly condemned: boolean;
  /** The loader boots the higher one first. */
  readonly priority: number;
}

/** One record of the ECU, and how its two copies are. */
export interface RecordState {
  readonly record: "boot record" | "checkpoint" | "trial log";
  readonly health: RecordHealth;
}

/** Keeps one ECU sound. Every request may be repeated. */
export interface SlotCare {
  /** Confirmed images, the running one first: what rot must not take. */
  watched(): WatchedSlot[];
  /**
   * Reads a slot in small steps. Of an image whose Merkle root was never written down, as by earlier
   * versions, it writes the root down once the digest holds.
   *
   * @param slot The slot.
   * @param leafBytes The size of a leaf.
   * @returns Yields the bytes of each step that were read; returns whether the digest holds. A slot
   * whose image changed meanwhile counts as sound: it was proved by whoever changed it.
   * @throws {UpdateFailure} `storageFailed` if it cannot be read.
   */
  scan(slot: Slot, leafBytes: number): Generator<number, boolean>;
  /**
   * Finds the leaves that have rotted.
   *
   * @param slot The slot.
   * @param leafHashes Of all leaves, 32 bytes each, in order; already proved against the root.
   * @param leafBytes The size of a leaf.
   * @returns Yields bytes read; returns their numbers, lowest first.
   */
  badLeaves(slot: Slot, leafHashes: Uint8Array, leafBytes: number): Generator<number, number[]>;
  /**
   * Writes one leaf anew and reads it back: durable when this returns. A cut leaves the leaf bad,
   * as it was, and nothing else changed.
   *
   * @param slot The slot.
   * @param at Where the leaf begins, a whole number of sectors.
   * @param bytes The leaf, already proved.
   * @throws {UpdateFailure} `storageFailed` if the medium does not keep it.
   */
  mend(slot: Slot, at: number, bytes: Uint8Array): void;
  /**
   * Takes a condemned slot back into service, after its whole digest was proved once more.
   *
   * @param image What it must hold.
   * @returns Yields bytes read; returns whether it is sound.
   */
  restore(slot: Slot, image: SlotImage): Generator<number, boolean>;
  /**
   * Names an image in a boot record that lost both copies; condemned, until it is proved.
   *
   * @param slot Where it is believed to be.
   * @param image What was confirmed here, as the gateway remembers it.
   */
  adopt(slot: Slot, image: SlotImage): void;
  /**
   * Prefers a confirmed image at the next boot: the way back of a bundle that cannot be healed.
   *
   * @returns Whether there is one.
   */
  prefer(image: SlotImage): boolean;
  /** How the records are; changes nothing. */
  records(): RecordState[];
  /** Brings both copies of each record to the newest that is known; how they were before. */
  evenRecords(): RecordState[];
  /** The log of the last failed trial, until it was reported. */
  trialLog(): TrialLog | null;
  /** The server has it. */
  trialLogReported(id: string): void;
}
