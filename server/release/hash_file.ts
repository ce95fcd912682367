/**
 * The digest and the Merkle root of a file, in one pass that lets other work go on.
 *
 * @module
 */
import { toHex } from "shared/bytes.ts";
import { KIB, LEAF_BYTES } from "shared/limits.ts";
import { leafHash, merkleRoot } from "shared/merkle.ts";
import { nodeHash, sha256Digest } from "shared/node/digest.ts";
import type { BlobRow } from "../ports.ts";

/** A multiple of the leaf; read, hashed and then yielded: under 1 ms of hashing. */
const STEP_BYTES = 128 * KIB;

/** Digest and leaves of bytes that come in order. */
export class ImageHash {
  readonly #digest = sha256Digest();
  readonly #leaves: Uint8Array[] = [];
  readonly #leaf = new Uint8Array(LEAF_BYTES);
  #filled = 0;
  #lengthBytes = 0;

  /** Takes the next bytes. */
  update(bytes: Uint8Array): void {
    this.#digest.update(bytes);
    this.#lengthBytes += bytes.length;
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + LEAF_BYTES - this.#filled);
      at += part.length;
      if (part.length === LEAF_BYTES) {
        this.#leaves.push(leafHash(part, nodeHash));
        continue;
      }
      this.#leaf.set(part, this.#filled);
      this.#filled += part.length;
      if (this.#filled === LEAF_BYTES) this.#closeLeaf();
    }
  }

  /** Ends it: what the file is called, how long it is, and the root of its leaves. */
  end(): BlobRow {
    if (this.#filled > 0) this.#closeLeaf();
    return {
      sha256: this.#digest.hex(),
      lengthBytes: this.#lengthBytes,
      merkleRoot: toHex(merkleRoot(this.#leaves, nodeHash)),
    };
  }

  #closeLeaf(): void {
    this.#leaves.push(leafHash(this.#leaf.subarray(0, this.#filled), nodeHash));
    this.#filled = 0;
  }
}

/**
 * Hashes a whole file.
 *
 * @param file The file; it must not change meanwhile.
 * @returns Its digest, length and Merkle root.
 */
export async function hashFile(file: {
  readonly lengthBytes: number;
  readInto(offset: number, target: Uint8Array): Promise<number>;
}): Promise<BlobRow> {
  const hash = new ImageHash();
  const buffer = new Uint8Array(Math.min(STEP_BYTES, Math.max(file.lengthBytes, 1)));
  for (let offset = 0;;) {
    const count = await file.readInto(offset, buffer); // Awaiting the disk lets others run.
    if (count === 0) return hash.end();
    hash.update(buffer.subarray(0, count));
    offset += count;
  }
}
