/**
 * The carrier that a vehicle can have at once: a full container whose segments are stored as
 * they are, or are zeros. Only its head is written; the rest is sent out of the image itself.
 *
 * Two passes over the image: what stands in the head comes from all of the image, and the
 * carrier's own digest begins with the head. Each awaits the disk, so that other work goes on.
 *
 * @module
 */
import { fromHex } from "shared/bytes.ts";
import { OPERATION, serializeContainerHead } from "shared/delta/container.ts";
import { UpdateFailure } from "shared/failure.ts";
import { KIB, LEAF_BYTES, SEGMENT_BYTES } from "shared/limits.ts";
import { leafHash } from "shared/merkle.ts";
import { nodeHash, sha256Digest, sha256Hex } from "shared/node/digest.ts";
import type { Carrier } from "shared/protocol/common.ts";
import type { BlobFile, BlobRow, BlobStore, Records, RecordStore } from "../ports.ts";
import type { CompositeRow } from "../ports_delta.ts";
import { checkRoom } from "./room.ts";

/** A full carrier, and how it is put together. */
export interface InstantCarrier {
  readonly carrier: Carrier;
  readonly composite: CompositeRow;
}

type Segment = Parameters<typeof serializeContainerHead>[0]["segments"][number];

interface Scanned {
  readonly head: Uint8Array<ArrayBuffer>;
  readonly ranges: readonly (readonly [number, number])[];
}

/**
 * Read, hashed, and then others get their turn: some 3 ms, where a whole segment at once held up
 * other requests for up to 80 ms. Whole leaves, and a part of a segment.
 */
const STEP_BYTES = 128 * KIB;

/** SHA-256 of the payload that a segment of zeros does not have. */
const NOTHING = nodeHash();

/**
 * Makes the carrier of an image, unless there is one.
 *
 * @param ports Records and files.
 * @param blob The image.
 * @returns What is to be recorded; the head is stored already.
 * @throws {UpdateFailure} `storeFull`, `imageUnknown`, or `storedFileDamaged` if the image is no
 * longer what was stored.
 */
export async function makeInstant(
  ports: { readonly records: RecordStore; readonly blobs: BlobStore },
  blob: BlobRow,
): Promise<InstantCarrier> {
  const known = await ports.records.read((tables) => instantOf(tables, blob.sha256));
  if (known !== undefined) return known;
  const file = await ports.blobs.open(blob.sha256);
  try {
    const { head, ranges } = await scan(file, blob);
    const headSha256 = sha256Hex(head);
    const digest = sha256Digest();
    digest.update(head);
    const buffer = new Uint8Array(STEP_BYTES);
    let lengthBytes = head.length;
    for (const [start, length] of ranges) {
      for (let at = 0; at < length;) {
        const count = await file.readInto(
          start + at,
          buffer.subarray(0, Math.min(STEP_BYTES, length - at)),
        );
        if (count === 0) throw damaged(blob);
        digest.update(buffer.subarray(0, count));
        at += count;
      }
      lengthBytes += length;
    }
    await store(ports.blobs, head, headSha256);
    const carrierSha256 = digest.hex();
    const { sha256 } = blob;
    return {
      carrier: { v: 1, carrierSha256, format: "container", lengthBytes, sha256 },
      composite: { carrierSha256, headSha256, imageSha256: sha256, ranges },
    };
  } finally {
    file.close();
  }
}

/**
 * Records it.
 *
 * @param tables The records, in a transaction for writing.
 * @param made What {@linkcode makeInstant} gave.
 */
export async function recordInstant(
  tables: Records,
  { carrier, composite }: InstantCarrier,
): Promise<void> {
  await tables.putComposite(composite);
  await tables.putCarrier(carrier);
}

async function instantOf(tables: Records, sha256: string): Promise<InstantCarrier | undefined> {
  for (const carrier of await tables.carriersOf(sha256)) {
    if (carrier.format !== "container" || carrier.baseSha256 !== undefined) continue;
    const composite = await tables.composite(carrier.carrierSha256);
    if (composite !== undefined) return { carrier, composite };
  }
  return undefined;
}

/** The head, and where in the image the bytes lie that follow it. */
async function scan(file: BlobFile, blob: BlobRow): Promise<Scanned> {
  const image = sha256Digest();
  const leaves = new Uint8Array(Math.ceil(blob.lengthBytes / LEAF_BYTES) * 32);
  const segments: Segment[] = [];
  const ranges: [number, number][] = [];
  const buffer = new Uint8Array(STEP_BYTES);
  for (let start = 0; start < blob.lengthBytes; start += SEGMENT_BYTES) {
    const payloadBytes = Math.min(SEGMENT_BYTES, blob.lengthBytes - start);
    const payload = sha256Digest();
    let zero = true;
    for (let at = 0; at < payloadBytes;) {
      const bytes = buffer.subarray(0, Math.min(STEP_BYTES, payloadBytes - at));
      if (await file.readInto(start + at, bytes) < bytes.length) throw damaged(blob);
      image.update(bytes);
      payload.update(bytes);
      zero = zero && isZero(bytes);
      for (let from = 0; from < bytes.length; from += LEAF_BYTES) {
        const hash = leafHash(bytes.subarray(from, from + LEAF_BYTES), nodeHash);
        leaves.set(hash, (start + at + from) / LEAF_BYTES * 32);
      }
      at += bytes.length;
    }
    if (zero) {
      segments.push({ operation: OPERATION.zero, payloadBytes: 0, payloadSha256: NOTHING });
      continue;
    }
    const payloadSha256 = fromHex(payload.hex());
    segments.push({ operation: OPERATION.raw, payloadBytes, payloadSha256 });
    const last = ranges.at(-1);
    if (last !== undefined && last[0] + last[1] === start) last[1] += payloadBytes;
    else ranges.push([start, payloadBytes]);
  }
  if (image.hex() !== blob.sha256) throw damaged(blob);
  const head = serializeContainerHead({
    imageBytes: blob.lengthBytes,
    imageSha256: blob.sha256,
    base: null,
    leafBytes: LEAF_BYTES,
    segmentBytes: SEGMENT_BYTES,
    leafHashes: leaves,
    segments,
  }, nodeHash);
  return { head, ranges };
}

/** Compared as words where the bytes allow it: all of an image goes through here. */
function isZero(bytes: Uint8Array): boolean {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  for (let at = 0; at < words.length; at++) if (words[at] !== 0) return false;
  return bytes.subarray(words.length * 4).every((byte) => byte === 0);
}

async function store(blobs: BlobStore, bytes: Uint8Array, sha256: string): Promise<void> {
  await checkRoom(blobs, bytes.length, "Cannot make a carrier", "store");
  const file = await blobs.createTemporary();
  try {
    await file.append(bytes);
    await blobs.commit(file, sha256);
  } catch (error) {
    await blobs.dropTemporary(file);
    throw error;
  }
}

function damaged({ sha256, lengthBytes }: BlobRow): UpdateFailure {
  return new UpdateFailure(
    "storedFileDamaged",
    sha256,
    `Cannot read ${sha256}: it is no longer the ${lengthBytes} bytes that were stored`,
  );
}
