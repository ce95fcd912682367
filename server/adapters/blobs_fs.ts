/**
 * Blobs in a folder:
 *
 *   blobs/ab/abcdef…              whole files, named by their SHA-256, never changed
 *   blobs/ab/abcdef….leaves       the hashes of an image's leaves, beside it
 *   uploads/{sha256}.{total}.part an upload; its length is its offset, nothing else is remembered
 *   uploads/{n}.tmp               a result in the making; removed at the next start
 *
 * @module
 */
import { statfs } from "node:fs/promises";
import { invariant } from "shared/assert.ts";
import type { Millis } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { UNPUBLISHED_UPLOAD_MS } from "shared/limits.ts";
import { orStoreFailure } from "./medium_full.ts";
import type { BlobFile, BlobStore, PartFile, PartState } from "../ports.ts";
import type { StoredFile } from "../ports_storage.ts";

const PART_NAME = /^([0-9a-f]{64})\.(\d{1,12})\.part$/;

/**
 * Opens the folders, makes them if need be, and removes what earlier runs left behind.
 *
 * @param folder The data folder; it must be writable.
 * @param now Milliseconds since the epoch, to tell which uploads are stale.
 * @returns The store.
 */
export async function openBlobs(folder: string, now: Millis): Promise<BlobStore> {
  const [blobs, uploads] = [`${folder}/blobs`, `${folder}/uploads`];
  for (const path of [blobs, uploads]) await Deno.mkdir(path, { recursive: true });
  for await (const entry of Deno.readDir(uploads)) {
    const path = `${uploads}/${entry.name}`;
    const touchedAt = (await Deno.stat(path)).mtime?.getTime() ?? now;
    const stale = entry.name.endsWith(".tmp") ||
      (PART_NAME.test(entry.name) && now - touchedAt > UNPUBLISHED_UPLOAD_MS);
    if (stale) await Deno.remove(path);
  }
  return new FolderBlobs(blobs, uploads);
}

class FolderBlobs implements BlobStore {
  #made = 0;
  /** How often each file is open for reading. */
  readonly #open = new Map<string, number>();
  /** Names that are being given or taken away; the next one waits. */
  readonly #naming = new Map<string, Promise<void>>();

  constructor(readonly blobs: string, readonly uploads: string) {}

  lengthOf(sha256: string): Promise<number | null> {
    return Deno.stat(this.#path(sha256)).then((info) => info.size, orMissing(null));
  }

  async openLeaves(sha256: string): Promise<BlobFile | null> {
    const file = await Deno.open(leavesPath(this.#path(sha256))).catch(orMissing(null));
    return file && new OpenFile("", file, (await file.stat()).size);
  }

  commitLeaves(file: PartFile, sha256: string): Promise<void> {
    return this.#keep(file, leavesPath(this.#path(sha256)), `the leaves of ${sha256}`);
  }

  async open(sha256: string): Promise<BlobFile> {
    const file = await Deno.open(this.#path(sha256)).catch(orMissing(null));
    if (file === null) {
      throw new UpdateFailure(
        "imageUnknown",
        sha256,
        `Cannot open ${sha256}: no such file is stored`,
      );
    }
    this.#open.set(sha256, (this.#open.get(sha256) ?? 0) + 1);
    const closed = () => this.#open.set(sha256, this.#open.get(sha256)! - 1);
    return new OpenFile("", file, (await file.stat()).size, closed);
  }

  isOpen(sha256: string): boolean {
    return (this.#open.get(sha256) ?? 0) > 0;
  }

  async files(): Promise<StoredFile[]> {
    const files: StoredFile[] = [];
    for await (const folder of Deno.readDir(this.blobs)) {
      if (!folder.isDirectory) continue;
      for await (const { name } of Deno.readDir(`${this.blobs}/${folder.name}`)) {
        if (!/^[0-9a-f]{64}$/.test(name)) continue; // Not ours to remove.
        const file = await stored(`${this.blobs}/${folder.name}/${name}`, name);
        if (file !== null) files.push(file);
      }
    }
    return files;
  }

  async parts(): Promise<StoredFile[]> {
    const files: StoredFile[] = [];
    for await (const { name } of Deno.readDir(this.uploads)) {
      const sha256 = PART_NAME.exec(name)?.[1];
      const file = sha256 && await stored(`${this.uploads}/${name}`, sha256);
      if (file) files.push(file);
    }
    return files;
  }

  remove(sha256: string, untilMs: Millis): Promise<boolean> {
    return this.#named(sha256, async () => {
      const path = this.#path(sha256);
      const info = await Deno.stat(path).catch(orMissing(null));
      if (info === null) return true;
      if ((info.mtime?.getTime() ?? Infinity) > untilMs) return false;
      try {
        await Deno.remove(path);
        await Deno.remove(leavesPath(path)).catch(orMissing(undefined));
        using directory = await Deno.open(path.slice(0, path.lastIndexOf("/")));
        await directory.sync(); // It must not come back after it was counted as gone.
      } catch (cause) {
        throw orStoreFailure(`remove ${sha256}`, cause);
      }
      return true;
    });
  }

  /** One at a time for each name. */
  async #named<T>(sha256: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.#naming.get(sha256) ?? Promise.resolve()).then(work);
    const settled = mine.then(() => undefined, () => undefined);
    this.#naming.set(sha256, settled);
    try {
      return await mine;
    } finally {
      if (this.#naming.get(sha256) === settled) this.#naming.delete(sha256);
    }
  }

  async part(sha256: string): Promise<PartState | null> {
    for await (const entry of Deno.readDir(this.uploads)) {
      const match = PART_NAME.exec(entry.name);
      if (match === null || match[1] !== sha256) continue;
      const info = await Deno.stat(`${this.uploads}/${entry.name}`).catch(orMissing(null));
      // Whoever sends it may have finished, or given it up, between the two looks.
      return info && { offset: info.size, totalBytes: Number(match[2]) };
    }
    return null;
  }

  openPart(sha256: string, totalBytes: number): Promise<PartFile> {
    return this.#openWritable(`${this.uploads}/${checked(sha256)}.${totalBytes}.part`);
  }

  async dropPart(sha256: string): Promise<void> {
    const part = await this.part(sha256);
    if (part === null) return;
    await Deno.remove(`${this.uploads}/${checked(sha256)}.${part.totalBytes}.part`);
  }

  createTemporary(): Promise<PartFile> {
    return this.#openWritable(`${this.uploads}/${++this.#made}.tmp`);
  }

  async dropTemporary(file: PartFile): Promise<void> {
    invariant(file instanceof OpenFile, "a part file of this store");
    file.close();
    await Deno.remove(file.path).catch(orMissing(undefined));
  }

  commit(file: PartFile, sha256: string): Promise<void> {
    return this.#named(sha256, () => this.#keep(file, this.#path(sha256), sha256));
  }

  async #keep(file: PartFile, path: string, name: string): Promise<void> {
    invariant(file instanceof OpenFile, "a part file of this store");
    const folder = path.slice(0, path.lastIndexOf("/"));
    try {
      await file.file.sync(); // The bytes first, then the name that vouches for them.
    } catch (cause) {
      // What did not reach the disk reads well from the cache, and the next sync says nothing.
      await this.dropTemporary(file);
      throw orStoreFailure(`keep ${name}, which is to be sent again`, cause);
    }
    try {
      file.close();
      await Deno.mkdir(folder, { recursive: true });
      await Deno.rename(file.path, path);
    } catch (cause) {
      throw orStoreFailure(`keep ${name}`, cause);
    }
    try {
      for (const each of [folder, this.blobs]) {
        using directory = await Deno.open(each);
        await directory.sync();
      }
    } catch (cause) {
      await Deno.remove(path); // A name that may not last vouches for nothing.
      throw orStoreFailure(`keep ${name}, which is to be sent again`, cause);
    }
  }

  async freeBytes(): Promise<number | null> {
    try {
      const { bavail, bsize } = await statfs(this.uploads);
      return Number(bavail) * Number(bsize);
    } catch (error) {
      if (error instanceof Error && /not implemented|ENOSYS/i.test(error.message)) return null;
      throw error;
    }
  }

  async #openWritable(path: string): Promise<PartFile> {
    const options = { read: true, write: true, create: true };
    const file = await Deno.open(path, options).catch((cause) => {
      throw orStoreFailure("begin a file", cause);
    });
    return new OpenFile(path, file, (await file.stat()).size);
  }

  #path(sha256: string): string {
    return pathIn(this.blobs, sha256);
  }
}

function leavesPath(path: string): string {
  return `${path}.leaves`;
}

function pathIn(blobs: string, sha256: string): string {
  return `${blobs}/${checked(sha256).slice(0, 2)}/${sha256}`;
}

/**
 * Where a whole file lies, for another process of this server.
 *
 * @param folder The data folder.
 * @param sha256 The file.
 * @returns Its path; the file need not be there.
 */
export function blobPath(folder: string, sha256: string): string {
  return pathIn(`${folder}/blobs`, sha256);
}

/** Where a temporary file of this store lies, likewise. */
export function temporaryPath(file: PartFile): string {
  invariant(file instanceof OpenFile, "a part file of this store");
  return file.path;
}

/** Callers have parsed the name; a path must never be made of anything else. */
function checked(sha256: string): string {
  invariant(/^[0-9a-f]{64}$/.test(sha256), "a digest is 64 hex digits");
  return sha256;
}

async function stored(path: string, sha256: string): Promise<StoredFile | null> {
  const info = await Deno.stat(path).catch(orMissing(null));
  return info && {
    ...{ sha256, lengthBytes: info.size, modifiedAtMs: info.mtime?.getTime() ?? Infinity },
  };
}

function orMissing<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Deno.errors.NotFound) return value;
    throw error;
  };
}

class OpenFile implements PartFile, BlobFile {
  #closed = false;

  constructor(
    readonly path: string,
    readonly file: Deno.FsFile,
    public lengthBytes: number,
    readonly closed: () => void = () => undefined,
  ) {}

  read(offset: number, length: number): Uint8Array {
    try {
      return this.#read(offset, length);
    } catch (cause) {
      throw orStoreFailure("read a stored file", cause);
    }
  }

  #read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.lengthBytes) {
      throw new RangeError(
        `Cannot read ${length} bytes at ${offset}: ${this.lengthBytes} are there`,
      );
    }
    const bytes = new Uint8Array(length);
    this.file.seekSync(offset, Deno.SeekMode.Start);
    for (let filled = 0; filled < length;) {
      const count = this.file.readSync(bytes.subarray(filled));
      if (count === null) throw new RangeError(`Cannot read at ${offset + filled}: the file ended`);
      filled += count;
    }
    return bytes;
  }

  async readInto(offset: number, target: Uint8Array): Promise<number> {
    this.file.seekSync(offset, Deno.SeekMode.Start);
    let filled = 0;
    while (filled < target.length) {
      const count = await this.file.read(target.subarray(filled)).catch((cause) => {
        throw orStoreFailure("read a stored file", cause);
      });
      if (count === null) break;
      filled += count;
    }
    return filled;
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.file.seekSync(this.lengthBytes, Deno.SeekMode.Start);
    for (let written = 0; written < bytes.length;) {
      try {
        const count = await this.file.write(bytes.subarray(written));
        written += count;
        this.lengthBytes += count;
      } catch (cause) {
        throw orStoreFailure(`store ${bytes.length} more bytes`, cause);
      }
    }
  }

  async truncate(lengthBytes: number): Promise<void> {
    await this.file.truncate(lengthBytes);
    this.lengthBytes = lengthBytes;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.closed();
    this.file.close();
  }
}
