/**
 * Writing the inactive slot of an ECU: bad before the first byte, good after the
 * last check, armed for trial only then.
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import type { Clock } from "shared/clock.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import { TRIAL_TRIES } from "shared/limits.ts";
import type { Slot } from "shared/protocol/common.ts";
import type { EcuStorage } from "vehicle/bootloader/boot.ts";
import { bootLayout } from "vehicle/bootloader/boot_layout.ts";
import {
  type BootRecord,
  type BootRecordStore,
  counterFloor,
  emptied,
  EMPTY_SLOT,
  otherSlot,
} from "vehicle/bootloader/boot_record.ts";
import type { EcuImage } from "vehicle/bus/ecu_port.ts";
import type { Digest } from "vehicle/ports.ts";
import { SectorRecord } from "vehicle/storage/sector_record.ts";
import { digestFile, readPartition, StagedFile } from "vehicle/storage/staged_file.ts";

/** The storage of an ECU, with what lies on it. */
export interface EcuSlots {
  readonly storage: EcuStorage;
  readonly records: BootRecordStore;
  /** Files or devices of the slots, for runners. */
  readonly paths: Readonly<Record<Slot, string>>;
  /** Bytes of a slot that share a sync and a checkpoint; without it every segment has its own. */
  readonly syncBytes?: number;
}

/** Segments digested between two breaths of the event loop. */
const SEGMENTS_A_BREATH = 4;

/** The inactive slot's way from empty to armed. */
export class SlotUpdate {
  readonly #slots: EcuSlots;
  readonly #slotBytes: number;
  readonly #clock: Clock;
  readonly #newDigest: () => Digest;
  readonly #checkpoint: SectorRecord;
  #staged: StagedFile | undefined;
  /** Proved since this process runs; a restart makes it prove again. */
  #verified: string | undefined;

  constructor(
    slots: EcuSlots,
    slotBytes: number,
    tools: { readonly clock: Clock; readonly newDigest: () => Digest },
  ) {
    this.#slots = slots;
    this.#slotBytes = slotBytes;
    this.#clock = tools.clock;
    this.#newDigest = tools.newDigest;
    const { boot } = slots.storage;
    const { checkpoint: sectors } = bootLayout(boot);
    this.#checkpoint = new SectorRecord(boot, { magic: "CKPT", sectors });
  }

  begin(image: EcuImage, running: Slot | null, options: { readonly keepBytes?: number }): number {
    const record = this.#slots.records.read();
    this.#refuse(image, running === null ? null : record[running].image);
    const slot = inactiveSlot(record, running);
    const { storage, syncBytes } = this.#slots;
    this.#staged?.flush(); // What is fetched again after a damaged part need not be more than that.
    const staged = new StagedFile(storage.slots[slot], this.#checkpoint, syncBytes);
    this.#staged = staged;
    this.#verified = undefined;
    // The checkpoint does not say which slot it means: that is certain only while the slot is blank.
    const blank = record[slot].image === null && record[slot].unbootable;
    if (!blank) { // Bad before the first byte.
      this.#slots.records.change(slot, emptied(record, slot));
    }
    return staged.begin(image, blank ? options : { keepBytes: 0 });
  }

  write(bytes: Uint8Array): void {
    invariant(this.#staged, "write() before begin()");
    this.#staged.write(bytes);
  }

  written(): RandomRead {
    invariant(this.#staged, "written() before begin()");
    return this.#staged.read();
  }

  async verify(image: EcuImage, running: Slot | null, signal?: AbortSignal): Promise<void> {
    const slot = this.#slotOf(image, running);
    const found = await this.#digestOf(slot, image, signal);
    if (found !== image.sha256) {
      this.#checkpointClear(slot);
      throw new UpdateFailure(
        "slotDigestDiffers",
        image.sha256,
        `Cannot use slot ${slot}: it reads back as ${found}, the release is ${image.sha256}`,
      );
    }
    this.#verified = image.sha256;
  }

  /**
   * Proves what a slot must hold to be the way back: nothing, if it never held a confirmed image, or
   * if the loader has given it up already.
   *
   * @throws {UpdateFailure} `fallbackUnsound` if its bytes are no longer those of its image.
   */
  async proveFallback(slot: Slot, signal?: AbortSignal): Promise<void> {
    const { image, successful, unbootable } = this.#slots.records.read()[slot];
    if (image === null || !successful || unbootable) return;
    if (await this.#digestOf(slot, image, signal) === image.sha256) return;
    throw new UpdateFailure(
      "fallbackUnsound",
      image.version,
      `Cannot give up the other slot: slot ${slot}, which holds the way back to ` +
        `${image.version}, has rotted`,
    );
  }

  async #digestOf(slot: Slot, image: EcuImage, signal?: AbortSignal): Promise<string> {
    const file = readPartition(this.#slots.storage.slots[slot], image.lengthBytes);
    const steps = digestFile(file, this.#newDigest());
    for (let i = 1;; i++) {
      const step = steps.next();
      if (step.done) return step.value;
      signal?.throwIfAborted();
      if (i % SEGMENTS_A_BREATH === 0) await this.#clock.sleep(0);
    }
  }

  /** Good after the last check: names the image in the boot record and lends it its tries. */
  async arm(image: EcuImage, running: Slot | null, bundle: string | null = null): Promise<void> {
    const slot = this.#slotOf(image, running);
    const record = this.#slots.records.read();
    const present = record[slot];
    const named = present.image !== null && present.image.sha256 === image.sha256 &&
      present.image.counter === image.counter;
    if (named && !present.unbootable && (present.successful || present.triesRemaining > 0)) return;
    if (this.#verified !== image.sha256) await this.verify(image, running);
    const other = otherSlot(slot);
    await this.proveFallback(other);
    this.#slots.records.write({
      ...record,
      [other]: { ...record[other], priority: 1 },
      [slot]: {
        ...EMPTY_SLOT,
        priority: 2,
        triesRemaining: TRIAL_TRIES,
        unbootable: false,
        image,
        bundle,
        owed: present.owed ?? null,
      },
    });
  }

  /** Takes the tries back, with a verdict or without. */
  disarm(image: EcuImage, verdict: FailureName | null): void {
    const record = this.#slots.records.read();
    for (const slot of ["A", "B"] as const) {
      const { image: present, successful, verdict: judged } = record[slot];
      if (present?.sha256 !== image.sha256 || present.counter !== image.counter) continue;
      if (successful) continue; // Confirmed: it is the image to keep, not a trial to take back.
      const judgement = judged ?? verdict;
      this.#slots.records.change(slot, {
        priority: 0,
        triesRemaining: 0,
        unbootable: judgement !== null,
        verdict: judgement,
      });
    }
  }

  #refuse(image: EcuImage, active: EcuImage | null): void {
    if (image.lengthBytes > this.#slotBytes) {
      throw new UpdateFailure(
        "imageTooLarge",
        image.version,
        `Cannot take ${image.version}: it has ${image.lengthBytes} bytes, the slot ${this.#slotBytes}`,
      );
    }
    if (active !== null && image.counter <= active.counter) {
      throw new UpdateFailure(
        "releaseDowngrade",
        image.version,
        `Cannot take ${image.version}: its counter ${image.counter} is not above ` +
          `${active.counter} of ${active.version}, which runs`,
      );
    }
    const floor = counterFloor(this.#slots.records.read());
    if (image.counter < floor) {
      throw new UpdateFailure(
        "releaseDowngrade",
        image.version,
        `Cannot take ${image.version}: its counter ${image.counter} is below ${floor}, which was ` +
          "confirmed here",
      );
    }
  }

  /** Where an image lies or is to lie: the slot that names it, else the inactive one. */
  #slotOf(image: EcuImage, running: Slot | null): Slot {
    const record = this.#slots.records.read();
    const named = (["A", "B"] as const).find((slot) => {
      const present = record[slot].image;
      return present?.sha256 === image.sha256 && present.counter === image.counter;
    });
    return named ?? inactiveSlot(record, running);
  }

  #checkpointClear(slot: Slot): void {
    new StagedFile(this.#slots.storage.slots[slot], this.#checkpoint).clear();
  }
}

/** The slot that may be overwritten: never the running one, nor the only one that was confirmed. */
function inactiveSlot(record: BootRecord, running: Slot | null): Slot {
  if (running !== null) return otherSlot(running);
  if (record.A.successful !== record.B.successful) return record.A.successful ? "B" : "A";
  return record.B.priority < record.A.priority ? "B" : "A";
}
