/**
 * Offers as publishers write them, for the screens of the head unit: short notes, long
 * ones, one control unit, several.
 *
 * @module
 */
import type { Notes } from "shared/protocol/common.ts";
import type { HmiOffer } from "shared/protocol/hmi.ts";
import { MAX_NOTE_CHARS } from "shared/limits.ts";

/** Notes that take two lines each. */
export const NOTES: Notes = {
  purpose:
    "Security and improvement: closes a weakness in the Bluetooth stack. Recommended for all.",
  changes: "Faster route search. The parking camera shows the guide lines again after a restart.",
  minutes: 6,
  unavailable: "Radio, navigation and hands-free telephone while the head unit restarts.",
  instructions: "Park in a safe place, set the parking brake and leave the ignition on.",
};

/** Notes of typical length: some sixty characters each. */
const TYPICAL: Notes = {
  purpose: "Improvement: faster route search and a clearer map at night",
  changes: "Routes appear in half the time; the map has new night colours",
  minutes: 3,
  unavailable: "Navigation, radio and telephone while the head unit restarts",
  instructions: "Park safely, set the parking brake and leave the ignition on",
};

function release(
  serial: string,
  hardware: string,
  notes: Notes,
  sizes: readonly [transferBytes: number, imageBytes: number],
): HmiOffer["releases"][number] {
  const [transferBytes, imageBytes] = sizes;
  return { serial, hardware, from: "1.4.0", to: "1.5.0", notes, transferBytes, imageBytes };
}

const head = (notes: Notes) => release("ivi", "ivi-rpi4", notes, [38_400_000, 412_000_000]);

/** Two control units. */
export const TWO: HmiOffer = {
  campaign: "c12",
  releases: [
    head(NOTES),
    release("cluster", "cluster-sim", {
      ...NOTES,
      changes: "The range is shown in tenths below 10 km.",
      minutes: 2,
    }, [210_000, 1_200_000]),
  ],
  minutes: 6,
  restartSeconds: 40,
};

/** One control unit, notes of typical length. */
export const SINGLE: HmiOffer = {
  ...{ campaign: "c12", minutes: 3, restartSeconds: 12 },
  releases: [head(TYPICAL)],
};

/** Three control units, notes of typical length. */
export const THREE: HmiOffer = {
  ...{ campaign: "c12", minutes: 6, restartSeconds: 40 },
  releases: [
    head(TYPICAL),
    release("cluster", "cluster-sim", TYPICAL, [210_000, 1_200_000]),
    release("body", "body-sim", TYPICAL, [228_000, 228_000]),
  ],
};

/** One control unit, one note as long as a note may be, and one with lines of its own. */
export const LONG: HmiOffer = {
  ...{ campaign: "c12", minutes: 3, restartSeconds: 12 },
  releases: [head({
    ...NOTES,
    changes: "What changed, in every detail. ".repeat(90).slice(0, MAX_NOTE_CHARS).trim(),
    instructions: "Park in a safe place.\nSet the parking brake.\nLeave the ignition on.",
  })],
};
