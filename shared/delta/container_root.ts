/**
 * The RFC 6962 root over leaf hashes that lie one after the other, as in a container's head.
 * `merkleRoot` of shared/merkle.ts wants an array a leaf: 262,144 of them for 16 GiB.
 *
 * @module
 */
import type { HashParts } from "../merkle.ts";

const NODE = Uint8Array.of(0x01);
const HASH_BYTES = 32;

/**
 * The root, with one array for each level of the tree held at a time.
 *
 * @param leaves Leaf hashes, 32 bytes each, joined.
 * @param hash SHA-256.
 * @returns 32 bytes; the hash of nothing if there are no leaves (RFC 6962 2.1).
 */
export function rootOfLeaves(leaves: Uint8Array, hash: HashParts): Uint8Array {
  if (leaves.length === 0) return hash();
  // Whole subtrees, largest first: a binary counter, as leaves are added from the left.
  const stack: Uint8Array[] = [];
  for (let at = 0, count = 1; at < leaves.length; at += HASH_BYTES, count++) {
    let node = leaves.subarray(at, at + HASH_BYTES);
    for (let done = count; done % 2 === 0; done /= 2) node = hash(NODE, stack.pop()!, node);
    stack.push(node);
  }
  let root = stack.pop()!;
  while (stack.length > 0) root = hash(NODE, stack.pop()!, root);
  return root.slice();
}
