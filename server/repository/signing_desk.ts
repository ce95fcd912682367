/**
 * Hands out what is to be signed away from the server, and takes back what was: all of it in one
 * transaction, or nothing.
 *
 * @module
 */
import { type Clock, isoTime } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import {
  LEAF_BYTES,
  MAX_ROOT_BYTES,
  MAX_ROOT_ROTATIONS,
  MAX_TARGETS_BYTES,
} from "shared/limits.ts";
import { CARRIERS_PATHS, CARRIERS_ROLE } from "shared/protocol/signed_targets.ts";
import {
  type Envelope,
  type NextMetadata,
  ONLINE_ROLES,
  type OnlineRole,
  REPOSITORIES,
  type Repository,
  type RoleState,
  type SigningRequest,
  type SigningState,
  type UnsignedTarget,
} from "shared/protocol/signing.ts";
import { loadRelease } from "../campaign/settle.ts";
import type { Records, RecordStore } from "../ports.ts";
import type { KeyVault } from "../ports_metadata.ts";
import { keyIdOf } from "../trust/keys.ts";
import {
  commonOf,
  delegationOf,
  onlineKeyOf,
  requireSigned,
  type RootMetadata,
  rootName,
} from "../trust/metadata.ts";
import { checkNextRoot, OFFLINE_ROLES, onlineRolesOf } from "../trust/offline.ts";
import { readTargets } from "../trust/review.ts";
import { envelopeOf, presentRoot, signImage } from "./online.ts";

/** What the desk needs. */
export interface DeskPorts {
  readonly records: RecordStore;
  readonly vault: KeyVault;
  readonly clock: Clock;
}

/** The desk of one server. */
export class SigningDesk {
  constructor(readonly ports: DeskPorts) {}

  /**
   * What is to be signed.
   *
   * @param releases Which ones; by default every published one that waits.
   * @returns The request.
   * @throws {UpdateFailure} `releaseUnknown` If there is no such release.
   */
  async request(releases?: readonly string[]): Promise<SigningRequest> {
    const { records, vault, clock } = this.ports;
    return await records.read(async (tables) => {
      const targets = await tables.metadata({ repository: "image", vin: "", role: "targets" });
      const signed = targets === undefined ? {} : readTargets(envelopeOf(targets));
      const add: UnsignedTarget[] = [];
      for (const id of releases ?? await tables.unsignedReleases()) {
        const wanted = await unsignedTarget(tables, id);
        if (signed[id]?.sha256 !== wanted.sha256) add.push(wanted);
      }
      return {
        v: 1,
        at: isoTime(clock.now()),
        online: onlineKeys(vault),
        roots: {
          image: (await tables.roots("image")).map(envelopeOf),
          director: (await tables.roots("director")).map(envelopeOf),
        },
        targets: targets === undefined ? null : envelopeOf(targets),
        add,
        next: { roots: {} },
      };
    });
  }

  /**
   * Takes what was signed.
   *
   * @param next New roots and targets.
   * @throws {UpdateFailure} The first thing that does not hold; then nothing has changed.
   */
  async accept(next: NextMetadata): Promise<void> {
    const { records, vault, clock } = this.ports;
    const nowMs = clock.now();
    await records.write(async (tables) => {
      for (const repository of REPOSITORIES) {
        const envelope = next.roots[repository];
        if (envelope !== undefined) await this.#putRoot(tables, repository, envelope);
      }
      const root = await presentRoot(tables, "image");
      if (root === undefined && next.targets === undefined) return;
      await this.#putTargets(tables, root, next);
      await signImage({ tables, vault, nowMs });
    });
    await this.#forgetKeys();
  }

  async #putRoot(tables: Records, repository: Repository, envelope: Envelope): Promise<void> {
    const what = rootName(repository);
    const present = await presentRoot(tables, repository);
    const root = checkNextRoot(present, envelope, what);
    const { version, expiresAtMs } = commonOf(envelope, what);
    this.#refuseExpired(what, expiresAtMs);
    if (version > MAX_ROOT_ROTATIONS) {
      throw refused(what, `it is the ${version}th, and vehicles follow ${MAX_ROOT_ROTATIONS}`);
    }
    if (!root.signed.consistentSnapshot) throw refused(what, "it is without consistent snapshots");
    for (const role of onlineRolesOf(repository)) {
      if (role === CARRIERS_ROLE) continue;
      this.#refuseForeignKey(what, role, onlineKeyOf(root, role));
    }
    const body = bounded(what, envelope, MAX_ROOT_BYTES);
    const row = { repository, vin: "", role: "root", version, body, expiresAtMs, keyId: "" };
    await tables.putMetadata(row, MAX_ROOT_ROTATIONS + 1);
  }

  /** New targets, or the present ones under a new root. */
  async #putTargets(
    tables: Records,
    root: RootMetadata | undefined,
    next: NextMetadata,
  ): Promise<void> {
    const what = "the targets";
    const name = { repository: "image", vin: "", role: "targets" } as const;
    const present = await tables.metadata(name);
    const envelope = next.targets ?? (present && envelopeOf(present));
    if (root === undefined) {
      throw new UpdateFailure("rootMissing", what, `Cannot take ${what}: there is no root yet`);
    }
    if (envelope === undefined) throw refused(what, "none came along with the first root");
    // Also if only the root is new: it may have taken back a key that the present ones need.
    requireSigned(root, "targets", { envelope, what });
    const { publicHex, paths } = delegationOf(envelope, CARRIERS_ROLE);
    this.#refuseForeignKey(what, CARRIERS_ROLE, publicHex);
    if (next.targets === undefined) return;
    const { version, expiresAtMs } = commonOf(envelope, what);
    this.#refuseExpired(what, expiresAtMs);
    if (version <= (present?.version ?? 0)) {
      throw new UpdateFailure(
        "signingOutdated",
        what,
        `Cannot take ${what}: their version is ${version}, and ${present!.version} is there`,
      );
    }
    if (paths.join() !== CARRIERS_PATHS.join()) {
      throw refused(what, `they let the role ${CARRIERS_ROLE} name ${paths.join(", ")}`);
    }
    await requireOurs(tables, envelope, present && envelopeOf(present));
    const body = bounded(what, envelope, MAX_TARGETS_BYTES);
    await tables.putMetadata({ ...name, version, body, expiresAtMs, keyId: "" }, 2);
    await tables.putSignedReleases(
      Object.values(readTargets(envelope)).map(({ path, sha256 }) => ({ release: path, sha256 })),
    );
  }

  #refuseExpired(what: string, expiresAtMs: number): void {
    if (expiresAtMs > this.ports.clock.now()) return;
    throw refused(what, `it ended at ${isoTime(expiresAtMs)}`);
  }

  #refuseForeignKey(what: string, role: string, publicHex: string | undefined): void {
    if (publicHex !== undefined && this.ports.vault.byPublic(publicHex) !== undefined) return;
    throw new UpdateFailure(
      "keyUnknown",
      role,
      `Cannot take ${what}: the role ${role} has not exactly one key, or one that this server does ` +
        `not hold`,
    );
  }

  /**
   * Makes new keys; they sign as soon as a root, or targets for the role of carriers, names them.
   *
   * @param roles Which roles.
   */
  async renew(roles: readonly OnlineRole[]): Promise<void> {
    for (const role of new Set(roles)) await this.ports.vault.make(role);
  }

  /** Keys that neither sign nor wait: a stolen one must not lie about either. */
  async #forgetKeys(): Promise<void> {
    const { vault } = this.ports;
    for (const [role, publicHex] of Object.entries(await this.activeKeys())) {
      const newest = vault.keys(role as OnlineRole)[0]!.keyId;
      await vault.keepOnly(role as OnlineRole, [keyIdOf(publicHex), newest]);
    }
  }

  /** The public keys that roots and targets name now, by role. */
  async activeKeys(): Promise<Partial<Record<OnlineRole, string>>> {
    return await this.ports.records.read(activeKeys);
  }

  /** Where both repositories stand. */
  async state(): Promise<SigningState> {
    const active = await this.activeKeys();
    return await this.ports.records.read(async (tables) => ({
      v: 1,
      image: await this.#roles(tables, "image", active),
      director: await this.#roles(tables, "director", active),
      awaiting: await tables.unsignedReleases(),
    }));
  }

  async #roles(
    tables: Records,
    repository: Repository,
    active: Partial<Record<OnlineRole, string>>,
  ): Promise<RoleState[]> {
    const root = await presentRoot(tables, repository);
    const states: RoleState[] = [];
    for (const role of OFFLINE_ROLES[repository]) {
      const { keyIDs = [], threshold = null } = root?.signed.roles[role] ?? {};
      const keys = keyIDs.map((keyid) => ({ keyid, state: "active" as const }));
      states.push({ role, keys, threshold, ...await standing(tables, repository, role) });
    }
    for (const role of onlineRolesOf(repository)) {
      const name = `${repository}/${role}` as OnlineRole;
      const now = active[name] === undefined ? undefined : keyIdOf(active[name]);
      const keys = this.ports.vault.keys(name).map(({ keyId }) => ({
        keyid: keyId,
        state: keyId === now ? "active" as const : "next" as const,
      }));
      states.push({ role, keys, threshold: 1, ...await standing(tables, repository, role) });
    }
    return states;
  }
}

/**
 * The public keys of the server that roots and targets name, by role.
 *
 * @param tables The records.
 * @returns None before the first root.
 */
export async function activeKeys(tables: Records): Promise<Partial<Record<OnlineRole, string>>> {
  const active: Partial<Record<OnlineRole, string>> = {};
  for (const repository of REPOSITORIES) {
    const root = await presentRoot(tables, repository);
    if (root === undefined) continue;
    for (const role of onlineRolesOf(repository)) {
      if (role === CARRIERS_ROLE) continue;
      const key = onlineKeyOf(root, role);
      if (key !== undefined) active[`${repository}/${role}` as OnlineRole] = key;
    }
  }
  const targets = await tables.metadata({ repository: "image", vin: "", role: "targets" });
  if (targets !== undefined) {
    active[`image/${CARRIERS_ROLE}`] = delegationOf(envelopeOf(targets), CARRIERS_ROLE).publicHex;
  }
  return active;
}

async function standing(
  tables: Records,
  repository: Repository,
  role: string,
): Promise<Pick<RoleState, "version" | "expiresAt">> {
  const row = await tables.metadata({ repository, vin: "", role });
  return row === undefined
    ? { version: null, expiresAt: null }
    : { version: row.version, expiresAt: isoTime(row.expiresAtMs) };
}

function onlineKeys(vault: KeyVault): Record<OnlineRole, string> {
  const newest = (role: OnlineRole) => vault.keys(role)[0]!.publicHex;
  return Object.fromEntries(ONLINE_ROLES.map((role) => [role, newest(role)])) as Record<
    OnlineRole,
    string
  >;
}

/** A release as the offline targets are to list it. */
async function unsignedTarget(tables: Records, id: string): Promise<UnsignedTarget> {
  if (await tables.release(id) === undefined) {
    throw new UpdateFailure("releaseUnknown", id, `Cannot sign ${id}: there is no such release`);
  }
  const { row, blob } = await loadRelease(tables, id);
  return {
    path: id,
    length: blob.lengthBytes,
    sha256: row.sha256,
    custom: {
      v: 1,
      hardware: row.hardware,
      version: row.version,
      counter: row.counter,
      minCounter: 0,
      merkle: { alg: "sha256-rfc6962", leafBytes: LEAF_BYTES, root: blob.merkleRoot },
      notes: row.notes,
      rxswin: [...row.rxswin],
      needs: [...row.needs],
    },
  };
}

/** New or changed targets must be this server's releases: else it would offer what it has not. */
async function requireOurs(
  tables: Records,
  envelope: Envelope,
  present: Envelope | undefined,
): Promise<void> {
  const before = present === undefined ? {} : readTargets(present);
  for (const target of Object.values(readTargets(envelope))) {
    if (JSON.stringify(before[target.path]) === JSON.stringify(target)) continue;
    const ours = await unsignedTarget(tables, target.path);
    if (
      ours.sha256 === target.sha256 && ours.length === target.length &&
      ours.custom.counter === target.custom.counter &&
      ours.custom.merkle.root === target.custom.merkle.root
    ) continue;
    throw new UpdateFailure(
      "signingDiffers",
      target.path,
      `Cannot take the targets: ${target.path} is signed as another image than the one published`,
    );
  }
}

function bounded(what: string, envelope: Envelope, maxBytes: number): string {
  const body = JSON.stringify(envelope);
  const { length } = new TextEncoder().encode(body);
  if (length <= maxBytes) return body;
  throw refused(what, `it has ${length} bytes, and vehicles take at most ${maxBytes}`);
}

function refused(what: string, found: string): UpdateFailure {
  return new UpdateFailure("badRequest", what, `Cannot take ${what}: ${found}`);
}
