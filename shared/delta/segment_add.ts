/**
 * Operation ADD: pieces of the base, a difference added to some of them, literal bytes between.
 * It is the inner loop of applying: nothing is allocated for a piece.
 *
 * @module
 */
import { PIECES_SHARE, SPARE_PAYLOAD_BYTES } from "../limits.ts";
import { CODEC, damaged, tooNew } from "./container_format.ts";
import { type RandomRead, readInto } from "./random_read.ts";
import type { Codecs } from "./segment.ts";
import { VarintReader } from "./segment_varint.ts";
import { type Adder, TRANSFORMS } from "./transforms.ts";

/** From here on a read of its own costs less than a copy by way of the window. */
const LONG_PIECE_BYTES = 8 * 1024;
/** Short pieces are read together with what follows them in the base. */
const WINDOW_BYTES = 32 * 1024;
/** Up to here a loop is faster than `set()`, which wants a view of each side. */
const SHORT_COPY_BYTES = 128;

/** Working memory of ADD, used again for each segment. */
export class SegmentScratch {
  /**
   * The streams of one segment, decoded, one behind the other: together they are seldom longer than
   * the segment, and memory that is never touched is never resident.
   */
  readonly streams: Uint8Array;
  /** A part of the base, from `windowStart` to `windowEnd`. */
  readonly window: Uint8Array = new Uint8Array(WINDOW_BYTES);
  windowStart = 0;
  windowEnd = 0;
  /** The hash of a leaf of zeros, once it was needed. */
  zeroLeaf: Uint8Array | undefined;

  /** @param segmentBytes The longest segment. */
  constructor(readonly segmentBytes: number) {
    this.streams = new Uint8Array(maxPiecesBytes(segmentBytes) + 2 * segmentBytes);
  }
}

/**
 * The longest piece stream of a segment, decoded.
 *
 * @param segmentBytes Bytes of a whole segment.
 * @returns Bytes.
 */
export function maxPiecesBytes(segmentBytes: number): number {
  return Math.floor(segmentBytes / PIECES_SHARE) + SPARE_PAYLOAD_BYTES;
}

/**
 * Makes a segment from an ADD payload.
 *
 * @param payload The payload, its digest checked.
 * @param target Filled completely; where it lies in the image is `imageOffset`.
 * @param from The base and its length as the head says, decoders and working memory.
 * @throws {UpdateFailure} `containerDamaged` if the payload contradicts itself,
 * `containerTooNew` if its transform or a codec is not known.
 */
export function applyAdd(
  payload: Uint8Array,
  target: Uint8Array,
  from: {
    readonly imageOffset: number;
    readonly base: RandomRead;
    readonly baseBytes: number;
    readonly codecs: Codecs;
    readonly scratch: SegmentScratch;
  },
): void {
  const { base, baseBytes, scratch } = from;
  const { pieces, difference, literals } = readStreams(payload, target.length, from);
  scratch.windowStart = scratch.windowEnd = 0; // The base may be another than the last time.
  let [made, literal, predicted] = [0, 0, from.imageOffset];
  while (!pieces.done) {
    const literalBytes = pieces.unsigned();
    const lengthAndFlag = pieces.unsigned();
    const pieceBytes = Math.floor(lengthAndFlag / 2);
    const offset = predicted + literalBytes + pieces.signed();
    if (pieceBytes === 0) throw damaged("an empty piece");
    if (literalBytes + pieceBytes > target.length - made) {
      throw damaged("pieces that are longer than their segment");
    }
    if (literalBytes > literals.length - literal) throw damaged("too few literal bytes");
    if (offset < 0 || offset + pieceBytes > baseBytes) throw damaged("a piece outside the base");
    copyBytes(literals, literal, target, made, literalBytes);
    [literal, made] = [literal + literalBytes, made + literalBytes];
    readPiece(base, baseBytes, offset, target, made, pieceBytes, scratch);
    if (lengthAndFlag % 2 === 1) {
      difference.add(target, made, pieceBytes, (offset - from.imageOffset - made) % 4 === 0);
    }
    made += pieceBytes;
    predicted = offset + pieceBytes;
  }
  difference.end();
  if (literals.length - literal !== target.length - made) {
    throw damaged("literal bytes that do not fill the segment");
  }
  copyBytes(literals, literal, target, made, target.length - made);
}

/** The three streams of a payload, decoded. */
function readStreams(
  payload: Uint8Array,
  outputBytes: number,
  from: { readonly codecs: Codecs; readonly scratch: SegmentScratch },
): {
  readonly pieces: VarintReader;
  readonly difference: Adder;
  readonly literals: Uint8Array;
} {
  const { scratch } = from;
  const head = new VarintReader(payload);
  const number = head.byte();
  const transform = TRANSFORMS[number];
  if (transform === undefined) throw tooNew(`transform ${number} is not known`);
  const streams = [
    readStreamHead(head, maxPiecesBytes(scratch.segmentBytes)),
    readStreamHead(head, scratch.segmentBytes),
    readStreamHead(head, outputBytes),
  ] as const;
  const storedBytes = streams[0].storedBytes + streams[1].storedBytes + streams[2].storedBytes;
  if (storedBytes !== payload.length - head.at) throw damaged("streams that do not fill a payload");
  let [at, made] = [head.at, 0];
  const [pieces, difference, literals] = streams.map(({ codec, storedBytes, rawBytes }) => {
    const stored = payload.subarray(at, at += storedBytes);
    const target = scratch.streams.subarray(made, made += rawBytes);
    return decodeStream(codec, stored, target, from.codecs);
  }) as [Uint8Array, Uint8Array, Uint8Array];
  return {
    pieces: new VarintReader(pieces),
    difference: transform(difference),
    literals,
  };
}

function readStreamHead(
  head: VarintReader,
  maxRawBytes: number,
): { readonly codec: number; readonly storedBytes: number; readonly rawBytes: number } {
  const [codec, storedBytes, rawBytes] = [head.byte(), head.unsigned(), head.unsigned()];
  if (codec > CODEC.zeros) throw tooNew(`codec ${codec} is not known`);
  if (rawBytes > maxRawBytes) throw damaged(`a stream of ${rawBytes} bytes`);
  const fits = codec === CODEC.zeros
    ? storedBytes === 0
    : rawBytes > 0 && storedBytes > 0 && (codec !== CODEC.raw || storedBytes === rawBytes);
  if (!fits) throw damaged(`a stream of ${storedBytes} bytes that stand for ${rawBytes}`);
  return { codec, storedBytes, rawBytes };
}

function decodeStream(
  codec: number,
  stored: Uint8Array,
  target: Uint8Array,
  codecs: Codecs,
): Uint8Array {
  if (codec === CODEC.zeros) target.fill(0);
  else if (codec === CODEC.raw) target.set(stored);
  else decodeInto(codecs, codec === CODEC.zstd ? "zstd" : "brotli", stored, target);
  return target;
}

/**
 * Decodes into an array, whether or not the decoder could use it.
 *
 * @param codecs The decoders.
 * @param name Which one.
 * @param stored What is decoded.
 * @param target Filled completely.
 * @throws {UpdateFailure} `containerDamaged` if it is not exactly that long.
 */
export function decodeInto(
  codecs: Codecs,
  name: keyof Codecs,
  stored: Uint8Array,
  target: Uint8Array,
): void {
  const raw = codecs[name](stored, target.length, target);
  if (raw.length !== target.length) throw damaged(`${name} data of another length`);
  if (raw.buffer !== target.buffer || raw.byteOffset !== target.byteOffset) target.set(raw);
}

/** Brings a piece of the base to its place. */
function readPiece(
  base: RandomRead,
  baseBytes: number,
  offset: number,
  target: Uint8Array,
  at: number,
  length: number,
  scratch: SegmentScratch,
): void {
  if (length >= LONG_PIECE_BYTES) {
    readInto(base, offset, target.subarray(at, at + length));
    return;
  }
  if (offset < scratch.windowStart || offset + length > scratch.windowEnd) {
    scratch.windowStart = offset;
    scratch.windowEnd = Math.min(offset + WINDOW_BYTES, baseBytes);
    readInto(base, offset, scratch.window.subarray(0, scratch.windowEnd - offset));
  }
  copyBytes(scratch.window, offset - scratch.windowStart, target, at, length);
}

function copyBytes(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  at: number,
  length: number,
): void {
  if (length > SHORT_COPY_BYTES) target.set(source.subarray(from, from + length), at);
  else for (let i = 0; i < length; i++) target[at + i] = source[from + i]!;
}
