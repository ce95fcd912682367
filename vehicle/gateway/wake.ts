/**
 * Lets a loop sleep until something happened or a time is over.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";

/** A bell: rung from callbacks, heard by one loop. A ring while nobody listens is kept. */
export class Wake {
  readonly #clock: Clock;
  #rung = false;
  #ring: (() => void) | undefined;

  /** @param clock For the longest wait. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something happened. */
  ring(): void {
    this.#rung = true;
    this.#ring?.();
  }

  /**
   * Waits for a ring.
   *
   * @param ms The longest wait, in milliseconds.
   * @param signal Rejects with its reason when it is aborted.
   * @returns Whether there was a ring, rather than the end of the wait.
   */
  async wait(ms: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (!this.#rung) {
      const timer = new AbortController();
      const cut = () => timer.abort(signal.reason);
      signal.addEventListener("abort", cut, { once: true });
      this.#ring = () => timer.abort(this);
      await this.#clock.sleep(ms, timer.signal).catch((reason) => {
        if (reason !== this) throw reason;
      }).finally(() => signal.removeEventListener("abort", cut));
      this.#ring = undefined;
    }
    const rung = this.#rung;
    this.#rung = false;
    return rung;
  }
}
