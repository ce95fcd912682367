/**
 * How long an ECU that is lost is waited for: from its first failure on, until it did what it was
 * asked, whatever it answered in between.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import type { UpdateFailure } from "shared/failure.ts";

/**
 * Whether a failure says that an ECU cannot be reached, so that waiting may help. One that was
 * at work for as long as any work takes is not waited for again.
 */
export function isLoss(failure: UpdateFailure): boolean {
  return failure.failure === "ecuLost";
}

/** Counts the time that ECUs are waited for, in this power-on. */
export class Patience {
  readonly #clock: Clock;
  readonly #sinceMs = new Map<string, number>();

  /** @param clock For the time. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * An ECU did not do something.
   *
   * @param serial The ECU.
   * @param limitMs How long it may be waited for.
   * @returns Whether to go on waiting.
   */
  lasts(serial: string, limitMs: number): boolean {
    const now = this.#clock.monotonic();
    const sinceMs = this.#sinceMs.get(serial) ?? now;
    this.#sinceMs.set(serial, sinceMs);
    return now - sinceMs < limitMs;
  }

  /** An ECU did what it was asked; without one, all did. */
  ends(serial?: string): void {
    if (serial === undefined) this.#sinceMs.clear();
    else this.#sinceMs.delete(serial);
  }
}
