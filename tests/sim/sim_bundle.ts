/**
 * The three ECUs of every simulated vehicle, and bundles of releases for them.
 *
 * @module
 */
import { release, type SimRelease } from "./sim_release.ts";

/** Serial, hardware and restart rank of the three ECUs, in the order of restarts. */
export const ECUS = [["body", "body-sim", 1], ["cluster", "cluster-sim", 2], [
  "ivi",
  "ivi-sim",
  3,
]] as const;
/** The serial of an ECU. */
export type Serial = typeof ECUS[number][0];

/** A release with one counter for every ECU; one of them may do something else. */
export function everyEcu(
  counter: number,
  different: Readonly<Partial<Record<Serial, Parameters<typeof release>[2]>>> = {},
): Record<Serial, SimRelease> {
  const entries = ECUS.map(([serial, hardware]) => [
    serial,
    release(hardware, counter, different[serial]),
  ]);
  return Object.fromEntries(entries);
}
