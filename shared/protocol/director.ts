/**
 * What one vehicle is to run: `GET /metadata/director/{vin}/targets.json`.
 * The fields are those of the Image repository's and the Director's `custom`
 * (system.md, Signed metadata); the signatures come with the trust work.
 *
 * @module
 */
import { z } from "zod";
import {
  CampaignId,
  Carrier,
  Counter,
  EcuSerial,
  HardwareId,
  Instant,
  LengthBytes,
  Merkle,
  Notes,
  PRECONDITIONS,
  ReleaseId,
  Sha256Hex,
  V1,
  Version,
  Vin,
} from "./common.ts";

/** One version of one image for exactly one hardware id, as a vehicle is told of it. */
export const ReleaseTarget = z.object({
  v: V1,
  hardware: HardwareId,
  version: Version,
  counter: Counter,
  /** An ECU below this counter may not go to this release at once. */
  minCounter: z.number().int().min(0),
  lengthBytes: LengthBytes,
  sha256: Sha256Hex,
  merkle: Merkle,
  notes: Notes,
  rxswin: z.array(z.string().max(64)).max(16),
  /** Releases that must run beside this one. */
  needs: z.array(ReleaseId).max(16),
  /** Counters of {@linkcode ReleaseTarget.needs}: a newer release meets a need as well. */
  needCounters: z.record(ReleaseId, Counter).optional(),
});
/** A release as a vehicle is told of it. */
export type ReleaseTarget = z.infer<typeof ReleaseTarget>;

/** What one ECU is to run, and every file that can bring it. */
export const EcuTarget = z.object({
  hardware: HardwareId,
  release: ReleaseTarget,
  /** Containers: full ones, then deltas from what the ECU last said it runs; the smallest first. */
  carriers: z.array(Carrier).min(1).max(80),
});
/** What one ECU is to run. */
export type EcuTarget = z.infer<typeof EcuTarget>;

/** The campaign a vehicle is to carry out, or none. */
export const DirectorTargets = z.object({
  v: V1,
  vin: Vin,
  /** Rises with every change; a lower one than seen before is a replay. */
  version: z.number().int().min(1),
  /** `null`: nothing to do; what was offered before and is not committed is withdrawn. */
  campaign: CampaignId.nullable(),
  action: z.enum(["install", "none"]),
  deadline: Instant.optional(),
  preconditions: z.array(z.enum(PRECONDITIONS)),
  ecus: z.record(EcuSerial, EcuTarget),
});
/** The campaign a vehicle is to carry out, or none. */
export type DirectorTargets = z.infer<typeof DirectorTargets>;
