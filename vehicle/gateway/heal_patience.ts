/**
 * How often something is healed, so that no medium is worn out and no server flooded by it: each
 * attempt doubles the pause before the next, also one that helped, until the help lasted.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { BACKOFF_MIN_MS, HEAL_LASTS_MS } from "shared/limits.ts";

interface Pause {
  /** Not before this, monotonic. */
  readonly atMs: number;
  /** The pause after the next attempt. */
  readonly pauseMs: number;
}

/** The pauses between attempts, by what is to be healed, of this power-on. */
export class HealPatience {
  readonly #clock: Clock;
  readonly #pauses = new Map<string, Pause>();

  /** @param clock For the time. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * How long to wait still.
   *
   * @param what What is to be healed.
   * @returns Milliseconds; 0 if it may be tried now.
   */
  leftMs(what: string): number {
    const { atMs } = this.#pauseOf(what);
    return Math.max(0, atMs - this.#clock.monotonic());
  }

  /**
   * It was tried, whether it helped or not.
   *
   * @param what What.
   * @param longestMs Longest pause after it.
   * @returns Milliseconds until it may be tried again.
   */
  tried(what: string, longestMs: number): number {
    const pauseMs = Math.min(this.#pauseOf(what).pauseMs, longestMs);
    const atMs = this.#clock.monotonic() + pauseMs;
    this.#pauses.set(what, { atMs, pauseMs: 2 * pauseMs });
    return pauseMs;
  }

  /** It is as it should be, and need not be watched any more. */
  ends(what: string): void {
    this.#pauses.delete(what);
  }

  #pauseOf(what: string): Pause {
    const pause = this.#pauses.get(what);
    // It has lasted: what happens now is another story.
    const old = pause !== undefined && this.#clock.monotonic() - pause.atMs >= HEAL_LASTS_MS;
    return pause === undefined || old ? { atMs: 0, pauseMs: BACKOFF_MIN_MS } : pause;
  }
}
