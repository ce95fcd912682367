/**
 * Command line and profile of the vehicle process. Pure.
 *
 * @module
 */
import { DEFAULT_SLOT_BYTES } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import { VehicleProfile } from "shared/protocol/ecu.ts";
import type { LastError } from "shared/protocol/messages.ts";

/** How a vehicle process is started. */
export interface VehicleConfig {
  readonly dataDir: string;
  /** The server's people's URL. */
  readonly server: string;
  readonly hmi: { readonly hostname: string; readonly port: number };
  readonly vin: string;
  readonly enrolToken: string | undefined;
  readonly profile: VehicleProfile;
  readonly consent: "ask" | "auto";
  /** The built head-unit pages. */
  readonly pagesDir: string;
  /** Why the run before this one ended, if a supervisor says so. */
  readonly lastError?: LastError;
}

/** The vehicle one gets without a profile (system.md). */
export const DEFAULT_PROFILE: VehicleProfile = {
  v: 1,
  ecus: [
    ecu("body", "body-sim", 1),
    ecu("cluster", "cluster-sim", 2),
    ecu("ivi", "ivi-rpi4", 3),
  ],
};

function ecu(serial: string, hardware: string, restartRank: number): VehicleProfile["ecus"][0] {
  return { serial, hardware, runner: "worker", slotBytes: DEFAULT_SLOT_BYTES, restartRank };
}

/**
 * Reads a profile file.
 *
 * @param text Its JSON.
 * @returns The profile.
 * @throws {UpdateFailure} `badRequest` that names the wrong field.
 */
export function parseProfile(text: string): VehicleProfile {
  return parseJsonAs(VehicleProfile, text, { what: "profile", maxBytes: 1_000_000 });
}

/**
 * Takes `--hmi HOST:PORT` apart.
 *
 * @param text An IPv4 address, a name, or an IPv6 address in brackets, and a port.
 * @returns Both.
 * @throws {SyntaxError} If it is none.
 */
export function parseHmi(text: string): { hostname: string; port: number } {
  const match = /^(\[[0-9a-fA-F:]+\]|[^:[\]\s]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2] ?? NaN);
  if (!match || port > 65_535) {
    throw new SyntaxError(`Cannot read --hmi: found "${text}", wanted HOST:PORT`);
  }
  return { hostname: match[1]!.replace(/^\[|\]$/g, ""), port };
}
