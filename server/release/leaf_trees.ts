/**
 * The Merkle trees of stored images, for vehicles that heal a slot. The list of an image's leaf
 * hashes is computed once, streaming, and kept beside the image; the trees that were asked for last
 * stay in memory, up to a bound.
 *
 * @module
 */
import { equalBytes, fromHex } from "shared/bytes.ts";
import { UpdateFailure } from "shared/failure.ts";
import { LEAF_BYTES, LEAF_TREES_BYTES } from "shared/limits.ts";
import { leafHash } from "shared/merkle.ts";
import { MerkleTree } from "shared/merkle_tree.ts";
import { nodeHash } from "shared/node/digest.ts";
import type { BlobFile, BlobRow, BlobStore } from "../ports.ts";

/** Trees by image. */
export class LeafTrees {
  readonly #blobs: BlobStore;
  /** Least recently asked for first. */
  readonly #trees = new Map<string, Promise<MerkleTree>>();
  #bytes = 0;

  /** @param blobs Where the images lie. */
  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /**
   * The tree of an image.
   *
   * @param blob The image.
   * @returns Its tree, whose root is the recorded one.
   * @throws {UpdateFailure} `imageUnknown` if its file is not there, `storedFileDamaged` if it is
   * no longer what was stored.
   */
  async of(blob: BlobRow): Promise<MerkleTree> {
    const known = this.#trees.get(blob.sha256);
    if (known !== undefined) {
      this.#trees.delete(blob.sha256);
      this.#trees.set(blob.sha256, known);
      return await known;
    }
    const made = this.#load(blob);
    this.#trees.set(blob.sha256, made);
    try {
      this.#bytes += (await made).bytes;
    } catch (error) {
      this.#trees.delete(blob.sha256);
      throw error;
    }
    await this.#forget();
    return await made;
  }

  /** Drops what was not asked for the longest; the newest always stays. */
  async #forget(): Promise<void> {
    for (const [sha256, tree] of this.#trees) {
      if (this.#bytes <= LEAF_TREES_BYTES || this.#trees.size === 1) return;
      if (!this.#trees.delete(sha256)) continue;
      this.#bytes -= (await tree).bytes;
    }
  }

  async #load(blob: BlobRow): Promise<MerkleTree> {
    const kept = await this.#kept(blob);
    if (kept !== undefined) return kept;
    const image = await this.#blobs.open(blob.sha256);
    try {
      const leaves = await hashLeaves(image, blob.lengthBytes);
      const tree = treeOf(leaves, blob);
      if (tree === undefined) throw damaged(blob);
      await this.#keep(leaves, blob.sha256);
      return tree;
    } finally {
      image.close();
    }
  }

  /** A list that does not hold is made anew: it is only a copy of what the image says. */
  async #kept(blob: BlobRow): Promise<MerkleTree | undefined> {
    const file = await this.#blobs.openLeaves(blob.sha256);
    if (file === null) return undefined;
    try {
      const bytes = 32 * Math.ceil(blob.lengthBytes / LEAF_BYTES);
      return file.lengthBytes === bytes ? treeOf(file.read(0, bytes), blob) : undefined;
    } finally {
      file.close();
    }
  }

  /** Without room for it, it is computed again the next time. */
  async #keep(leaves: Uint8Array, sha256: string): Promise<void> {
    const file = await this.#blobs.createTemporary();
    try {
      await file.append(leaves);
      await this.#blobs.commitLeaves(file, sha256);
    } catch (error) {
      await this.#blobs.dropTemporary(file);
      if (!(error instanceof UpdateFailure)) throw error;
    }
  }
}

export async function hashLeaves(image: BlobFile, lengthBytes: number): Promise<Uint8Array> {
  const leaves = new Uint8Array(32 * Math.ceil(lengthBytes / LEAF_BYTES));
  const buffer = new Uint8Array(LEAF_BYTES);
  for (let at = 0, index = 0; at < lengthBytes; index++) {
    const count = await image.readInto(at, buffer); // Awaiting the disk lets others run.
    if (count === 0) break;
    leaves.set(leafHash(buffer.subarray(0, count), nodeHash), 32 * index);
    at += count;
  }
  return leaves;
}

function treeOf(leaves: Uint8Array, { merkleRoot }: BlobRow): MerkleTree | undefined {
  const tree = new MerkleTree(leaves, nodeHash);
  return equalBytes(tree.root, fromHex(merkleRoot)) ? tree : undefined;
}

function damaged({ sha256 }: BlobRow): UpdateFailure {
  const message = `Cannot give leaves of ${sha256}: it is no longer what was stored`;
  return new UpdateFailure("storedFileDamaged", sha256, message);
}
