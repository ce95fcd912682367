/**
 * A folder of offline keys: a file for each, readable by its owner only, and what these keys have
 * seen and signed. A folder may hold all keys, or one person's.
 *
 *     DIR/image-root-0123456789abcdef.key     DIR/image-targets-….key     DIR/director-root-….key
 *     DIR/known.json      the last roots, and the highest version of targets that was signed
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { z } from "zod";
import { fromHex } from "shared/bytes.ts";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_JSON_BYTES, MAX_ROOT_BYTES } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import { Instant, V1 } from "shared/protocol/common.ts";
import { Envelope, PublicKeyHex, REPOSITORIES, type Repository } from "shared/protocol/signing.ts";
import { keyIdOf, SEED_BYTES, SigningKey } from "../trust/keys.ts";
import { OFFLINE_ROLES, type OfflineRole } from "../trust/offline.ts";
import type { Environment } from "./credentials.ts";
import { commandError, EXIT, usageError } from "./exit.ts";
import { seal, Sealed, unseal } from "./keys_seal.ts";

/** One key as its file holds it. */
const KeyFile = z.object({
  v: V1,
  repository: z.enum(REPOSITORIES),
  role: z.enum(["root", "targets"]),
  public: PublicKeyHex,
  createdAt: Instant,
  /** The seed, hex; or it is sealed. */
  private: PublicKeyHex.optional(),
  sealed: Sealed.optional(),
});

/** What these keys have seen and signed. */
const Known = z.object({
  v: V1,
  roots: z.object({ image: Envelope.optional(), director: Envelope.optional() }),
  /** A server that lost its records must not have lower ones signed. */
  targetsVersion: z.number().int().min(0),
});
/** What these keys have seen and signed. */
export type Known = z.infer<typeof Known>;

/** A key of the folder. */
export interface FolderKey {
  readonly repository: Repository;
  readonly role: OfflineRole;
  readonly keyId: string;
  readonly publicHex: string;
  readonly createdAt: string;
  /** It opens with a passphrase only. */
  readonly sealed: boolean;
  readonly file: string;
}

const OTHERS = 0o077;

/** An open folder of keys. */
export class KeyFolder {
  /** Opened before: a passphrase takes a third of a second each time. */
  readonly #open = new Map<string, SigningKey>();

  private constructor(
    readonly path: string,
    private held: readonly FolderKey[],
    readonly env: Environment,
  ) {}

  /**
   * Opens a folder.
   *
   * @param path Where it is.
   * @param env Where the passphrase comes from: `OTA_KEYS_PASSPHRASE`.
   * @returns The folder.
   * @throws {CommandError} Usage, if there is none.
   * @throws {UpdateFailure} `keysExposed` if others can read it, `keyUnusable` if a file is damaged.
   */
  static open(path: string, env: Environment): KeyFolder {
    let names: string[];
    try {
      names = [...Deno.readDirSync(path)].map(({ name }) => name).filter((name) =>
        name.endsWith(".key")
      );
    } catch (cause) {
      throw usageError(
        `Cannot read the keys in ${path}: ${(cause as Error).message}`,
        `Give the folder that \`ota keys init ${path}\` makes`,
      );
    }
    refuseOthers(path, "700");
    const held = names.toSorted().map((name) => {
      const file = `${path}/${name}`;
      const { repository, role, public: publicHex, createdAt, sealed } = readKey(file);
      const keyId = keyIdOf(publicHex);
      return { repository, role, keyId, publicHex, createdAt, sealed: sealed !== undefined, file };
    });
    if (held.length > 0) return new KeyFolder(path, held, env);
    throw usageError(
      `Cannot use ${path}: no key is in it`,
      `Make keys with \`ota keys init ${path}\``,
    );
  }

  /**
   * Makes a folder with keys for every offline role.
   *
   * @param path Where; must not hold keys yet.
   * @param count How many keys each role gets.
   * @param env With `OTA_KEYS_PASSPHRASE` the keys are sealed.
   * @returns The folder.
   * @throws {CommandError} Usage, if keys are there already.
   */
  static init(path: string, count: number, env: Environment): KeyFolder {
    Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
    refuseOthers(path, "700");
    if ([...Deno.readDirSync(path)].some(({ name }) => name.endsWith(".key"))) {
      throw usageError(
        `Cannot make keys in ${path}: there are some already`,
        "Give an empty folder; to replace a key, use `ota keys revoke`",
      );
    }
    const folder = new KeyFolder(path, [], env);
    for (const repository of REPOSITORIES) {
      for (const role of OFFLINE_ROLES[repository]) {
        for (let made = 0; made < count; made++) folder.make(repository, role);
      }
    }
    return folder;
  }

  /** Its keys. */
  get keys(): readonly FolderKey[] {
    return this.held;
  }

  /** Makes one more key; it is durable when this returns. */
  make(repository: Repository, role: OfflineRole): FolderKey {
    const passphrase = this.env("OTA_KEYS_PASSPHRASE");
    const seed = randomBytes(SEED_BYTES);
    const { keyId, publicHex } = new SigningKey(seed);
    const createdAt = new Date().toISOString();
    const secret = passphrase
      ? { sealed: seal(seed, passphrase, aboutOf(repository, role, publicHex)) }
      : { private: seed.toString("hex") };
    const file = `${this.path}/${repository}-${role}-${keyId.slice(0, 16)}.key`;
    const body = { v: 1, repository, role, public: publicHex, createdAt, ...secret };
    writeOwned(file, `${JSON.stringify(body)}\n`);
    seed.fill(0);
    const sealed = passphrase ? true : false;
    const key = { repository, role, keyId, publicHex, createdAt, sealed, file };
    this.held = [...this.held, key];
    return key;
  }

  /**
   * Opens a key to sign with.
   *
   * @param key One of this folder.
   * @returns The private key.
   * @throws {UpdateFailure} `keyUnusable` If the passphrase is missing or another one.
   */
  unlock(key: FolderKey): SigningKey {
    const open = this.#open.get(key.keyId) ?? this.#unlock(key);
    this.#open.set(key.keyId, open);
    return open;
  }

  #unlock(key: FolderKey): SigningKey {
    const { repository, role, public: publicHex, sealed, private: plain } = readKey(key.file);
    const about = aboutOf(repository, role, publicHex);
    const passphrase = this.env("OTA_KEYS_PASSPHRASE");
    if (sealed !== undefined && !passphrase) {
      throw new UpdateFailure(
        "keyUnusable",
        key.keyId,
        `Cannot open the key ${about}: it has a passphrase, and OTA_KEYS_PASSPHRASE is not set`,
      );
    }
    const seed = sealed === undefined ? fromHex(plain!) : unseal(sealed, passphrase!, about);
    const opened = new SigningKey(seed);
    seed.fill(0);
    if (opened.publicHex !== publicHex) throw damaged(key.file);
    return opened;
  }

  /** Puts a key aside: it signs no more, and is not lost either. */
  retire(key: FolderKey): void {
    Deno.renameSync(key.file, `${key.file}.revoked`);
    this.held = this.held.filter(({ keyId }) => keyId !== key.keyId);
  }

  /** What these keys have seen and signed. */
  known(): Known {
    const file = `${this.path}/known.json`;
    let text: string;
    try {
      text = Deno.readTextFileSync(file);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return { v: 1, roots: {}, targetsVersion: 0 };
      throw error;
    }
    const maxBytes = 2 * MAX_ROOT_BYTES + MAX_JSON_BYTES;
    return parseJsonAs(Known, text, { what: file, failure: "keyUnusable", maxBytes });
  }

  /** Remembers it, durably. */
  remember(known: Known): void {
    writeOwned(`${this.path}/known.json`, `${JSON.stringify(known)}\n`);
  }
}

function aboutOf(repository: Repository, role: OfflineRole, publicHex: string): string {
  return `${repository}/${role} ${keyIdOf(publicHex).slice(0, 16)}`;
}

function refuseOthers(path: string, mode: string): void {
  const { mode: found } = Deno.statSync(path);
  if (found === null || (found & OTHERS) === 0) return;
  throw new UpdateFailure(
    "keysExposed",
    path,
    `Cannot use ${path}: others can read it (mode ${(found & 0o777).toString(8)}, not ${mode})`,
  );
}

function readKey(file: string): z.infer<typeof KeyFile> {
  refuseOthers(file, "600");
  let row: z.infer<typeof KeyFile>;
  try {
    const text = Deno.readTextFileSync(file);
    row = parseJsonAs(KeyFile, text, { what: file, maxBytes: MAX_JSON_BYTES });
  } catch {
    throw damaged(file); // Without the cause: it could quote the file.
  }
  if ((row.private === undefined) === (row.sealed === undefined)) throw damaged(file);
  return row;
}

function damaged(file: string): UpdateFailure {
  return new UpdateFailure("keyUnusable", file, `Cannot read the key ${file}: it is damaged`);
}

/** Durable under its name when this returns; never readable by others, not even for a moment. */
function writeOwned(path: string, text: string): void {
  const part = `${path}.${crypto.randomUUID()}.part`;
  try {
    using file = Deno.openSync(part, { write: true, createNew: true, mode: 0o600 });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.syncSync();
    Deno.renameSync(part, path);
    using folder = Deno.openSync(path.slice(0, path.lastIndexOf("/")));
    folder.syncSync();
  } catch (cause) {
    try {
      Deno.removeSync(part);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    throw commandError(
      EXIT.failed,
      "storageFailed",
      `Cannot write ${path}: ${(cause as Error).message}`,
      { remedy: "Choose a folder that this user may write to", cause },
    );
  }
}
