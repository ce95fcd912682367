/**
 * Slows down guessing of passwords: each failure for a user from an address doubles the wait
 * for that pair, up to a minute. The pair is what is slowed, so that a stranger elsewhere cannot
 * lock the real operator out. Pure but for the clock it is handed.
 *
 * @module
 */
import type { Clock, Millis } from "shared/clock.ts";
import { HeaderFailure } from "../failure_http.ts";

/** Mistypings that cost nothing. */
const FREE_ATTEMPTS = 5;
const MAX_WAIT_MS = 60_000;
/** A pair that was quiet for so long starts anew. */
const FORGET_MS = 15 * 60_000;
/** Pairs remembered; the oldest go first, so that a flood of names cannot fill the memory. */
const MAX_PAIRS = 10_000;
/** Passwords checked at once for one address: a check takes a tenth of a second, one after the other. */
const MAX_CHECKS_PER_ADDRESS = 4;
/** Passwords checked at once at all: nobody waits longer than a few seconds for those before. */
const MAX_CHECKS = 32;

interface Pair {
  readonly failures: number;
  readonly lastAtMs: Millis;
}

/** Failed logins, by user and address. */
export class Throttle {
  readonly #pairs = new Map<string, Pair>();
  readonly #checks = new Map<string, number>();

  constructor(readonly clock: Clock) {}

  /**
   * Lets an attempt in, or not.
   *
   * @param user Who is claimed.
   * @param address Where the attempt comes from.
   * @throws {UpdateFailure} `tooManyAttempts` If the wait is not over.
   */
  admit(user: string, address: string): void {
    const pair = this.#pairs.get(keyOf(user, address));
    if (pair === undefined) return;
    const waited = this.clock.monotonic() - pair.lastAtMs;
    const over = pair.failures - FREE_ATTEMPTS;
    const wait = over < 0 ? 0 : Math.min(1000 * 2 ** Math.min(over, 16), MAX_WAIT_MS);
    if (waited >= wait) return;
    const seconds = Math.ceil((wait - waited) / 1000);
    throw new HeaderFailure(
      "tooManyAttempts",
      "user",
      `Cannot log in: ${pair.failures} attempts failed, the next one is let in after ${seconds} s`,
      { "retry-after": String(seconds) },
    );
  }

  /**
   * Takes a place among the checks that are under way. Without this, a flood of made-up names,
   * none of which is slowed, would let the real operator wait behind all of them.
   *
   * @param address Where the attempt comes from.
   * @returns Gives the place back.
   * @throws {UpdateFailure} `tooManyAttempts` If there is none.
   */
  enter(address: string): () => void {
    const own = this.#checks.get(address) ?? 0;
    const all = [...this.#checks.values()].reduce((sum, each) => sum + each, 0);
    if (own >= MAX_CHECKS_PER_ADDRESS || all >= MAX_CHECKS) {
      throw new HeaderFailure(
        "tooManyAttempts",
        "password",
        `Cannot log in: ${own} passwords from this address are being checked, ${all} in all`,
        { "retry-after": "1" },
      );
    }
    this.#checks.set(address, own + 1);
    return () => {
      const left = this.#checks.get(address)! - 1;
      if (left > 0) this.#checks.set(address, left);
      else this.#checks.delete(address);
    };
  }

  /** Counts a failure. Called before the password is checked, and taken back on success. */
  failed(user: string, address: string): void {
    const key = keyOf(user, address);
    const before = this.#pairs.get(key);
    const now = this.clock.monotonic();
    const failures = before === undefined || now - before.lastAtMs > FORGET_MS
      ? 1
      : before.failures + 1;
    this.#pairs.delete(key); // Moves it to the end: the Map is in order of last use.
    this.#pairs.set(key, { failures, lastAtMs: now });
    for (const oldest of this.#pairs.keys()) {
      if (this.#pairs.size <= MAX_PAIRS) break;
      this.#pairs.delete(oldest);
    }
  }

  /** Forgets the failures of a pair that got in. */
  succeeded(user: string, address: string): void {
    this.#pairs.delete(keyOf(user, address));
  }
}

function keyOf(user: string, address: string): string {
  return JSON.stringify([user, address]);
}
