/**
 * BSDIFF40, the patch format of Debian's bsdiff 4.3, read as a stream.
 *
 *   0   8  "BSDIFF40"
 *   8   8  length of the compressed control block   (sign and magnitude, little-endian)
 *   16  8  length of the compressed difference block
 *   24  8  length of the new image
 *   32     control, difference, extra: each one bzip2 stream
 *
 * Control is triples (x, y, z): add x difference bytes to the base, copy y extra
 * bytes, move the base position by z. The format has no digest of either image:
 * whoever applies it must check the base before and the result after.
 *
 * @module
 */
import { UpdateFailure } from "../failure.ts";
import type { RandomRead } from "./random_read.ts";

const MAGIC = new TextEncoder().encode("BSDIFF40");
const HEADER_BYTES = 32;
const PIECE_BYTES = 64 * 1024;
/** Steps after which a piece is handed out however short it is: each may read a far place. */
const TURN_STEPS = 512;
/** Steps that make nothing: bsdiff writes one now and then, an attacker millions in a few bytes. */
const SPARE_IDLE_STEPS = 1024;

/**
 * Decodes the bzip2 stream at `[offset, offset + lengthBytes)` of `source`, to pieces that are
 * the caller's to keep. Throws {@linkcode UpdateFailure} `deltaDamaged` on any damage.
 */
export type Bunzip2 = (
  source: RandomRead,
  offset: number,
  lengthBytes: number,
) => Generator<Uint8Array<ArrayBuffer>, void>;

/** The header of a patch. */
export interface Bsdiff40Header {
  readonly controlBytes: number;
  readonly diffBytes: number;
  /** Length of the image the patch makes. */
  readonly imageBytes: number;
}

function damaged(what: string): UpdateFailure {
  return new UpdateFailure("deltaDamaged", "patch", `Cannot read BSDIFF40 patch: ${what}`);
}

/**
 * Whether a file begins like a BSDIFF40 patch.
 *
 * @param file Any file.
 * @returns Whether its magic is there.
 */
export function isBsdiff40(file: RandomRead): boolean {
  if (file.lengthBytes < MAGIC.length) return false;
  const start = file.read(0, MAGIC.length);
  return MAGIC.every((byte, i) => start[i] === byte);
}

/**
 * Reads and checks the header.
 *
 * @param patch The patch.
 * @returns The lengths it names.
 * @throws {UpdateFailure} `deltaDamaged` if it is no whole BSDIFF40 patch.
 */
export function readBsdiff40Header(patch: RandomRead): Bsdiff40Header {
  if (!isBsdiff40(patch)) throw damaged("no BSDIFF40 magic");
  if (patch.lengthBytes < HEADER_BYTES) throw damaged("the header is cut off");
  const header = patch.read(0, HEADER_BYTES);
  const [controlBytes, diffBytes, imageBytes] = [8, 16, 24].map((at) => offset(header, at));
  if (controlBytes! < 0 || diffBytes! < 0 || imageBytes! < 0) throw damaged("a negative length");
  if (HEADER_BYTES + controlBytes! + diffBytes! > patch.lengthBytes) {
    throw damaged("its blocks are longer than the file");
  }
  return { controlBytes: controlBytes!, diffBytes: diffBytes!, imageBytes: imageBytes! };
}

/**
 * Applies a patch. Memory is bounded by three bzip2 blocks, whatever the sizes.
 *
 * @example Usage
 * ```ts
 * import { applyBsdiff40 } from "shared/delta/bsdiff40.ts";
 * import { readArray } from "shared/delta/random_read.ts";
 * import { bunzip2 } from "shared/node/bunzip2.ts";
 * import { assertThrows } from "@std/assert/mod.js";
 *
 * const [patch, base] = [readArray(new Uint8Array(40)), readArray(new Uint8Array(4))];
 * assertThrows(() => [...applyBsdiff40(patch, base, { bunzip2, maxImageBytes: 100 })]);
 * ```
 *
 * @param patch The patch.
 * @param base The image it starts from; its digest has been checked already.
 * @param options The decoder, and the longest image that may come out, in bytes.
 * @returns Pieces of the new image in order, of at most 64 KiB; exactly as long as the header says.
 * The work between two pieces is bounded; a piece may be empty, and is then only a moment to breathe.
 * @throws {UpdateFailure} `deltaDamaged` if the patch contradicts itself, `imageTooLarge` if its
 * image is longer than allowed. Only the digest of the result proves that the base was right.
 */
export function* applyBsdiff40(
  patch: RandomRead,
  base: RandomRead,
  options: { readonly bunzip2: Bunzip2; readonly maxImageBytes: number },
): Generator<Uint8Array<ArrayBuffer>, void> {
  const { controlBytes, diffBytes, imageBytes } = readBsdiff40Header(patch);
  if (imageBytes > options.maxImageBytes) {
    throw new UpdateFailure(
      "imageTooLarge",
      "patch",
      `Cannot apply BSDIFF40 patch: its image has ${imageBytes} bytes, at most ` +
        `${options.maxImageBytes} fit`,
    );
  }
  const { bunzip2 } = options;
  const extraAt = HEADER_BYTES + controlBytes + diffBytes;
  const control = new Pieces(bunzip2(patch, HEADER_BYTES, controlBytes), "control");
  const diff = new Pieces(bunzip2(patch, HEADER_BYTES + controlBytes, diffBytes), "difference");
  const extra = new Pieces(bunzip2(patch, extraAt, patch.lengthBytes - extraAt), "extra");
  const output = new Output();
  let [made, from, steps, idle] = [0, 0, 0, 0];
  while (made < imageBytes) {
    const triple = control.take(24);
    const [add, copy, seek] = [offset(triple, 0), offset(triple, 8), offset(triple, 16)];
    if (add < 0 || copy < 0) throw damaged("a negative step");
    if (made + add + copy > imageBytes) throw damaged("its steps make more than its image");
    if (add === 0 && copy === 0 && seek === 0) throw damaged("a step that does nothing");
    if (add === 0 && copy === 0 && ++idle > SPARE_IDLE_STEPS + steps / 2) {
      throw damaged("too many steps that make nothing");
    }
    for (let left = add; left > 0;) {
      const piece = diff.take(Math.min(left, PIECE_BYTES));
      addBase(piece, base, from);
      const full = output.put(piece);
      if (full !== undefined) yield full;
      left -= piece.length;
      from += piece.length;
    }
    for (let left = copy; left > 0;) {
      const piece = extra.take(Math.min(left, PIECE_BYTES));
      const full = output.put(piece);
      if (full !== undefined) yield full;
      left -= piece.length;
    }
    made += add + copy;
    from += seek;
    if (!Number.isSafeInteger(from)) throw damaged("a step out of all bounds");
    if (++steps % TURN_STEPS === 0) yield output.flush();
  }
  yield output.flush();
  for (const stream of [control, diff, extra]) stream.mustEnd();
}

/** Adds base bytes, modulo 256. Outside the base counts as zero, as in bspatch. */
function addBase(piece: Uint8Array, base: RandomRead, from: number): void {
  const start = Math.max(from, 0);
  const end = Math.min(from + piece.length, base.lengthBytes);
  if (start >= end) return;
  const old = base.read(start, end - start);
  const shift = start - from;
  for (let i = 0; i < old.length; i++) piece[shift + i] = piece[shift + i]! + old[i]!;
}

/** A signed 64-bit number: magnitude little-endian, the top bit is the sign. */
function offset(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
  const high = view.getUint32(4, true);
  const magnitude = (high & 0x7FFFFFFF) * 2 ** 32 + view.getUint32(0, true);
  if (!Number.isSafeInteger(magnitude)) throw damaged("a length beyond 2^53");
  return high & 0x80000000 ? -magnitude : magnitude;
}

/** Joins what short steps make: a patch of single bytes must not become as many writes. */
class Output {
  #buffer = new Uint8Array(PIECE_BYTES);
  #filled = 0;

  /** Takes at most a piece; gives one when it is full. */
  put(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const room = bytes.subarray(0, PIECE_BYTES - this.#filled);
    this.#buffer.set(room, this.#filled);
    this.#filled += room.length;
    if (this.#filled < PIECE_BYTES) return undefined;
    const full = this.#buffer;
    this.#buffer = new Uint8Array(PIECE_BYTES);
    this.#buffer.set(bytes.subarray(room.length));
    this.#filled = bytes.length - room.length;
    return full;
  }

  /** Gives what is there, and begins anew. */
  flush(): Uint8Array<ArrayBuffer> {
    const piece = this.#buffer.slice(0, this.#filled);
    this.#filled = 0;
    return piece;
  }
}

/** A stream of pieces from which exact lengths are taken. */
class Pieces {
  #piece = new Uint8Array(0);
  #at = 0;

  constructor(readonly source: Iterator<Uint8Array<ArrayBuffer>, void>, readonly name: string) {}

  /** Exactly `length` bytes, in an array of the caller's. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const whole = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      if (!this.#more()) throw damaged(`its ${this.name} block is too short`);
      const part = this.#piece.subarray(this.#at, this.#at + length - filled);
      whole.set(part, filled);
      this.#at += part.length;
      filled += part.length;
    }
    return whole;
  }

  /** Also drives the stream to its end, so that its checksum is checked. */
  mustEnd(): void {
    if (this.#more()) throw damaged(`its ${this.name} block is too long`);
  }

  #more(): boolean {
    while (this.#at >= this.#piece.length) {
      const next = this.source.next();
      if (next.done) return false;
      this.#piece = next.value;
      this.#at = 0;
    }
    return true;
  }
}
