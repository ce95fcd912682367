/**
 * A token bucket: so much at once, and so much a second for ever.
 *
 * @module
 */
import type { Millis } from "shared/clock.ts";

/** An allowance that fills up with time. */
export class Allowance {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #atMs: Millis;

  /**
   * @param burst The most at once; it starts full.
   * @param perSecond How fast it fills.
   * @param nowMs Where the clock stands.
   */
  constructor(burst: number, perSecond: number, nowMs: Millis) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
    this.#atMs = nowMs;
  }

  /**
   * Takes one.
   *
   * @param nowMs Where the clock stands now; never goes back.
   * @returns Whether there was one left.
   */
  take(nowMs: Millis): boolean {
    const filled = (nowMs - this.#atMs) / 1000 * this.#perSecond;
    this.#left = Math.min(this.#burst, this.#left + filled);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
