/**
 * The compressors whose streams `codecs.ts` takes back: one zstd frame that states its length,
 * windows of 2^20 bytes at most. Deno 2.6 has no zstd in `node:zlib`: see `hasZstdEncoder`.
 *
 * @module
 */
import { brotliCompressSync, constants, zstdCompressSync } from "node:zlib";
import { MAX_WINDOW_LOG } from "../limits.ts";

/** What a compressor may add to bytes it cannot make smaller. */
const SPARE_BYTES = 4096;

/**
 * One zstd frame.
 *
 * Two options matter beside the level: the length beforehand, or the frame does not state it; and
 * room for all output at once, or Deno 2.9 puts an empty second frame behind the first, which
 * the decoder refuses.
 *
 * @param raw At most 2^20 bytes.
 * @param params Parameters of `node:zlib`, the level above all.
 * @returns The frame.
 */
export function encodeZstd(raw: Uint8Array, params: Record<number, number>): Uint8Array {
  const options = { // The types do not know `pledgedSrcSize`.
    pledgedSrcSize: raw.length,
    chunkSize: raw.length + SPARE_BYTES,
    params: { [constants.ZSTD_c_windowLog]: MAX_WINDOW_LOG, ...params },
  };
  return zstdCompressSync(raw, options);
}

/**
 * One brotli stream.
 *
 * @param raw Any bytes.
 * @param params Parameters of `node:zlib`, the quality above all.
 * @returns The stream.
 */
export function encodeBrotli(raw: Uint8Array, params: Record<number, number>): Uint8Array {
  return brotliCompressSync(raw, {
    chunkSize: raw.length + SPARE_BYTES,
    params: {
      [constants.BROTLI_PARAM_LGWIN]: MAX_WINDOW_LOG,
      [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
      ...params,
    },
  });
}

/**
 * Whether {@linkcode encodeZstd} works in this runtime.
 *
 * @returns False on Deno 2.6, whose `node:zlib` names zstd but has none.
 */
export function hasZstdEncoder(): boolean {
  try {
    return zstdCompressSync(new Uint8Array(1)).length > 0;
  } catch {
    return false;
  }
}
