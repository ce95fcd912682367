/**
 * What each role says, read out of documents whose signatures have been checked.
 *
 * The models of `@tufjs/models` read keys, files and targets here, one at a time. Whole roles they
 * do not read: they copy the map for every entry, which takes two minutes for 16,000
 * targets of 1.7 MB, and they keep delegations by name, where a role called "2" comes before "10"
 * whatever order was signed, although the order is the order of trust (TUF 4.5).
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { MetaFile } from "@tufjs/models/dist/file.js";
import { MAX_ROLE_NAME_CHARS } from "../limits.ts";
import {
  isObject,
  type Json,
  type JsonObject,
  type MetadataDocument,
  own,
  refusal,
} from "./document.ts";
import { readMetaFile, readTarget, type SignedTarget } from "./files.ts";
import { readRoleKeys, type RoleKeys } from "./keys.ts";
import { fitsPattern } from "./patterns.ts";

/** The roles that root names. */
export const TOP_ROLES = ["root", "timestamp", "snapshot", "targets"] as const;
/** One of them. */
export type TopRole = typeof TOP_ROLES[number];

/** Whom to believe. */
export interface RootRole {
  readonly document: MetadataDocument;
  readonly roles: Readonly<Record<TopRole, RoleKeys>>;
  readonly consistentSnapshot: boolean;
}

/** Which snapshot is the newest. */
export interface TimestampRole {
  readonly document: MetadataDocument;
  readonly snapshot: MetaFile;
}

/** Which version every targets role has. */
export interface SnapshotRole {
  readonly document: MetadataDocument;
  /** By role name. */
  readonly files: ReadonlyMap<string, MetaFile>;
}

/** A role that another one trusts with some target paths. */
export interface Delegation {
  readonly keys: RoleKeys;
  /** Whether the search ends here, found or not. */
  readonly terminating: boolean;
}

/** Targets, of the top role or a delegated one. */
export interface TargetsRole {
  readonly document: MetadataDocument;
  /** The target paths it names. */
  readonly paths: readonly string[];
  /** What it says of a target itself. */
  target(path: string): SignedTarget | undefined;
  /** Whom it trusts with a path, most trusted first. */
  delegationsFor(path: string): readonly Delegation[];
  /** Whom it trusts with anything, by name. */
  delegation(name: string): Delegation | undefined;
}

/**
 * Reads a root.
 *
 * @param document The file.
 * @returns What it says.
 * @throws {UpdateFailure} `metadataInvalid` if it cannot be read.
 */
export function readRoot(document: MetadataDocument): RootRole {
  const { name, signed } = document;
  const { keys, roles, consistent_snapshot: consistent } = signed;
  if (!isObject(keys) || !isObject(roles)) throw refusal(name, "it has no keys or no roles");
  if (consistent !== undefined && typeof consistent !== "boolean") {
    throw refusal(name, "it does not say whether snapshots are consistent");
  }
  const entries = TOP_ROLES.map((role) => {
    const entry = own(roles, role);
    if (!isObject(entry)) throw refusal(name, `it has no role "${role}"`);
    return [role, readRoleKeys(role, entry, keys)] as const;
  });
  return {
    document,
    roles: Object.fromEntries(entries) as Record<TopRole, RoleKeys>,
    consistentSnapshot: consistent === true,
  };
}

/**
 * Reads a timestamp.
 *
 * @param document The file.
 * @returns What it says.
 * @throws {UpdateFailure} `metadataInvalid` if it cannot be read.
 */
export function readTimestamp(document: MetadataDocument): TimestampRole {
  const { name, signed: { meta } } = document;
  if (!isObject(meta)) throw refusal(name, "it names no snapshot");
  return { document, snapshot: readMetaFile(name, own(meta, "snapshot.json")) };
}

/**
 * Reads a snapshot.
 *
 * @param document The file.
 * @returns What it says.
 * @throws {UpdateFailure} `metadataInvalid` if it cannot be read.
 */
export function readSnapshot(document: MetadataDocument): SnapshotRole {
  const { name, signed: { meta } } = document;
  if (!isObject(meta)) throw refusal(name, "it names no files");
  const files = new Map(
    Object.keys(meta).filter((file) => file.endsWith(".json"))
      .map((file) => [file.slice(0, -".json".length), readMetaFile(name, meta[file])]),
  );
  return { document, files };
}

/**
 * Reads targets. Its entries are read when they are asked for: there may be many.
 *
 * @param document The file.
 * @returns What it says.
 * @throws {UpdateFailure} `metadataInvalid` if it cannot be read.
 */
export function readTargets(document: MetadataDocument): TargetsRole {
  const { name, signed: { targets, delegations } } = document;
  if (!isObject(targets)) throw refusal(name, "it has no targets");
  const trusted = delegations === undefined ? [] : readDelegations(name, delegations);
  return {
    document,
    paths: Object.keys(targets),
    target: (path) => {
      const entry = own(targets, path);
      return entry === undefined ? undefined : readTarget(name, path, entry);
    },
    delegationsFor: (path) => trusted.flatMap((one) => one.forPath(path) ?? []),
    delegation: (wanted) => trusted.flatMap((one) => one.named(wanted) ?? [])[0],
  };
}

/** One entry of `delegations`, or the whole tree of hash bins. */
interface DelegationRule {
  forPath(path: string): Delegation | undefined;
  named(name: string): Delegation | undefined;
}

function readDelegations(name: string, value: Json): DelegationRule[] {
  if (!isObject(value) || !isObject(value.keys)) {
    throw refusal(name, "its delegations are no object");
  }
  const { keys, roles, succinct_roles: bins } = value;
  if (roles !== undefined && bins !== undefined) {
    throw refusal(name, "it delegates by roles and by hash bins");
  }
  if (bins !== undefined) return [readBins(name, value)];
  if (!Array.isArray(roles)) throw refusal(name, "its delegations have no roles");
  const rules = (roles as readonly Json[]).map((role) => readDelegation(name, role, keys));
  const names = rules.map((rule) => rule.name);
  if (new Set(names).size !== names.length) throw refusal(name, "it delegates to a role twice");
  return rules;
}

function readDelegation(
  delegator: string,
  role: Json,
  keys: JsonObject,
): DelegationRule & { readonly name: string } {
  if (!isObject(role)) throw refusal(delegator, "a delegation is no object");
  const { name, terminating, paths, path_hash_prefixes: prefixes } = role;
  if (typeof name !== "string" || typeof terminating !== "boolean") {
    throw refusal(delegator, "a delegation has no name or does not say whether it terminates");
  }
  checkName(delegator, name);
  // TUF 4.5: exactly one of the two.
  if ((paths === undefined) === (prefixes === undefined)) {
    throw refusal(delegator, `its delegation to "${name}" has not one list of paths`);
  }
  const list = paths ?? prefixes;
  if (!Array.isArray(list) || !list.every((each) => typeof each === "string")) {
    throw refusal(delegator, `its delegation to "${name}" has no list of paths`);
  }
  const patterns = list as readonly string[];
  const delegation = { keys: readRoleKeys(name, role, keys), terminating };
  const fits = (path: string) =>
    paths !== undefined
      ? patterns.some((pattern) => fitsPattern(pattern, path))
      : patterns.some((prefix) => pathHash(path).startsWith(prefix));
  return {
    name,
    forPath: (path) => fits(path) ? delegation : undefined,
    named: (wanted) => wanted === name ? delegation : undefined,
  };
}

/** TAP 15: every path belongs to one bin, named by the first bits of its digest. */
function readBins(name: string, delegations: JsonObject): DelegationRule {
  const { succinct_roles: bins, keys } = delegations;
  const { bit_length: bits, name_prefix: prefix } = isObject(bins) ? bins : {} as JsonObject;
  if (
    !isObject(bins) || !isObject(keys) || typeof prefix !== "string" ||
    !Number.isSafeInteger(bits) || (bits as number) < 1 || (bits as number) > 32
  ) {
    throw refusal(name, "its hash bins cannot be read");
  }
  const role = readRoleKeys(name, bins, keys);
  const digits = (2 ** (bits as number) - 1).toString(16).length;
  const nameOf = (index: number) => `${prefix}-${index.toString(16).padStart(digits, "0")}`;
  checkName(name, nameOf(0));
  const bin = (of: string) => ({ keys: { ...role, name: of }, terminating: true });
  return {
    forPath: (path) => {
      const first = createHash("sha256").update(path).digest().readUInt32BE(0);
      return bin(nameOf(first >>> (32 - (bits as number))));
    },
    named: (wanted) => {
      const index = parseInt(wanted.slice(-digits), 16);
      return index < 2 ** (bits as number) && wanted === nameOf(index) ? bin(wanted) : undefined;
    },
  };
}

/** A delegated role called "root" would be stored, and named by the snapshot, as another. */
function checkName(delegator: string, name: string): void {
  if (name === "" || name.length > MAX_ROLE_NAME_CHARS || TOP_ROLES.some((top) => top === name)) {
    throw refusal(delegator, `it delegates to "${name.slice(0, 2 * MAX_ROLE_NAME_CHARS)}"`);
  }
}

function pathHash(path: string): string {
  return createHash("sha256").update(path).digest("hex");
}
