/**
 * A whole Merkle tree in memory, for whoever gives many proofs: the hashes of all levels, so that a
 * proof is a look-up. The same tree as in `merkle.ts`: a node without a sibling rises as it is,
 * which is RFC 6962's split at the largest power of two, built from below.
 *
 * @module
 */
import { invariant } from "./assert.ts";
import { type HashParts, nobleHash } from "./merkle.ts";

const HASH_BYTES = 32;
const NODE = Uint8Array.of(0x01);

/** All levels of one tree. */
export class MerkleTree {
  /** From the leaves to the root, 32 bytes a node. */
  readonly #levels: readonly Uint8Array[];
  /** How many leaves there are. */
  readonly count: number;

  /**
   * @param leaves The hashes of all leaves, 32 bytes each; at least one.
   * @param hash SHA-256.
   */
  constructor(leaves: Uint8Array, hash: HashParts = nobleHash) {
    this.count = leaves.length / HASH_BYTES;
    invariant(Number.isInteger(this.count) && this.count > 0, `a list of ${leaves.length} bytes`);
    const levels = [leaves];
    for (let below = leaves; below.length > HASH_BYTES; below = levels.at(-1)!) {
      levels.push(above(below, hash));
    }
    this.#levels = levels;
  }

  /** The root, 32 bytes. */
  get root(): Uint8Array {
    return this.#levels.at(-1)!;
  }

  /** All leaf hashes, 32 bytes each. */
  get leaves(): Uint8Array {
    return this.#levels[0]!;
  }

  /** What it takes of memory. */
  get bytes(): number {
    return this.#levels.reduce((sum, level) => sum + level.length, 0);
  }

  /** The hash of one leaf. */
  leaf(index: number): Uint8Array {
    invariant(index >= 0 && index < this.count, `leaf ${index} of ${this.count}`);
    return nodeAt(this.leaves, index);
  }

  /**
   * The inclusion proof of one leaf (RFC 6962 2.1.1).
   *
   * @param index Which leaf.
   * @returns The audit path, lowest first.
   */
  proof(index: number): Uint8Array[] {
    invariant(index >= 0 && index < this.count, `leaf ${index} of ${this.count}`);
    const path: Uint8Array[] = [];
    for (let i = 0, at = index; i < this.#levels.length - 1; i++, at >>= 1) {
      const level = this.#levels[i]!;
      const sibling = at ^ 1;
      if (sibling * HASH_BYTES < level.length) path.push(nodeAt(level, sibling));
    }
    return path;
  }
}

function nodeAt(level: Uint8Array, index: number): Uint8Array {
  return level.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
}

function above(below: Uint8Array, hash: HashParts): Uint8Array {
  const count = below.length / HASH_BYTES;
  const level = new Uint8Array(Math.ceil(count / 2) * HASH_BYTES);
  for (let i = 0; i < count; i += 2) {
    const left = nodeAt(below, i);
    level.set(i + 1 < count ? hash(NODE, left, nodeAt(below, i + 1)) : left, i / 2 * HASH_BYTES);
  }
  return level;
}
