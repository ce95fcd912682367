/**
 * Makes one segment of an image from its payload, and proves every leaf of it. Segments do not
 * depend on each other: that is what bounds memory and lets a cut cost at most one of them.
 *
 * @module
 */
import { equalBytes } from "../bytes.ts";
import { UpdateFailure } from "../failure.ts";
import { type HashParts, leafHash } from "../merkle.ts";
import type { ContainerHead } from "./container.ts";
import { damaged, OPERATION, readLength, tooNew } from "./container_format.ts";
import { type RandomRead, readInto } from "./random_read.ts";
import { applyAdd, decodeInto, SegmentScratch } from "./segment_add.ts";

export { SegmentScratch } from "./segment_add.ts";

/**
 * Decoders of whole streams. They bound their output and their window before they allocate, and
 * throw {@linkcode UpdateFailure} `containerDamaged` on anything but exactly `rawBytes`.
 */
export interface Codecs {
  /** One zstd frame. The result may lie in `into`, if that is given and has `rawBytes` bytes. */
  zstd(stored: Uint8Array, rawBytes: number, into?: Uint8Array): Uint8Array;
  /** One brotli stream, likewise. */
  brotli(stored: Uint8Array, rawBytes: number, into?: Uint8Array): Uint8Array;
}

/** What a segment is made with. */
export interface SegmentTools {
  readonly codecs: Codecs;
  readonly hash: HashParts;
  /** At least `segmentBytes` of the container; used again for each segment. */
  readonly out: Uint8Array;
  /** Working memory, likewise; made anew for each segment if it is absent. */
  readonly scratch?: SegmentScratch;
}

/**
 * Makes a segment.
 *
 * @param head The head, checked, its root compared with the trusted one.
 * @param index Which segment.
 * @param payload Its payload.
 * @param base The image it starts from, its digest checked; `null` if the head names none.
 * @param tools Decoders, SHA-256 and memory.
 * @returns The bytes of the segment, a view of `out`: every leaf of it has its hash.
 * @throws {UpdateFailure} `containerDamaged` if the payload is not the one of the head or
 * contradicts itself, `containerTooNew` if it needs what is not known, `deltaBaseDiffers` if the
 * base is missing or has another length, `leafDiffers` if what comes out is not the image.
 */
export function applySegment(
  head: ContainerHead,
  index: number,
  payload: Uint8Array,
  base: RandomRead | null,
  tools: SegmentTools,
): Uint8Array {
  const { segments, segmentBytes, imageBytes } = head;
  if (
    payload.length !== segments.payloadBytes(index) ||
    !equalBytes(tools.hash(payload), segments.payloadSha256(index))
  ) {
    throw damaged(`the payload of segment ${index} does not have its digest`);
  }
  const imageOffset = index * segmentBytes;
  const target = tools.out.subarray(0, Math.min(segmentBytes, imageBytes - imageOffset));
  const scratch = tools.scratch ?? new SegmentScratch(segmentBytes);
  const operation = segments.operation(index);
  makeSegment(operation, payload, target, { head, imageOffset, base, tools, scratch });
  proveLeaves(head, imageOffset, target, { hash: tools.hash, scratch, operation });
  return target;
}

function makeSegment(
  operation: number,
  payload: Uint8Array,
  target: Uint8Array,
  from: {
    readonly head: ContainerHead;
    readonly imageOffset: number;
    readonly base: RandomRead | null;
    readonly tools: SegmentTools;
    readonly scratch: SegmentScratch;
  },
): void {
  const { head, imageOffset, scratch } = from;
  const { codecs } = from.tools;
  switch (operation) {
    case OPERATION.zero:
      target.fill(0);
      break;
    case OPERATION.copy: {
      const offset = readLength(payload, 0);
      if (offset + target.length > head.baseBytes) throw damaged("a copy from outside the base");
      readInto(baseOf(head, from.base), offset, target);
      break;
    }
    case OPERATION.raw:
      target.set(payload);
      break;
    case OPERATION.zstd:
      decodeInto(codecs, "zstd", payload, target);
      break;
    case OPERATION.brotli:
      decodeInto(codecs, "brotli", payload, target);
      break;
    case OPERATION.add: {
      const { baseBytes } = head;
      const base = baseOf(head, from.base);
      applyAdd(payload, target, { imageOffset, base, baseBytes, codecs, scratch });
      break;
    }
    default:
      throw tooNew(`operation ${operation} is not known`);
  }
}

/** The base, if it can be the one that the head means. */
function baseOf(head: ContainerHead, base: RandomRead | null): RandomRead {
  if (base !== null && base.lengthBytes === head.baseBytes) return base;
  throw new UpdateFailure(
    "deltaBaseDiffers",
    "container",
    `Cannot apply container: it starts from an image of ${head.baseBytes} bytes, and ` +
      (base === null ? "none is given" : `the one given has ${base.lengthBytes}`),
  );
}

/** Nothing leaves that is not proved: each leaf must have the hash that leads to the root. */
function proveLeaves(
  head: ContainerHead,
  imageOffset: number,
  target: Uint8Array,
  how: {
    readonly hash: HashParts;
    readonly scratch: SegmentScratch;
    readonly operation: number;
  },
): void {
  const { leafBytes } = head;
  for (let at = 0; at < target.length; at += leafBytes) {
    const index = (imageOffset + at) / leafBytes;
    const leaf = target.subarray(at, at + leafBytes);
    const known = how.operation === OPERATION.zero && leaf.length === leafBytes;
    const found = known
      ? how.scratch.zeroLeaf ??= leafHash(leaf, how.hash)
      : leafHash(leaf, how.hash);
    if (equalBytes(found, head.leafHash(index))) continue;
    throw new UpdateFailure(
      "leafDiffers",
      `leaf ${index}`,
      `Cannot apply container: leaf ${index} of the image came out with another hash`,
    );
  }
}
