/**
 * Virtual time. sleep() only queues; a driver fires the earliest timer once every
 * microtask has run, so a simulated hour takes no waiting and always the same course.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Clock } from "shared/clock.ts";

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly owner: LifeClock;
  readonly fire: () => void;
}

/** The time of one simulated world. */
export class SimClock {
  #timers = new Set<Timer>();
  #order = 0;
  /** Milliseconds since the world began. */
  elapsedMs = 0;
  /** The wall clock when the world began; changing it sets the clock. */
  epochMs: number = Date.UTC(2026, 0, 1);

  /** A clock for what loses its timers when its power goes. */
  life(): LifeClock {
    return new LifeClock(this);
  }

  /** Time passes in which nothing runs: what was due meanwhile fires late, in its order. */
  block(ms: number): void {
    this.elapsedMs += ms;
  }

  /**
   * Lets time pass until a condition holds.
   *
   * @param until Asked whenever every microtask has run.
   * @param limitMs The longest time.
   * @returns Whether it came to hold.
   */
  async drive(until: () => boolean, limitMs: number): Promise<boolean> {
    const endMs = this.elapsedMs + limitMs;
    for (;;) {
      await drain();
      if (until()) return true;
      const next = this.#earliest();
      if (next === undefined || next.dueMs > endMs) {
        this.elapsedMs = Math.max(this.elapsedMs, endMs);
        return false;
      }
      this.elapsedMs = Math.max(this.elapsedMs, next.dueMs);
      this.#timers.delete(next);
      next.fire();
    }
  }

  /** Queues a timer; returns what takes it out again. */
  queue(owner: LifeClock, ms: number, fire: () => void): () => void {
    const dueMs = this.elapsedMs + Math.max(0, ms);
    const timer: Timer = { dueMs, order: this.#order++, owner, fire };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Forgets the timers of one life. */
  forget(owner: LifeClock): void {
    for (const timer of this.#timers) if (timer.owner === owner) this.#timers.delete(timer);
  }

  #earliest(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      const sooner = first === undefined || timer.dueMs < first.dueMs ||
        (timer.dueMs === first.dueMs && timer.order < first.order);
      if (sooner) first = timer;
    }
    return first;
  }
}

/** The clock of one power-on: its monotonic time begins at zero, its timers die with it. */
export class LifeClock implements Clock {
  readonly #world: SimClock;
  readonly #bornMs: number;
  /** Its power is gone. */
  ended = false;

  constructor(world: SimClock) {
    this.#world = world;
    this.#bornMs = world.elapsedMs;
  }

  now(): number {
    return this.#world.epochMs + this.#world.elapsedMs;
  }

  monotonic(): number {
    return this.#world.elapsedMs - this.#bornMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.ended) return; // Without power nothing goes on.
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        cancel();
        if (!this.ended) reject(signal!.reason);
      };
      const cancel = this.#world.queue(this, ms, () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      });
      signal?.addEventListener("abort", stop, { once: true });
    });
  }

  /** The power went. */
  end(): void {
    this.ended = true;
    this.#world.forget(this);
  }
}

/** A turn of the event loop: by then every microtask has run. */
function drain(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
