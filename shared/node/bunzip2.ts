/**
 * bzip2 decoding by `npm:seek-bzip`, a block at a time, for BSDIFF40. The package
 * uses Node's Buffer, so it lies here and reaches `shared/delta` as a parameter.
 * Memory: 3.6 MB for a block and what it expands to, 46 MB at the very most.
 *
 * @module
 */
import Bunzip from "seek-bzip";
import type { Bunzip2 } from "../delta/bsdiff40.ts";
import { UpdateFailure } from "../failure.ts";

const WINDOW_BYTES = 64 * 1024;
const PIECE_BYTES = 64 * 1024;

function damaged(what: string, cause?: unknown): UpdateFailure {
  return new UpdateFailure("deltaDamaged", "bzip2", `Cannot decode bzip2: ${what}`, { cause });
}

/**
 * Decodes one bzip2 stream.
 *
 * @param source Where the bytes lie.
 * @param offset Where the stream begins.
 * @param lengthBytes How long it is; nothing may follow its end.
 * @returns Pieces of at most 64 KiB, in order; each is the caller's to keep.
 * @throws {UpdateFailure} `deltaDamaged` if it is not whole and true bzip2.
 */
export const bunzip2: Bunzip2 = function* (source, offset, lengthBytes) {
  if (offset < 0 || lengthBytes < 0 || offset + lengthBytes > source.lengthBytes) {
    throw damaged("the stream lies outside the file");
  }
  let [window, at, next] = [new Uint8Array(0), 0, offset];
  const input = new Bunzip.Stream();
  input.readByte = () => {
    if (at >= window.length) {
      const length = Math.min(WINDOW_BYTES, offset + lengthBytes - next);
      if (length <= 0) throw damaged("the data ends early"); // The package would read on for ever.
      window = source.read(next, length).slice();
      next += length;
      at = 0;
    }
    return window[at++]!;
  };
  let [pieces, piece, filled] = [[] as Uint8Array<ArrayBuffer>[], new Uint8Array(PIECE_BYTES), 0];
  const output = new Bunzip.Stream();
  output.writeByte = (byte) => {
    piece[filled++] = byte;
    if (filled < PIECE_BYTES) return;
    pieces.push(piece);
    [piece, filled] = [new Uint8Array(PIECE_BYTES), 0];
  };

  const decoder = guarded(() => new Bunzip(input, output));
  while (guarded(() => decoder._init_block())) {
    guarded(() => decoder._read_bunzip());
    yield* pieces;
    pieces = [];
  }
  const expected = guarded(() => decoder.reader.read(32) >>> 0);
  if (expected !== decoder.streamCRC >>> 0) throw damaged("the checksum of the stream differs");
  if (at < window.length || next < offset + lengthBytes) {
    throw damaged("bytes follow the end of the stream");
  }
  if (filled > 0) yield piece.slice(0, filled);
};

/** The package throws TypeError on damage. */
function guarded<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof UpdateFailure) throw error;
    throw damaged((error as Error).message, error);
  }
}
