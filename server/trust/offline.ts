/**
 * What the owners of the offline keys sign: the next root, the next targets. Made here, away from
 * the server, out of what it asks for; it hands out no finished text to be signed blindly. Pure.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { IMAGE_TARGETS_VALID_MS, MIN_OFFLINE_THRESHOLD, ROOT_VALID_MS } from "shared/limits.ts";
import type { Millis } from "shared/clock.ts";
import {
  type Envelope,
  type OnlineRole,
  REPOSITORIES,
  type Repository,
  type SigningRequest,
  type UnsignedTarget,
} from "shared/protocol/signing.ts";
import { CARRIERS_PATHS, CARRIERS_ROLE } from "shared/protocol/signed_targets.ts";
import { keyIdOf, tufKey } from "./keys.ts";
import {
  commonOf,
  readRoot,
  requireSigned,
  type RootMetadata,
  rootName,
  signedPart,
} from "./metadata.ts";

/** Offline roles of each repository. */
export const OFFLINE_ROLES = {
  image: ["root", "targets"],
  director: ["root"],
} as const satisfies Record<Repository, readonly string[]>;
/** A role that is signed away from the server. */
export type OfflineRole = "root" | "targets";

/** What is to become of the offline keys. */
export interface RootChange {
  /** Public keys, hex, by role: those that come in. For the first root, all. */
  readonly add: Readonly<Partial<Record<OfflineRole, readonly string[]>>>;
  /** Ids of keys that go, offline ones. */
  readonly drop: ReadonlySet<string>;
  /** Signatures that offline roles ask for; that of the root before, unless it is given. */
  readonly threshold?: number;
  /** Make a new root even if nothing but its expiry changes. */
  readonly renew: boolean;
  readonly nowMs: Millis;
}

/**
 * The root after the present one, unsigned.
 *
 * @param request What the server says; its root must have been checked.
 * @param repository Whose root.
 * @param change What is to change beside the keys of the server.
 * @returns The root, or `undefined` if it would say the same.
 * @throws {UpdateFailure} `badRequest` If too few keys would be left for the threshold.
 */
export function nextRoot(
  request: SigningRequest,
  repository: Repository,
  change: RootChange,
): Envelope | undefined {
  const present = request.roots[repository].at(-1);
  const before = present === undefined ? undefined : readRoot(present);
  const keys: Record<string, unknown> = {};
  const roles: Record<string, { keyids: string[]; threshold: number }> = {};
  const give = (role: string, publics: readonly string[], threshold: number) => {
    for (const each of publics) keys[keyIdOf(each)] = tufKey(each);
    roles[role] = { keyids: publics.map(keyIdOf).toSorted(), threshold };
  };
  for (const role of OFFLINE_ROLES[repository]) {
    const publics = offlineKeys(before, role, change);
    const old = before?.signed.roles[role]?.threshold;
    const threshold = change.threshold ?? old ?? MIN_OFFLINE_THRESHOLD;
    if (publics.length < threshold) {
      throw new UpdateFailure(
        "badRequest",
        role,
        `Cannot make ${
          rootName(repository)
        }: the role ${role} would have ${publics.length} keys, ` +
          `and ${threshold} must sign`,
      );
    }
    give(role, publics, threshold);
  }
  for (const role of onlineRolesOf(repository)) {
    if (role !== CARRIERS_ROLE) give(role, [onlineKey(request, `${repository}/${role}`)], 1);
  }
  const fields = { consistent_snapshot: true, keys, roles };
  if (before !== undefined && !change.renew && sameKeys(before, fields)) return undefined;
  const common = {
    version: (before?.signed.version ?? 0) + 1,
    expiresAtMs: change.nowMs + ROOT_VALID_MS,
  };
  return { signatures: [], signed: signedPart("root", common, fields) };
}

function offlineKeys(
  before: RootMetadata | undefined,
  role: OfflineRole,
  { add, drop }: RootChange,
): string[] {
  const ids = before?.signed.roles[role]?.keyIDs ?? [];
  const known = ids.map((id) => before!.signed.keys[id]!.keyVal.public!);
  return [...new Set([...known, ...add[role] ?? []])].filter((each) => !drop.has(keyIdOf(each)));
}

function sameKeys(
  before: RootMetadata,
  { roles }: { readonly roles: Readonly<Record<string, { keyids: string[]; threshold: number }>> },
): boolean {
  return Object.entries(roles).every(([role, { keyids, threshold }]) => {
    const old = before.signed.roles[role]!;
    return old.threshold === threshold && old.keyIDs.toSorted().join() === keyids.join();
  });
}

/**
 * The roles of a repository that the server signs.
 *
 * @param repository Which one.
 * @returns Their names, without the repository.
 */
export function onlineRolesOf(repository: Repository): readonly string[] {
  return repository === "image"
    ? ["snapshot", "timestamp", CARRIERS_ROLE]
    : ["targets", "snapshot", "timestamp"];
}

/** The newest key that the server has for a role, hex. */
export function onlineKey(request: SigningRequest, role: string): string {
  return request.online[role as OnlineRole];
}

/** What the next targets are made with. */
export interface TargetsOptions {
  readonly nowMs: Millis;
  /** The highest version that these keys ever signed; a server that lost its records knows less. */
  readonly signedVersion: number;
}

/**
 * The targets after the present ones: those that are signed, as they are, and those that wait.
 *
 * @param request What the server says.
 * @param options The time, and what was signed before.
 * @returns The targets, unsigned.
 */
export function nextTargets(request: SigningRequest, options: TargetsOptions): Envelope {
  const { targets: present, add } = request;
  const before = present === null ? 0 : commonOf(present, "the targets").version;
  const targets = { ...present === null ? {} : targetsOf(present) };
  for (const each of add) targets[each.path] = targetOf(each);
  const carriers = onlineKey(request, `image/${CARRIERS_ROLE}`);
  const common = {
    version: Math.max(before, options.signedVersion) + 1,
    expiresAtMs: options.nowMs + IMAGE_TARGETS_VALID_MS,
  };
  const delegations = {
    keys: { [keyIdOf(carriers)]: tufKey(carriers) },
    roles: [{
      name: CARRIERS_ROLE,
      keyids: [keyIdOf(carriers)],
      threshold: 1,
      paths: CARRIERS_PATHS,
      // What this role does not list is listed nowhere: no reason to look further.
      terminating: true,
    }],
  };
  return { signatures: [], signed: signedPart("targets", common, { targets, delegations }) };
}

/**
 * A target as metadata lists it.
 *
 * @param target The image.
 * @returns Length, hashes and `custom`.
 */
export function targetOf({ length, sha256, custom }: UnsignedTarget): Record<string, unknown> {
  return { length, hashes: { sha256 }, custom };
}

/**
 * The targets that metadata lists.
 *
 * @param envelope Targets metadata.
 * @returns By path.
 */
export function targetsOf({ signed }: Envelope): Record<string, unknown> {
  const { targets } = signed;
  return targets !== null && typeof targets === "object" ? targets as Record<string, unknown> : {};
}

/**
 * Refuses a request whose roots do not follow from the one that is known here: a server that was
 * broken into could ask to have its own keys signed.
 *
 * @param request What the server says.
 * @param known The roots that this folder of keys last signed or saw, if any.
 * @throws {UpdateFailure} `signingOutdated` if the server has an older one, `signingDiffers` if it
 * has another one, `signatureMissing` if one does not follow from the one before it.
 */
export function checkRoots(
  request: SigningRequest,
  known: { readonly [R in Repository]?: Envelope | undefined },
): void {
  for (const repository of REPOSITORIES) {
    const what = rootName(repository);
    let before: RootMetadata | undefined;
    for (const envelope of request.roots[repository]) {
      before = checkNextRoot(before, envelope, what);
    }
    const mine = known[repository];
    if (mine === undefined) continue;
    const { version } = commonOf(mine, what);
    const same = request.roots[repository][version - 1];
    if (same === undefined) {
      throw new UpdateFailure(
        "signingOutdated",
        repository,
        `Cannot sign: ${what} has version ${
          before?.signed.version ?? 0
        } on the server, and these ` +
          `keys know version ${version}`,
      );
    }
    if (canonicalText(same.signed) === canonicalText(mine.signed)) continue;
    throw new UpdateFailure(
      "signingDiffers",
      repository,
      `Cannot sign: ${what} of version ${version} says something else on the server`,
    );
  }
}

/**
 * Checks that a root follows from the one before it (TUF 5.3.4 and 5.3.5).
 *
 * @param before The one before; `undefined`: this is to be the first.
 * @param envelope The root.
 * @param what What it is called in messages.
 * @returns It, read.
 * @throws {UpdateFailure} `signingOutdated` if its version is not the next one, `signatureMissing`
 * if the keys of the one before, or its own, have not signed.
 */
export function checkNextRoot(
  before: RootMetadata | undefined,
  envelope: Envelope,
  what: string,
): RootMetadata {
  const root = readRoot(envelope);
  const wanted = (before?.signed.version ?? 0) + 1;
  if (root.signed.version !== wanted) {
    throw new UpdateFailure(
      "signingOutdated",
      what,
      `Cannot take ${what}: its version is ${root.signed.version}, and the next one is ${wanted}`,
    );
  }
  if (before !== undefined) requireSigned(before, "root", { envelope, what });
  requireSigned(root, "root", { envelope, what });
  return root;
}

/** Equal for values that are equal, whatever the order of their keys. */
function canonicalText(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, each) =>
      each !== null && typeof each === "object" && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => a < b ? -1 : 1))
        : each,
  );
}
