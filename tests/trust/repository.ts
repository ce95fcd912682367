/**
 * A TUF repository in memory, and a store: honest unless told otherwise. Written from the
 * specification, without the code that is tested.
 *
 * @module
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { canonicalize } from "@tufjs/canonical-json";
import type { MetadataSource, MetadataStore, StoreChange } from "shared/trust/ports.ts";

/** Any JSON object, to be changed at will. */
// deno-lint-ignore no-explicit-any
export type Loose = any;

/** When every test begins. */
export const NOW: number = Date.parse("2030-06-01T00:00:00Z");
const DAY_MS = 24 * 60 * 60_000;

/** A time as metadata writes it, so many days after {@linkcode NOW}. */
export function daysOn(days: number): string {
  return new Date(NOW + days * DAY_MS).toISOString().slice(0, 19) + "Z";
}

/** An ed25519 key pair. */
export class TestKey {
  readonly #private: KeyObject;
  readonly public: string;
  readonly id: string;

  constructor() {
    const pair = generateKeyPairSync("ed25519");
    this.#private = pair.privateKey;
    const { x } = pair.publicKey.export({ format: "jwk" });
    this.public = Buffer.from(x!, "base64url").toString("hex");
    this.id = createHash("sha256").update(canonicalize(this.json())).digest("hex");
  }

  /** As root lists it. */
  json(): Loose {
    return { keytype: "ed25519", scheme: "ed25519", keyval: { public: this.public } };
  }

  /** Hex. */
  sign(signed: Loose): string {
    return sign(null, Buffer.from(canonicalize(signed)), this.#private).toString("hex");
  }
}

/** The top-level roles. */
export const TOP = ["root", "timestamp", "snapshot", "targets"] as const;
/** One of them, or the name of a delegated one. */
export type Role = string;

/** Signs any signed part. */
export function signedBy(signed: Loose, keys: readonly TestKey[]): Loose {
  return { signatures: keys.map((key) => ({ keyid: key.id, sig: key.sign(signed) })), signed };
}

/** A document as it is served. */
export function bytesOf(document: Loose): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(document));
}

/** A repository, and what it serves. */
export class TestRepository implements MetadataSource {
  /** Who signs each role. */
  readonly keys = new Map<Role, TestKey[]>();
  /** What is signed at the next {@linkcode TestRepository.publish}. */
  readonly signed = new Map<Role, Loose>();
  /** What is served, by file name. */
  readonly files = new Map<string, Uint8Array>();
  /** What was asked for. */
  readonly asked: string[] = [];
  /** Whether timestamp and snapshot name lengths and hashes. */
  hashes = true;

  constructor() {
    const frame = { spec_version: "1.0.34", version: 0, expires: daysOn(30) };
    for (const role of TOP) this.keys.set(role, [new TestKey()]);
    this.signed.set("root", {
      ...{ _type: "root", ...frame, expires: daysOn(365), consistent_snapshot: true },
      keys: {},
      roles: Object.fromEntries(TOP.map((role) => [role, { keyids: [], threshold: 1 }])),
    });
    const timestampMeta = { "snapshot.json": { version: 1 } };
    this.signed.set("timestamp", { _type: "timestamp", ...frame, meta: timestampMeta });
    this.signed.set("snapshot", { _type: "snapshot", ...frame, meta: {} });
    this.signed.set("targets", { _type: "targets", ...frame, targets: {} });
    this.publish(...TOP);
  }

  /** The signed part of a role, to be changed before it is published. */
  part(role: Role): Loose {
    return this.signed.get(role);
  }

  /** Raises the version of these roles, and of those above them, and serves them. */
  publish(...roles: Role[]): void {
    const wanted = new Set(roles);
    if (wanted.has("root")) this.sign("root");
    for (const role of [...this.signed.keys()]) {
      if (!TOP.some((top) => top === role) && wanted.has(role)) this.sign(role);
    }
    if (wanted.has("targets")) this.sign("targets");
    if ([...wanted].some((role) => role !== "root" && role !== "timestamp")) {
      this.sign("snapshot");
      wanted.add("timestamp");
    }
    if (wanted.has("timestamp")) this.sign("timestamp");
  }

  /** Signs one role with the next version, as root now names it, and serves it. */
  sign(role: Role): Uint8Array {
    const part = this.part(role);
    part.version++;
    if (role === "root") this.#listKeys();
    const bytes = bytesOf(signedBy(part, this.#signers(role)));
    this.serve(role, bytes);
    return bytes;
  }

  /** Serves bytes as a role's present version, and names them above. */
  serve(role: Role, bytes: Uint8Array): void {
    const { version } = this.part(role);
    const encoded = encodeURIComponent(role);
    this.files.set(role === "timestamp" ? "timestamp.json" : `${version}.${encoded}.json`, bytes);
    this.files.set(`${encoded}.json`, bytes);
    const above = role === "snapshot" ? "timestamp" : "snapshot";
    if (role === "root" || role === "timestamp") return;
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const facts = this.hashes ? { length: bytes.length, hashes: { sha256 } } : {};
    this.part(above).meta[`${role}.json`] = { version, ...facts };
  }

  /** What is served of a role now. */
  latest(role: Role): Uint8Array {
    return this.files.get(`${encodeURIComponent(role)}.json`)!;
  }

  /** Names a target of a role. */
  target(role: Role, path: string, content: Uint8Array, custom?: Loose): void {
    const hashes = { sha256: createHash("sha256").update(content).digest("hex") };
    this.part(role).targets[path] = {
      length: content.length,
      hashes,
      ...custom === undefined ? {} : { custom },
    };
  }

  /** Lets one targets role trust another one with some paths. */
  delegate(from: Role, name: string, options: Loose = {}): void {
    if (!this.signed.has(name)) {
      const frame = { spec_version: "1.0.34", version: 0, expires: daysOn(30) };
      this.signed.set(name, { _type: "targets", ...frame, targets: {} });
      this.keys.set(name, [new TestKey()]);
    }
    const delegations = this.part(from).delegations ??= { keys: {}, roles: [] };
    const [key] = this.keys.get(name)!;
    delegations.keys[key!.id] = key!.json();
    const role = { name, keyids: [key!.id], threshold: 1, terminating: false, paths: ["*"] };
    delegations.roles.push({ ...role, ...options });
  }

  /** Gives a role new keys; root must be published then. */
  rotate(role: Role, count = 1): void {
    this.#former.push(...role === "root" ? this.keys.get("root")! : []);
    this.keys.set(role, Array.from({ length: count }, () => new TestKey()));
  }

  fetch(file: string, _maxBytes: number): Promise<Uint8Array | undefined> {
    this.asked.push(file);
    return Promise.resolve(this.files.get(file));
  }

  /** Old root keys sign the next root as well (TUF 6.1). */
  #former: TestKey[] = [];

  #signers(role: Role): TestKey[] {
    const former = role === "root" ? this.#former.splice(0) : [];
    return [...this.keys.get(role)!, ...former];
  }

  #listKeys(): void {
    const root = this.part("root");
    root.keys = {};
    for (const role of TOP) {
      const keys = this.keys.get(role)!;
      root.roles[role].keyids = keys.map(({ id }) => id);
      for (const key of keys) root.keys[key.id] = key.json();
    }
  }
}

/** A store in memory. */
export class MemoryStore implements MetadataStore {
  readonly roles = new Map<string, Uint8Array>();
  /** What was changed together, in order. */
  readonly commits: string[][] = [];

  read(role: string): Uint8Array | undefined {
    return this.roles.get(role);
  }

  commit(changes: readonly StoreChange[]): void {
    this.commits.push(changes.map(([role, bytes]) => bytes === null ? `-${role}` : role));
    for (const [role, bytes] of changes) {
      if (bytes === null) this.roles.delete(role);
      else this.roles.set(role, bytes.slice());
    }
  }

  /** The versions stored, by role. */
  versions(): Record<string, number> {
    return Object.fromEntries(
      [...this.roles].map(([role, bytes]) => [
        role,
        JSON.parse(new TextDecoder().decode(bytes)).signed.version as number,
      ]),
    );
  }
}
