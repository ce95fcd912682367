/**
 * What the server signs by itself, inside one transaction: the carriers' list, snapshot and
 * timestamp of the Image repository, and the Director's word to one vehicle. Nothing is written
 * while nothing has changed and all of it holds for a while yet.
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import type { Millis } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import {
  KEPT_METADATA_VERSIONS,
  LEAF_BYTES,
  MAX_SIGNED_CARRIERS,
  MAX_SNAPSHOT_BYTES,
  MAX_TARGETS_BYTES,
  MAX_TIMESTAMP_BYTES,
  ONLINE_VALID_MS,
  RESIGN_SHARE,
  TIMESTAMP_VALID_MS,
} from "shared/limits.ts";
import { sha256Hex } from "shared/node/digest.ts";
import { parseJsonAs } from "shared/parse.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import {
  type CarrierCustom,
  CARRIERS_ROLE,
  type DirectorCustom,
} from "shared/protocol/signed_targets.ts";
import { Envelope } from "shared/protocol/signing.ts";
import type { Records } from "../ports.ts";
import type { KeyVault, MetadataName, MetadataRow, RootedCarrier } from "../ports_metadata.ts";
import type { SigningKey } from "../trust/keys.ts";
import {
  delegationOf,
  onlineKeyOf,
  readRoot,
  type RootMetadata,
  signedPart,
  withSignatures,
} from "../trust/metadata.ts";

/** Versions of what the server signs count seconds from here, 2026: see {@linkcode nextVersion}. */
const VERSION_EPOCH_S = 1_767_225_600;

/** What signing needs. */
export interface SignContext {
  readonly tables: Records;
  readonly vault: KeyVault;
  readonly nowMs: Millis;
}

/** What a role's metadata is to say. */
interface Wanted {
  readonly name: MetadataName;
  readonly key: SigningKey;
  readonly type: "targets" | "snapshot" | "timestamp";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly validMs: Millis;
  readonly maxBytes: number;
}

/**
 * The version after one. It rises by the clock, so that a server whose records were restored from
 * a backup does not sign versions a second time that vehicles have seen.
 *
 * @param before The version before; 0 if there is none.
 * @param nowMs The time.
 * @returns A higher one.
 */
export function nextVersion(before: number, nowMs: Millis): number {
  return Math.max(before, Math.floor(nowMs / 1000) - VERSION_EPOCH_S) + 1;
}

/**
 * Whether metadata has used up so much of its time that it is to be signed again.
 *
 * @param expiresAtMs When it ends.
 * @param validMs How long it held at first.
 * @param nowMs The time.
 * @returns Whether it is due.
 */
export function isDue(expiresAtMs: Millis, validMs: Millis, nowMs: Millis): boolean {
  return expiresAtMs - nowMs <= dueLeftMs(validMs);
}

/** What is left of metadata's time when it is due. */
export function dueLeftMs(validMs: Millis): Millis {
  return validMs - validMs / RESIGN_SHARE;
}

/**
 * The present root of a repository.
 *
 * @param tables The records.
 * @param repository Which one.
 * @returns The root, or `undefined` before the first.
 */
export async function presentRoot(
  tables: Records,
  repository: "image" | "director",
): Promise<RootMetadata | undefined> {
  const row = await tables.metadata({ repository, vin: "", role: "root" });
  return row === undefined ? undefined : readRoot(envelopeOf(row));
}

/**
 * Stored metadata, read again.
 *
 * @param row The row.
 * @returns Its frame.
 */
export function envelopeOf(row: MetadataRow): Envelope {
  const { repository, role, version } = row;
  return parseJsonAs(Envelope, row.body, {
    what: `${repository} ${version}.${role}`,
    failure: "storeFailed",
    maxBytes: MAX_TARGETS_BYTES,
  });
}

/**
 * Brings carriers, snapshot and timestamp of the Image repository up to date.
 *
 * @param context The records, in a transaction for writing, and the keys.
 * @returns Whether there is a new timestamp.
 */
export async function signImage(context: SignContext): Promise<boolean> {
  const { tables } = context;
  const root = await presentRoot(tables, "image");
  const name = (role: string): MetadataName => ({ repository: "image", vin: "", role });
  const targets = await tables.metadata(name("targets"));
  if (root === undefined || targets === undefined) return false;
  const { publicHex } = delegationOf(envelopeOf(targets), CARRIERS_ROLE);
  const listed = await tables.signableCarriers(MAX_SIGNED_CARRIERS);
  const carriers = await ensure(context, {
    name: name(CARRIERS_ROLE),
    key: heldKey(context, publicHex, CARRIERS_ROLE),
    type: "targets",
    fields: { targets: Object.fromEntries(listed.map(carrierTarget)) },
    validMs: ONLINE_VALID_MS,
    maxBytes: MAX_TARGETS_BYTES,
  });
  const meta = { "targets.json": metaOf(targets), "carriers.json": metaOf(carriers.row) };
  return await signTop(context, { root, name, meta });
}

/**
 * Brings the Director's word to one vehicle up to date.
 *
 * @param context The records, in a transaction for writing, and the keys.
 * @param vin The vehicle.
 * @param told What it is told.
 * @returns Whether there is a new timestamp.
 */
export async function signDirector(
  context: SignContext,
  vin: string,
  told: DirectorTargets | null,
): Promise<boolean> {
  const root = await presentRoot(context.tables, "director");
  if (root === undefined) return false;
  const name = (role: string): MetadataName => ({ repository: "director", vin, role });
  const targets = await ensure(context, {
    name: name("targets"),
    key: rootKey(context, root, "targets"),
    type: "targets",
    fields: { targets: directorTargets(told), custom: { v: 1, vin } },
    validMs: ONLINE_VALID_MS,
    maxBytes: MAX_TARGETS_BYTES,
  });
  return await signTop(context, { root, name, meta: { "targets.json": metaOf(targets.row) } });
}

/** Snapshot and timestamp above what they list. */
async function signTop(
  context: SignContext,
  { root, name, meta }: {
    readonly root: RootMetadata;
    readonly name: (role: string) => MetadataName;
    readonly meta: Readonly<Record<string, unknown>>;
  },
): Promise<boolean> {
  const snapshot = await ensure(context, {
    name: name("snapshot"),
    key: rootKey(context, root, "snapshot"),
    type: "snapshot",
    fields: { meta },
    validMs: ONLINE_VALID_MS,
    maxBytes: MAX_SNAPSHOT_BYTES,
  });
  const timestamp = await ensure(context, {
    name: name("timestamp"),
    key: rootKey(context, root, "timestamp"),
    type: "timestamp",
    fields: { meta: { "snapshot.json": metaOf(snapshot.row) } },
    validMs: TIMESTAMP_VALID_MS,
    maxBytes: MAX_TIMESTAMP_BYTES,
  });
  return timestamp.fresh;
}

/** The newest version if it says what is wanted and holds for a while; else a new one. */
async function ensure(
  { tables, nowMs }: SignContext,
  { name, key, type, fields, validMs, maxBytes }: Wanted,
): Promise<{ row: MetadataRow; fresh: boolean }> {
  const before = await tables.metadata(name);
  if (before !== undefined && before.keyId === key.keyId) {
    const { signed } = envelopeOf(before);
    const same = Object.entries(fields).every(([field, value]) =>
      JSON.stringify(signed[field]) === JSON.stringify(value)
    );
    if (same && !isDue(before.expiresAtMs, validMs, nowMs)) return { row: before, fresh: false };
  }
  const common = {
    version: nextVersion(before?.version ?? 0, nowMs),
    expiresAtMs: nowMs + validMs,
  };
  const signed = signedPart(type, common, fields);
  const body = JSON.stringify(withSignatures({ signatures: [], signed }, [key]));
  const { length } = new TextEncoder().encode(body);
  if (length > maxBytes) {
    throw new UpdateFailure(
      "requestTooLarge",
      name.role,
      `Cannot sign ${name.repository} ${name.role}: it has ${length} bytes, and vehicles take ` +
        `at most ${maxBytes}`,
    );
  }
  const row = { ...name, ...common, body, keyId: key.keyId };
  await tables.putMetadata(row, KEPT_METADATA_VERSIONS);
  return { row, fresh: true };
}

/** How the role above lists metadata (TUF 4.4, 4.6): with length and digest, so that none is fed more. */
function metaOf({ version, body }: MetadataRow): Record<string, unknown> {
  const bytes = new TextEncoder().encode(body);
  return { version, length: bytes.length, hashes: { sha256: sha256Hex(bytes) } };
}

function carrierTarget({ carrier, merkleRoot }: RootedCarrier): [string, unknown] {
  const { carrierSha256, format, sha256, baseSha256, lengthBytes } = carrier;
  const custom: CarrierCustom = {
    v: 1,
    format,
    sha256,
    ...(baseSha256 === undefined ? {} : { baseSha256 }),
    merkle: { alg: "sha256-rfc6962", leafBytes: LEAF_BYTES, root: merkleRoot },
  };
  return [carrierSha256, { length: lengthBytes, hashes: { sha256: carrierSha256 }, custom }];
}

/** One target an image, however many ECUs it is for. */
function directorTargets(told: DirectorTargets | null): Record<string, unknown> {
  if (told === null || told.campaign === null) return {};
  const { campaign, deadline, preconditions } = told;
  const images = new Map<string, { length: number; sha256: string; ecus: [string, string][] }>();
  for (const [serial, { hardware, release }] of Object.entries(told.ecus)) {
    const path = `${release.hardware}/${release.version}`;
    const image = images.get(path) ??
      { length: release.lengthBytes, sha256: release.sha256, ecus: [] };
    invariant(image.sha256 === release.sha256, "one release is one image");
    image.ecus.push([serial, hardware]);
    images.set(path, image);
  }
  const paths = [...images.keys()].toSorted();
  return Object.fromEntries(paths.map((path, order) => {
    const { length, sha256, ecus } = images.get(path)!;
    const custom: DirectorCustom = {
      v: 1,
      ecus: Object.fromEntries(ecus.map(([serial, hardware]) => [serial, { hardware }])),
      campaign,
      action: "install",
      order,
      ...(deadline === undefined ? {} : { deadline }),
      preconditions,
    };
    return [path, { length, hashes: { sha256 }, custom }];
  }));
}

function rootKey(context: SignContext, root: RootMetadata, role: string): SigningKey {
  return heldKey(context, onlineKeyOf(root, role) ?? "", role);
}

/** @throws {UpdateFailure} `keyUnknown` If it is not here: it was lost, or the root is not ours. */
function heldKey({ vault }: SignContext, publicHex: string, role: string): SigningKey {
  const key = vault.byPublic(publicHex);
  if (key !== undefined) return key;
  throw new UpdateFailure(
    "keyUnknown",
    role,
    `Cannot sign as ${role}: the key that the root names is not on this server; sign a new root`,
  );
}
