/**
 * Bulk SHA-256 through `node:crypto`: about ten times as fast as JavaScript's.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type HashParts, nobleHash } from "../merkle.ts";

/** A streaming SHA-256. */
export interface StreamDigest {
  update(bytes: Uint8Array): void;
  /** Lower-case hex. Ends the digest. */
  hex(): string;
  /** The 32 bytes. Ends the digest. */
  bytes(): Uint8Array;
}

/**
 * Begins a digest.
 *
 * @returns An empty SHA-256.
 */
export function sha256Digest(): StreamDigest {
  const hash = createHash("sha256");
  return {
    update: (bytes) => void hash.update(bytes),
    hex: () => hash.digest("hex"),
    bytes: () => new Uint8Array(hash.digest()),
  };
}

/**
 * What a finished digest leaves behind, some 250 bytes, lies outside the heap that V8 watches: it is
 * given back only by a full collection, and nothing asks for one. Tens of thousands of leaves would
 * make that many times the memory of what they are leaves of; so many, an eighth of a mebibyte.
 */
const HASHES_A_COLLECTION = 512;
let hashesSinceCollection = 0;

/**
 * Up to so many bytes JavaScript is as fast, and leaves nothing outside the heap: the inner nodes of
 * a tree have 65. One begun digest of `node:crypto` costs more than two blocks of SHA-256.
 */
const SMALL_BYTES = 128;

/** SHA-256 over joined parts, for Merkle trees. */
export const nodeHash: HashParts = (...parts) => {
  let lengthBytes = 0;
  for (const part of parts) lengthBytes += part.length;
  if (lengthBytes <= SMALL_BYTES) return nobleHash(...parts);
  if (++hashesSinceCollection === HASHES_A_COLLECTION) {
    hashesSinceCollection = 0;
    // There with --expose-gc, which vehicle and `ota` set (deno.json, scripts/compile.ts).
    (globalThis as { readonly gc?: () => void }).gc?.();
  }
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};

/**
 * The digest of some bytes.
 *
 * @param bytes All of them.
 * @returns Lower-case hex.
 */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
