/**
 * The words every message is made of. All names come from the field and from
 * the system description; a schema here is the only definition of its bytes.
 *
 * @module
 */
import { z } from "zod";
import { FAILURE_NAMES } from "../failure.ts";
import { LEAF_BYTES, MAX_CARRIER_BYTES, MAX_IMAGE_BYTES, MAX_NOTE_CHARS } from "../limits.ts";
import { VERSION_PATTERN } from "../version.ts";

/** Schema version 1, the first field of everything stored or sent. */
export const V1: z.ZodLiteral<1> = z.literal(1);

/** SHA-256 in lower-case hex. A field called `sha256` is the digest of the image, always. */
export const Sha256Hex: z.ZodString = z.string().regex(
  /^[0-9a-f]{64}$/,
  "must be 64 lower-case hex digits",
);

/** A vehicle: 17 characters of ISO 3779; the check digit is not enforced, nor the ban on I, O, Q. */
export const Vin: z.ZodString = z.string().regex(
  /^[A-Z0-9]{17}$/,
  "must be 17 upper-case letters and digits",
);

/** A kind of hardware that images are built for. Safe as file name, topic level and URL segment. */
export const HardwareId: z.ZodString = z.string().regex(
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
  "must begin with a letter or digit and hold only letters, digits, dot, dash, underscore",
);

/** One ECU of a vehicle. */
export const EcuSerial: z.ZodString = z.string().regex(
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
  "must begin with a letter or digit and hold only letters, digits, dot, dash, underscore",
);

/** A version for people. */
export const Version: z.ZodString = z.string().max(48).regex(
  VERSION_PATTERN,
  "must be one to four numbers with dots, and an optional suffix such as -rc.1",
);

/** The monotonic release counter of a hardware id; it alone decides newer or older. */
export const Counter: z.ZodNumber = z.number().int().min(1).max(0xFFFF_FFFF);

/** Length of an image in bytes. */
export const LengthBytes: z.ZodNumber = z.number().int().min(1).max(MAX_IMAGE_BYTES);

/** `{hardware}/{version}`: the TUF target path, and the id of a release. */
export const ReleaseId: z.ZodString = z.string().max(112).regex(
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}\/[0-9][0-9A-Za-z.-]{0,47}$/,
  "must be HARDWARE/VERSION",
);

/** A campaign: `c` and a number. */
export const CampaignId: z.ZodString = z.string().regex(/^c[1-9]\d{0,8}$/, "must be like c12");

/** A job that makes a carrier: `d` and a number. */
export const DeltaJobId: z.ZodString = z.string().regex(/^d[1-9]\d{0,8}$/, "must be like d12");

/** A point in time, ISO 8601 in UTC. */
export const Instant: z.ZodISODateTime = z.iso.datetime();

/** One of the two slots of an ECU. */
export const Slot: z.ZodEnum<{ A: "A"; B: "B" }> = z.enum(["A", "B"]);
/** One of the two slots of an ECU. */
export type Slot = z.infer<typeof Slot>;

/** The reported state of an ECU: one word in API, MQTT, CLI and both UIs. */
export const ECU_STATES = [
  "idle",
  "assigned",
  "downloading",
  "verifying",
  "ready",
  "waiting",
  "installing",
  "installed",
  "activating",
  "trial",
  "confirmed",
  "rollingBack",
  "rolledBack",
  "failed",
  "postponed",
  "declined",
  "canceled",
] as const;
/** The reported state of an ECU. */
export type EcuState = typeof ECU_STATES[number];
/** Schema of {@linkcode EcuState}. */
export const EcuState: z.ZodEnum<{ [S in EcuState]: S }> = z.enum(ECU_STATES);

/** States after which an assignment is over. Of these only `confirmed` is success. */
export const FINAL_STATES = ["confirmed", "rolledBack", "failed", "declined", "canceled"] as const;
/** A state after which an assignment is over. */
export type FinalState = typeof FINAL_STATES[number];

/**
 * Whether an assignment in this state is over.
 *
 * @param state The state.
 * @returns Whether it is final.
 */
export function isFinal(state: EcuState): state is FinalState {
  return (FINAL_STATES as readonly string[]).includes(state);
}

/** States from `installing` on: the vehicle may no longer be given another campaign. */
export const COMMITTED_STATES: readonly EcuState[] = [
  "installing",
  "installed",
  "activating",
  "trial",
  "rollingBack",
];

/** A failure as it is reported: the catalogue's row is found by name. */
export const FailureReport = z.object({
  code: z.number().int(),
  name: z.enum(FAILURE_NAMES),
  stage: z.string().max(32),
  /** What was attempted and what was found, for an engineer. */
  message: z.string().max(2000),
});
/** A failure as it is reported. */
export type FailureReport = z.infer<typeof FailureReport>;

const note = z.string().trim().min(1, "must not be empty").max(MAX_NOTE_CHARS);

/** What UN R156 7.2.2.2 wants the user told before an update: none of the five may be empty. */
export const Notes = z.strictObject({
  /** (a) The purpose, with its criticality. */
  purpose: note,
  /** (b) Changed functions. */
  changes: note,
  /** (c) Expected time of the installation, in minutes. */
  minutes: z.number().int().min(1).max(24 * 60),
  /** (d) Functions that are not available meanwhile. */
  unavailable: note,
  /** (e) How to execute the update safely. */
  instructions: note,
});
/** The five notes of UN R156. */
export type Notes = z.infer<typeof Notes>;

/** The leaves of an image: RFC 6962 over chunks of 64 KiB. */
export const Merkle = z.object({
  alg: z.literal("sha256-rfc6962"),
  leafBytes: z.literal(LEAF_BYTES),
  root: Sha256Hex,
});
/** The leaves of an image. */
export type Merkle = z.infer<typeof Merkle>;

/**
 * How a carrier brings its image. Vehicles are told of `container` only, with a base or without
 * one; `raw` (the image itself) and `bsdiff40` are for people and their tools.
 */
export const CarrierFormat: z.ZodEnum<
  { raw: "raw"; container: "container"; bsdiff40: "bsdiff40" }
> = z.enum(["raw", "container", "bsdiff40"]);

/** A file on the wire that brings an image. */
export const Carrier = z.object({
  v: V1,
  carrierSha256: Sha256Hex,
  format: CarrierFormat,
  /** Length of the carrier itself. */
  lengthBytes: z.number().int().min(1).max(MAX_CARRIER_BYTES),
  /** The image it brings. */
  sha256: Sha256Hex,
  /** The image it starts from; absent when it needs none. */
  baseSha256: Sha256Hex.optional(),
});
/** A file on the wire that brings an image. */
export type Carrier = z.infer<typeof Carrier>;

/** A precondition that the gateway checks before the restart. */
export const PRECONDITIONS = ["parked", "brake", "battery"] as const;
/** The name of a precondition. */
export type Precondition = typeof PRECONDITIONS[number];
