/**
 * Between the gateway and the head-unit screens: a snapshot down (SSE), commands
 * up (POST). The gateway decides; the page only asks and shows.
 *
 * @module
 */
import { z } from "zod";
import {
  CampaignId,
  FailureReport,
  Instant,
  Notes,
  PRECONDITIONS,
  V1,
  Version,
  Vin,
} from "./common.ts";
import { ImageMessage } from "./ecu.ts";
import { EcuReport, RotReport } from "./messages.ts";

/** Where the vehicle stands with its update; chooses the screen. */
export const HMI_PHASES = [
  "upToDate",
  "preparing", // Assigned, downloading, verifying: driving is allowed.
  "ready", // Waits for consent.
  "postponed",
  "waiting", // Consented; a precondition does not hold.
  "installing", // Inert from here on.
  "restarting",
  "trial",
  "confirming",
  "rollingBack",
  "succeeded", // Stays until acknowledged.
  "rolledBack", // Stays until acknowledged.
  "failed", // Before the switch: nothing was changed. Stays until acknowledged.
  "recovery", // An ECU has no bootable slot.
] as const;
/** Where the vehicle stands with its update. */
export type HmiPhase = typeof HMI_PHASES[number];

/** The update that is offered or under way. */
export const HmiOffer = z.object({
  campaign: CampaignId,
  releases: z.array(z.object({
    serial: z.string(),
    hardware: z.string(),
    from: Version.nullable(),
    to: Version,
    notes: Notes,
    /** Bytes that travel, and the size of the image. */
    transferBytes: z.number().int().min(0),
    imageBytes: z.number().int().min(0),
  })).min(1),
  /** Stated by the publisher: the whole installation. */
  minutes: z.number().int().min(1),
  /** From the trial times of the profile: restart and self-tests, stay parked. */
  restartSeconds: z.number().int().min(0),
});
/** The update that is offered or under way. */
export type HmiOffer = z.infer<typeof HmiOffer>;

/** The signals that preconditions are judged by. Unknown counts as not fulfilled. */
export const Signals = z.strictObject({
  /** `null`: unknown, which is taken as moving. */
  speedKmh: z.number().min(0).max(400).nullable(),
  parked: z.boolean(),
  brake: z.boolean(),
  batteryPercent: z.number().min(0).max(100).nullable(),
});
/** The signals that preconditions are judged by. */
export type Signals = z.infer<typeof Signals>;

/** Everything the head unit shows. */
export const HmiSnapshot = z.object({
  v: V1,
  vin: Vin,
  at: Instant,
  phase: z.enum(HMI_PHASES),
  /** The server answered last time it was asked. */
  serverReachable: z.boolean(),
  brokerConnected: z.boolean(),
  checkedAt: Instant.nullable(),
  offer: HmiOffer.nullable(),
  /** All carriers of the update together. */
  progress: z.object({
    doneBytes: z.number().int().min(0),
    totalBytes: z.number().int().min(0),
    bytesPerSecond: z.number().min(0),
  }).nullable(),
  checks: z.array(z.object({
    name: z.enum(PRECONDITIONS),
    ok: z.boolean(),
    /** The state found, in words. */
    found: z.string(),
    remedy: z.string(),
  })),
  /** Set while trials run: who is being tried and how long the longest still takes. */
  trial: z.object({
    serials: z.array(z.string()),
    secondsLeft: z.number().min(0),
    triesRemaining: z.number().int().min(0),
  }).nullable(),
  /** The last result, until acknowledged. */
  result: z.object({
    outcome: z.enum(["confirmed", "rolledBack", "failed"]),
    at: Instant,
    secondsTaken: z.number().min(0),
    changes: z.array(
      z.object({
        serial: z.string(),
        from: Version.nullable(),
        to: Version,
        /** What this release changed, from its notes. */
        changes: z.string(),
      }),
    ),
    /** First failure, with the ECU it happened on. */
    failure: FailureReport.extend({ serial: z.string(), remedy: z.string() }).nullable(),
  }).nullable(),
  /** The vehicle must not be driven: something irreversible or untested is under way. */
  driveLock: z.boolean(),
  ecus: z.array(EcuReport),
  /** What was found rotten since the vehicle has power; none, if it is not there. */
  rot: z.array(RotReport).optional(),
  /** What the images show of themselves, by ECU serial. */
  displays: z.record(z.string(), ImageMessage),
  signals: Signals,
});
/** Everything the head unit shows. */
export type HmiSnapshot = z.infer<typeof HmiSnapshot>;

/** What a person may ask for: `POST /api/commands`, answered 202; the effect shows up in the stream. */
export const HmiCommand = z.discriminatedUnion("command", [
  z.strictObject({ v: V1, commandId: z.uuid(), command: z.literal("acknowledge") }),
  z.strictObject({ v: V1, commandId: z.uuid(), command: z.literal("checkNow") }),
  /** The simulated vehicle's signals, for the workshop view and for tests. */
  z.strictObject({ v: V1, commandId: z.uuid(), command: z.literal("signals"), signals: Signals }),
  ...(["accept", "postpone", "decline", "cancel"] as const).map((command) =>
    z.strictObject({
      v: V1,
      commandId: z.uuid(),
      command: z.literal(command),
      /** The campaign the person saw: consent to another one is void. */
      campaign: CampaignId,
    })
  ),
]);
/** What a person may ask for. */
export type HmiCommand = z.infer<typeof HmiCommand>;
