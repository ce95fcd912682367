/**
 * What server and vehicle both check before they start. Pure.
 *
 * @module
 */
import { isoTime, type Millis } from "./clock.ts";
import { UpdateFailure } from "./failure.ts";

/** The day this version was made. */
export const BUILT_AT_MS: Millis = Date.UTC(2026, 0, 1);

/**
 * Refuses a clock before the build date: it would make every date in records and reports a lie.
 *
 * @param nowMs What the clock says, in milliseconds since the epoch.
 * @throws {UpdateFailure} `preconditionFailed` with the remedy.
 */
export function checkClock(nowMs: Millis): void {
  if (nowMs >= BUILT_AT_MS) return;
  throw new UpdateFailure(
    "preconditionFailed",
    "clock",
    `Cannot start: the clock says ${isoTime(nowMs)}, before this version was made; set the clock`,
  );
}
