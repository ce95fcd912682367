/**
 * The client of one repository: TUF 5.1 to 5.7. It fetches, lets the trusted set judge, and decides
 * what is stored when; every stored change is whole, so a cut at any moment leaves a state from
 * which the next update goes on.
 *
 * @module
 */
import type { Millis } from "../clock.ts";
import { UpdateFailure } from "../failure.ts";
import { MAX_DELEGATIONS, MAX_ROOT_ROTATIONS } from "../limits.ts";
import { refusal } from "./document.ts";
import type { SignedTarget } from "./files.ts";
import { PRODUCT_SCHEMES, type RoleKeys, type Scheme } from "./keys.ts";
import type { MetadataSource, MetadataStore, StoreChange } from "./ports.ts";
import type { TargetsRole } from "./roles.ts";
import { MAX_BYTES, TrustedSet } from "./trusted_set.ts";

/** What the client works with. */
export interface ClientPorts {
  readonly source: MetadataSource;
  readonly store: MetadataStore;
}

/** How it verifies. */
export interface ClientOptions {
  /** `full`: all roles. `partial`: root and targets only (Uptane, partial verification). */
  readonly verification?: "full" | "partial";
  /** Signatures it accepts; ed25519 unless said otherwise. */
  readonly schemes?: readonly Scheme[];
  /**
   * Throws if top-level targets, though well signed, are not for this client. With it nothing but
   * roots is stored before it has agreed, and then all roles at once: the Director's keys sign for
   * every vehicle, and versions of another one must not become a measure here.
   */
  readonly scope?: (targets: TargetsRole) => void;
}

/** Keeps up with one repository. One update at a time. */
export class MetadataClient {
  readonly #source: MetadataSource;
  readonly #store: MetadataStore;
  readonly #partial: boolean;
  readonly #schemes: readonly Scheme[];
  readonly #scope: ((targets: TargetsRole) => void) | undefined;
  /** What is stored when the scope has agreed. */
  readonly #staged: StoreChange[] = [];
  #set: TrustedSet | undefined;

  /**
   * @param ports Network and storage.
   * @param options How it verifies.
   */
  constructor({ source, store }: ClientPorts, options: ClientOptions = {}) {
    this.#source = source;
    this.#store = store;
    this.#partial = options.verification === "partial";
    this.#schemes = options.schemes ?? PRODUCT_SCHEMES;
    this.#scope = options.scope;
  }

  /**
   * Takes the first root, which came on a way that is trusted. Checks that it can be used.
   *
   * @param root The file.
   * @throws {UpdateFailure} If it cannot be read or does not sign itself.
   */
  begin(root: Uint8Array): void {
    new TrustedSet(root, { startAt: 0, schemes: this.#schemes });
    this.#store.commit([["root", root], ["timestamp", null], ["snapshot", null], [
      "targets",
      null,
    ]]);
  }

  /** The metadata of the last update, until the next begins. */
  get trusted(): TrustedSet {
    if (this.#set === undefined) throw new Error("metadata is asked for before it is refreshed");
    return this.#set;
  }

  /**
   * Brings the metadata of all top-level roles up to date.
   *
   * @param startAt The start of the update (TUF 5.1): the only time that counts until it ends.
   * @returns What is trusted now.
   * @throws {UpdateFailure} Of stage `metadata` if it must not be believed, of stage `download`
   * if it could not be had. What was trusted before stays stored.
   */
  async refresh(startAt: Millis): Promise<TrustedSet> {
    this.#set = undefined;
    this.#staged.length = 0;
    const set = this.#begun(startAt);
    await this.#updateRoot(set);
    if (this.#partial) await this.#updateLoneTargets(set);
    else {
      await this.#updateTimestamp(set);
      await this.#updateSnapshot(set);
      await this.#updateTargets(set);
    }
    this.#scope?.(set.targets!);
    if (this.#staged.length > 0) this.#store.commit(this.#staged.splice(0));
    this.#set = set;
    return set;
  }

  /**
   * Verifies what is stored once more, all of it and without the network, as of the start of the
   * update that stored it: what has expired since then was good when it was installed.
   *
   * @param startAt The start of that update.
   * @returns What is trusted.
   * @throws {UpdateFailure} If the stored metadata does not prove itself.
   */
  verifyStored(startAt: Millis): TrustedSet {
    this.#set = undefined;
    const set = this.#begun(startAt);
    set.endRoots();
    if (this.#partial) set.addLoneTargets(this.#stored("targets"));
    else {
      set.addTimestamp(this.#stored("timestamp"));
      set.addSnapshot(this.#stored("snapshot"));
      set.addTargets(this.#stored("targets"));
    }
    this.#scope?.(set.targets!);
    this.#set = set;
    return set;
  }

  /**
   * TUF 5.6.7: searches what is signed of a target, in the order of trust.
   *
   * @param path The target path.
   * @param options `stored`: without the network, for metadata that is verified again.
   * @returns What is signed, or `undefined` if no role that may speak for it names it.
   * @throws {UpdateFailure} If a role on the way cannot be had or believed: the search ends.
   */
  async find(
    path: string,
    options: { readonly stored?: boolean } = {},
  ): Promise<SignedTarget | undefined> {
    const set = this.trusted;
    const visited = new Set<string>(["targets"]);
    let role = set.targets!;
    /** Still to be visited, the next one last. */
    const ahead: { readonly keys: RoleKeys; readonly delegator: string }[] = [];
    for (;;) {
      const found = role.target(path); // 5.6.7.1
      if (found !== undefined) return found;
      const trusted = role.delegationsFor(path); // 5.6.7.2: in order of appearance
      const last = trusted.findIndex(({ terminating }) => terminating);
      if (last >= 0) ahead.length = 0; // 5.6.7.2.1: no way back behind it.
      const children = last >= 0 ? trusted.slice(0, last + 1) : trusted;
      const delegator = role.document.name;
      ahead.push(...children.map(({ keys }) => ({ keys, delegator })).toReversed());
      let next = ahead.pop();
      while (next !== undefined && visited.has(next.keys.name)) next = ahead.pop(); // 5.6.7.1: cycles
      // The top-level targets are no delegation.
      if (next === undefined || visited.size > MAX_DELEGATIONS) return undefined;
      visited.add(next.keys.name);
      role = await this.#delegated(set, next, options.stored ?? false);
    }
  }

  /**
   * A role that the top-level targets delegate to, as a whole.
   *
   * @param name The role.
   * @returns The role, or `undefined` if there is no such delegation.
   * @throws {UpdateFailure} If it cannot be had or believed.
   */
  async delegatedRole(name: string): Promise<TargetsRole | undefined> {
    const delegation = this.trusted.targets!.delegation(name);
    if (delegation === undefined) return undefined;
    return await this.#delegated(this.trusted, { ...delegation, delegator: "targets" }, false);
  }

  /** TUF 5.1, 5.2. */
  #begun(startAt: Millis): TrustedSet {
    const root = this.#store.read("root");
    if (root === undefined) {
      const message = "Cannot verify metadata: no trusted root is stored";
      throw new UpdateFailure("trustLost", "root", message);
    }
    return new TrustedSet(root, { startAt, schemes: this.#schemes });
  }

  /** TUF 5.3. */
  async #updateRoot(set: TrustedSet): Promise<void> {
    for (let rotations = 0; rotations < MAX_ROOT_ROTATIONS; rotations++) {
      const next = set.root.document.version + 1; // 5.3.2
      const bytes = await this.#fetch(`${next}.root.json`, MAX_BYTES.root); // 5.3.3
      if (bytes === undefined) break;
      const rotated = set.addRoot(bytes);
      // 5.3.8 and 5.3.11 in one: a cut between them would keep what a thief of keys had signed.
      // Where targets have no snapshot above them, they are what a thief may have driven up.
      const renewed = this.#partial
        ? rotated.includes("targets")
        : rotated.includes("timestamp") || rotated.includes("snapshot");
      const forgotten = this.#partial ? ["targets"] : ["timestamp", "snapshot"];
      this.#store.commit([
        ["root", bytes],
        ...renewed ? forgotten.map((role) => [role, null] as const) : [],
      ]);
    }
    set.endRoots(); // 5.3.10
    set.remember({
      timestamp: this.#store.read("timestamp"),
      snapshot: this.#store.read("snapshot"),
      ...this.#partial ? { targets: this.#store.read("targets") } : {},
    });
  }

  /** TUF 5.4. */
  async #updateTimestamp(set: TrustedSet): Promise<void> {
    const bytes = await this.#promised("timestamp.json", MAX_BYTES.timestamp); // 5.4.1
    if (set.addTimestamp(bytes)) this.#keep("timestamp", bytes); // 5.4.5
  }

  /** TUF 5.5. */
  async #updateSnapshot(set: TrustedSet): Promise<void> {
    const { length, version } = set.timestamp!.snapshot;
    const stored = this.#store.read("snapshot");
    if (stored !== undefined && succeeds(() => set.addSnapshot(stored))) return;
    const file = set.root.consistentSnapshot ? `${version}.snapshot.json` : "snapshot.json";
    const maxBytes = Math.min(length ?? Infinity, MAX_BYTES.snapshot);
    const bytes = await this.#promised(file, maxBytes); // 5.5.1
    set.addSnapshot(bytes);
    this.#keep("snapshot", bytes); // 5.5.7
  }

  /** TUF 5.6.1 to 5.6.6. */
  async #updateTargets(set: TrustedSet): Promise<void> {
    const stored = this.#store.read("targets");
    if (stored !== undefined && succeeds(() => set.addTargets(stored))) return;
    const bytes = await this.#fetchTargets(set, "targets");
    set.addTargets(bytes);
    this.#keep("targets", bytes); // 5.6.6
  }

  async #updateLoneTargets(set: TrustedSet): Promise<void> {
    const bytes = await this.#promised("targets.json", MAX_BYTES.targets);
    if (set.addLoneTargets(bytes)) this.#keep("targets", bytes);
  }

  async #delegated(
    set: TrustedSet,
    { keys, delegator }: { readonly keys: RoleKeys; readonly delegator: string },
    storedOnly: boolean,
  ): Promise<TargetsRole> {
    const { name } = keys;
    if (storedOnly) return set.delegate(this.#stored(name), keys, delegator);
    const stored = this.#store.read(name);
    let role: TargetsRole | undefined;
    if (stored !== undefined) {
      succeeds(() => role = set.delegate(stored, keys, delegator));
      if (role !== undefined) return role;
    }
    const bytes = await this.#fetchTargets(set, name);
    role = set.delegate(bytes, keys, delegator);
    this.#store.commit([[name, bytes]]);
    return role;
  }

  /** TUF 5.6.1. */
  async #fetchTargets(set: TrustedSet, role: string): Promise<Uint8Array> {
    const file = set.snapshot!.files.get(role);
    if (file === undefined) throw refusal(role, "the snapshot does not name it", "metadataMixed");
    const encoded = encodeURIComponent(role);
    const name = set.root.consistentSnapshot
      ? `${file.version}.${encoded}.json`
      : `${encoded}.json`;
    return await this.#promised(name, Math.min(file.length ?? Infinity, MAX_BYTES.targets));
  }

  async #promised(file: string, maxBytes: number): Promise<Uint8Array> {
    const bytes = await this.#fetch(file, maxBytes);
    if (bytes === undefined) {
      throw refusal(file, "the repository does not have it", "metadataMissing");
    }
    return bytes;
  }

  /** A source that brings too much is an attack, even if its own bound has failed. */
  async #fetch(file: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const bytes = await this.#source.fetch(file, maxBytes);
    if (bytes !== undefined && bytes.length > maxBytes) {
      const found = `${bytes.length} bytes came, at most ${maxBytes} may`;
      throw refusal(file, found, "metadataTooLarge");
    }
    return bytes;
  }

  #keep(role: string, bytes: Uint8Array): void {
    if (this.#scope === undefined) this.#store.commit([[role, bytes]]);
    else this.#staged.push([role, bytes]);
  }

  #stored(role: string): Uint8Array {
    const bytes = this.#store.read(role);
    if (bytes === undefined) throw refusal(role, "it is not stored", "metadataMissing");
    return bytes;
  }
}

/** Whether stored metadata still serves; if not, it is fetched. */
function succeeds(attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch (error) {
    if (!(error instanceof UpdateFailure)) throw error;
    return false;
  }
}
