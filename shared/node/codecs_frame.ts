/**
 * What a compressed stream says of itself before it is decoded: the zstd frame (RFC 8878 3.1.1)
 * walked block by block, and the window of a brotli stream (RFC 7932 9.1). Deno's zlib accepts
 * several frames, bytes behind the end and a frame that is cut off; a container may have none.
 *
 * @module
 */
import { UpdateFailure } from "../failure.ts";
import { MAX_WINDOW_LOG } from "../limits.ts";

const ZSTD_MAGIC = 0xFD2FB528;
/** Beyond it no block may be (RFC 8878 3.1.1.2.4). */
const MAX_BLOCK_BYTES = 128 * 1024;
const CHECKSUM_BYTES = 4;

/** Where the blocks of a frame lie, and what they may make. */
export interface ZstdFrame {
  /** Where the first block begins. */
  readonly blocksAt: number;
  /** The longest block, when decoded. */
  readonly blockBytes: number;
  /** How far back a match may reach. */
  readonly windowBytes: number;
  readonly hasChecksum: boolean;
}

/**
 * A stream that is not what a container may have.
 *
 * @param codec Its name.
 * @param what The state found.
 * @param cause The decoder's own error.
 * @returns The failure, to be thrown.
 */
export function undecodable(codec: string, what: string, cause?: unknown): UpdateFailure {
  const message = `Cannot decode ${codec} data of container: ${what}`;
  return new UpdateFailure("containerDamaged", "container", message, { cause });
}

/**
 * Checks a frame from its first byte to its last, without decoding.
 *
 * @param stored What should be exactly one frame.
 * @param rawBytes What it must stand for.
 * @returns Where its blocks lie.
 * @throws {UpdateFailure} `containerDamaged` if it is anything else, or wants a window above
 * 2^20 bytes.
 */
export function checkZstdFrame(stored: Uint8Array, rawBytes: number): ZstdFrame {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.length);
  if (stored.length < 6 || view.getUint32(0, true) !== ZSTD_MAGIC) {
    throw undecodable("zstd", "no frame magic");
  }
  const flags = stored[4]!;
  const [single, hasChecksum] = [(flags & 0x20) !== 0, (flags & 0x04) !== 0];
  if ((flags & 0x08) !== 0) throw undecodable("zstd", "a reserved flag");
  if ((flags & 0x03) !== 0) throw undecodable("zstd", "it wants a dictionary");
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][flags >> 6]!;
  const sizeAt = single ? 5 : 6;
  const blocksAt = sizeAt + sizeBytes;
  if (stored.length < blocksAt) throw undecodable("zstd", "its header is cut off");
  const said = frameContentBytes(view, sizeAt, sizeBytes);
  if (said !== undefined && said !== rawBytes) {
    throw undecodable("zstd", `it stands for ${said} bytes, not ${rawBytes}`);
  }
  const windowBytes = single ? rawBytes : windowOf(stored[5]!);
  if (windowBytes > 2 ** MAX_WINDOW_LOG) throw undecodable("zstd", "its window is too large");
  const blockBytes = Math.min(windowBytes, MAX_BLOCK_BYTES);
  const end = endOfBlocks(stored, blocksAt, blockBytes) + (hasChecksum ? CHECKSUM_BYTES : 0);
  if (end > stored.length) throw undecodable("zstd", "its frame is cut off");
  if (end < stored.length) throw undecodable("zstd", "bytes behind its frame");
  return { blocksAt, blockBytes, windowBytes, hasChecksum };
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + base / 8 * (descriptor & 7);
}

function frameContentBytes(view: DataView, at: number, bytes: number): number | undefined {
  switch (bytes) {
    case 0:
      return undefined;
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    default:
      return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
  }
}

function endOfBlocks(stored: Uint8Array, blocksAt: number, blockBytes: number): number {
  for (let at = blocksAt;;) {
    if (at + 3 > stored.length) throw undecodable("zstd", "its blocks are cut off");
    const header = stored[at]! | stored[at + 1]! << 8 | stored[at + 2]! << 16;
    const [type, size] = [header >> 1 & 3, header >> 3];
    if (type === 3) throw undecodable("zstd", "a reserved block");
    if (size > blockBytes) throw undecodable("zstd", "a block that is too large");
    at += 3 + (type === 1 ? 1 : size);
    if ((header & 1) === 1) return at;
  }
}

/**
 * Checks the window that a brotli stream wants.
 *
 * @param stored The stream.
 * @throws {UpdateFailure} `containerDamaged` if it is above 2^20 bytes or of the large-window kind.
 */
export function checkBrotliWindow(stored: Uint8Array): void {
  if (stored.length === 0) throw undecodable("brotli", "it is empty");
  const bits = brotliWindowLog(stored[0]!);
  if (bits > MAX_WINDOW_LOG) throw undecodable("brotli", `its window is 2^${bits} bytes`);
}

/** RFC 7932 9.1: one bit, then three, then three more, each telling more than the last. */
function brotliWindowLog(first: number): number {
  if ((first & 1) === 0) return 16;
  const low = first >> 1 & 7;
  if (low !== 0) return 17 + low;
  const high = first >> 4 & 7;
  if (high === 0) return 17;
  if (high === 1) throw undecodable("brotli", "a large-window stream");
  return 8 + high;
}
