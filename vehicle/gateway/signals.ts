/**
 * The preconditions of the restart, judged from the vehicle's signals. Pure; what is
 * unknown does not hold (UN R156 7.2.2.1.3).
 *
 * @module
 */
import { MIN_BATTERY_PERCENT } from "shared/limits.ts";
import { type Precondition, PRECONDITIONS } from "shared/protocol/common.ts";
import type { HmiSnapshot, Signals } from "shared/protocol/hmi.ts";

/** One precondition, judged. */
export type Check = HmiSnapshot["checks"][number];

/** A vehicle that stands: what the simulated one begins with. */
export const PARKED: Signals = { speedKmh: 0, parked: true, brake: true, batteryPercent: 80 };

const RULES: Readonly<Record<Precondition, (signals: Signals) => Omit<Check, "name">>> = {
  parked: ({ speedKmh, parked }) => ({
    ok: parked && speedKmh === 0,
    found: speedKmh === null
      ? "speed unknown"
      : speedKmh > 0
      ? `moving at ${Math.round(speedKmh)} km/h`
      : parked
      ? "parked"
      : "standing, not in P",
    remedy: "Park the vehicle and select P",
  }),
  brake: ({ brake }) => ({
    ok: brake,
    found: brake ? "set" : "released",
    remedy: "Set the parking brake",
  }),
  battery: ({ batteryPercent }) => ({
    ok: batteryPercent !== null && batteryPercent >= MIN_BATTERY_PERCENT,
    found: batteryPercent === null ? "unknown" : `${Math.round(batteryPercent)} %`,
    remedy: `Charge to ${MIN_BATTERY_PERCENT} %: enough to install and to go back`,
  }),
};

/**
 * Judges preconditions.
 *
 * @param names Those that the campaign wants; none means all that are known.
 * @param signals The vehicle's signals.
 * @returns Each with what was found and what a person can do.
 */
export function judge(names: readonly Precondition[], signals: Signals): Check[] {
  const wanted = names.length === 0 ? PRECONDITIONS : names;
  return wanted.map((name) => ({ name, ...RULES[name](signals) }));
}
