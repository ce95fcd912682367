/**
 * Reads an uploaded container and applies it, as a vehicle would.
 *
 * @module
 */
import { ContainerApplier } from "shared/delta/apply.ts";
import {
  CONTAINER_PREFIX_BYTES,
  type ContainerHead,
  containerHeadBytes,
  isContainer,
  parseContainerHead,
} from "shared/delta/container.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import { KIB, LEAF_BYTES, MAX_IMAGE_BYTES, SEGMENT_BYTES } from "shared/limits.ts";
import { nodeCodecs } from "shared/node/codecs.ts";
import { nodeHash } from "shared/node/digest.ts";
import type { BlobFile } from "../ports.ts";

/** Read at once. */
const STEP_BYTES = 256 * KIB;

/**
 * The head of an uploaded file, if it is a container.
 *
 * @param file The file.
 * @returns What its head says, checked in itself; `undefined` if it is no container.
 * @throws {UpdateFailure} `containerDamaged`, `containerTooNew` or `imageTooLarge`.
 */
export async function readContainer(file: BlobFile): Promise<ContainerHead | undefined> {
  const prefix = new Uint8Array(CONTAINER_PREFIX_BYTES);
  const start = prefix.subarray(0, await file.readInto(0, prefix));
  if (!isContainer(start)) return undefined;
  const bytes = new Uint8Array(containerHeadBytes(start));
  const head = bytes.subarray(0, await file.readInto(0, bytes));
  return parseContainerHead(head, { hash: nodeHash, maxImageBytes: MAX_IMAGE_BYTES });
}

/**
 * Whether vehicles read containers with this geometry.
 *
 * @param head The head.
 * @returns Whether its leaves and segments have the lengths that vehicles write by.
 */
export function fitsVehicles({ leafBytes, segmentBytes }: ContainerHead): boolean {
  return leafBytes === LEAF_BYTES && segmentBytes <= SEGMENT_BYTES;
}

/**
 * Applies it, a segment at a time.
 *
 * @param file The container, whole.
 * @param head Its head.
 * @param base The image that it starts from.
 * @returns The image, every leaf of it proved against the head; a piece is valid until the next.
 * @throws {UpdateFailure} `containerDamaged`, `containerTooNew`, `deltaBaseDiffers`,
 * `leafDiffers`.
 */
export async function* applyContainer(
  file: BlobFile,
  head: ContainerHead,
  base: RandomRead,
): AsyncGenerator<Uint8Array> {
  const applier = new ContainerApplier({
    trusted: { root: head.imageRoot, imageBytes: head.imageBytes },
    base,
    tools: { codecs: nodeCodecs, hash: nodeHash },
  });
  const buffer = new Uint8Array(STEP_BYTES);
  for (let offset = 0; offset < file.lengthBytes;) {
    const count = await file.readInto(offset, buffer);
    if (count === 0) break; // The end tells.
    for (const { bytes } of applier.push(buffer.subarray(0, count))) yield bytes;
    offset += count;
  }
  applier.end();
}
