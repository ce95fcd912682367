/**
 * Signing away from the server: what the server hands out to be signed, and what it takes back.
 * The same file travels both ways; between them it may lie on a stick.
 *
 * @module
 */
import { z } from "zod";
import { MAX_OFFLINE_KEYS, MAX_ROOT_ROTATIONS } from "../limits.ts";
import { Instant, LengthBytes, ReleaseId, Sha256Hex, V1 } from "./common.ts";
import { ImageCustom } from "./signed_targets.ts";

/** An Ed25519 public key, hex. */
export const PublicKeyHex: z.ZodString = z.string().regex(
  /^[0-9a-f]{64}$/,
  "must be 64 lower-case hex digits",
);

/** The frame of every TUF metadata file. */
export const Envelope = z.object({
  signatures: z.array(z.object({ keyid: Sha256Hex, sig: z.string().max(256) }))
    .max(2 * MAX_OFFLINE_KEYS),
  signed: z.record(z.string(), z.unknown()),
});
/** The frame of every TUF metadata file. */
export type Envelope = z.infer<typeof Envelope>;

/** The two repositories of Uptane. */
export const REPOSITORIES = ["image", "director"] as const;
/** One of the two. */
export type Repository = typeof REPOSITORIES[number];

/** Roles that the server signs by itself, with the repository whose role it is. */
export const ONLINE_ROLES = [
  "image/snapshot",
  "image/timestamp",
  "image/carriers",
  "director/targets",
  "director/snapshot",
  "director/timestamp",
] as const;
/** A role that the server signs by itself. */
export type OnlineRole = typeof ONLINE_ROLES[number];
/** Schema of {@linkcode OnlineRole}. */
export const OnlineRole: z.ZodEnum<{ [R in OnlineRole]: R }> = z.enum(ONLINE_ROLES);

/** An image that is to be listed in the signed targets. */
export const UnsignedTarget = z.object({
  path: ReleaseId,
  length: LengthBytes,
  sha256: Sha256Hex,
  custom: ImageCustom,
});
/** An image that is to be listed in the signed targets. */
export type UnsignedTarget = z.infer<typeof UnsignedTarget>;

/** New metadata with the signatures gathered so far. */
export const NextMetadata = z.object({
  roots: z.object({ image: Envelope.optional(), director: Envelope.optional() }),
  targets: Envelope.optional(),
});
/** New metadata with the signatures gathered so far. */
export type NextMetadata = z.infer<typeof NextMetadata>;

/** `GET /api/v1/signing`: all that the owners of the offline keys must know to sign. */
export const SigningRequest = z.object({
  v: V1,
  at: Instant,
  /** The newest key that the server has for each role. */
  online: z.record(OnlineRole, PublicKeyHex),
  /** Every root since the first, the present one last; empty before the first. */
  roots: z.object({
    image: z.array(Envelope).max(MAX_ROOT_ROTATIONS + 1),
    director: z.array(Envelope).max(MAX_ROOT_ROTATIONS + 1),
  }),
  /** The Image repository's targets as they are now. */
  targets: Envelope.nullable(),
  /** Releases that wait for a signature. */
  add: z.array(UnsignedTarget),
  next: NextMetadata,
});
/** All that the owners of the offline keys must know to sign. */
export type SigningRequest = z.infer<typeof SigningRequest>;

/** `PUT /api/v1/signing`: what was signed. */
export const SignedUpload = z.strictObject({ v: V1, next: NextMetadata });

/** `POST /api/v1/signing/keys`: new keys for roles that the server signs. */
export const RenewKeys = z.strictObject({ v: V1, roles: z.array(OnlineRole).min(1).max(6) });

/** One role of one repository, as it stands. */
export const RoleState = z.object({
  role: z.string(),
  /** Of its key that the root names now, and of those that wait for a new root. */
  keys: z.array(z.object({ keyid: Sha256Hex, state: z.enum(["active", "next"]) })),
  threshold: z.number().int().min(1).nullable(),
  /** `null`: there is none yet, or one for each vehicle. */
  version: z.number().int().min(1).nullable(),
  expiresAt: Instant.nullable(),
});
/** One role of one repository, as it stands. */
export type RoleState = z.infer<typeof RoleState>;

/** `GET /api/v1/signing/state`, and the answer to an upload: where both repositories stand. */
export const SigningState = z.object({
  v: V1,
  image: z.array(RoleState),
  director: z.array(RoleState),
  /** Releases that wait for a signature. */
  awaiting: z.array(ReleaseId),
});
/** Where both repositories stand. */
export type SigningState = z.infer<typeof SigningState>;
