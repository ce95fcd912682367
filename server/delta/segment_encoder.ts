/**
 * Makes the payload of one segment: the shortest operation that fits.
 *
 * @module
 */
import {
  addPayloadFits,
  CODEC,
  type StoredStream,
  writeAddPayload,
  writeCopyPayload,
  writePieces,
} from "shared/delta/segment_write.ts";
import { OPERATION } from "shared/delta/container_format.ts";
import { BYTES, HALFWORDS, type SparseShape, WORDS } from "shared/delta/transforms.ts";
import type { BaseBytes } from "./base_bytes.ts";
import type { BaseIndex } from "./base_index.ts";
import { Matcher } from "./matcher.ts";
import type { Packer } from "./packer.ts";
import { PieceList } from "./pieces.ts";
import { writeSparse } from "./sparse.ts";
import { isZero } from "./zeros.ts";

/** A piece has eight equal bytes at least (matcher.ts). */
const MIN_PIECE_BYTES = 8;
/** A payload below this share of its segment is taken without a look at the segment alone. */
const SMALL_PAYLOAD_SHARE = 0.04;
/** The best codec makes no less of a segment than this share of a first look. */
const LOOK_SHARE = 0.6;
/** Candidates of one hash: the longest of so many is as good as that of all, within 1 %. */
const DEPTH = 16;
/** Transform 0: a byte of difference for each byte of the pieces. */
const DENSE = 0;
const SHAPES: readonly SparseShape[] = [WORDS, HALFWORDS, BYTES];

/** What a segment became. */
export interface EncodedSegment {
  /** One of `OPERATION`. */
  readonly operation: number;
  readonly payload: Uint8Array;
}

/** The base and its index. */
export interface EncodeBase {
  readonly bytes: BaseBytes;
  readonly index: BaseIndex;
}

/** Encodes segments in order; its memory is used again for each. */
export class SegmentEncoder {
  readonly #base: EncodeBase | null;
  readonly #packer: Packer;
  readonly #matcher: Matcher | undefined;
  readonly #pieces: PieceList;
  readonly #differs: Uint8Array;
  /** The base bytes of every piece, at the place of the image bytes. */
  readonly #from: Uint8Array;
  readonly #literals: Uint8Array;

  /**
   * @param base The base, or `null`: then nothing but compression.
   * @param packer Chooses codecs.
   * @param segmentBytes The longest segment.
   */
  constructor(base: EncodeBase | null, packer: Packer, segmentBytes: number) {
    this.#base = base;
    this.#packer = packer;
    const most = base ? Math.ceil(segmentBytes / MIN_PIECE_BYTES) : 0;
    this.#pieces = new PieceList(most);
    this.#differs = new Uint8Array(most);
    this.#from = new Uint8Array(base ? segmentBytes : 0);
    this.#literals = new Uint8Array(base ? segmentBytes : 0);
    if (base) this.#matcher = new Matcher(base.bytes, base.index, { segmentBytes, depth: DEPTH });
  }

  /**
   * Encodes one segment.
   *
   * @param segment Its bytes.
   * @param imageOffset Where it begins in the image.
   * @returns Operation and payload; the payload is the caller's.
   */
  encode(segment: Uint8Array, imageOffset: number): EncodedSegment {
    if (isZero(segment)) return { operation: OPERATION.zero, payload: NOTHING };
    if (!this.#base) return this.#alone(segment);
    this.#matcher!.match(segment, imageOffset, this.#pieces);
    if (this.#pieces.count === 0) return this.#alone(segment);
    const literalBytes = this.#split(segment);
    const whole = this.#pieces.count === 1 && literalBytes === 0 && this.#differs[0] === 0;
    if (whole) {
      return { operation: OPERATION.copy, payload: writeCopyPayload(this.#pieces.base[0]!) };
    }
    const added = this.#add(segment, imageOffset, literalBytes);
    if (added) {
      const { length } = added.payload;
      if (length < SMALL_PAYLOAD_SHARE * segment.length) return added;
      if (length < LOOK_SHARE * this.#packer.look(segment)) return added;
    }
    const alone = this.#alone(segment);
    return added && added.payload.length < alone.payload.length ? added : alone;
  }

  /** Without the base. */
  #alone(segment: Uint8Array): EncodedSegment {
    const { codec, stored } = this.#packer.pack(segment);
    if (codec === CODEC.zstd) return { operation: OPERATION.zstd, payload: stored };
    if (codec === CODEC.brotli) return { operation: OPERATION.brotli, payload: stored };
    return { operation: OPERATION.raw, payload: segment.slice() };
  }

  /** Gathers base and literal bytes, and marks the pieces that differ. */
  #split(segment: Uint8Array): number {
    const [pieces, from, literals] = [this.#pieces, this.#from, this.#literals];
    let [made, literalBytes] = [0, 0];
    for (let i = 0; i <= pieces.count; i++) {
      const at = i < pieces.count ? pieces.at[i]! : segment.length;
      literals.set(segment.subarray(made, at), literalBytes);
      literalBytes += at - made;
      if (i === pieces.count) break;
      made = at + pieces.length[i]!;
      this.#base!.bytes.copy(pieces.base[i]!, from.subarray(at, made));
      let same = at;
      while (same < made && segment[same] === from[same]) same++;
      this.#differs[i] = same < made ? 1 : 0;
    }
    return literalBytes;
  }

  #add(
    segment: Uint8Array,
    imageOffset: number,
    literalBytes: number,
  ): EncodedSegment | undefined {
    const pieces = writePieces(this.#listPieces(), imageOffset);
    const { transform, difference } = this.#difference(segment, imageOffset);
    const payload = writeAddPayload(transform, {
      pieces: this.#packer.pack(pieces),
      difference,
      literals: this.#packer.pack(this.#literals.subarray(0, literalBytes)),
    });
    if (!addPayloadFits(segment.length, payload.length, pieces.length)) return undefined;
    return { operation: OPERATION.add, payload };
  }

  *#listPieces() {
    const pieces = this.#pieces;
    for (let i = 0, made = 0; i < pieces.count; i++) {
      const [at, pieceBytes] = [pieces.at[i]!, pieces.length[i]!];
      const baseOffset = pieces.base[i]!;
      const hasDifference = this.#differs[i] === 1;
      yield { literalBytes: at - made, pieceBytes, baseOffset, hasDifference };
      made = at + pieceBytes;
    }
  }

  /** The difference in the shape that compresses best. */
  #difference(
    segment: Uint8Array,
    imageOffset: number,
  ): { readonly transform: number; readonly difference: StoredStream } {
    const differs = this.#differs.subarray(0, this.#pieces.count);
    if (!differs.includes(1)) return { transform: DENSE, difference: this.#packer.pack(NOTHING) };
    const streams = SHAPES.map((shape) => {
      const difference = { shape, imageOffset, differs };
      return writeSparse(segment, this.#from, this.#pieces, difference);
    });
    const fit = SHAPES.keys().filter((i) => streams[i]!.length <= segment.length).toArray();
    if (fit.length === 0) {
      return { transform: DENSE, difference: this.#packer.pack(this.#dense(segment, differs)) };
    }
    const chosen = fit[this.#packer.choose(fit.map((i) => streams[i]!))]!;
    return {
      transform: SHAPES[chosen]!.transform,
      difference: this.#packer.pack(streams[chosen]!),
    };
  }

  /** Always fits: at most as long as the segment. */
  #dense(segment: Uint8Array, differs: Uint8Array): Uint8Array {
    const [pieces, from] = [this.#pieces, this.#from];
    const dense = new Uint8Array(segment.length);
    let length = 0;
    for (let i = 0; i < pieces.count; i++) {
      if (differs[i] === 0) continue;
      const end = pieces.at[i]! + pieces.length[i]!;
      for (let at = pieces.at[i]!; at < end; at++) dense[length++] = segment[at]! - from[at]!;
    }
    return dense.subarray(0, length);
  }
}

const NOTHING: Uint8Array = new Uint8Array(0);
