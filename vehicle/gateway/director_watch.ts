/**
 * Asks the Director what this vehicle is to run: when something says "look", and once in
 * a while, since a hint may be lost.
 *
 * @module
 */
import { type Clock, isoTime } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, POLL_MS } from "shared/limits.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { Backend } from "vehicle/ports.ts";
import { Wake } from "./wake.ts";

/** However many hints come: a flood of messages is no flood of requests. */
const LOOK_GAP_MS = 200;

/** What the watch needs. */
export interface DirectorWatchParts {
  readonly vin: string;
  readonly clock: Clock;
  readonly backend: Backend;
  /** The newest version of targets seen before this start. */
  readonly seenVersion: number;
  readonly onTargets: (targets: DirectorTargets) => void;
  readonly log: (line: string) => void;
}

/** Keeps the newest answer of the Director. */
export class DirectorWatch {
  readonly #parts: DirectorWatchParts;
  readonly #wake: Wake;
  #seenVersion: number;
  #lastTrouble = "";
  /** The newest answer of this start; `null` before the first. */
  targets: DirectorTargets | null = null;
  /** The server answered last time it was asked. */
  reachable = false;
  /** When it last answered, ISO 8601. */
  checkedAt: string | null = null;

  constructor(parts: DirectorWatchParts) {
    this.#parts = parts;
    this.#wake = new Wake(parts.clock);
    this.#seenVersion = parts.seenVersion;
  }

  /** Ask soon. */
  look(): void {
    this.#wake.ring();
  }

  /**
   * Asks until the signal ends it.
   *
   * @param signal Ends the loop.
   */
  async run(signal: AbortSignal): Promise<void> {
    let pauseMs = BACKOFF_MIN_MS;
    for (;;) {
      try {
        const targets = await this.#parts.backend.targets(signal);
        this.reachable = true;
        this.checkedAt = isoTime(this.#parts.clock.now());
        this.#judge(targets);
        this.#lastTrouble = "";
        pauseMs = BACKOFF_MIN_MS;
        await this.#parts.clock.sleep(LOOK_GAP_MS, signal);
        await this.#wake.wait(POLL_MS, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof UpdateFailure)) throw error;
        this.reachable = error.kind.stage !== "download";
        if (error.message !== this.#lastTrouble) this.#parts.log(`director: ${error.message}`);
        this.#lastTrouble = error.message;
        await this.#parts.clock.sleep(LOOK_GAP_MS, signal); // Hints may shorten the rest.
        await this.#wake.wait(pauseMs - LOOK_GAP_MS, signal);
        pauseMs = Math.min(pauseMs * 2, BACKOFF_MAX_MS);
      }
    }
  }

  #judge(targets: DirectorTargets): void {
    const { vin } = this.#parts;
    if (targets.vin !== vin) {
      throw new UpdateFailure(
        "metadataForeign",
        targets.vin,
        `Cannot use targets: they are for ${targets.vin}, this is ${vin}`,
      );
    }
    if (targets.version < this.#seenVersion) {
      throw new UpdateFailure(
        "releaseDowngrade",
        "targets",
        `Cannot use targets: version ${targets.version} is older than ${this.#seenVersion}`,
      );
    }
    this.#seenVersion = targets.version;
    this.targets = targets;
    this.#parts.onTargets(targets);
  }
}
