/**
 * What time it is, as far as signatures tell: a vehicle's clock may stand still, be set back, or
 * begin in 1970. A floor that only rises keeps expired metadata expired.
 *
 * Metadata says when it ends, not when it was signed. The server never signs a timestamp for longer
 * than a known span, so it was signed no earlier than that span before its end. Who steals the
 * timestamp key can drive the floor up, but not beyond what the root, signed offline, allows.
 *
 * @module
 */
import { isoTime, type Millis } from "../clock.ts";
import { UpdateFailure } from "../failure.ts";
import { CLOCK_SKEW_MS } from "../limits.ts";
import type { TrustedSet } from "./trusted_set.ts";

/** Keeps the floor across power cuts. */
export interface TimeFloorStore {
  /** The floor; 0 before the first. */
  read(): Millis;
  /** Durable when it returns. */
  write(floorAt: Millis): void;
}

/** The time that counts in one update. */
export interface JudgedTime {
  readonly at: Millis;
  /** Set when the clock cannot be right; the floor stands in for it. */
  readonly distrust: UpdateFailure | null;
}

/**
 * The start of an update: the clock's word, or the floor where the clock is behind it.
 *
 * @param nowAt What the clock says.
 * @param floorAt The floor.
 * @returns The time, and `clockUntrusted` if the clock is further behind than clocks go apart.
 */
export function judgeTime(nowAt: Millis, floorAt: Millis): JudgedTime {
  const at = Math.max(nowAt, floorAt);
  if (floorAt - nowAt <= CLOCK_SKEW_MS) return { at, distrust: null };
  const message = `Cannot trust the clock: it says ${isoTime(nowAt)}, but metadata was signed at ` +
    `${isoTime(floorAt)} or later`;
  return { at, distrust: new UpdateFailure("clockUntrusted", "clock", message) };
}

/**
 * The floor after an update.
 *
 * @param floorAt The floor before.
 * @param trusted What the update trusts.
 * @param signedForMs The longest span for which a timestamp is ever signed.
 * @returns The same or a later one; never later than the timestamp's and the root's end.
 */
export function raisedFloor(
  floorAt: Millis,
  trusted: Pick<TrustedSet, "root" | "timestamp">,
  signedForMs: Millis,
): Millis {
  const { root, timestamp } = trusted;
  if (timestamp === undefined) return floorAt;
  const signedAt = timestamp.document.expiresAt - signedForMs;
  return Math.max(floorAt, Math.min(signedAt, root.document.expiresAt - 1));
}
