/**
 * bzip2 decoding by `npm:seek-bzip`, a block at a time, for BSDIFF40. The package
 * uses Node's Buffer, so it lies here and reaches `shared/delta` as a parameter.
 * Memory: 3.6 MB for a block. What it expands to, up to 46 MB, is made here a piece at a time:
 * the package would hold all of it, and the event loop for 1.5 s (measured).
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
  let [piece, filled] = [new Uint8Array(PIECE_BYTES), 0];

  const decoder = guarded(() => new Bunzip(input, new Bunzip.Stream()));
  while (guarded(() => decoder._init_block())) {
    for (const { byte, count } of runsOf(decoder)) {
      for (let left = count; left > 0;) {
        const end = Math.min(filled + left, PIECE_BYTES);
        piece.fill(byte, filled, end);
        left -= end - filled;
        filled = end;
        if (filled < PIECE_BYTES) continue;
        yield piece;
        [piece, filled] = [new Uint8Array(PIECE_BYTES), 0];
      }
    }
  }
  const expected = guarded(() => decoder.reader.read(32) >>> 0);
  if (expected !== decoder.streamCRC >>> 0) throw damaged("the checksum of the stream differs");
  if (at < window.length || next < offset + lengthBytes) {
    throw damaged("bytes follow the end of the stream");
  }
  if (filled > 0) yield piece.slice(0, filled);
};

/** A byte, and how often it comes. */
interface Run {
  byte: number;
  count: number;
}

/**
 * Reads the block that was decoded last: undoes the Burrows-Wheeler transform and the run lengths
 * (four equal bytes are followed by the number of further ones), and checks the block's checksum.
 * The object that is given is the same one each time.
 */
function* runsOf(decoder: Bunzip): Generator<Readonly<Run>, void> {
  const run: Run = { byte: 0, count: 0 };
  const { dbuf } = decoder;
  let [at, byte, equal] = [decoder.writePos, decoder.writeCurrent, decoder.writeRun];
  for (let left = decoder.writeCount; left > 0; left--) {
    const before = byte;
    const entry = dbuf[at]!;
    byte = entry & 0xff;
    at = entry >>> 8;
    if (equal++ === 3) {
      [run.byte, run.count] = [before, byte];
      byte = -1;
    } else [run.byte, run.count] = [byte, 1];
    decoder.blockCRC.updateCRCRun(run.byte, run.count);
    yield run;
    if (byte !== before) equal = 0;
  }
  if (decoder.blockCRC.getCRC() !== decoder.targetBlockCRC) {
    throw damaged("the checksum of a block differs");
  }
}

/** The package throws TypeError on damage. */
function guarded<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof UpdateFailure) throw error;
    throw damaged((error as Error).message, error);
  }
}
