/**
 * Compresses the streams of a segment: which codec, how hard.
 *
 * @module
 */
import { CODEC, type CodecNumber, type StoredStream } from "shared/delta/segment_write.ts";
import { isZero } from "./zeros.ts";

/** Encoders, as parameters: this part touches no codec library. */
export interface EncodeCodecs {
  /** One zstd frame, window at most 1 MiB; level 1 to 19. `null` where the runtime has none. */
  readonly zstd: ((bytes: Uint8Array, level: number) => Uint8Array) | null;
  /** One brotli stream, window at most 1 MiB; quality 0 to 11. */
  brotli(bytes: Uint8Array, quality: number): Uint8Array;
}

/** How hard to try. */
export type Effort = "fast" | "best";

/** What an effort means. */
interface EffortLevels {
  /** For streams that are not short. */
  readonly zstd: number;
  /** The same, where there is no zstd. */
  readonly brotli: number;
  /** Up to so many bytes brotli 11 is tried. */
  readonly shortBytes: number;
}

/**
 * Brotli 11 makes a stream 5-10 % shorter than zstd 19, at four times the CPU: that pays for the
 * short streams that most segments of a delta have, and not for much new data.
 */
const EFFORTS: Readonly<Record<Effort, EffortLevels>> = {
  fast: { zstd: 9, brotli: 5, shortBytes: 0 },
  best: { zstd: 19, brotli: 10, shortBytes: 512 * 1024 },
};
const SHORT_QUALITY = 11;
/** A first look at data: fast, and within 25 % of what the best codec makes. */
const LOOK = { zstd: 3, brotli: 4 };
/** A second look: orders the shapes of a difference as the best codec would, nearly always. */
const SECOND_LOOK = { zstd: 16, brotli: 9 };
/** Streams whose first looks are closer than this get a second one. */
const RIVAL_SHARE = 1.25;
/** Data that shrinks by less at the first look is compressed already: no use in trying harder. */
export const COMPRESSIBLE_SHARE = 0.98;
/** Shorter streams are stored: a frame has 9 bytes of its own. */
const MIN_PACKED_BYTES = 12;

/** Chooses codecs for one effort. */
export class Packer {
  readonly #codecs: EncodeCodecs;
  readonly #levels: EffortLevels;

  /**
   * @param codecs The encoders.
   * @param effort How hard to try.
   */
  constructor(codecs: EncodeCodecs, effort: Effort) {
    this.#codecs = codecs;
    this.#levels = EFFORTS[effort];
  }

  /**
   * About how long bytes would become.
   *
   * @param bytes The bytes.
   * @returns Bytes.
   */
  look(bytes: Uint8Array): number {
    return this.#encode(bytes, LOOK).stored.length;
  }

  /**
   * Chooses the stream that compresses best.
   *
   * @param streams At least one.
   * @returns Its index.
   */
  choose(streams: readonly Uint8Array[]): number {
    const looks = streams.map((stream) => this.look(stream));
    const limit = Math.min(...looks) * RIVAL_SHARE;
    const rivals = streams.keys().filter((i) => looks[i]! <= limit).toArray();
    if (rivals.length === 1) return rivals[0]!;
    const seconds = rivals.map((i) => this.#encode(streams[i]!, SECOND_LOOK).stored.length);
    return rivals[seconds.indexOf(Math.min(...seconds))]!;
  }

  /**
   * Compresses a stream.
   *
   * @param bytes The stream.
   * @returns How it is stored; never longer than it is. May be a view of `bytes`.
   */
  pack(bytes: Uint8Array): StoredStream {
    const rawBytes = bytes.length;
    if (isZero(bytes)) return { codec: CODEC.zeros, stored: NOTHING, rawBytes };
    if (rawBytes < MIN_PACKED_BYTES) return { codec: CODEC.raw, stored: bytes, rawBytes };
    const short = rawBytes <= this.#levels.shortBytes;
    let best: StoredStream = { codec: CODEC.raw, stored: bytes, rawBytes };
    if (!short) {
      best = shorter(best, this.#encode(bytes, LOOK));
      if (best.stored.length > COMPRESSIBLE_SHARE * rawBytes) return best;
    }
    const harder = short
      ? this.#stored(CODEC.brotli, this.#codecs.brotli(bytes, SHORT_QUALITY), rawBytes)
      : this.#encode(bytes, this.#levels);
    return shorter(best, harder);
  }

  /** By zstd, or by brotli where there is no zstd. */
  #encode(bytes: Uint8Array, level: { readonly zstd: number; readonly brotli: number }) {
    const { zstd, brotli } = this.#codecs;
    return zstd
      ? this.#stored(CODEC.zstd, zstd(bytes, level.zstd), bytes.length)
      : this.#stored(CODEC.brotli, brotli(bytes, level.brotli), bytes.length);
  }

  #stored(codec: CodecNumber, stored: Uint8Array, rawBytes: number): StoredStream {
    return { codec, stored, rawBytes };
  }
}

function shorter(one: StoredStream, other: StoredStream): StoredStream {
  return other.stored.length < one.stored.length ? other : one;
}

const NOTHING = new Uint8Array(0);
