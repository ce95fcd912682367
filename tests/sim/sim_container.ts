/**
 * Containers for simulated worlds: every operation has its turn, and nothing is chosen by size,
 * so that a small image has segments of several kinds.
 *
 * @module
 */
import { constants, zstdCompressSync } from "node:zlib";
import { concatBytes } from "shared/bytes.ts";
import { OPERATION } from "shared/delta/container_format.ts";
import { type SegmentRow, serializeContainerHead } from "shared/delta/container_write.ts";
import {
  CODEC,
  writeAddPayload,
  writeCopyPayload,
  writePieces,
} from "shared/delta/segment_write.ts";
import { LEAF_BYTES, MAX_WINDOW_LOG, SEGMENT_BYTES } from "shared/limits.ts";
import { leafHash, merkleRoot } from "shared/merkle.ts";
import { nodeHash, sha256Hex } from "shared/node/digest.ts";
import type { Carrier } from "shared/protocol/common.ts";

/** Sizes of leaves and segments, in bytes. */
export interface Geometry {
  readonly leafBytes: number;
  readonly segmentBytes: number;
}

/** What simulated worlds use: an image of 3000 bytes has three segments. */
export const SMALL: Geometry = { leafBytes: 512, segmentBytes: 1024 };
/** What the product uses. */
export const PRODUCT: Geometry = { leafBytes: LEAF_BYTES, segmentBytes: SEGMENT_BYTES };

/** A carrier with its bytes. */
export interface SimCarrier {
  readonly carrier: Carrier;
  readonly bytes: Uint8Array;
  /** Where the payload of a segment begins; of the one behind the last, where the file ends. */
  readonly offsets: readonly number[];
}

/** The hashes of an image's leaves. */
export function leavesOf(image: Uint8Array, leafBytes: number): Uint8Array[] {
  const count = Math.ceil(image.length / leafBytes);
  return Array.from(
    { length: count },
    (_, i) => leafHash(image.subarray(i * leafBytes, (i + 1) * leafBytes), nodeHash),
  );
}

/** Makes a container; without a base it is a full one. */
export function container(
  image: Uint8Array,
  geometry: Geometry = SMALL,
  base?: Uint8Array,
): SimCarrier {
  const { segmentBytes } = geometry;
  const made = Array.from({ length: Math.ceil(image.length / segmentBytes) }, (_, i) => {
    const bytes = image.subarray(i * segmentBytes, (i + 1) * segmentBytes);
    return payloadOf(bytes, i, { at: i * segmentBytes, base });
  });
  return joined(image, geometry, { made, base });
}

/** One segment as it travels. */
export interface SimSegment {
  readonly operation: number;
  readonly payload: Uint8Array;
}

/** A container of given segments, whether or not they make the image. */
export function joined(
  image: Uint8Array,
  geometry: Geometry,
  { made, base }: { readonly made: readonly SimSegment[]; readonly base?: Uint8Array | undefined },
): SimCarrier {
  const { leafBytes } = geometry;
  const segments = made.map(({ operation, payload }): SegmentRow => ({
    operation,
    payloadBytes: payload.length,
    payloadSha256: nodeHash(payload),
  }));
  const head = serializeContainerHead({
    ...geometry,
    segments,
    imageBytes: image.length,
    imageSha256: sha256Hex(image),
    base: base === undefined ? null : {
      bytes: base.length,
      sha256: sha256Hex(base),
      root: merkleRoot(leavesOf(base, leafBytes), nodeHash),
    },
    leafHashes: concatBytes(...leavesOf(image, leafBytes)),
  }, nodeHash);
  let at = head.length;
  const offsets = [at, ...segments.map(({ payloadBytes }) => at += payloadBytes)];
  const bytes = concatBytes(head, ...made.map(({ payload }) => payload));
  return { bytes, offsets, carrier: carrierOf(bytes, sha256Hex(image), base && sha256Hex(base)) };
}

/** What the Director says of a container. */
export function carrierOf(bytes: Uint8Array, sha256: string, baseSha256?: string): Carrier {
  return {
    v: 1,
    format: "container",
    carrierSha256: sha256Hex(bytes),
    lengthBytes: bytes.length,
    sha256,
    ...(baseSha256 === undefined ? {} : { baseSha256 }),
  };
}

function payloadOf(
  bytes: Uint8Array,
  index: number,
  { at, base }: { readonly at: number; readonly base: Uint8Array | undefined },
): SimSegment {
  if (bytes.every((byte) => byte === 0)) {
    return { operation: OPERATION.zero, payload: new Uint8Array(0) };
  }
  const old = base?.subarray(at, at + bytes.length);
  if (old !== undefined && old.length === bytes.length) {
    if (old.every((byte, i) => byte === bytes[i])) {
      return { operation: OPERATION.copy, payload: writeCopyPayload(at) };
    }
    return { operation: OPERATION.add, payload: addPayload(bytes, old, at) };
  }
  return index % 2 === 1
    ? { operation: OPERATION.zstd, payload: zstd(bytes) }
    : { operation: OPERATION.raw, payload: bytes };
}

/** One frame; by itself zstd takes a window twice as large as the format allows. */
function zstd(bytes: Uint8Array): Uint8Array {
  const params = { [constants.ZSTD_c_windowLog]: MAX_WINDOW_LOG };
  return new Uint8Array(zstdCompressSync(bytes, { params }));
}

/** The whole segment as one piece of the base at the same place, and what differs. */
function addPayload(bytes: Uint8Array, old: Uint8Array, at: number): Uint8Array {
  const difference = bytes.map((byte, i) => byte - old[i]!);
  const piece = { literalBytes: 0, pieceBytes: bytes.length, baseOffset: at, hasDifference: true };
  const pieces = writePieces([piece], at);
  const stored = zstd(difference);
  return writeAddPayload(0, {
    pieces: { codec: CODEC.raw, stored: pieces, rawBytes: pieces.length },
    difference: { codec: CODEC.zstd, stored, rawBytes: difference.length },
    literals: { codec: CODEC.zeros, stored: new Uint8Array(0), rawBytes: 0 },
  });
}
