/**
 * TUF metadata as text: made, signed and checked with `@tufjs/models`. The signed part stays the
 * plain JSON that it is, never the library's own reading of it: what is signed is what is sent, and
 * a list of a thousand targets takes a millisecond, not seconds (each of the library's copies is
 * quadratic in the number of targets).
 *
 * @module
 */
import { Metadata, MetadataKind, type Root, Signature, Targets } from "@tufjs/models";
import { UpdateFailure } from "shared/failure.ts";
import type { Envelope, Repository } from "shared/protocol/signing.ts";
import type { SigningKey } from "./keys.ts";

/** The version of the specification that is followed. */
export const SPEC_VERSION = "1.0.34";

/** The signed part of metadata. */
export type SignedPart = Envelope["signed"];

/** Fields that every role has (TUF 4.3). */
export interface Common {
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

/**
 * A point in time as TUF 4.2.1 writes it.
 *
 * @param atMs Milliseconds since the epoch.
 * @returns UTC with seconds.
 */
export function tufTime(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}

/**
 * The signed part of a role's metadata.
 *
 * @param type The role, `targets` for a delegated one.
 * @param common Version and expiry.
 * @param fields What this role has beside the common fields.
 * @returns Plain JSON.
 */
export function signedPart(
  type: "root" | "targets" | "snapshot" | "timestamp",
  { version, expiresAtMs }: Common,
  fields: Readonly<Record<string, unknown>>,
): SignedPart {
  return {
    _type: type,
    spec_version: SPEC_VERSION,
    version,
    expires: tufTime(expiresAtMs),
    ...fields,
  };
}

/** What the library asks of a signed part: its JSON. */
class Plain {
  constructor(readonly part: SignedPart) {}

  toJSON(): SignedPart {
    return this.part;
  }
}

function plainMetadata({ signed, signatures }: Envelope): Metadata<Root> {
  const known = Object.fromEntries(
    signatures.map(({ keyid, sig }) => [keyid, new Signature({ keyID: keyid, sig })]),
  );
  return new Metadata(new Plain(signed) as unknown as Root, known);
}

/**
 * Adds signatures; one that a key made before is made again.
 *
 * @param envelope The metadata.
 * @param keys Who signs.
 * @returns The metadata with their signatures, by key id.
 */
export function withSignatures(envelope: Envelope, keys: Iterable<SigningKey>): Envelope {
  const metadata = plainMetadata(envelope);
  for (const key of keys) {
    metadata.sign((bytes) => new Signature({ keyID: key.keyId, sig: key.sign(bytes) }));
  }
  const signatures = Object.values(metadata.signatures)
    .map(({ keyID, sig }) => ({ keyid: keyID, sig }))
    .toSorted((a, b) => a.keyid < b.keyid ? -1 : 1);
  return { signatures, signed: envelope.signed };
}

/** A role's keys and threshold, and who else may say so. */
export interface Authority {
  readonly keyIds: readonly string[];
  readonly threshold: number;
  /** How many of the keys have signed. */
  readonly signedBy: number;
}

/** Root metadata that was read. */
export type RootMetadata = Metadata<Root>;

/**
 * Reads root metadata.
 *
 * @param envelope The metadata.
 * @returns The root.
 * @throws {UpdateFailure} `badRequest` If it is none, or has keys that are not Ed25519.
 */
export function readRoot(envelope: Envelope): RootMetadata {
  const root = guarded("root", () => Metadata.fromJSON(MetadataKind.Root, envelope as never));
  const { keys, roles } = root.signed;
  for (const [id, key] of Object.entries(keys)) {
    if (key.keyType === "ed25519" && key.scheme === "ed25519") continue;
    throw bad("root", `key ${id} is of type ${key.keyType}, and only ed25519 is taken`);
  }
  for (const [name, role] of Object.entries(roles)) {
    const missing = role.keyIDs.find((id) => !Object.hasOwn(keys, id));
    if (missing !== undefined) throw bad("root", `role ${name} names key ${missing}, not listed`);
  }
  return root;
}

/**
 * How many keys of a role have signed metadata.
 *
 * @param root Who says which keys they are.
 * @param role The role.
 * @param envelope The metadata.
 * @returns The role and the count.
 */
export function authority(root: RootMetadata, role: string, envelope: Envelope): Authority {
  const { keyIDs, threshold } = root.signed.roles[role]!;
  const metadata = plainMetadata(envelope);
  const signers = keyIDs.filter((id) => {
    try {
      root.signed.keys[id]!.verifySignature(metadata);
      return true;
    } catch {
      return false; // Not signed by it, or not so that it holds.
    }
  });
  return { keyIds: keyIDs, threshold, signedBy: new Set(signers).size };
}

/**
 * Refuses metadata that too few keys of its role have signed.
 *
 * @param root Who says which keys they are.
 * @param role The role.
 * @param envelope The metadata.
 * @param what What it is called in the message.
 * @throws {UpdateFailure} `signatureMissing` If the threshold is not met.
 */
export function requireSigned(
  root: RootMetadata,
  role: string,
  { envelope, what }: { readonly envelope: Envelope; readonly what: string },
): void {
  try {
    root.verifyDelegate(role, plainMetadata(envelope));
  } catch (cause) {
    const { threshold, signedBy } = authority(root, role, envelope);
    throw new UpdateFailure(
      "signatureMissing",
      what,
      `Cannot take ${what}: ${signedBy} of the ${threshold} signatures that the role ${role} of ` +
        `root version ${root.signed.version} asks for are there`,
      { cause },
    );
  }
}

/**
 * Reads what is common to all roles.
 *
 * @param envelope The metadata.
 * @param what What it is called in messages.
 * @returns Version and expiry.
 * @throws {UpdateFailure} `badRequest` If one is missing or odd.
 */
export function commonOf({ signed }: Envelope, what: string): Common {
  const { version, expires } = signed;
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1) {
    throw bad(what, `its version is ${JSON.stringify(version)}`);
  }
  const expiresAtMs = typeof expires === "string" ? Date.parse(expires) : NaN;
  if (!Number.isFinite(expiresAtMs)) throw bad(what, `its expiry is ${JSON.stringify(expires)}`);
  return { version, expiresAtMs };
}

/**
 * The one key of a role that the server signs.
 *
 * @param root The root.
 * @param role The role.
 * @returns The key's public part, hex, or `undefined` if it has another number of keys.
 */
export function onlineKeyOf(root: RootMetadata, role: string): string | undefined {
  const { keyIDs, threshold } = root.signed.roles[role]!;
  return keyIDs.length === 1 && threshold === 1
    ? root.signed.keys[keyIDs[0]!]!.keyVal.public
    : undefined;
}

/** The delegation of the role for carriers, as the signed targets name it. */
export interface CarriersDelegation {
  /** The key's public part, hex. */
  readonly publicHex: string;
  readonly paths: readonly string[];
}

/**
 * Reads to whom targets metadata delegates.
 *
 * @param envelope Targets metadata.
 * @param role The only role that may be there.
 * @returns Its key and paths.
 * @throws {UpdateFailure} `badRequest` If there is none, another one, or it has several keys.
 */
export function delegationOf({ signed }: Envelope, role: string): CarriersDelegation {
  // Without the list itself, which is read by our own schema and may be long.
  const { delegations } = guarded(
    "targets",
    () => Targets.fromJSON({ ...signed, targets: {} } as never),
  );
  const roles = Object.values(delegations?.roles ?? {});
  const [only] = roles;
  if (only === undefined || roles.length !== 1 || only.name !== role) {
    throw bad("targets", `they must delegate to the role ${role} and to no other`);
  }
  const key = only.keyIDs.length === 1 && only.threshold === 1
    ? delegations!.keys[only.keyIDs[0]!]
    : undefined;
  if (key?.keyVal.public === undefined || key.scheme !== "ed25519") {
    throw bad("targets", `the role ${role} must have one ed25519 key`);
  }
  return { publicHex: key.keyVal.public, paths: only.paths ?? [] };
}

/** The name of a repository's root in messages. */
export function rootName(repository: Repository): string {
  return `the root of the ${repository === "image" ? "Image" : "Director"} repository`;
}

function guarded<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof UpdateFailure) throw cause;
    throw bad(what, (cause as Error).message, cause);
  }
}

function bad(what: string, found: string, cause?: unknown): UpdateFailure {
  return new UpdateFailure("badRequest", what, `Cannot read ${what}: ${found}`, { cause });
}
