/**
 * Single leaves of images with their proofs, and the list of all leaf hashes: what a vehicle heals a
 * slot with. It may read the images that were published for its hardware, and of others it is not
 * even told whether they are there.
 *
 * @module
 */
import { concatBytes, equalBytes } from "shared/bytes.ts";
import { UpdateFailure } from "shared/failure.ts";
import { LEAF_BYTES } from "shared/limits.ts";
import { leafHash } from "shared/merkle.ts";
import { nodeHash } from "shared/node/digest.ts";
import { chunkHead } from "shared/protocol/chunk.ts";
import type { Core } from "../core.ts";
import type { BlobRow, Records } from "../ports.ts";

/** What is asked for, and by whom. */
export interface ChunkRequest {
  readonly vin: string;
  /** Root over the image's leaves, hex. */
  readonly root: string;
}

/**
 * Answers `GET /chunks/{root}`: 32 bytes a leaf, in order.
 *
 * @param core The server's parts.
 * @param request What is asked for.
 * @returns 200.
 * @throws {UpdateFailure} `notFound` if no image that this vehicle may read has that root.
 */
export async function answerLeafList(core: Core, request: ChunkRequest): Promise<Response> {
  const blob = await core.ports.records.read((tables) => readable(tables, request));
  const { leaves } = await core.leafTrees.of(blob);
  return bytesResponse(leaves);
}

/**
 * Answers `GET /chunks/{root}/{index}`: a leaf and its proof (`shared/protocol/chunk.ts`).
 *
 * @param core The server's parts.
 * @param request What is asked for.
 * @param index Which leaf.
 * @returns 200.
 * @throws {UpdateFailure} `notFound` likewise, or if the image has fewer leaves.
 */
export async function answerLeaf(
  core: Core,
  request: ChunkRequest,
  index: number,
): Promise<Response> {
  const blob = await core.ports.records.read((tables) => readable(tables, request));
  const tree = await core.leafTrees.of(blob);
  if (index >= tree.count) throw notFound(request.root, `it has ${tree.count} leaves`);
  const at = index * LEAF_BYTES;
  const bytes = new Uint8Array(Math.min(LEAF_BYTES, blob.lengthBytes - at));
  const file = await core.ports.blobs.open(blob.sha256);
  try {
    const count = await file.readInto(at, bytes);
    const found = leafHash(bytes.subarray(0, count), nodeHash);
    if (!equalBytes(found, tree.leaf(index))) {
      const message = `Cannot give leaf ${index} of ${blob.sha256}: its bytes have changed`;
      throw new UpdateFailure("storedFileDamaged", blob.sha256, message);
    }
  } finally {
    file.close();
  }
  core.metrics.add("ota_chunks_total");
  return bytesResponse(concatBytes(chunkHead(tree.proof(index)), bytes));
}

/** The image with that root, if it was published for hardware that the vehicle reported. */
async function readable(tables: Records, { vin, root }: ChunkRequest): Promise<BlobRow> {
  const vehicle = await tables.vehicle(vin);
  const hardware = new Set(vehicle?.report?.ecus.map((ecu) => ecu.hardware));
  for (const blob of await tables.blobsByRoot(root)) {
    for (const { release, hardware: its } of await tables.releasesWith(blob.sha256)) {
      if (!hardware.has(its)) continue;
      if ((await tables.release(release))?.state === "published") return blob;
    }
  }
  throw notFound(root, "no release for this vehicle has it");
}

function notFound(root: string, why: string): UpdateFailure {
  return new UpdateFailure("notFound", root, `Cannot find leaves under ${root}: ${why}`);
}

function bytesResponse(bytes: Uint8Array): Response {
  return new Response(new Uint8Array(bytes), {
    headers: {
      "cache-control": "private, max-age=31536000, immutable",
      "content-length": String(bytes.length),
      "content-type": "application/octet-stream",
      "x-content-type-options": "nosniff",
    },
  });
}
