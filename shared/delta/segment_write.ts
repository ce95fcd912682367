/**
 * Writes the payloads of segments: the counterpart of segment.ts. What is chosen (matches,
 * codecs, transform) is the encoder's; how it is spelt is here.
 *
 * @module
 */
import { invariant } from "../assert.ts";
import { SPARE_PAYLOAD_BYTES } from "../limits.ts";
import { CODEC, type CodecNumber, COPY_PAYLOAD_BYTES } from "./container_format.ts";
import { maxPiecesBytes } from "./segment_add.ts";
import { VarintWriter } from "./segment_varint.ts";

export { CODEC, type CodecNumber } from "./container_format.ts";
export { maxPiecesBytes } from "./segment_add.ts";

/** A run of the image that comes from the base, and the literal bytes before it. */
export interface Piece {
  /** Literal bytes between the end of the previous piece and this one. */
  readonly literalBytes: number;
  /** At least 1. */
  readonly pieceBytes: number;
  /** Where it begins in the base. */
  readonly baseOffset: number;
  /** Whether the difference stream has bytes for it. */
  readonly hasDifference: boolean;
}

/** A stream of an ADD payload, compressed already. */
export interface StoredStream {
  readonly codec: CodecNumber;
  /** Empty for `CODEC.zeros`. */
  readonly stored: Uint8Array;
  /** Its length when it is decoded. */
  readonly rawBytes: number;
}

/**
 * The payload of COPY.
 *
 * @param baseOffset Where the segment lies in the base.
 * @returns 8 bytes.
 */
export function writeCopyPayload(baseOffset: number): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(COPY_PAYLOAD_BYTES);
  new DataView(payload.buffer).setBigUint64(0, BigInt(baseOffset), true);
  return payload;
}

/**
 * The piece stream of an ADD payload, not yet compressed. It must not be longer than
 * {@linkcode maxPiecesBytes}: merge short pieces into literals before that.
 *
 * @param pieces The pieces of the segment in order.
 * @param imageOffset Where the segment begins in the image.
 * @returns The stream.
 */
export function writePieces(pieces: Iterable<Piece>, imageOffset: number): Uint8Array {
  const writer = new VarintWriter();
  let predicted = imageOffset;
  for (const { literalBytes, pieceBytes, baseOffset, hasDifference } of pieces) {
    invariant(pieceBytes > 0, "an empty piece");
    writer.unsigned(literalBytes);
    writer.unsigned(2 * pieceBytes + (hasDifference ? 1 : 0));
    writer.signed(baseOffset - predicted - literalBytes);
    predicted = baseOffset + pieceBytes;
  }
  return writer.bytes;
}

/**
 * The payload of ADD.
 *
 * @param transform Its number, an index of `TRANSFORMS`.
 * @param streams The three streams. One of zeros, or without bytes, is written as such.
 * @returns The payload.
 */
export function writeAddPayload(
  transform: number,
  streams: {
    readonly pieces: StoredStream;
    readonly difference: StoredStream;
    readonly literals: StoredStream;
  },
): Uint8Array<ArrayBuffer> {
  const ordered = [streams.pieces, streams.difference, streams.literals].map(withoutEmpty);
  const head = new VarintWriter();
  head.byte(transform);
  for (const { codec, stored, rawBytes } of ordered) {
    invariant((codec === CODEC.zeros) === (stored.length === 0), "a stream of zeros is not stored");
    invariant(codec !== CODEC.raw || stored.length === rawBytes, "raw bytes of another length");
    head.byte(codec);
    head.unsigned(stored.length);
    head.unsigned(rawBytes);
  }
  const parts = [head.bytes, ...ordered.map(({ stored }) => stored)];
  const payload = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    payload.set(part, at);
    at += part.length;
  }
  return payload;
}

/**
 * Whether an ADD payload of these lengths would be read at all; if not, another operation must do.
 *
 * @param segmentBytes Bytes of a whole segment.
 * @param payloadBytes Bytes of the payload.
 * @param piecesBytes Bytes of the piece stream, not compressed.
 * @returns Whether both are within the bounds of the format.
 */
export function addPayloadFits(
  segmentBytes: number,
  payloadBytes: number,
  piecesBytes: number,
): boolean {
  return payloadBytes <= segmentBytes + SPARE_PAYLOAD_BYTES &&
    piecesBytes <= maxPiecesBytes(segmentBytes);
}

function withoutEmpty(stream: StoredStream): StoredStream {
  return stream.rawBytes > 0 ? stream : { ...stream, codec: CODEC.zeros, stored: NOTHING };
}

const NOTHING = new Uint8Array(0);
