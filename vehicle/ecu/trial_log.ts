/**
 * The log of a failed trial: the verdict and the last words of the image, kept on the boot
 * partition across the way back and any power cut, until the server has it.
 *
 * A durable area on pages of its own, behind the boot record and the checkpoint of the same
 * partition (bootloader/boot_layout.ts). The content is JSON.
 *
 * @module
 */
import { isoTime, type Millis } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { TRIAL_LOG_BYTES, TRIAL_LOG_LINES } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import type { ImageMessage } from "shared/protocol/ecu.ts";
import { TrialLog } from "shared/protocol/messages.ts";
import { bootLayout } from "vehicle/bootloader/boot_layout.ts";
import type { SlotImage } from "vehicle/bootloader/boot_record.ts";
import type { Digest, Disk } from "vehicle/ports.ts";
import { DurableArea } from "vehicle/storage/durable_area.ts";
import type { RecordHealth } from "vehicle/storage/sector_record.ts";
import type { Verdict } from "./health.ts";

/** One line at most: what an image says may be 16 KiB long. */
const LINE_CHARS = 200;

/** The last words of one boot. Heartbeats that follow each other are counted. */
export class LastWords {
  readonly #bornMs: number;
  #lines: string[] = [];
  #beats = 0;

  /** @param bornMs When the image was started, monotonic milliseconds. */
  constructor(bornMs: number) {
    this.#bornMs = bornMs;
  }

  /** The image said something. */
  hear(message: ImageMessage, nowMs: number): void {
    if (message.type === "heartbeat") {
      this.#beats++;
      return;
    }
    this.#endBeats();
    const { type, ...rest } = message;
    this.#add(`+${Math.round(nowMs - this.#bornMs)} ms ${type} ${JSON.stringify(rest)}`);
  }

  /** All of it, oldest first. */
  lines(): string[] {
    this.#endBeats();
    return [...this.#lines];
  }

  #endBeats(): void {
    if (this.#beats > 0) this.#add(this.#beats === 1 ? "1 heartbeat" : `${this.#beats} heartbeats`);
    this.#beats = 0;
  }

  #add(line: string): void {
    this.#lines.push(line.slice(0, LINE_CHARS));
    if (this.#lines.length > TRIAL_LOG_LINES) this.#lines.shift();
  }
}

/** What a log is made of. */
export interface FailedTrial {
  readonly serial: string;
  readonly image: SlotImage;
  readonly verdict: Verdict;
  readonly lines: readonly string[];
  readonly nowMs: Millis;
}

/** Where the log lies. */
export class TrialLogStore {
  readonly #area: DurableArea;
  readonly #maxBytes: number;
  readonly #newDigest: () => Digest;
  /** What is durable, as this process knows it. */
  #known: TrialLog | null | undefined;

  /**
   * @param disk The boot partition.
   * @param newDigest Makes an empty SHA-256.
   */
  constructor(disk: Disk, newDigest: () => Digest) {
    const { trialLogHeads: heads, trialLogAreas: areas, trialLogSectors } = bootLayout(disk);
    const areaSectors = Math.min(TRIAL_LOG_BYTES / disk.sectorBytes, trialLogSectors);
    this.#maxBytes = areaSectors * disk.sectorBytes;
    this.#newDigest = newDigest;
    this.#area = new DurableArea(disk, { magic: "TLOG", heads, areas, areaSectors });
  }

  /** The log that waits to be reported, or `null`; storage that cannot be read now has none. */
  waiting(): TrialLog | null {
    try {
      return this.#known ??= this.#read();
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      return null;
    }
  }

  #read(): TrialLog | null {
    const bytes = this.#area.read();
    if (bytes === undefined || bytes.length === 0) return null;
    try {
      return parseJsonAs(TrialLog, bytes, { what: "trial log", maxBytes: this.#maxBytes });
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      return null; // Of another version: it tells this one nothing, and the next replaces it.
    }
  }

  /** Writes a log down in the place of the last one; of one that is too long, the end stays. */
  write({ serial, image, verdict, lines, nowMs }: FailedTrial): void {
    const { version, counter, sha256 } = image;
    const at = isoTime(nowMs);
    const { failure } = verdict;
    const digest = this.#newDigest();
    digest.update(new TextEncoder().encode(`${serial} ${sha256} ${counter} ${at}`));
    const log = {
      v: 1,
      id: digest.hex(),
      ecu: serial,
      at,
      version,
      counter,
      sha256,
      failure,
    } as const;
    let [detail, kept] = [verdict.detail.slice(0, 1000), [...lines]];
    for (;;) {
      const bytes = new TextEncoder().encode(JSON.stringify({ ...log, detail, lines: kept }));
      if (bytes.length <= this.#maxBytes) {
        this.#area.write(bytes);
        this.#known = undefined;
        return;
      }
      if (kept.length > 0) kept = kept.slice(1);
      else detail = detail.slice(0, detail.length >> 1);
    }
  }

  /** The server has it: it is told once. */
  clear(id: string): void {
    if (this.waiting()?.id !== id) return;
    this.empty();
    this.#area.even(); // The older copy must not tell it again.
  }

  /** Forgets it. */
  empty(): void {
    this.#area.write(new Uint8Array(0));
    this.#known = null;
  }

  /** How its two copies are; changes nothing. */
  health(): RecordHealth {
    return this.#area.health();
  }

  /** Makes both copies hold the same. */
  even(): RecordHealth {
    return this.#area.even();
  }
}
