/**
 * Merkle trees as in RFC 6962 section 2.1: leaves `SHA-256(0x00 || chunk)`, nodes
 * `SHA-256(0x01 || left || right)`, split at the largest power of two below the count.
 * The prefixes keep a node from being passed off as a leaf.
 *
 * @module
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { equalBytes } from "./bytes.ts";
import { invariant } from "./assert.ts";

/** SHA-256 over the parts, joined. Bulk callers pass one of `node:crypto`. */
export type HashParts = (...parts: readonly Uint8Array[]) => Uint8Array;

const LEAF = Uint8Array.of(0x00);
const NODE = Uint8Array.of(0x01);

/** SHA-256 by `@noble/hashes`: runs anywhere, slow on bulk. */
export const nobleHash: HashParts = (...parts) => {
  const hash = sha256.create();
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/**
 * The hash of one leaf.
 *
 * @param chunk The leaf's bytes.
 * @param hash SHA-256.
 * @returns 32 bytes.
 */
export function leafHash(chunk: Uint8Array, hash: HashParts = nobleHash): Uint8Array {
  return hash(LEAF, chunk);
}

/**
 * The root over leaf hashes.
 *
 * @param leaves Leaf hashes in order, 32 bytes each.
 * @param hash SHA-256.
 * @returns 32 bytes; the hash of nothing if there are no leaves (RFC 6962 2.1).
 */
export function merkleRoot(leaves: readonly Uint8Array[], hash: HashParts = nobleHash): Uint8Array {
  if (leaves.length === 0) return hash();
  if (leaves.length === 1) return leaves[0]!;
  const split = splitOf(leaves.length);
  return hash(
    NODE,
    merkleRoot(leaves.slice(0, split), hash),
    merkleRoot(leaves.slice(split), hash),
  );
}

/**
 * The inclusion proof of one leaf (RFC 6962 2.1.1).
 *
 * @param leaves All leaf hashes.
 * @param index Which leaf.
 * @param hash SHA-256.
 * @returns The audit path, lowest first.
 */
export function merkleProof(
  leaves: readonly Uint8Array[],
  index: number,
  hash: HashParts = nobleHash,
): Uint8Array[] {
  invariant(index >= 0 && index < leaves.length, `leaf ${index} of ${leaves.length}`);
  if (leaves.length === 1) return [];
  const split = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split
    ? [...merkleProof(left, index, hash), merkleRoot(right, hash)]
    : [...merkleProof(right, index - split, hash), merkleRoot(left, hash)];
}

/**
 * Whether a leaf belongs at its place under a root (RFC 9162 2.1.3.2).
 *
 * @param leaf The leaf's hash.
 * @param place Which leaf it claims to be, of how many.
 * @param proof Its audit path.
 * @param root The trusted root.
 * @param hash SHA-256.
 * @returns Whether the proof holds.
 */
export function checkMerkleProof(
  leaf: Uint8Array,
  place: { readonly index: number; readonly count: number },
  proof: readonly Uint8Array[],
  root: Uint8Array,
  hash: HashParts = nobleHash,
): boolean {
  if (place.index < 0 || place.index >= place.count) return false;
  let [at, last, node] = [place.index, place.count - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      node = hash(NODE, sibling, node);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      node = hash(NODE, node, sibling);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 && equalBytes(node, root);
}

/** The largest power of two below `count`. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}
