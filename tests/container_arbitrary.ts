/**
 * Random containers for property tests: the list of operations is drawn, the image follows from
 * it, so that every operation and codec is met often and the image is known.
 *
 * @module
 */
import fc from "fast-check";
import { CODEC, type CodecNumber } from "shared/delta/segment_write.ts";
import { rootOfLeaves } from "shared/delta/container_root.ts";
import { nodeHash } from "shared/node/digest.ts";
import {
  add,
  brotli,
  copy,
  leafHashesOf,
  makeContainer,
  type PlannedPiece,
  raw,
  type SegmentPlan,
  type SegmentView,
  zero,
  zstd,
} from "./container_writer.ts";

/** A container with what it starts from and what it must make. */
export interface Sample {
  readonly file: Uint8Array<ArrayBuffer>;
  readonly base: Uint8Array;
  readonly image: Uint8Array<ArrayBuffer>;
  readonly root: Uint8Array;
  readonly segmentBytes: number;
}

interface DrawnPiece {
  readonly literalBytes: number;
  readonly pieceBytes: number;
  readonly baseOffset: number;
  readonly hasDifference: boolean;
}

interface DrawnSegment {
  readonly operation: number;
  readonly seed: number;
  readonly codecs: readonly [number, number, number];
  readonly pieces: readonly DrawnPiece[];
}

/** Bytes that depend on a seed only; short repetitions, so that they compress. */
export function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0 | 1;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state ^ state >>> 15, 0x2C1B3C6D) + 0x9E3779B9 >>> 0;
    bytes[i] = state % 5 === 0 ? state >>> 24 : i > 20 ? bytes[i - 20]! : i;
  }
  return bytes;
}

const piece = fc.record<DrawnPiece>({
  literalBytes: fc.oneof(fc.constant(0), fc.nat(300)),
  pieceBytes: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 20_000 })),
  baseOffset: fc.nat(100_000),
  hasDifference: fc.boolean(),
});

const segment = fc.record<DrawnSegment>({
  operation: fc.oneof(fc.nat(5), fc.constant(5)),
  seed: fc.nat(),
  codecs: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)),
  pieces: fc.array(piece, { maxLength: 8 }),
});

/** What is drawn: short to print when a property fails. */
export interface DrawnContainer {
  readonly leafLog: number;
  /** Segments are 2^this leaves. */
  readonly segmentLog: number;
  readonly segments: readonly DrawnSegment[];
  readonly cut: number;
  readonly baseBytes: number;
}

/** Any container that the writer can make. */
export const anyContainer: fc.Arbitrary<DrawnContainer> = fc.record({
  leafLog: fc.integer({ min: 9, max: 11 }),
  segmentLog: fc.integer({ min: 0, max: 5 }),
  segments: fc.array(segment, { maxLength: 6 }),
  cut: fc.nat(2 ** 16),
  baseBytes: fc.oneof(fc.nat(40), fc.nat(60_000)),
});

/** Makes what was drawn. */
export function build(drawn: DrawnContainer): Sample {
  const { segments, baseBytes } = drawn;
  const leafBytes = 2 ** drawn.leafLog;
  const segmentBytes = leafBytes * 2 ** drawn.segmentLog;
  const base = noise(baseBytes, baseBytes);
  const image = new Uint8Array(
    Math.max(0, segments.length * segmentBytes - drawn.cut % segmentBytes),
  );
  const plan = (view: SegmentView) => planOf(segments[view.index]!, view, base);
  // The plan decides what the bytes are, so it runs before the digests are made.
  for (let offset = 0; offset < image.length; offset += segmentBytes) {
    const bytes = image.subarray(offset, offset + segmentBytes);
    plan({ index: offset / segmentBytes, offset, bytes });
  }
  const file = makeContainer({ image, base, leafBytes, segmentBytes, plan });
  const root = rootOfLeaves(leafHashesOf(image, leafBytes), nodeHash);
  return { file, base, image, root, segmentBytes };
}

/** Fills the segment as its operation wants it, and says how it is made. */
function planOf(drawn: DrawnSegment, view: SegmentView, base: Uint8Array): SegmentPlan {
  const { bytes } = view;
  switch (drawn.operation) {
    case 0:
      bytes.fill(0);
      return zero();
    case 1: {
      if (base.length < bytes.length) break;
      const offset = drawn.seed % (base.length - bytes.length + 1);
      bytes.set(base.subarray(offset, offset + bytes.length));
      return copy(offset);
    }
    case 3:
      bytes.set(noise(bytes.length, drawn.seed));
      return zstd(bytes);
    case 4:
      bytes.set(noise(bytes.length, drawn.seed));
      return brotli(bytes);
    case 5:
      return planAdd(drawn, view, base);
  }
  bytes.set(noise(bytes.length, drawn.seed));
  return raw(bytes);
}

function planAdd(drawn: DrawnSegment, view: SegmentView, base: Uint8Array): SegmentPlan {
  const { bytes } = view;
  const [first, second, third] = drawn.codecs as [CodecNumber, CodecNumber, CodecNumber];
  if (third === CODEC.zeros) bytes.fill(0);
  else bytes.set(noise(bytes.length, drawn.seed));
  const pieces: PlannedPiece[] = [];
  let at = 0;
  for (const { literalBytes, pieceBytes, baseOffset, hasDifference } of drawn.pieces) {
    at += literalBytes;
    const offset = base.length === 0 ? 0 : baseOffset % base.length;
    const length = Math.min(pieceBytes, bytes.length - at, base.length - offset);
    if (length <= 0) break;
    const was = base.subarray(offset, offset + length);
    const changes = hasDifference && second !== CODEC.zeros;
    bytes.set(changes ? was.map((byte, i) => i % 7 === 0 ? byte + 200 : byte) : was, at);
    pieces.push({ at, length, baseOffset: offset, hasDifference });
    at += length;
  }
  const codecs = [first === CODEC.zeros ? CODEC.raw : first, second, third] as const;
  return add(view, base, { pieces, codecs });
}
