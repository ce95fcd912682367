/**
 * The encoders of containers, by `node:zlib`.
 *
 * @module
 */
import { constants } from "node:zlib";
import { encodeBrotli, encodeZstd, hasZstdEncoder } from "shared/node/codecs_encode.ts";
import type { EncodeCodecs } from "./packer.ts";

/** Encoders for `server/delta`. */
export const nodeEncodeCodecs: EncodeCodecs = {
  zstd: hasZstdEncoder()
    ? (bytes, level) => encodeZstd(bytes, { [constants.ZSTD_c_compressionLevel]: level })
    : null,
  brotli: (bytes, quality) => encodeBrotli(bytes, { [constants.BROTLI_PARAM_QUALITY]: quality }),
};
