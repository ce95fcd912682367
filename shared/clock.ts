/**
 * Time as a port: pure code is handed a clock and never asks the machine.
 *
 * @module
 */

/** Milliseconds; a span, or a point since the Unix epoch where the name says `At`. */
export type Millis = number;

/** A wall clock and timers. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump. */
  now(): Millis;
  /** Milliseconds since some fixed point. Never goes back. */
  monotonic(): Millis;
  /** Resolves after so many milliseconds, or rejects with the signal's reason. */
  sleep(ms: Millis, signal?: AbortSignal): Promise<void>;
}

/**
 * A point in time as the wire writes it.
 *
 * @param atMs Milliseconds since the Unix epoch.
 * @returns ISO 8601 in UTC, with milliseconds.
 */
export function isoTime(atMs: Millis): string {
  return new Date(atMs).toISOString();
}
