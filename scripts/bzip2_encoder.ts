/**
 * A small bzip2 encoder, so that BSDIFF40 patches can be made where no `bzip2` is
 * installed. Writes what bzip2 1.0 reads; one Huffman table instead of six, so its
 * output is a few per cent longer.
 *
 * @module
 */
import { sortRotations } from "./suffix_sort.ts";

/** Level 9: blocks of 900,000 bytes, of which bzip2 itself leaves 19 free. */
const BLOCK_BYTES = 900_000 - 19;
/** Symbols that share a selector. */
const GROUP_SYMBOLS = 50;
/** The longest code that bzip2 1.0.3 and later write. */
const MAX_CODE_BITS = 17;
const RUN_A = 0;
const RUN_B = 1;

/**
 * Compresses.
 *
 * @param bytes Anything.
 * @returns One bzip2 stream.
 */
export function bzip2(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new BitWriter();
  for (const char of "BZh9") out.write(char.charCodeAt(0), 8);
  let crcOfAll = 0;
  for (const block of splitBlocks(bytes)) {
    crcOfAll = ((crcOfAll << 1 | crcOfAll >>> 31) ^ block.crc) >>> 0;
    writeBlock(out, block);
  }
  out.write(0x177245, 24);
  out.write(0x385090, 24);
  out.write(crcOfAll, 32);
  return out.end();
}

/** A block after the first run-length coding. */
interface Block {
  readonly bytes: Uint8Array;
  /** Of the bytes before that coding. */
  readonly crc: number;
}

/** Four equal bytes are followed by how many more there are, up to 251. */
function* splitBlocks(bytes: Uint8Array): Generator<Block> {
  let [block, filled, crc] = [new Uint8Array(BLOCK_BYTES), 0, ~0];
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at]!;
    let run = 1;
    while (run < 255 && at + run < bytes.length && bytes[at + run] === byte) run++;
    if (filled + 5 > BLOCK_BYTES) {
      yield { bytes: block.subarray(0, filled), crc: ~crc >>> 0 };
      [block, filled, crc] = [new Uint8Array(BLOCK_BYTES), 0, ~0];
    }
    for (let i = 0; i < run; i++) crc = (crc << 8) ^ CRC_TABLE[(crc >>> 24) ^ byte]!;
    for (let i = 0; i < Math.min(run, 4); i++) block[filled++] = byte;
    if (run >= 4) block[filled++] = run - 4;
    at += run;
  }
  if (filled > 0) yield { bytes: block.subarray(0, filled), crc: ~crc >>> 0 };
}

/** CRC-32 with the polynomial of IEEE 802.3, most significant bit first. */
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, n) => {
  let crc = n << 24;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04C11DB7 : 0);
  return crc;
});

function writeBlock(out: BitWriter, { bytes, crc }: Block): void {
  const order = sortRotations(bytes, 256);
  const used = [...new Set(bytes)].sort((a, b) => a - b);
  const symbols = moveToFront(bytes, order, used);
  const alphabet = used.length + 2;
  const lengths = codeLengths(symbols, alphabet);

  out.write(0x314159, 24);
  out.write(0x265359, 24);
  out.write(crc, 32);
  out.write(0, 1); // Not randomised.
  out.write(order.indexOf(0), 24);
  writeUsed(out, used);
  out.write(2, 3); // Two tables are the fewest the format allows; both are the same.
  const groups = Math.ceil(symbols.length / GROUP_SYMBOLS);
  out.write(groups, 15);
  for (let i = 0; i < groups; i++) out.write(0, 1);
  for (let table = 0; table < 2; table++) writeLengths(out, lengths);
  const codes = codesOf(lengths);
  for (const symbol of symbols) out.write(codes[symbol]!, lengths[symbol]!);
}

/** The last column of the sorted rotations, moved to front; zeros as numbers in base two. */
function moveToFront(bytes: Uint8Array, order: Int32Array, used: readonly number[]): number[] {
  const recent = Uint8Array.from(used);
  const symbols: number[] = [];
  let zeros = 0;
  const endRun = () => {
    for (; zeros > 0; zeros = (zeros - 1) >> 1) symbols.push(zeros & 1 ? RUN_A : RUN_B);
  };
  for (const start of order) {
    const byte = bytes[start === 0 ? bytes.length - 1 : start - 1]!;
    const place = recent.indexOf(byte);
    if (place === 0) {
      zeros++;
      continue;
    }
    endRun();
    recent.copyWithin(1, 0, place);
    recent[0] = byte;
    symbols.push(place + 1);
  }
  endRun();
  symbols.push(used.length + 1); // End of block.
  return symbols;
}

/** Huffman; counts are flattened until the longest code is short enough. */
function codeLengths(symbols: readonly number[], alphabet: number): number[] {
  const counts = new Array<number>(alphabet).fill(0);
  for (const symbol of symbols) counts[symbol]!++;
  for (let weights = counts.map((count) => Math.max(count, 1));;) {
    const lengths = huffman(weights);
    if (Math.max(...lengths) <= MAX_CODE_BITS) return lengths;
    weights = weights.map((weight) => (weight >> 1) + 1);
  }
}

function huffman(weights: readonly number[]): number[] {
  interface Tree {
    readonly weight: number;
    readonly leaves: readonly number[];
  }
  const lengths = new Array<number>(weights.length).fill(0);
  let trees: Tree[] = weights.map((weight, leaf) => ({ weight, leaves: [leaf] }));
  while (trees.length > 1) {
    trees = trees.sort((a, b) => a.weight - b.weight);
    const [a, b] = [trees[0]!, trees[1]!];
    const leaves = [...a.leaves, ...b.leaves];
    for (const leaf of leaves) lengths[leaf]!++;
    trees = [{ weight: a.weight + b.weight, leaves }, ...trees.slice(2)];
  }
  return lengths;
}

/** Canonical codes: shorter first, then by symbol. */
function codesOf(lengths: readonly number[]): number[] {
  const codes = new Array<number>(lengths.length).fill(0);
  let code = 0;
  for (let bits = 1; bits <= MAX_CODE_BITS; bits++, code <<= 1) {
    lengths.forEach((length, symbol) => {
      if (length === bits) codes[symbol] = code++;
    });
  }
  return codes;
}

function writeUsed(out: BitWriter, used: readonly number[]): void {
  const rows = Array.from({ length: 16 }, (_, row) => used.filter((byte) => byte >> 4 === row));
  for (const row of rows) out.write(row.length > 0 ? 1 : 0, 1);
  for (const row of rows) {
    if (row.length === 0) continue;
    out.write(row.reduce((bits, byte) => bits | 0x8000 >> (byte & 15), 0), 16);
  }
}

/** Each length is told by its difference from the one before. */
function writeLengths(out: BitWriter, lengths: readonly number[]): void {
  let current = lengths[0]!;
  out.write(current, 5);
  for (const length of lengths) {
    for (; current < length; current++) out.write(0b10, 2);
    for (; current > length; current--) out.write(0b11, 2);
    out.write(0, 1);
  }
}

/** Bits, most significant first. */
class BitWriter {
  #bytes = new Uint8Array(64 * 1024);
  #length = 0;
  #bits = 0;
  #count = 0;

  write(value: number, bits: number): void {
    for (let i = bits - 1; i >= 0; i--) {
      this.#bits = this.#bits << 1 | value >>> i & 1;
      if (++this.#count === 8) this.#flush();
    }
  }

  end(): Uint8Array<ArrayBuffer> {
    while (this.#count > 0) this.write(0, 1);
    return this.#bytes.slice(0, this.#length);
  }

  #flush(): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = this.#bits;
    this.#bits = 0;
    this.#count = 0;
  }
}
