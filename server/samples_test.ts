/**
 * Values that tests use again and again. Pure.
 *
 * @module
 */
import type { EcuReport, VehicleReport } from "shared/protocol/messages.ts";

/** Vehicles of tests. */
export const VIN = "WVWZZZ1JZXW000001";
/** Another one. */
export const OTHER_VIN = "WVWZZZ1JZXW000002";

/** Notes that hold. */
export const NOTES = {
  purpose: "Fixes a fault",
  changes: "None that you see",
  minutes: 3,
  unavailable: "The radio",
  instructions: "Park first",
};

/** A report of one ECU. What runs is confirmed, unless `more` says otherwise. */
export function ecuReport(serial: string, hardware: string, more: Partial<EcuReport>): EcuReport {
  const empty = {
    version: null,
    sha256: null,
    successful: false,
    unbootable: false,
    triesRemaining: 0,
  };
  return {
    serial,
    hardware,
    slotBytes: 1024 * 1024,
    state: "idle",
    slot: "A",
    version: null,
    counter: null,
    sha256: null,
    slots: { A: { ...empty, successful: (more.sha256 ?? null) !== null }, B: empty },
    desired: null,
    progress: null,
    failure: null,
    ...more,
  };
}

/** A report of a vehicle. */
export function vehicleReport(
  seq: number,
  ecus: readonly EcuReport[],
  campaign: string | null = null,
  vin = VIN,
): VehicleReport {
  return { v: 1, vin, seq, at: new Date().toISOString(), campaign, ecus: [...ecus] };
}

/** Bytes that look random and are the same each time. */
export function sampleBytes(lengthBytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lengthBytes);
  let state = seed;
  for (let i = 0; i < lengthBytes; i++) {
    state = Math.imul(state, 1664525) + 1013904223 | 0; // Numerical Recipes' LCG.
    bytes[i] = state >>> 24;
  }
  return bytes;
}
