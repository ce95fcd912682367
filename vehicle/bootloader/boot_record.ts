/**
 * The boot record: what the loader knows of the two slots, in one sector with two
 * copies (`vehicle/storage/sector_record.ts`). Payload, slot A first, then slot B:
 *
 *   0   1  priority; the higher is preferred
 *   1   1  tries remaining
 *   2   1  flags: 1 successful, 2 unbootable, 4 holds an image, 8 its Merkle root is known, 16 what is
 *          owed was confirmed, 32 and was gone back from
 *   3   1  zero
 *   4   4  counter, u32 little-endian
 *   8   8  length of the image, u64
 *   16  32 SHA-256 of the image
 *   48  2  verdict: number of the failure that made it unbootable, or 0
 *   50  1  length of the version
 *   51  48 version, UTF-8
 *   99  8  bundle: tag of the releases that are confirmed together, or zeros
 *   107 32 root over the image's leaves, since schema version 2
 *   139 4  owed: counter of the release that was taken from the slot, or 0; flag 16: confirmed
 *   143 8  its bundle, or zeros
 *
 * Version 1 had no root, and 151 bytes a slot, before that 107 without what is owed, at first 99
 * without a bundle; it is read, and replaced by the next write. What is missing is zero.
 *
 * @module
 */
import { fromHex, toHex } from "shared/bytes.ts";
import { failureByCode, type FailureName, FAILURES } from "shared/failure.ts";
import type { Slot } from "shared/protocol/common.ts";
import type { Disk } from "vehicle/ports.ts";
import { type RecordHealth, SectorRecord } from "vehicle/storage/sector_record.ts";
import { bootLayout } from "./boot_layout.ts";

const SCHEMA = 2;
const BUNDLE_AT = 99;
const ROOT_AT = 107;
const OWED_AT = 139;
const SLOT_BYTES = 151;
/** By the schema version: lengths that a slot has had. */
const SLOT_LENGTHS: Readonly<Record<number, readonly number[]>> = {
  1: [99, 107, SLOT_BYTES],
  2: [SLOT_BYTES],
};
const VERSION_BYTES = 48;
const BUNDLE_BYTES = 8;
/** What stands where there is no bundle. */
const NO_BUNDLE = "00".repeat(BUNDLE_BYTES);

/** The image a slot holds. */
export interface SlotImage {
  readonly sha256: string;
  readonly lengthBytes: number;
  readonly counter: number;
  readonly version: string;
  /** Root over its leaves, hex: by it, damage is found and healed leaf by leaf. */
  readonly merkleRoot?: string | undefined;
}

/**
 * A release whose slot was taken for another one, though nothing later had been confirmed here: its
 * partners may still run theirs, and nothing older may come in its place.
 */
export interface OwedRelease {
  readonly counter: number;
  readonly bundle: string | null;
  /** It was confirmed on this ECU. */
  readonly successful: boolean;
  /** The ECU had gone back from it with its partners, or was the first of them to do so. */
  readonly back?: boolean;
}

/** What the loader knows of one slot. */
export interface SlotRecord {
  readonly priority: number;
  readonly triesRemaining: number;
  /** It was booted and confirmed. */
  readonly successful: boolean;
  /** It must not be booted: being written, or judged. */
  readonly unbootable: boolean;
  /** Why, when a trial or a check judged it. */
  readonly verdict: FailureName | null;
  readonly image: SlotImage | null;
  /**
   * The releases that are confirmed together or not at all carry one tag, 16 hex digits, so that
   * the boot records alone tell how far a bundle came. Without it: armed for this ECU alone.
   */
  readonly bundle?: string | null;
  /** What the slot held and is to come again, or something later: until that is confirmed. */
  readonly owed?: OwedRelease | null;
}

/** The loader's whole memory. */
export type BootRecord = Readonly<Record<Slot, SlotRecord>>;

/** A slot that holds nothing. */
export const EMPTY_SLOT: SlotRecord = {
  priority: 0,
  triesRemaining: 0,
  successful: false,
  unbootable: true,
  verdict: null,
  image: null,
  bundle: null,
  owed: null,
};

/** Reads and replaces the boot record. */
export class BootRecordStore {
  readonly #record: SectorRecord;
  /** What is durable, as this process knows it. A disk that fails later is not asked again. */
  #known: BootRecord | undefined;
  #affirmed = false;

  /** @param disk The boot partition: 2048 sectors. */
  constructor(disk: Disk) {
    const { record: sectors } = bootLayout(disk);
    this.#record = new SectorRecord(disk, { magic: "BOOT", sectors, version: SCHEMA });
  }

  /**
   * The record.
   *
   * @returns Two empty slots when no copy is whole: a new ECU, or one that lost both.
   * @throws {UpdateFailure} `storageFailed` if it never could be read.
   */
  read(): BootRecord {
    return this.#known ??= this.#load();
  }

  /**
   * This process wrote the record itself. What an earlier one left may be in a cache only, if
   * its sync failed: before anything irrevocable follows, it is to be written again.
   */
  get affirmed(): boolean {
    return this.#affirmed;
  }

  /** How the two copies are; changes nothing. */
  health(): RecordHealth {
    return this.#record.health();
  }

  /**
   * Makes both copies say what is known, so that no single damage takes the record back in time:
   * an older copy may still call a trial what has been confirmed since.
   *
   * @returns How they were before; `lost` if nothing is known to make them of.
   */
  even(): RecordHealth {
    const known = this.#known;
    const health = this.#record.even();
    if (health !== "lost" || known === undefined || isEmpty(known)) return health;
    this.write(known);
    this.#record.even();
    return "rotten";
  }

  #load(): BootRecord {
    const [copy] = this.#record.copies();
    const slotBytes = (copy?.payload.length ?? 0) / 2;
    if (copy === undefined || !SLOT_LENGTHS[copy.version]?.includes(slotBytes)) {
      return { A: EMPTY_SLOT, B: EMPTY_SLOT };
    }
    return {
      A: decode(copy.payload.subarray(0, slotBytes)),
      B: decode(copy.payload.subarray(slotBytes)),
    };
  }

  /** Changes one slot's record; durable when this returns. */
  change(slot: Slot, change: Partial<SlotRecord>): BootRecord {
    const record = this.read();
    const next: BootRecord = { ...record, [slot]: { ...record[slot], ...change } };
    this.write(next);
    return next;
  }

  /** Replaces the record whole; durable when this returns. */
  write(record: BootRecord): void {
    const payload = new Uint8Array(2 * SLOT_BYTES);
    payload.set(encode(record.A), 0);
    payload.set(encode(record.B), SLOT_BYTES);
    this.#affirmed = false;
    this.#record.write(payload); // When this throws, what was known before still stands.
    this.#known = { A: decode(encode(record.A)), B: decode(encode(record.B)) };
    this.#affirmed = true;
  }
}

/**
 * The highest counter that was ever confirmed: nothing below it may come, not even on an ECU whose
 * images have all rotted, or whose slot was emptied.
 *
 * @param record The record.
 * @returns The counter, 0 if nothing was confirmed.
 */
export function counterFloor(record: BootRecord): number {
  return Math.max(slotFloor(record.A), slotFloor(record.B));
}

/**
 * The highest counter that was ever confirmed in one slot, as far as it must be remembered.
 *
 * @param slot The slot.
 * @returns The counter, 0 if nothing was confirmed.
 */
export function slotFloor({ successful, image, owed }: SlotRecord): number {
  return Math.max(successful ? image?.counter ?? 0 : 0, owed?.successful ? owed.counter : 0);
}

/**
 * The record of a slot that is taken for another image. What it held is not forgotten as long as
 * nothing later is confirmed here: neither by what is written over it, nor if that fails.
 *
 * @param record The record.
 * @param slot The slot.
 * @returns What is to stand in its place.
 */
export function emptied(record: BootRecord, slot: Slot): SlotRecord {
  const { image, successful, bundle = null, owed = null } = record[slot];
  if (image === null) return { ...EMPTY_SLOT, bundle, owed };
  const isNewest = image.counter > slotFloor(record[otherSlot(slot)]);
  if (!isNewest) return EMPTY_SLOT; // The way back, that a newer release replaces.
  // A trial may have failed on all: it does not take the place of what was kept.
  const outranks = successful || !owed?.successful;
  const back = wentBack(record, slot) ? { back: true } : {};
  const next = outranks ? { counter: image.counter, bundle, successful, ...back } : owed;
  return { ...EMPTY_SLOT, bundle, owed: next };
}

/**
 * Whether the ECU has gone back from what a slot holds: it prefers an older image that it confirmed.
 * Only the way back of a whole bundle has it do so (decision 0011).
 *
 * @param record The record.
 * @param slot The slot.
 * @returns Whether it has.
 */
export function wentBack(record: BootRecord, slot: Slot): boolean {
  const [one, other] = [record[slot], record[otherSlot(slot)]];
  return one.successful && other.successful && other.priority > one.priority &&
    (other.image?.counter ?? Infinity) < (one.image?.counter ?? 0);
}

/** Whether a record names no image at all. */
export function isEmpty({ A, B }: BootRecord): boolean {
  return A.image === null && B.image === null;
}

/** The other slot. */
export function otherSlot(slot: Slot): Slot {
  return slot === "A" ? "B" : "A";
}

function encode(slot: SlotRecord): Uint8Array {
  const bytes = new Uint8Array(SLOT_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, slot.priority);
  view.setUint8(1, slot.triesRemaining);
  const root = slot.image?.merkleRoot;
  const flags = (slot.successful ? 1 : 0) | (slot.unbootable ? 2 : 0) | (slot.image ? 4 : 0) |
    (root === undefined ? 0 : 8) | (slot.owed?.successful ? 16 : 0) | (slot.owed?.back ? 32 : 0);
  view.setUint8(2, flags);
  view.setUint16(48, slot.verdict === null ? 0 : FAILURES[slot.verdict].code, true);
  if (slot.image) {
    view.setUint32(4, slot.image.counter, true);
    view.setBigUint64(8, BigInt(slot.image.lengthBytes), true);
    bytes.set(fromHex(slot.image.sha256), 16);
    const version = new TextEncoder().encode(slot.image.version).subarray(0, VERSION_BYTES);
    view.setUint8(50, version.length);
    bytes.set(version, 51);
    if (root !== undefined) bytes.set(fromHex(root), ROOT_AT);
  }
  bytes.set(fromHex(slot.bundle ?? NO_BUNDLE), BUNDLE_AT);
  view.setUint32(OWED_AT, slot.owed?.counter ?? 0, true);
  bytes.set(fromHex(slot.owed?.bundle ?? NO_BUNDLE), OWED_AT + 4);
  return bytes;
}

function decode(stored: Uint8Array): SlotRecord {
  const bytes = new Uint8Array(SLOT_BYTES);
  bytes.set(stored);
  const view = new DataView(bytes.buffer);
  const flags = view.getUint8(2);
  const verdict = view.getUint16(48, true);
  const versionBytes = Math.min(view.getUint8(50), VERSION_BYTES);
  const owed = view.getUint32(OWED_AT, true);
  return {
    priority: view.getUint8(0),
    triesRemaining: view.getUint8(1),
    successful: (flags & 1) !== 0,
    unbootable: (flags & 2) !== 0,
    // A number this version does not know is still a verdict.
    verdict: verdict === 0 ? null : failureByCode(verdict) ?? "internal",
    image: (flags & 4) === 0 ? null : {
      counter: view.getUint32(4, true),
      lengthBytes: Number(view.getBigUint64(8, true)),
      sha256: toHex(bytes.subarray(16, 48)),
      version: new TextDecoder().decode(bytes.subarray(51, 51 + versionBytes)),
      ...((flags & 8) === 0 ? {} : { merkleRoot: toHex(bytes.subarray(ROOT_AT, OWED_AT)) }),
    },
    bundle: bundleAt(bytes, BUNDLE_AT),
    owed: owed === 0 ? null : {
      counter: owed,
      bundle: bundleAt(bytes, OWED_AT + 4),
      successful: (flags & 16) !== 0,
      ...((flags & 32) === 0 ? {} : { back: true }),
    },
  };
}

function bundleAt(bytes: Uint8Array, offset: number): string | null {
  const bundle = toHex(bytes.subarray(offset, offset + BUNDLE_BYTES));
  return bundle === NO_BUNDLE ? null : bundle;
}
