/**
 * A zstd decoder in TypeScript (RFC 8878), for runtimes whose `node:zlib` has none: Deno 2.6.
 * One frame of known length, decoded in place: the output is the window. It writes nothing
 * outside the output and does no more work than output and input together are long. The checksum
 * of the frame is passed over: what a container makes is proved by its own digests.
 *
 * @module
 */
import { undecodable, type ZstdFrame } from "./codecs_frame.ts";
import { BackwardBits, FseTable, HuffmanTable } from "./codecs_fse.ts";

// deno-fmt-ignore
const LITERAL_EXTRA = [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,2,2,3,3,4,6,7,8,9,10,11,12,13,14,15,16];
// deno-fmt-ignore
const MATCH_EXTRA = [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,2,2,3,3,4,4,5,7,8,9,10,11,12,13,14,15,16];
// deno-fmt-ignore
const LITERAL_COUNTS = [4,3,2,2,2,2,2,2,2,2,2,2,2,1,1,1,2,2,2,2,2,2,2,2,2,3,2,1,1,1,1,1,-1,-1,-1,-1];
// deno-fmt-ignore
const MATCH_COUNTS = [1,4,3,2,2,2,2,2,2,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,-1,-1,-1,-1,-1,-1,-1];
// deno-fmt-ignore
const OFFSET_COUNTS = [1,1,1,1,1,1,2,2,2,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,-1,-1,-1,-1,-1];

const LITERAL_BASE = basesOf(LITERAL_EXTRA, 0);
const MATCH_BASE = basesOf(MATCH_EXTRA, 3);
const LITERAL_BITS = Uint8Array.from(LITERAL_EXTRA);
const MATCH_BITS = Uint8Array.from(MATCH_EXTRA);
const MAX_BLOCK_BYTES = 128 * 1024;
/** An offset code above it reaches beyond any window that is allowed. */
const MAX_OFFSET_CODE = 22;
/** From here on `copyWithin()` is faster than a loop. */
const LONG_COPY_BYTES = 32;

function basesOf(extra: readonly number[], first: number): Int32Array {
  const bases = new Int32Array(extra.length);
  for (let i = 0, base = first; i < extra.length; base += 1 << extra[i++]!) bases[i] = base;
  return bases;
}

/** Decodes frames; its tables are used again. */
export class ZstdDecoder {
  readonly #literalTable = new FseTable(9, 35);
  readonly #offsetTable = new FseTable(8, 31);
  readonly #matchTable = new FseTable(9, 52);
  readonly #huffman = new HuffmanTable();
  readonly #bits = new BackwardBits();
  readonly #literals = new Uint8Array(MAX_BLOCK_BYTES);
  readonly #repeats = new Int32Array(3);
  #literalBytes = 0;
  #out: Uint8Array = new Uint8Array(0);
  #made = 0;

  /**
   * Decodes a frame.
   *
   * @param stored The frame.
   * @param frame What `checkZstdFrame` said of it.
   * @param out Filled completely.
   * @throws {UpdateFailure} `containerDamaged` if it is not exactly that long, or damaged.
   */
  decode(stored: Uint8Array, frame: ZstdFrame, out: Uint8Array): void {
    this.#out = out;
    this.#made = 0;
    this.#repeats.set([1, 4, 8]);
    this.#huffman.log = -1;
    for (const table of [this.#literalTable, this.#offsetTable, this.#matchTable]) table.log = -1;
    for (let at = frame.blocksAt, last = false; !last;) {
      const header = stored[at]! | stored[at + 1]! << 8 | stored[at + 2]! << 16;
      const [type, size] = [header >> 1 & 3, header >> 3];
      last = (header & 1) === 1;
      at += 3;
      const begin = this.#made;
      if (type === 1) this.#repeat(stored[at]!, size);
      else if (type === 0) this.#append(stored, at, size);
      else this.#decodeBlock(stored, at, at + size);
      if (this.#made - begin > frame.blockBytes) throw undecodable("zstd", "a block is too long");
      at += type === 1 ? 1 : size;
    }
    this.#out = new Uint8Array(0);
    if (this.#made !== out.length) throw undecodable("zstd", `${this.#made} bytes came out`);
  }

  #room(length: number): void {
    if (length > this.#out.length - this.#made) throw undecodable("zstd", "too many bytes");
  }

  #repeat(byte: number, length: number): void {
    this.#room(length);
    this.#out.fill(byte, this.#made, this.#made += length);
  }

  #append(source: Uint8Array, at: number, length: number): void {
    this.#room(length);
    this.#out.set(source.subarray(at, at + length), this.#made);
    this.#made += length;
  }

  #decodeBlock(data: Uint8Array, start: number, end: number): void {
    let at = this.#readLiterals(data, start, end);
    if (at >= end) throw undecodable("zstd", "a block is cut off");
    let count = data[at++]!;
    if (count === 0) {
      if (at !== end) throw undecodable("zstd", "bytes behind a block");
      this.#append(this.#literals, 0, this.#literalBytes);
      return;
    }
    if (at + 2 >= end) throw undecodable("zstd", "a block is cut off");
    if (count === 255) count = data[at++]! + (data[at++]! << 8) + 0x7F00;
    else if (count > 127) count = (count - 128 << 8) + data[at++]!;
    const modes = data[at++]!;
    if ((modes & 3) !== 0) throw undecodable("zstd", "a reserved mode");
    const [literal, offset, match] = [this.#literalTable, this.#offsetTable, this.#matchTable];
    at = readTable(literal, modes >> 6, { data, at, end, counts: LITERAL_COUNTS, log: 6 });
    at = readTable(offset, modes >> 4 & 3, { data, at, end, counts: OFFSET_COUNTS, log: 5 });
    at = readTable(match, modes >> 2 & 3, { data, at, end, counts: MATCH_COUNTS, log: 6 });
    this.#bits.open(data, at, end);
    this.#runSequences(count);
  }

  /** Literals of a block go to `#literals`; gives where they end. */
  #readLiterals(data: Uint8Array, start: number, end: number): number {
    if (end - start < 2) throw undecodable("zstd", "a block is cut off");
    const head = data[start]!;
    const [type, format] = [head & 3, head >> 2 & 3];
    const word = data[start]! + data[start + 1]! * 2 ** 8 + (data[start + 2] ?? 0) * 2 ** 16 +
      (data[start + 3] ?? 0) * 2 ** 24 + (data[start + 4] ?? 0) * 2 ** 32;
    if (type < 2) {
      const bytes = [1, 2, 1, 3][format]!;
      const shift = bytes === 1 ? 3 : 4;
      const length = Math.floor(word % 2 ** (8 * bytes) / 2 ** shift);
      const at = start + bytes;
      const stop = at + (type === 0 ? length : 1);
      this.#literalBytes = checkLiterals(length, stop, end);
      if (type === 0) this.#literals.set(data.subarray(at, stop));
      else this.#literals.fill(data[at]!, 0, length);
      return stop;
    }
    const bytes = [3, 3, 4, 5][format]!;
    const width = [10, 10, 14, 18][format]!;
    const length = Math.floor(word / 16) % 2 ** width;
    const storedBytes = Math.floor(word / 2 ** (4 + width)) % 2 ** width;
    let at = start + bytes;
    const stop = at + storedBytes;
    this.#literalBytes = checkLiterals(length, stop, end);
    if (type === 2) at = this.#huffman.read(data, at, stop);
    if (this.#huffman.log < 0) throw undecodable("zstd", "a table that was not there");
    if (format === 0) this.#huffman.decode(data, [at, stop], this.#literals, [0, length]);
    else this.#decodeFour(data, at, stop);
    return stop;
  }

  #decodeFour(data: Uint8Array, at: number, stop: number): void {
    const length = this.#literalBytes;
    const quarter = length + 3 >> 2;
    let from = at + 6;
    if (from > stop || 3 * quarter > length) throw undecodable("zstd", "literals are cut off");
    for (let i = 0; i < 4; i++) {
      const size = data[at + 2 * i]! | data[at + 2 * i + 1]! << 8;
      const to = i === 3 ? stop : from + size;
      if (to > stop) throw undecodable("zstd", "literals are cut off");
      const place = [i * quarter, i === 3 ? length : (i + 1) * quarter] as const;
      this.#huffman.decode(data, [from, to], this.#literals, place);
      from = to;
    }
  }

  #runSequences(count: number): void {
    const bits = this.#bits;
    const [literal, offset, match] = [this.#literalTable, this.#offsetTable, this.#matchTable];
    let literalState = bits.read(literal.log);
    let offsetState = bits.read(offset.log);
    let matchState = bits.read(match.log);
    let used = 0;
    for (let left = count; left > 0; left--) {
      const offsetCode = offset.symbols[offsetState]!;
      if (offsetCode > MAX_OFFSET_CODE) throw undecodable("zstd", "a match too far back");
      const value = (1 << offsetCode) + bits.read(offsetCode);
      const matchCode = match.symbols[matchState]!;
      const length = MATCH_BASE[matchCode]! + bits.read(MATCH_BITS[matchCode]!);
      const literalCode = literal.symbols[literalState]!;
      const run = LITERAL_BASE[literalCode]! + bits.read(LITERAL_BITS[literalCode]!);
      if (run > this.#literalBytes - used) throw undecodable("zstd", "too few literals");
      this.#emit(used, run, length, this.#distance(value, run));
      used += run;
      if (left === 1) break;
      literalState = literal.bases[literalState]! + bits.read(literal.bits[literalState]!);
      matchState = match.bases[matchState]! + bits.read(match.bits[matchState]!);
      offsetState = offset.bases[offsetState]! + bits.read(offset.bits[offsetState]!);
    }
    if (bits.left !== 0) throw undecodable("zstd", "sequences that do not end where they should");
    this.#append(this.#literals.subarray(0, this.#literalBytes), used, this.#literalBytes - used);
  }

  /** An offset value as a distance: 1 to 3 stand for distances used before (RFC 8878 3.1.1.5). */
  #distance(value: number, run: number): number {
    const repeats = this.#repeats;
    const [first, second] = [repeats[0]!, repeats[1]!];
    const which = value > 3 ? 3 : value - 1 + (run === 0 ? 1 : 0);
    let distance = value - 3;
    if (value <= 3) distance = which < 3 ? repeats[which]! : first - 1;
    if (which > 1) repeats[2] = second;
    if (which > 0) repeats[1] = first;
    repeats[0] = distance;
    return distance;
  }

  /** Appends a run of literals and a match. */
  #emit(used: number, run: number, length: number, distance: number): void {
    const [out, literals] = [this.#out, this.#literals];
    if (run + length > out.length - this.#made) throw undecodable("zstd", "too many bytes");
    let made = this.#made;
    if (run > LONG_COPY_BYTES) out.set(literals.subarray(used, used + run), made);
    else for (let i = 0; i < run; i++) out[made + i] = literals[used + i]!;
    made += run;
    const from = made - distance;
    if (from < 0 || distance <= 0) throw undecodable("zstd", "a match too far back");
    if (length > LONG_COPY_BYTES && distance >= length) out.copyWithin(made, from, from + length);
    else for (let i = 0; i < length; i++) out[made + i] = out[from + i]!;
    this.#made = made + length;
  }
}

function checkLiterals(length: number, stop: number, end: number): number {
  if (length > MAX_BLOCK_BYTES || stop > end) throw undecodable("zstd", "literals are too long");
  return length;
}

/** Sets a table as its mode says; gives where its description ends. */
function readTable(
  table: FseTable,
  mode: number,
  from: {
    readonly data: Uint8Array;
    readonly at: number;
    readonly end: number;
    readonly counts: readonly number[];
    readonly log: number;
  },
): number {
  const { data, at, end } = from;
  switch (mode) {
    case 0:
      table.setCounts(from.counts, from.log);
      return at;
    case 1:
      if (at >= end) throw undecodable("zstd", "a table is cut off");
      table.setSingle(data[at]!);
      return at + 1;
    case 2:
      return table.read(data, at, end);
    default:
      if (table.log < 0) throw undecodable("zstd", "a table that was not there");
      return at;
  }
}
