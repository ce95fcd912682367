/**
 * The server's ports in memory, so that nothing of it leaves the virtual time: records on the real
 * schema and the real rows over an SQLite in memory, files in a map, carriers made by the real
 * encoder in this process, secrets from the seed.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import type { Clock } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { nodeHash, sha256Digest, sha256Hex } from "shared/node/digest.ts";
import { MIGRATIONS } from "server/adapters/migrations.ts";
import { Rows } from "server/adapters/records_rows.ts";
import { encodeContainer, EncodeGivenUp } from "server/delta/encode.ts";
import { nodeEncodeCodecs } from "server/delta/node_codecs.ts";
import type {
  BlobFile,
  BlobStore,
  PartFile,
  PartState,
  Records,
  RecordStore,
  Secrets,
} from "server/ports.ts";
import type { DeltaMaker } from "server/ports_delta.ts";
import type { KeyVault } from "server/ports_metadata.ts";
import type { StoredFile } from "server/ports_storage.ts";
import { SigningKey } from "server/trust/keys.ts";
import { ONLINE_ROLES } from "shared/protocol/signing.ts";
import type { Dice } from "./dice.ts";

/** Records that outlive every run of the server. One connection: reads wait for a write. */
export class MemoryRecords implements RecordStore {
  readonly #db = new DatabaseSync(":memory:");
  readonly #rows: Rows;
  #writing: Promise<unknown> = Promise.resolve();

  constructor() {
    for (const step of MIGRATIONS) this.#db.exec(step);
    this.#rows = new Rows(this.#db);
  }

  async read<T>(work: (records: Records) => Promise<T>): Promise<T> {
    while (this.#db.isTransaction) await this.#writing.catch(() => undefined);
    return await work(this.#rows);
  }

  write<T>(work: (records: Records) => Promise<T>): Promise<T> {
    const mine = this.#writing.catch(() => undefined).then(async () => {
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        const result = await work(this.#rows);
        this.#db.exec("COMMIT");
        return result;
      } catch (error) {
        this.#db.exec("ROLLBACK");
        throw error;
      }
    });
    this.#writing = mine.catch(() => undefined);
    return mine;
  }

  close(): void {
    this.#db.close();
  }
}

class MemoryFile implements BlobFile, PartFile {
  modifiedAtMs = 0;

  constructor(public bytes: Uint8Array<ArrayBuffer>) {}

  get lengthBytes(): number {
    return this.bytes.length;
  }

  read(offset: number, length: number): Uint8Array {
    return this.bytes.slice(offset, offset + length);
  }

  readInto(offset: number, target: Uint8Array): Promise<number> {
    const bytes = this.bytes.subarray(offset, offset + target.length);
    target.set(bytes);
    return Promise.resolve(bytes.length);
  }

  append(bytes: Uint8Array): Promise<void> {
    const longer = new Uint8Array(this.bytes.length + bytes.length);
    longer.set(this.bytes);
    longer.set(bytes, this.bytes.length);
    this.bytes = longer;
    return Promise.resolve();
  }

  truncate(lengthBytes: number): Promise<void> {
    this.bytes = this.bytes.slice(0, lengthBytes);
    return Promise.resolve();
  }

  close(): void {}
}

/** Files that outlive every run of the server. */
export class MemoryBlobs implements BlobStore {
  readonly #files = new Map<string, MemoryFile>();
  readonly #parts = new Map<string, { readonly file: MemoryFile; readonly totalBytes: number }>();
  readonly #leaves = new Map<string, MemoryFile>();
  /** There is no room for more. */
  full = false;

  /** @param nowMs The server's wall clock, in milliseconds since the epoch. */
  constructor(readonly nowMs: () => number) {}

  files(): Promise<StoredFile[]> {
    return Promise.resolve([...this.#files].map(([sha256, file]) => stored(sha256, file)));
  }

  parts(): Promise<StoredFile[]> {
    return Promise.resolve([...this.#parts].map(([sha256, { file }]) => stored(sha256, file)));
  }

  /** Whoever reads here is done before anybody else is asked. */
  isOpen(): boolean {
    return false;
  }

  remove(sha256: string, untilMs: number): Promise<boolean> {
    const file = this.#files.get(sha256);
    if (file !== undefined && file.modifiedAtMs > untilMs) return Promise.resolve(false);
    this.#files.delete(sha256);
    this.#leaves.delete(sha256);
    return Promise.resolve(true);
  }

  lengthOf(sha256: string): Promise<number | null> {
    return Promise.resolve(this.#files.get(sha256)?.lengthBytes ?? null);
  }

  open(sha256: string): Promise<BlobFile> {
    const file = this.#files.get(sha256);
    if (file !== undefined) return Promise.resolve(new MemoryFile(file.bytes));
    const message = `Cannot open ${sha256}: no such file is stored`;
    return Promise.reject(new UpdateFailure("imageUnknown", sha256, message));
  }

  openLeaves(sha256: string): Promise<BlobFile | null> {
    const file = this.#leaves.get(sha256);
    return Promise.resolve(file === undefined ? null : new MemoryFile(file.bytes));
  }

  commitLeaves(file: PartFile, sha256: string): Promise<void> {
    this.#leaves.set(sha256, file as MemoryFile);
    return Promise.resolve();
  }

  part(sha256: string): Promise<PartState | null> {
    const part = this.#parts.get(sha256);
    return Promise.resolve(
      part === undefined ? null : { offset: part.file.lengthBytes, totalBytes: part.totalBytes },
    );
  }

  openPart(sha256: string, totalBytes: number): Promise<PartFile> {
    const part = this.#parts.get(sha256);
    const file = part?.totalBytes === totalBytes ? part.file : new MemoryFile(new Uint8Array(0));
    file.modifiedAtMs = this.nowMs();
    this.#parts.set(sha256, { file, totalBytes });
    return Promise.resolve(file);
  }

  dropPart(sha256: string): Promise<void> {
    this.#parts.delete(sha256);
    return Promise.resolve();
  }

  createTemporary(): Promise<PartFile> {
    return Promise.resolve(new MemoryFile(new Uint8Array(0)));
  }

  dropTemporary(): Promise<void> {
    return Promise.resolve();
  }

  commit(file: PartFile, sha256: string): Promise<void> {
    const whole = new MemoryFile((file as MemoryFile).bytes);
    whole.modifiedAtMs = this.nowMs();
    this.#files.set(sha256, whole);
    this.#parts.delete(sha256);
    return Promise.resolve();
  }

  freeBytes(): Promise<number | null> {
    return Promise.resolve(this.full ? 0 : 2 ** 40);
  }

  /** All bytes of a file that is stored. */
  bytesOf(sha256: string): Uint8Array<ArrayBuffer> {
    return this.#files.get(sha256)!.bytes;
  }
}

function stored(sha256: string, { lengthBytes, modifiedAtMs }: MemoryFile): StoredFile {
  return { sha256, lengthBytes, modifiedAtMs };
}

/**
 * Makes carriers by the real encoder, after a time of the virtual clock.
 *
 * @param blobs Where images lie.
 * @param dice How long it takes, and whether what it makes is damaged.
 * @param options `clock` of this run of the server; `spoils` says whether a carrier is made badly.
 */
export function memoryMaker(
  blobs: MemoryBlobs,
  dice: Dice,
  { clock, spoils }: { readonly clock: Clock; readonly spoils: () => boolean },
): DeltaMaker {
  return {
    async make({ image, base, target, maxBytes }, { onProgress, signal }) {
      await clock.sleep(dice.between(50, 20_000), signal);
      const source = (sha256: string) => new MemoryFile(blobs.bytesOf(sha256));
      const payloads: Uint8Array[] = [];
      try {
        const { head } = encodeContainer({
          ...{ image: source(image.sha256), base: base && source(base.sha256) },
          ...{ codecs: nodeEncodeCodecs, hash: nodeHash, newDigest: sha256Digest },
          ...{ effort: "fast", giveUpAboveBytes: maxBytes, onProgress },
        }, { write: (bytes) => void payloads.push(bytes.slice()) });
        await target.append(head);
      } catch (error) {
        if (error instanceof EncodeGivenUp) return null;
        throw error;
      }
      for (const payload of payloads) {
        if (payload.length > 0 && spoils()) payload[dice.between(0, payload.length - 1)]! ^= 0x40;
        await target.append(payload);
      }
      const { bytes } = target as MemoryFile;
      return { carrierSha256: sha256Hex(bytes), lengthBytes: bytes.length };
    },
  };
}

/** Secrets from the seed, and hashes that take no time. */
export function seededSecrets(dice: Dice): Secrets {
  const hash = (text: string) => sha256Hex(new TextEncoder().encode(text));
  return {
    random: () => dice.token(),
    hash,
    same: (a, b) => a === b,
    decoy: "plain$",
    hashPassword: (password) => Promise.resolve(`plain$${hash(password)}`),
    checkPassword: (password, stored) => Promise.resolve(stored === `plain$${hash(password)}`),
    brokerEntry: (secret) => `$7$1$swarm$${hash(secret)}`,
  };
}

/** The server's keys, the same in every world. */
export function memoryVault(): KeyVault {
  const held: { role: string; key: SigningKey }[] = [];
  const vault: KeyVault = {
    keys: (role) => held.filter((each) => each.role === role).map(({ key }) => key).toReversed(),
    byPublic: (publicHex) => held.find(({ key }) => key.publicHex === publicHex)?.key,
    make(role) {
      const key = new SigningKey(new Uint8Array(32).fill(held.length + 1));
      held.push({ role, key });
      return Promise.resolve(key);
    },
    keepOnly(role, keyIds) {
      const kept = held.filter((each) => each.role !== role || keyIds.includes(each.key.keyId));
      held.splice(0, held.length, ...kept);
      return Promise.resolve();
    },
  };
  for (const role of ONLINE_ROLES) void vault.make(role);
  return vault;
}
