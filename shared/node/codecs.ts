/**
 * The decoders of containers, by `node:zlib`. Output and window are bounded before a decoder
 * starts, and what Deno's zlib lets through (data cut off, bytes behind the end, several frames)
 * is refused.
 *
 * What a decoder made is copied out and its memory given back at once: array buffers do not count
 * for V8's young generation, so up to 64 MB of them lie about otherwise (measured).
 *
 * @module
 */
import { brotliDecompressSync, zstdDecompressSync } from "node:zlib";
import type { Codecs } from "../delta/segment.ts";
import { ZstdDecoder } from "./codecs_zstd.ts";
import { checkBrotliWindow, checkZstdFrame, undecodable } from "./codecs_frame.ts";

/** Room behind the output, so that a decoder sees that it is at the end without another buffer. */
const SPARE_BYTES = 64;
/** Below half of Buffer's pool, arrays would come from the pool, which must not be given back. */
const MIN_CHUNK_BYTES = 64 * 1024;

/** What `info: true` makes of the result; the types of `node:zlib` do not tell. */
interface Decoded {
  readonly buffer: Uint8Array<ArrayBuffer>;
  readonly engine: { readonly bytesWritten: number };
}
type DecodeSync = (stored: Uint8Array, options: object) => unknown;

/** Decoders for `shared/delta`. */
export const nodeCodecs: Codecs = {
  zstd(stored, rawBytes, into) {
    if (!(nativeZstd ??= hasZstdDecoder())) return plainZstd(stored, rawBytes, into);
    checkZstdFrame(stored, rawBytes);
    return decode("zstd", stored, { rawBytes, into, endsAt: stored.length });
  },
  brotli(stored, rawBytes, into) {
    checkBrotliWindow(stored);
    // A byte that does not belong to it: if the decoder takes it, the stream was cut off.
    const guarded = new Uint8Array(stored.length + 1);
    try {
      guarded.set(stored);
      return decode("brotli", guarded, { rawBytes, into, endsAt: stored.length });
    } finally {
      guarded.buffer.transfer(0);
    }
  },
};

/** A frame of nothing, to see whether there is a decoder at all: Deno 2.6 only names it. */
const EMPTY_FRAME = Uint8Array.of(0x28, 0xB5, 0x2F, 0xFD, 0x20, 0, 1, 0, 0);
let nativeZstd: boolean | undefined;
let plainDecoder: ZstdDecoder | undefined;

function hasZstdDecoder(): boolean {
  try {
    return zstdDecompressSync(EMPTY_FRAME).length === 0;
  } catch {
    return false;
  }
}

/**
 * zstd without `node:zlib`: what {@linkcode nodeCodecs} falls back to.
 *
 * @param stored One frame.
 * @param rawBytes What it must stand for.
 * @param into Where it goes; a new array if absent.
 * @returns Exactly `rawBytes` bytes.
 * @throws {UpdateFailure} `containerDamaged` if it is anything else.
 */
export function plainZstd(
  stored: Uint8Array,
  rawBytes: number,
  into: Uint8Array = new Uint8Array(rawBytes),
): Uint8Array {
  const frame = checkZstdFrame(stored, rawBytes);
  (plainDecoder ??= new ZstdDecoder()).decode(stored, frame, into);
  return into;
}

function decode(
  codec: "zstd" | "brotli",
  stored: Uint8Array,
  wanted: {
    readonly rawBytes: number;
    readonly into: Uint8Array | undefined;
    readonly endsAt: number;
  },
): Uint8Array {
  const { rawBytes, endsAt } = wanted;
  const chunkSize = Math.max(rawBytes + SPARE_BYTES, MIN_CHUNK_BYTES);
  const decodeSync: DecodeSync = codec === "zstd" ? zstdDecompressSync : brotliDecompressSync;
  let decoded: Decoded;
  try {
    decoded = decodeSync(stored, { chunkSize, maxOutputLength: rawBytes, info: true }) as Decoded;
  } catch (cause) {
    throw undecodable(codec, (cause as Error).message, cause);
  }
  const { buffer, engine } = decoded;
  try {
    if (buffer.length !== rawBytes || engine.bytesWritten !== endsAt) {
      throw undecodable(codec, `it has another length than ${rawBytes} bytes`);
    }
    const into = wanted.into ?? new Uint8Array(rawBytes);
    into.set(buffer);
    return into;
  } finally {
    if (buffer.buffer.byteLength === chunkSize) buffer.buffer.transfer(0);
  }
}
