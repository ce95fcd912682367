/**
 * What an image file is, without asking the server: digest, length, and the root over its leaves.
 *
 * @module
 */
import { toHex } from "shared/bytes.ts";
import { LEAF_BYTES } from "shared/limits.ts";
import { leafHash } from "shared/merkle.ts";
import { MerkleTree } from "shared/merkle_tree.ts";
import { nodeHash, sha256Digest } from "shared/node/digest.ts";
import type { MeasuredImage } from "../trust/review.ts";
import { usageError } from "./exit.ts";
import { openRead } from "./files.ts";

/** Leaves read at once. */
const STEP_LEAVES = 16;

/**
 * Measures an image.
 *
 * @param path The file.
 * @returns What a signature would vouch for.
 * @throws {CommandError} Usage, if it cannot be read or is empty.
 */
export function measure(path: string): MeasuredImage {
  using file = openRead(path);
  const { lengthBytes } = file;
  if (lengthBytes === 0) throw usageError(`Cannot use ${path}: it is empty`, "Give an image");
  const digest = sha256Digest();
  const leaves = new Uint8Array(32 * Math.ceil(lengthBytes / LEAF_BYTES));
  for (let at = 0; at < lengthBytes;) {
    const step = file.read(at, Math.min(STEP_LEAVES * LEAF_BYTES, lengthBytes - at));
    digest.update(step);
    for (let leaf = 0; leaf < step.length; leaf += LEAF_BYTES) {
      const hash = leafHash(step.subarray(leaf, leaf + LEAF_BYTES), nodeHash);
      leaves.set(hash, 32 * ((at + leaf) / LEAF_BYTES));
    }
    at += step.length;
  }
  const merkleRoot = toHex(new MerkleTree(leaves, nodeHash).root);
  return { sha256: digest.hex(), lengthBytes, merkleRoot };
}
