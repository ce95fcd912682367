/**
 * One leaf of an image with its proof, as it travels by HTTP and in broadcasts:
 *
 *   0   1   version, 1
 *   1   1   n, number of hashes of the proof
 *   2   32n audit path, lowest first (RFC 6962 2.1.1)
 *   ..  ..  the leaf's bytes
 *
 * and the list of all leaf hashes: 32 bytes each, in order, nothing else.
 *
 * @module
 */
import { equalBytes, toHex } from "../bytes.ts";
import { UpdateFailure } from "../failure.ts";
import { LEAF_BYTES } from "../limits.ts";
import { checkMerkleProof, type HashParts, leafHash, merkleRoot } from "../merkle.ts";

const VERSION = 1;
const HEAD_BYTES = 2;
/** Of 2^26 leaves: far more than the largest image has. */
const MAX_PROOF = 26;

/** The longest chunk. */
export const MAX_CHUNK_BYTES: number = HEAD_BYTES + 32 * MAX_PROOF + LEAF_BYTES;

/** A leaf with its proof. */
export interface Chunk {
  readonly proof: readonly Uint8Array[];
  readonly bytes: Uint8Array;
}

/** Where a leaf belongs. */
export interface LeafPlace {
  /** Root over all leaves, hex. */
  readonly root: string;
  readonly index: number;
  /** How many leaves there are. */
  readonly count: number;
}

/**
 * Serializes the part before the leaf's bytes.
 *
 * @param proof The audit path.
 * @returns What the bytes of the leaf follow.
 */
export function chunkHead(proof: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(HEAD_BYTES + 32 * proof.length);
  head.set([VERSION, proof.length]);
  proof.forEach((hash, i) => head.set(hash, HEAD_BYTES + 32 * i));
  return head;
}

/**
 * Takes a chunk apart.
 *
 * @param data What came.
 * @returns The leaf and its proof; nothing of it is proved yet.
 * @throws {UpdateFailure} `schemaUnknown`, or `leafDiffers` if it is too short or too long.
 */
export function parseChunk(data: Uint8Array): Chunk {
  if (data.length > HEAD_BYTES && data[0] !== VERSION) {
    const message = `Cannot read chunk: version ${data[0]} is unknown, this version reads 1`;
    throw new UpdateFailure("schemaUnknown", "chunk", message);
  }
  const count = data[1] ?? 0;
  const at = HEAD_BYTES + 32 * count;
  if (data.length <= at || count > MAX_PROOF || data.length > MAX_CHUNK_BYTES) {
    const message = `Cannot read chunk: ${data.length} bytes with a proof of ${count} hashes`;
    throw new UpdateFailure("leafDiffers", "chunk", message);
  }
  const hash = (i: number) => data.slice(HEAD_BYTES + 32 * i, HEAD_BYTES + 32 * (i + 1));
  return { proof: Array.from({ length: count }, (_, i) => hash(i)), bytes: data.subarray(at) };
}

/**
 * Proves a leaf.
 *
 * @param chunk The leaf with its proof.
 * @param place Where it belongs.
 * @param hash SHA-256.
 * @throws {UpdateFailure} `leafDiffers` if it does not belong there.
 */
export function proveChunk({ proof, bytes }: Chunk, place: LeafPlace, hash: HashParts): void {
  const leaf = leafHash(bytes, hash);
  if (checkMerkleProof(leaf, place, proof, rootBytes(place.root), hash)) return;
  throw new UpdateFailure(
    "leafDiffers",
    place.root,
    `Cannot use leaf ${place.index} of ${place.count}: it is not of the image with root ${place.root}`,
  );
}

/**
 * Proves a list of leaf hashes.
 *
 * @param list 32 bytes a leaf.
 * @param place The root and the number of leaves.
 * @param hash SHA-256.
 * @throws {UpdateFailure} `leafDiffers` if it is another image's, or damaged.
 */
export function proveLeafList(
  list: Uint8Array,
  { root, count }: Omit<LeafPlace, "index">,
  hash: HashParts,
): void {
  const leaves = Array.from(
    { length: Math.floor(list.length / 32) },
    (_, i) => list.subarray(32 * i, 32 * (i + 1)),
  );
  const found = merkleRoot(leaves, hash);
  if (list.length === 32 * count && equalBytes(found, rootBytes(root))) return;
  throw new UpdateFailure(
    "leafDiffers",
    root,
    `Cannot use the leaf list: ${list.length} bytes with root ${toHex(found)}, ` +
      `the image has ${count} leaves with root ${root}`,
  );
}

function rootBytes(root: string): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => parseInt(root.slice(2 * i, 2 * i + 2), 16));
}
