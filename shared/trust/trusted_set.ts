/**
 * The order of checks: bytes in, trusted metadata or a failure out. TUF 5.3 to 5.6 clause by
 * clause, without any input or output; `client.ts` fetches and stores.
 *
 * Time stands still in it (TUF 5.1): expiry is judged by the start of the update.
 *
 * @module
 */
import { isoTime, type Millis } from "../clock.ts";
import { UpdateFailure } from "../failure.ts";
import {
  MAX_ROOT_BYTES,
  MAX_SNAPSHOT_BYTES,
  MAX_TARGETS_BYTES,
  MAX_TIMESTAMP_BYTES,
} from "../limits.ts";
import { type MetadataDocument, readDocument, refusal } from "./document.ts";
import { checkFile } from "./files.ts";
import { checkSigned, type RoleKeys, sameKeys, type Scheme } from "./keys.ts";
import {
  readRoot,
  readSnapshot,
  readTargets,
  readTimestamp,
  type RootRole,
  type SnapshotRole,
  type TargetsRole,
  type TimestampRole,
} from "./roles.ts";

/** Most bytes of a file whose length nobody has signed (TUF 5.3.3, 5.4.1, 5.5.1, 5.6.1). */
export const MAX_BYTES = {
  root: MAX_ROOT_BYTES,
  timestamp: MAX_TIMESTAMP_BYTES,
  snapshot: MAX_SNAPSHOT_BYTES,
  targets: MAX_TARGETS_BYTES,
} as const;

/** Trusted metadata of one repository, as far as one update has come. */
export class TrustedSet {
  readonly #startAt: Millis;
  readonly #schemes: readonly Scheme[];
  #root: RootRole;
  #timestamp: TimestampRole | undefined;
  #snapshot: SnapshotRole | undefined;
  #targets: TargetsRole | undefined;
  /** What an earlier update trusted: nothing may go behind it. */
  #earlier: {
    readonly timestamp?: TimestampRole | undefined;
    readonly snapshot?: SnapshotRole | undefined;
    readonly targets?: TargetsRole | undefined;
  } = {};

  /**
   * TUF 5.1 and 5.2: fixes the time and takes the root that is trusted already. Its expiry does
   * not matter, as it is about to be updated.
   *
   * @param root The trusted root file.
   * @param options The start of the update, and the signatures that are accepted.
   * @throws {UpdateFailure} `metadataInvalid`, or `metadataUnsigned` if it does not sign itself.
   */
  constructor(
    root: Uint8Array,
    options: { readonly startAt: Millis; readonly schemes: readonly Scheme[] },
  ) {
    this.#startAt = options.startAt;
    this.#schemes = options.schemes;
    const document = readDocument(root, { name: "root", type: "root", maxBytes: MAX_BYTES.root });
    this.#root = readRoot(document);
    this.#checkSigned(document, this.#root.roles.root, "itself");
  }

  /** The trusted root. */
  get root(): RootRole {
    return this.#root;
  }

  /** The trusted timestamp, once it is. */
  get timestamp(): TimestampRole | undefined {
    return this.#timestamp;
  }

  /** The trusted snapshot, once it is. */
  get snapshot(): SnapshotRole | undefined {
    return this.#snapshot;
  }

  /** The trusted top-level targets, once they are. */
  get targets(): TargetsRole | undefined {
    return this.#targets;
  }

  /**
   * TUF 5.3.4 to 5.3.7: the next root.
   *
   * @param bytes Version N+1.
   * @returns The roles whose keys are others than before.
   * @throws {UpdateFailure} `metadataUnsigned`, `metadataRollback` or `metadataInvalid`.
   */
  addRoot(bytes: Uint8Array): ("timestamp" | "snapshot" | "targets")[] {
    const kind = { name: "root", type: "root", maxBytes: MAX_BYTES.root } as const;
    const document = readDocument(bytes, kind);
    const { version } = this.#root.document;
    // 5.3.4: a threshold of the trusted root's keys, and then one of its own.
    this.#checkSigned(document, this.#root.roles.root, `root ${version}`);
    const next = readRoot(document);
    this.#checkSigned(document, next.roles.root, "itself");
    if (document.version !== version + 1) { // 5.3.5
      throw refusal(
        "root",
        `it has version ${document.version}, ${version + 1} follows`,
        "metadataRollback",
      );
    }
    const before = this.#root;
    this.#root = next; // 5.3.7; 5.3.6: an expired one may lead on to its successor.
    return (["timestamp", "snapshot", "targets"] as const).filter((role) =>
      !sameKeys(before.roles[role], next.roles[role])
    );
  }

  /**
   * TUF 5.3.10: the last root of the chain must not have expired.
   *
   * @throws {UpdateFailure} `metadataExpired`.
   */
  endRoots(): void {
    this.#checkFresh(this.#root.document);
  }

  /**
   * Takes what was stored by an earlier update, to compare with. What cannot be read or is not
   * signed by today's keys is no measure (TUF 5.3.11: it is forgotten with rotated keys).
   *
   * @param stored The stored files; targets only where they have no snapshot above them.
   */
  remember(stored: {
    readonly timestamp?: Uint8Array | undefined;
    readonly snapshot?: Uint8Array | undefined;
    readonly targets?: Uint8Array | undefined;
  }): void {
    const { timestamp, snapshot, targets } = stored;
    this.#earlier = {
      timestamp: this.#quietly(timestamp, (bytes) => readTimestamp(this.#top("timestamp", bytes))),
      snapshot: this.#quietly(snapshot, (bytes) => readSnapshot(this.#top("snapshot", bytes))),
      targets: this.#quietly(targets, (bytes) => readTargets(this.#top("targets", bytes))),
    };
  }

  /**
   * TUF 5.4.2 to 5.4.4: the timestamp.
   *
   * @param bytes The file.
   * @returns Whether it is newer than the stored one; else that one stays trusted.
   * @throws {UpdateFailure} `metadataUnsigned`, `metadataRollback` or `metadataExpired`.
   */
  addTimestamp(bytes: Uint8Array): boolean {
    const next = readTimestamp(this.#top("timestamp", bytes)); // 5.4.2
    const earlier = this.#earlier.timestamp;
    if (earlier !== undefined) {
      const { version } = earlier.document;
      if (next.document.version < version) { // 5.4.3.1
        throw older("timestamp", next.document.version, version);
      }
      if (next.document.version === version) { // 5.4.3.1: discarded, whatever it says.
        this.#checkFresh(earlier.document);
        this.#timestamp = earlier;
        return false;
      }
      if (next.snapshot.version < earlier.snapshot.version) { // 5.4.3.2
        throw older("snapshot", next.snapshot.version, earlier.snapshot.version);
      }
    }
    this.#checkFresh(next.document); // 5.4.4
    this.#timestamp = next;
    return true;
  }

  /**
   * TUF 5.5.2 to 5.5.6: the snapshot that the timestamp names.
   *
   * @param bytes The file.
   * @throws {UpdateFailure} `metadataMixed`, `metadataUnsigned`, `metadataRollback` or
   * `metadataExpired`.
   */
  addSnapshot(bytes: Uint8Array): void {
    const { snapshot: file } = must(this.#timestamp);
    checkFile("snapshot", bytes, file); // 5.5.2
    const next = readSnapshot(this.#top("snapshot", bytes)); // 5.5.3
    checkVersion(next.document, file.version); // 5.5.4
    for (const [role, { version }] of this.#earlier.snapshot?.files ?? []) { // 5.5.5
      const found = next.files.get(role);
      if (found === undefined) {
        throw refusal("snapshot", `it no longer names "${role}"`, "metadataRollback");
      }
      if (found.version < version) throw older(role, found.version, version);
    }
    this.#checkFresh(next.document); // 5.5.6
    this.#snapshot = next;
  }

  /**
   * TUF 5.6.2 to 5.6.5: the top-level targets.
   *
   * @param bytes The file.
   * @throws {UpdateFailure} `metadataMixed`, `metadataUnsigned` or `metadataExpired`.
   */
  addTargets(bytes: Uint8Array): void {
    this.#targets = this.delegate(bytes, this.#root.roles.targets, "root");
  }

  /**
   * The same checks for any targets role, as one delegator sees it: another one may name other
   * keys, so nothing is inherited from an earlier look.
   *
   * @param bytes The file.
   * @param keys The role and its keys.
   * @param delegator Who named them.
   * @returns The role.
   * @throws {UpdateFailure} As {@linkcode TrustedSet.addTargets}.
   */
  delegate(bytes: Uint8Array, keys: RoleKeys, delegator: string): TargetsRole {
    const { name } = keys;
    const file = must(this.#snapshot).files.get(name);
    if (file === undefined) {
      throw refusal(name, "the snapshot does not name it", "metadataMixed");
    }
    checkFile(name, bytes, file); // 5.6.2
    const document = readDocument(bytes, { name, type: "targets", maxBytes: MAX_BYTES.targets });
    this.#checkSigned(document, keys, delegator); // 5.6.3
    checkVersion(document, file.version); // 5.6.4
    this.#checkFresh(document); // 5.6.5
    return readTargets(document);
  }

  /**
   * Targets without timestamp and snapshot: Uptane's partial verification, for an ECU that is
   * handed the Director's targets by its gateway.
   *
   * @param bytes The file.
   * @returns Whether they are newer than the stored ones; else those stay trusted.
   * @throws {UpdateFailure} `metadataUnsigned`, `metadataRollback` or `metadataExpired`.
   */
  addLoneTargets(bytes: Uint8Array): boolean {
    const next = readTargets(this.#top("targets", bytes));
    const earlier = this.#earlier.targets;
    if (earlier !== undefined && next.document.version <= earlier.document.version) {
      const { version } = earlier.document;
      if (next.document.version < version) throw older("targets", next.document.version, version);
      this.#checkFresh(earlier.document);
      this.#targets = earlier;
      return false;
    }
    this.#checkFresh(next.document);
    this.#targets = next;
    return true;
  }

  /** A file of a role that root names, signed by its keys. */
  #top(role: "timestamp" | "snapshot" | "targets", bytes: Uint8Array): MetadataDocument {
    const kind = { name: role, type: role, maxBytes: MAX_BYTES[role] };
    const document = readDocument(bytes, kind);
    this.#checkSigned(document, this.#root.roles[role], `root ${this.#root.document.version}`);
    return document;
  }

  #checkSigned(document: MetadataDocument, role: RoleKeys, delegator: string): void {
    checkSigned(document, role, { schemes: this.#schemes, delegator });
  }

  /** The expiry MUST be higher than the start of the update. */
  #checkFresh({ name, expiresAt }: MetadataDocument): void {
    if (expiresAt > this.#startAt) return;
    const found = `it expired at ${isoTime(expiresAt)}, the update began at ${
      isoTime(this.#startAt)
    }`;
    throw refusal(name, found, "metadataExpired");
  }

  #quietly<T>(bytes: Uint8Array | undefined, read: (bytes: Uint8Array) => T): T | undefined {
    if (bytes === undefined) return undefined;
    try {
      return read(bytes);
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      return undefined;
    }
  }
}

function checkVersion({ name, version }: MetadataDocument, signed: number): void {
  if (version === signed) return;
  throw refusal(name, `it has version ${version}, ${signed} is signed`, "metadataMixed");
}

function older(role: string, found: number, trusted: number): UpdateFailure {
  return refusal(role, `version ${found} is older than the trusted ${trusted}`, "metadataRollback");
}

function must<T>(role: T | undefined): T {
  if (role === undefined) throw new Error("a role is added before the one above it");
  return role;
}
