/**
 * What travels over MQTT, and the vehicle's report that also travels over HTTP.
 * A message is a hint: a lost, repeated, stale or forged one can delay an update
 * and nothing else.
 *
 * @module
 */
import { z } from "zod";
import {
  MAX_DELTAS,
  MAX_ECUS,
  MAX_REPORT_SEQ,
  MAX_ROT_REPORTS,
  MAX_TIMESTAMP_BYTES,
  MAX_TRIAL_LOGS,
  TRIAL_LOG_LINES,
} from "../limits.ts";
import { FAILURE_NAMES } from "../failure.ts";
import {
  CampaignId,
  Counter,
  EcuSerial,
  EcuState,
  FailureReport,
  HardwareId,
  Instant,
  LengthBytes,
  Sha256Hex,
  Slot,
  V1,
  Version,
  Vin,
} from "./common.ts";

/** `ota/v1/announce/{hardware}`: latest version and type, retained. */
export const Announcement = z.object({
  v: V1,
  hardware: HardwareId,
  version: Version,
  counter: Counter,
  /** `delta` when any delta exists; a full image always does. */
  type: z.enum(["full", "delta"]),
  /** Digests of the images that a delta starts from. */
  deltasFrom: z.array(Sha256Hex).max(MAX_DELTAS),
  lengthBytes: LengthBytes,
  sha256: Sha256Hex,
  /** The Image repository's signed Timestamp metadata, as it is sent. */
  timestamp: z.string().max(MAX_TIMESTAMP_BYTES).optional(),
});
/** Latest version and type of a hardware id. */
export type Announcement = z.infer<typeof Announcement>;

/** `ota/v1/vehicle/{vin}/desired`: come and fetch, retained. */
export const Desired = z.object({
  v: V1,
  campaign: CampaignId.nullable(),
  /** Version of the Director's targets that waits to be fetched. */
  version: z.number().int().min(0),
  /** The Director's signed Timestamp metadata for this vehicle, as it is sent. */
  timestamp: z.string().max(MAX_TIMESTAMP_BYTES).optional(),
});
/** Come and fetch. */
export type Desired = z.infer<typeof Desired>;

/** `ota/v1/vehicle/{vin}/conn`: bare words, retained; the will says `offline`. */
export const Conn: z.ZodEnum<{ online: "online"; rebooting: "rebooting"; offline: "offline" }> = z
  .enum(["online", "rebooting", "offline"]);
/** Whether a vehicle is connected. */
export type Conn = z.infer<typeof Conn>;

/** Why a program ended before its supervisor started it again. */
export const LastError = z.object({
  /** When it ended. */
  at: Instant,
  /** The first line of its error, or the signal that ended it. */
  message: z.string().max(500),
  /** Restarts since a person started it. */
  restarts: z.number().int().min(1),
});
/** Why a program ended before its supervisor started it again. */
export type LastError = z.infer<typeof LastError>;

/** `ota/v1/server/status`, retained; the will says it is gone. */
export const ServerStatus = z.object({
  v: V1,
  state: z.enum(["running", "stopping", "gone"]),
  since: Instant,
  /** Why it was restarted, for a day or until a person starts it anew. */
  lastError: z.string().max(500).optional(),
  lastErrorAt: Instant.optional(),
});
/** How the server is. */
export type ServerStatus = z.infer<typeof ServerStatus>;

const SlotReport = z.object({
  version: Version.nullable(),
  sha256: Sha256Hex.nullable(),
  successful: z.boolean(),
  unbootable: z.boolean(),
  triesRemaining: z.number().int().min(0).max(255),
});

/** One ECU in a report. `version`, `counter` and `sha256` are those of the image that runs. */
export const EcuReport = z.object({
  serial: EcuSerial,
  hardware: HardwareId,
  slotBytes: z.number().int().min(1),
  /** State of the last assignment. */
  state: EcuState,
  /** The running slot; `null` in recovery. */
  slot: Slot.nullable(),
  version: Version.nullable(),
  counter: Counter.nullable(),
  sha256: Sha256Hex.nullable(),
  slots: z.object({ A: SlotReport, B: SlotReport }),
  desired: z.object({ version: Version, sha256: Sha256Hex }).nullable(),
  progress: z.object({
    doneBytes: z.number().int().min(0),
    totalBytes: z.number().int().min(0),
    /** How the bytes come. */
    via: z.enum(["full", "delta", "local"]),
  }).nullable(),
  failure: FailureReport.nullable(),
});
/** One ECU in a report. */
export type EcuReport = z.infer<typeof EcuReport>;

/** What was found rotten in a vehicle, and whether it was healed since. */
export const RotReport = z.object({
  /** The ECU, or `gateway`. */
  ecu: EcuSerial,
  /** The slot or the record. */
  what: z.string().max(40),
  at: Instant,
  failure: FailureReport,
  /** Leaves of the slot that are bad, and how many of them are whole again; once that is known. */
  healing: z.object({
    doneLeaves: z.number().int().min(0),
    totalLeaves: z.number().int().min(1),
  }).optional(),
  /** Why it could not be healed when that was tried last; it is tried again. */
  waits: FailureReport.optional(),
  healedAt: Instant.nullable(),
});
/** What was found rotten in a vehicle. */
export type RotReport = z.infer<typeof RotReport>;

/** The log of a failed trial, told once. */
export const TrialLog = z.object({
  v: V1,
  id: z.string().regex(/^[0-9a-f]{64}$/),
  ecu: EcuSerial,
  at: Instant,
  version: Version,
  counter: Counter,
  sha256: Sha256Hex,
  failure: z.enum(FAILURE_NAMES),
  /** The verdict in words. */
  detail: z.string().max(1000),
  /** The last words of the image, oldest first. */
  lines: z.array(z.string().max(200)).max(TRIAL_LOG_LINES),
});
/** The log of a failed trial. */
export type TrialLog = z.infer<typeof TrialLog>;

/**
 * `ota/v1/vehicle/{vin}/status` (retained) and the body of `PUT /manifest`.
 * Over MQTT it shows progress; only the manifest can make an ECU `confirmed`.
 */
export const VehicleReport = z.object({
  v: V1,
  vin: Vin,
  /** Rises with every report of this vehicle; an older one is dropped. */
  seq: z.number().int().min(1).max(MAX_REPORT_SEQ),
  at: Instant,
  campaign: CampaignId.nullable(),
  ecus: z.array(EcuReport).max(MAX_ECUS).refine(
    (ecus) => new Set(ecus.map((ecu) => ecu.serial)).size === ecus.length,
    "every serial must be there once",
  ),
  /** Why the vehicle's process was restarted, for a day or until a person starts it anew. */
  lastError: LastError.optional(),
  /** What was found rotten since the vehicle has power. */
  rot: z.array(RotReport).max(MAX_ROT_REPORTS).optional(),
  /** Of failed trials, in manifests only, until the server has them. */
  trialLogs: z.array(TrialLog).max(MAX_TRIAL_LOGS).optional(),
});
/** Where a vehicle stands. */
export type VehicleReport = z.infer<typeof VehicleReport>;

/** `ota/v1/vehicle/{vin}/event`: append-only. Receivers drop an `id` they have. */
export const VehicleEvent = z.object({
  v: V1,
  id: z.string().regex(/^[0-9a-f-]{8,64}$/),
  seq: z.number().int().min(1),
  at: Instant,
  ecu: EcuSerial,
  state: EcuState,
  campaign: CampaignId.nullable().optional(),
  failure: FailureReport.optional(),
  /** In words, what no state says: damage that was healed. */
  note: z.string().max(500).optional(),
  /** Of a failed trial. */
  log: TrialLog.optional(),
});
/** Something that happened to an ECU. */
export type VehicleEvent = z.infer<typeof VehicleEvent>;
