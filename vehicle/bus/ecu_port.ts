/**
 * What the gateway asks of an ECU, and what it hears: {@linkcode EcuService} is the end that lies
 * in the ECU, {@linkcode EcuPort} the gateway's, with a bus in between that may lose, delay and
 * repeat. Every request may be repeated: a doubled one changes nothing.
 *
 * @module
 */
import type { RandomRead } from "shared/delta/random_read.ts";
import type { FailureName } from "shared/failure.ts";
import type { Slot } from "shared/protocol/common.ts";
import type { EcuProfile, ImageMessage } from "shared/protocol/ecu.ts";
import type { BootRecord, SlotImage } from "vehicle/bootloader/boot_record.ts";
import type { SlotCare } from "./slot_care.ts";

/** What runs on an ECU. */
export interface Running {
  readonly slot: Slot;
  readonly image: SlotImage;
  /** On borrowed tries. */
  readonly trial: boolean;
  readonly triesRemaining: number;
  /** It told that its own checks passed. */
  readonly selfTested: boolean;
  /** It stayed healthy for its trial time: it may be confirmed. */
  readonly passed: boolean;
  /** Until then, if nothing goes wrong, in milliseconds. */
  readonly trialLeftMs: number;
}

/** An ECU's answer to the roll call. */
export interface EcuInventory {
  readonly serial: string;
  readonly hardware: string;
  readonly slotBytes: number;
  /** Lower restarts earlier. */
  readonly restartRank: number;
  readonly trialMs: number;
  /** `null`: in recovery, or starting. */
  readonly running: Running | null;
  readonly record: BootRecord;
  /** In words, why the last verdict fell, as long as the ECU has power. */
  readonly verdictDetail: string | null;
  /** Why nothing runs although something should: it is tried again by itself. */
  readonly trouble?: { readonly failure: FailureName; readonly detail: string };
}

/** The image that an ECU is to run next. */
export type EcuImage = SlotImage;

/** What an ECU does when it is asked, without a bus. */
export interface EcuService {
  readonly profile: EcuProfile;
  readonly serial: string;
  /** Keeps it sound while nothing is installed. */
  readonly care: SlotCare;
  inventory(): EcuInventory;
  /**
   * Makes the inactive slot ready for an image: bad before the first byte.
   *
   * @param image What will be written.
   * @param options `keepBytes`: at most so many of the bytes that an earlier attempt left are
   * kept, a whole number of sectors. 0 begins afresh.
   * @returns Bytes that are there already.
   * @throws {UpdateFailure} `imageTooLarge`, `releaseDowngrade`, or of the storage.
   */
  begin(image: EcuImage, options?: { readonly keepBytes?: number }): number;
  /**
   * Takes the next segment: durable, and counted by the next begin(), when this returns.
   *
   * @param bytes Whole sectors, unless they are the image's last.
   */
  write(bytes: Uint8Array): void;
  /** The bytes that are there since begin(), to be proved again after a power cut. */
  written(): RandomRead;
  /**
   * Reads the slot back and checks its digest.
   *
   * @throws {UpdateFailure} `slotDigestDiffers`; what was written is forgotten then.
   */
  verify(image: EcuImage, signal?: AbortSignal): Promise<void>;
  /**
   * Proves the image that is to be the way back, by reading its slot: an image runs from memory, and
   * its slot may have rotted meanwhile. To be asked before anything is written.
   *
   * @throws {UpdateFailure} `fallbackUnsound` if it does not hold.
   */
  proveFallback(signal?: AbortSignal): Promise<void>;
  /**
   * Marks the slot for trial; it must have been verified.
   *
   * @param bundle The tag of the releases that belong together; without it the slot stands alone.
   * @throws {UpdateFailure} `fallbackUnsound` if there would be no sound way back.
   */
  arm(image: EcuImage, bundle?: string): Promise<void>;
  /** Boots what the record says. */
  restart(): Promise<void>;
  /** Makes the running trial the image to keep. */
  confirm(image: EcuImage): void;
  /**
   * Takes an image back: its slot may not boot, and the ECU runs the other one when this returns.
   *
   * @param verdict Why; `null` leaves it without a verdict, so that it can be armed again.
   */
  revert(image: EcuImage, verdict: FailureName | null): Promise<void>;
  /** The image that runs, as base of a delta; `null` in recovery. */
  activeFile(): RandomRead | null;
}

/**
 * One ECU, as the gateway reaches it: what {@linkcode EcuService} says, over a bus. Each request
 * also fails with `ecuLost` when no answer comes, `ecuSlow` when the work never ends, `ecuRefused`
 * when the ECU says no for a reason that this version does not know. Whether it was done is then
 * not known: the inventory tells.
 */
export interface EcuPort {
  /** What the gateway knows of the ECU before it answers. */
  readonly profile: EcuProfile;
  readonly serial: string;
  inventory(): Promise<EcuInventory>;
  begin(image: EcuImage, options?: { readonly keepBytes?: number }): Promise<number>;
  write(bytes: Uint8Array): Promise<void>;
  verify(image: EcuImage, signal?: AbortSignal): Promise<void>;
  arm(image: EcuImage, bundle?: string): Promise<void>;
  restart(): Promise<void>;
  confirm(image: EcuImage): Promise<void>;
  revert(image: EcuImage, verdict: FailureName | null): Promise<void>;
  /**
   * Read past the bus, since the slots of all ECUs hang on the gateway's own machine; an ECU with
   * a flash of its own would have to give its bytes by a request. For the same reason the gateway
   * cares for slots and records past the bus.
   */
  written(): RandomRead;
  activeFile(): RandomRead | null;
  readonly care: SlotCare;
  proveFallback(signal?: AbortSignal): Promise<void>;
}

/** What an ECU tells by itself. Only enqueue in it. */
export interface EcuListener {
  /** Something in the inventory changed. */
  changed(serial: string): void;
  display(serial: string, message: ImageMessage): void;
}
