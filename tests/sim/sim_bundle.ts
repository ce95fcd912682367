/**
 * The three ECUs of every simulated vehicle, and bundles of releases for them.
 *
 * @module
 */
import { nextImage, release, type SimRelease, withDelta } from "./sim_release.ts";
import type { Behaviour } from "./sim_runner.ts";

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

/**
 * A release with a delta for every ECU: from the image that runs there to the next one of its family.
 *
 * @param counter The counter of all.
 * @param base What runs, by serial.
 * @param different What one of the images does instead of nothing but good.
 */
export function everyDelta(
  counter: number,
  base: Readonly<Record<Serial, Uint8Array>>,
  different: Readonly<Partial<Record<Serial, Behaviour>>> = {},
): Record<Serial, SimRelease> {
  const entries = ECUS.map(([serial, hardware]) => {
    const bytes = nextImage(base[serial], counter);
    const line = different[serial];
    if (line !== undefined) bytes.set(new TextEncoder().encode(`${line}\n`));
    return [serial, withDelta(release(hardware, counter, { bytes }), base[serial])];
  });
  return Object.fromEntries(entries);
}
