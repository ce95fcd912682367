/**
 * Bytes a second, over the last few seconds.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";

const WINDOW_MS = 3000;

/** A sliding rate. */
export class Throughput {
  readonly #clock: Clock;
  #samples: { readonly atMs: number; readonly bytes: number }[] = [];

  /** @param clock For the window. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A new download begins. */
  restart(): void {
    this.#samples = [];
  }

  /** So many bytes are there now. */
  at(bytes: number): void {
    const atMs = this.#clock.monotonic();
    const last = this.#samples.at(-1);
    if (last !== undefined && atMs - last.atMs < 100) return;
    this.#samples = [...this.#samples.filter((one) => atMs - one.atMs < WINDOW_MS), {
      atMs,
      bytes,
    }];
  }

  /** The rate over the window, or 0 before there is one. */
  get bytesPerSecond(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
    return Math.max(0, (last.bytes - first.bytes) * 1000 / (last.atMs - first.atMs));
  }
}
