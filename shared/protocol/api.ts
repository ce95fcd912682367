/**
 * The people's API under `/api/v1`, and enrolment: bodies and answers.
 *
 * @module
 */
import { z } from "zod";
import { MAX_BUNDLE, MAX_ECUS, MAX_ROT_REPORTS } from "../limits.ts";
import {
  CampaignId,
  Counter,
  DeltaJobId,
  EcuState,
  FailureReport,
  HardwareId,
  Instant,
  LengthBytes,
  Notes,
  ReleaseId,
  Sha256Hex,
  V1,
  Version,
  Vin,
} from "./common.ts";
import { Carrier } from "./common.ts";
import { EcuReport, LastError, RotReport, TrialLog } from "./messages.ts";

/** `POST /api/v1/login`. The answer sets the session cookie and carries the same token. */
export const LoginRequest = z.strictObject({
  user: z.string().min(1).max(64),
  password: z.string().min(1).max(256),
});
/** What a person may do: each role may also do what the ones before it may. */
export const UserRole: z.ZodEnum<
  { viewer: "viewer"; publisher: "publisher"; operator: "operator" }
> = z.enum(["viewer", "publisher", "operator"]);
/** Who is logged in. */
export const Session = z.object({
  v: V1,
  user: z.string(),
  role: UserRole,
  token: z.string().optional(),
  expiresAt: Instant,
});
/** Who is logged in. */
export type Session = z.infer<typeof Session>;

/** A person who can log in. Safe as part of a line of a log, and of a URL. */
export const UserName: z.ZodString = z.string().regex(
  /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/,
  "must begin with a letter or digit and hold only letters, digits, dot, dash, underscore, at",
);
/** A password somebody chooses (NIST SP 800-63B: at least 8, and no rules of composition). */
export const NewPassword: z.ZodString = z.string().min(8, "must have 8 characters or more").max(
  256,
);
/** `GET /api/v1/users`: one person. */
export const User = z.object({ user: UserName, role: UserRole });
/** One person. */
export type User = z.infer<typeof User>;
/** `POST /api/v1/users`. */
export const UserRequest = z.strictObject({
  user: UserName,
  role: UserRole,
  password: NewPassword,
});
/** `PUT /api/v1/users/{user}/password`; `current` proves who changes their own. */
export const PasswordRequest = z.strictObject({
  password: NewPassword,
  current: z.string().min(1).max(256).optional(),
});

/** `GET /api/v1/endpoints`: where vehicles go, asked at every start. Open to everyone. */
export const Endpoints = z.object({ v: V1, device: z.url(), broker: z.url() });
/** Where vehicles go. */
export type Endpoints = z.infer<typeof Endpoints>;

/** `POST /api/v1/enrolments`: a one-time token for one vehicle. */
export const EnrolmentRequest = z.strictObject({ vin: Vin });
/** A one-time token. */
export const Enrolment = z.object({ vin: Vin, token: z.string() });

/** `POST /enrol`, by the vehicle. May be repeated until the first authenticated connection. */
export const EnrolRequest = z.strictObject({ v: V1, vin: Vin, token: z.string().max(256) });
/** The interim identity: MQTT password and bearer token of the device listener. */
export const EnrolAnswer = z.object({
  v: V1,
  vin: Vin,
  secret: z.string().min(32).max(256),
  device: z.url(),
  broker: z.url(),
});
/** The interim identity. */
export type EnrolAnswer = z.infer<typeof EnrolAnswer>;

/** `GET /api/v1/broker`: who the outside broker lets in, as Mosquitto's password file says it. */
export const BrokerAccess = z.object({
  v: V1,
  url: z.url(),
  /** The server's own user. */
  user: z.string(),
  passwords: z.array(z.object({ user: z.string(), entry: z.string().startsWith("$7$") })),
});
/** Who the outside broker lets in. */
export type BrokerAccess = z.infer<typeof BrokerAccess>;

/** `HEAD|PUT /api/v1/uploads/{sha256}` answers: how much is there. */
export const Upload = z.object({
  sha256: Sha256Hex,
  offset: z.number().int().min(0),
  lengthBytes: z.number().int().min(0),
  complete: z.boolean(),
});
/** How much of an upload is there. */
export type Upload = z.infer<typeof Upload>;

/**
 * `POST /api/v1/releases`. `sha256` names an uploaded full image, or `patchSha256` an
 * uploaded patch, BSDIFF40 or container, with `deltaFrom`, the version it starts from.
 */
export const ReleaseRequest = z.strictObject({
  hardware: HardwareId,
  version: Version,
  counter: Counter.optional(),
  /** With an image: its digest. With a patch: the digest its result must have, if known. */
  sha256: Sha256Hex.optional(),
  patchSha256: Sha256Hex.optional(),
  deltaFrom: Version.optional(),
  notes: Notes,
  rxswin: z.array(z.string().min(1).max(64)).max(16).default([]),
  needs: z.array(ReleaseId).max(16).default([]),
  /** Keep it as a draft: neither announced nor offered until `ota offer`. */
  draft: z.boolean().default(false),
}).refine((body) => body.sha256 !== undefined || body.patchSha256 !== undefined, {
  message: "either sha256 (an image) or patchSha256 (a patch) must be given",
  path: ["sha256"],
}).refine((body) => (body.patchSha256 === undefined) === (body.deltaFrom === undefined), {
  message: "patchSha256 and deltaFrom go together",
  path: ["deltaFrom"],
});
/** A release to be made. */
export type ReleaseRequest = z.infer<typeof ReleaseRequest>;

/** One release. */
export const Release = z.object({
  v: V1,
  release: ReleaseId,
  hardware: HardwareId,
  version: Version,
  counter: Counter,
  sha256: Sha256Hex,
  lengthBytes: LengthBytes,
  merkleRoot: Sha256Hex,
  notes: Notes,
  rxswin: z.array(z.string()),
  needs: z.array(ReleaseId),
  state: z.enum(["draft", "published"]),
  carriers: z.array(Carrier),
  createdAt: Instant,
  createdBy: z.string(),
});
/** One release. */
export type Release = z.infer<typeof Release>;

/** States of a {@linkcode DeltaJob}. */
export const DELTA_JOB_STATES = ["queued", "running", "kept", "dropped"] as const;

/** A carrier that the server makes in the background: a delta, or the compressed full image. */
export const DeltaJob = z.object({
  v: V1,
  job: DeltaJobId,
  /** The image it brings. */
  sha256: Sha256Hex,
  /** The image it starts from; `null`: none, it is the compressed full image. */
  baseSha256: Sha256Hex.nullable(),
  /** A full image is compressed twice: at once, and well when the deltas are done. */
  effort: z.enum(["fast", "best"]),
  state: z.enum(DELTA_JOB_STATES),
  /** Why it was dropped: not smaller than the full image, by a person, or by {@link failure}. */
  reason: z.enum(["larger", "canceled", "failed"]).nullable(),
  failure: FailureReport.nullable(),
  /** Bytes of the image that are coded, of all. */
  doneBytes: z.number().int().min(0),
  totalBytes: z.number().int().min(0),
  /** The carrier that was kept. */
  carrierSha256: Sha256Hex.nullable(),
  /** Its length in bytes. */
  lengthBytes: z.number().int().min(1).nullable(),
  /** Length of the full carrier that it had to be smaller than, once it began. */
  fullBytes: z.number().int().min(1).nullable(),
  createdAt: Instant,
  updatedAt: Instant,
});
/** A carrier that the server makes in the background. */
export type DeltaJob = z.infer<typeof DeltaJob>;

/** What publishing answers. `campaign` is null for a draft, or when only a carrier was added. */
export const Published = z.object({
  release: ReleaseId,
  campaign: CampaignId.nullable(),
  counter: Counter,
  sha256: Sha256Hex,
  /** Set when an existing release got another carrier. */
  carrierAdded: z.boolean(),
});
/** What publishing answers. */
export type Published = z.infer<typeof Published>;

/** `POST /api/v1/campaigns`: offers releases (drafts or not) as one bundle. */
export const CampaignRequest = z.strictObject({
  releases: z.array(ReleaseId).min(1).max(MAX_BUNDLE),
});

/** Where one vehicle stands in a campaign. */
export const CampaignVehicle = z.object({
  vin: Vin,
  /** The worst of its ECUs; what the campaign counts. */
  state: EcuState,
  failure: FailureReport.nullable(),
  /** Not yet told to go: a delta for it is being made, for which it waits so long at most. */
  heldUntil: Instant.optional(),
  updatedAt: Instant,
});

/** One campaign: one or several releases offered together. */
export const Campaign = z.object({
  v: V1,
  campaign: CampaignId,
  state: z.enum(["running", "halted", "withdrawn", "complete"]),
  releases: z.array(ReleaseId),
  vehicles: z.array(CampaignVehicle),
  createdAt: Instant,
  createdBy: z.string(),
});
/** One campaign. */
export type Campaign = z.infer<typeof Campaign>;

/** A failed trial; its last words are at `GET /api/v1/vehicles/{vin}/trials`. */
export const FailedTrial = TrialLog.omit({ lines: true });
/** A failed trial. */
export type FailedTrial = z.infer<typeof FailedTrial>;

/** One vehicle as the server knows it. `ecus` carries what `ota vehicles --json` prints, and more. */
export const Vehicle = z.object({
  v: V1,
  vin: Vin,
  online: z.boolean(),
  conn: z.enum(["online", "rebooting", "offline", "never"]),
  lastSeenAt: Instant.nullable(),
  campaign: CampaignId.nullable(),
  /** Campaigns that wait their turn. */
  queue: z.array(CampaignId),
  ecus: z.array(EcuReport),
  /** Why its process was restarted. */
  lastError: LastError.optional(),
  /** What was found rotten in it since it has power. */
  rot: z.array(RotReport).max(MAX_ROT_REPORTS).optional(),
  /** The last failed trial of each ECU that ever had one, newest first. */
  failedTrials: z.array(FailedTrial).max(MAX_ECUS).optional(),
});
/** One vehicle as the server knows it. */
export type Vehicle = z.infer<typeof Vehicle>;

/** `GET|POST /api/v1/hardware`. */
export const Hardware = z.object({
  hardware: HardwareId,
  origin: z.enum(["builtIn", "reported", "added"]),
});
/** A known hardware id. */
export type Hardware = z.infer<typeof Hardware>;
/** A hardware id to be added. */
export const HardwareRequest = z.strictObject({ hardware: HardwareId });

/** `GET /events`: first `snapshot`, then numbered changes, each with the whole entity. */
export const BoardSnapshot = z.object({
  v: V1,
  releases: z.array(Release),
  campaigns: z.array(Campaign),
  vehicles: z.array(Vehicle),
  hardware: z.array(Hardware),
  /** Jobs that wait, run, or ended lately; older servers make none. */
  deltas: z.array(DeltaJob).default([]),
  /** How many there are; the lists above hold the first of them, at most {@linkcode MAX_PAGE_ROWS}. */
  totals: z.object({
    releases: z.number().int().min(0),
    campaigns: z.number().int().min(0),
    vehicles: z.number().int().min(0),
  }).optional(),
  server: z.object({
    state: z.string(),
    since: Instant,
    /** Why it was restarted, and when that was. */
    lastError: z.string().optional(),
    lastErrorAt: Instant.optional(),
  }),
});
/** Everything the notice board shows. */
export type BoardSnapshot = z.infer<typeof BoardSnapshot>;

/** The name of a change in `GET /events`, and the schema of its data. */
export const BOARD_CHANGES = {
  release: Release,
  campaign: Campaign,
  vehicle: Vehicle,
  hardware: Hardware,
  delta: DeltaJob,
} as const;

/** Errors: RFC 9457 `application/problem+json` with the catalogue's number and name. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.number().int(),
  name: z.string(),
  remedy: z.string(),
  subject: z.string().optional(),
});
/** An error as HTTP carries it. */
export type Problem = z.infer<typeof Problem>;
