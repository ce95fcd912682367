/**
 * Trusted metadata in a folder, a file a role, as the conformance suite looks at it. The vehicle
 * keeps its own on a disk that survives power cuts (`vehicle/storage/metadata_area.ts`); here each
 * file is replaced whole, but several are not replaced at once.
 *
 * @module
 */
import type { MetadataStore, StoreChange } from "shared/trust/ports.ts";

/** A folder of `root.json`, `timestamp.json` and so on, without versions in the names. */
export class MetadataFolder implements MetadataStore {
  readonly #folder: string;

  /** @param folder The folder; it is made if it is not there. */
  constructor(folder: string) {
    this.#folder = folder;
    Deno.mkdirSync(folder, { recursive: true });
  }

  read(role: string): Uint8Array | undefined {
    try {
      return Deno.readFileSync(this.#path(role));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return undefined;
    }
  }

  commit(changes: readonly StoreChange[]): void {
    // What is forgotten goes first: a new root must not meet what it has disowned.
    for (const [role, bytes] of changes) {
      if (bytes === null && this.read(role) !== undefined) Deno.removeSync(this.#path(role));
    }
    for (const [role, bytes] of changes) {
      if (bytes !== null) replaceFile(this.#path(role), bytes);
    }
  }

  #path(role: string): string {
    return `${this.#folder}/${encodeURIComponent(role)}.json`;
  }
}

/**
 * Replaces a file whole: the old or the new is there, never a part.
 *
 * @param path The file.
 * @param bytes Its new content.
 */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const next = `${path}.new`;
  const file = Deno.openSync(next, { write: true, create: true, truncate: true });
  try {
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.syncSync();
  } finally {
    file.close();
  }
  Deno.renameSync(next, path);
}
