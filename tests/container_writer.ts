/**
 * Makes containers for tests: each segment says by itself how it is made. No search for matches
 * and no choice of codec: those are the encoder's.
 *
 * @module
 */
import { constants } from "node:zlib";
import { assert } from "@std/assert/mod.js";
import { concatBytes, equalBytes } from "shared/bytes.ts";
import { ContainerApplier } from "shared/delta/apply.ts";
import { OPERATION, serializeContainerHead } from "shared/delta/container.ts";
import { rootOfLeaves } from "shared/delta/container_root.ts";
import { readArray } from "shared/delta/random_read.ts";
import type { Codecs } from "shared/delta/segment.ts";
import {
  CODEC,
  type CodecNumber,
  type StoredStream,
  writeAddPayload,
  writeCopyPayload,
  writePieces,
} from "shared/delta/segment_write.ts";
import { leafHash } from "shared/merkle.ts";
import { nodeCodecs } from "shared/node/codecs.ts";
import { encodeBrotli, encodeZstd } from "shared/node/codecs_encode.ts";
import { nodeHash, sha256Hex } from "shared/node/digest.ts";

/** How one segment is made. */
export interface SegmentPlan {
  readonly operation: number;
  readonly payload: Uint8Array;
}

/** A segment as the plan sees it. */
export interface SegmentView {
  readonly index: number;
  /** Where it begins in the image. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What a container is made of. */
export interface ContainerPlan {
  readonly image: Uint8Array;
  readonly base: Uint8Array | null;
  readonly leafBytes: number;
  readonly segmentBytes: number;
  readonly plan: (segment: SegmentView) => SegmentPlan;
}

/** A piece of a segment that lies in the base. */
export interface PlannedPiece {
  /** Where it begins in the segment. */
  readonly at: number;
  readonly length: number;
  readonly baseOffset: number;
  /** False only if it is the same in both. */
  readonly hasDifference: boolean;
}

/** The leaf hashes of an image, joined. */
export function leafHashesOf(image: Uint8Array, leafBytes: number): Uint8Array<ArrayBuffer> {
  const leaves = [];
  for (let at = 0; at < image.length; at += leafBytes) {
    leaves.push(leafHash(image.subarray(at, at + leafBytes), nodeHash));
  }
  return concatBytes(...leaves);
}

/** A whole container. */
export function makeContainer(parts: ContainerPlan): Uint8Array<ArrayBuffer> {
  const { image, base, leafBytes, segmentBytes } = parts;
  const plans: SegmentPlan[] = [];
  for (let offset = 0; offset < image.length; offset += segmentBytes) {
    const bytes = image.subarray(offset, offset + segmentBytes);
    plans.push(parts.plan({ index: plans.length, offset, bytes }));
  }
  const head = serializeContainerHead({
    imageBytes: image.length,
    imageSha256: sha256Hex(image),
    base: base && {
      bytes: base.length,
      sha256: sha256Hex(base),
      root: rootOfLeaves(leafHashesOf(base, leafBytes), nodeHash),
    },
    ...{ leafBytes, segmentBytes, leafHashes: leafHashesOf(image, leafBytes) },
    segments: plans.map(({ operation, payload }) => ({
      operation,
      payloadBytes: payload.length,
      payloadSha256: nodeHash(payload),
    })),
  }, nodeHash);
  return concatBytes(head, ...plans.map(({ payload }) => payload));
}

export const zero = (): SegmentPlan => ({
  operation: OPERATION.zero,
  payload: new Uint8Array(0),
});
export const copy = (baseOffset: number): SegmentPlan => ({
  operation: OPERATION.copy,
  payload: writeCopyPayload(baseOffset),
});
export const raw = (bytes: Uint8Array): SegmentPlan => ({
  operation: OPERATION.raw,
  payload: bytes,
});
export const zstd = (bytes: Uint8Array): SegmentPlan => ({
  operation: OPERATION.zstd,
  payload: zstdOf(bytes),
});
export const brotli = (bytes: Uint8Array): SegmentPlan => ({
  operation: OPERATION.brotli,
  payload: brotliOf(bytes),
});

/** One zstd frame. */
export function zstdOf(bytes: Uint8Array, level = 3): Uint8Array {
  return encodeZstd(bytes, { [constants.ZSTD_c_compressionLevel]: level });
}

/** One brotli stream. */
export function brotliOf(bytes: Uint8Array): Uint8Array {
  return encodeBrotli(bytes, { [constants.BROTLI_PARAM_QUALITY]: 5 });
}

/** A stream by a codec; `CODEC.zeros` only for zeros. */
export function stored(bytes: Uint8Array, codec: CodecNumber): StoredStream {
  const rawBytes = bytes.length;
  switch (codec) {
    case CODEC.raw:
      return { codec, stored: bytes, rawBytes };
    case CODEC.zstd:
      return { codec, stored: zstdOf(bytes), rawBytes };
    case CODEC.brotli:
      return { codec, stored: brotliOf(bytes), rawBytes };
    case CODEC.zeros:
      return { codec, stored: new Uint8Array(0), rawBytes };
  }
}

/** The three streams of ADD for given pieces, not compressed. */
export function addStreams(
  segment: SegmentView,
  base: Uint8Array,
  pieces: readonly PlannedPiece[],
  placed: readonly number[] = pieces.map(({ baseOffset }) => baseOffset),
): { readonly pieces: Uint8Array; readonly difference: Uint8Array; readonly literals: Uint8Array } {
  const [difference, literals]: Uint8Array[][] = [[], []];
  let made = 0;
  const listed = pieces.map(({ at, length, baseOffset, hasDifference }, i) => {
    const literalBytes = at - made;
    literals!.push(segment.bytes.subarray(made, at));
    const was = base.subarray(baseOffset, baseOffset + length);
    if (hasDifference) {
      difference!.push(segment.bytes.slice(at, at + length).map((byte, i) => byte - was[i]!));
    }
    made = at + length;
    return { literalBytes, pieceBytes: length, baseOffset: placed[i]!, hasDifference };
  });
  literals!.push(segment.bytes.subarray(made));
  return {
    pieces: writePieces(listed, segment.offset),
    difference: concatBytes(...difference!),
    literals: concatBytes(...literals!),
  };
}

/** A segment by ADD: pieces, difference and literals by these codecs. */
export function add(
  segment: SegmentView,
  base: Uint8Array,
  options: {
    readonly pieces: readonly PlannedPiece[];
    readonly codecs: readonly [CodecNumber, CodecNumber, CodecNumber];
    /** Where the pieces lie in the whole base, if `base` is only a part of it. */
    readonly placed?: readonly number[];
  },
): SegmentPlan {
  const streams = addStreams(segment, base, options.pieces, options.placed);
  const payload = writeAddPayload(0, {
    pieces: stored(streams.pieces, options.codecs[0]),
    difference: stored(streams.difference, options.codecs[1]),
    literals: stored(streams.literals, options.codecs[2]),
  });
  return { operation: OPERATION.add, payload };
}

/** Applies a container in memory; what it makes must be `image` if it makes anything. */
export function applyAll(
  file: Uint8Array,
  options: ApplyAllOptions,
): Uint8Array<ArrayBuffer> {
  const { base, image, chunkBytes = file.length || 1 } = options;
  const applier = new ContainerApplier({
    trusted: { root: options.root, imageBytes: image.length, imageSha256: sha256Hex(image) },
    base: base && readArray(base),
    tools: { codecs: options.codecs ?? nodeCodecs, hash: nodeHash },
    ...(options.startSegment === undefined ? {} : { startSegment: options.startSegment }),
  });
  const parts: Uint8Array[] = [];
  for (let at = 0; at < file.length; at += chunkBytes) {
    for (const { bytes, imageOffset } of applier.push(file.subarray(at, at + chunkBytes))) {
      // Checked here, so that a failure later on cannot hide that a wrong byte was handed out.
      const wanted = image.subarray(imageOffset, imageOffset + bytes.length);
      assert(equalBytes(bytes, wanted), `wrong bytes were handed out at ${imageOffset}`);
      parts.push(bytes.slice());
    }
  }
  applier.end();
  return concatBytes(...parts);
}

/** What {@linkcode applyAll} wants to know. */
export interface ApplyAllOptions {
  readonly base: Uint8Array | null;
  readonly image: Uint8Array;
  readonly root: Uint8Array;
  readonly chunkBytes?: number;
  readonly startSegment?: number;
  readonly codecs?: Codecs;
}

/**
 * Makes every digest of a changed container right again, as far as its lengths allow: what an
 * attacker would do. The root of the leaf hashes stays as it is, for that one is signed elsewhere.
 */
export function reseal(changed: Uint8Array): Uint8Array<ArrayBuffer> {
  const file = changed.slice();
  const view = new DataView(file.buffer);
  if (file.length < 16 || view.getUint32(12, true) > 16) return file;
  const end = 192 + 48 * view.getUint32(12, true);
  if (file.length < end) return file;
  const places: [row: number, from: number, to: number][] = [];
  let at = end;
  for (let row = 160; row < end - 32; row += 48) {
    const to = at + Number(view.getBigUint64(row + 8, true));
    places.push([row, at, to]);
    at = to;
  }
  for (const [row, from, to] of places) {
    if (to > file.length || file[row] !== 1) continue;
    for (let entry = from; entry + 40 <= to; entry += 40) {
      const bytes = view.getUint32(entry + 4, true);
      file.set(nodeHash(file.subarray(at, at + bytes)), entry + 8);
      at += bytes;
    }
  }
  for (const [row, from, to] of places) {
    if (to <= file.length) file.set(nodeHash(file.subarray(from, to)), row + 16);
  }
  file.set(nodeHash(file.subarray(0, end - 32)), end - 32);
  return file;
}
