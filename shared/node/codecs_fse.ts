/**
 * The entropy coders of zstd (RFC 8878 4.1 and 4.2), for runtimes whose `node:zlib` has none:
 * finite-state tables, Huffman tables, and bits read from the end.
 *
 * @module
 */
import { undecodable } from "./codecs_frame.ts";

/** A finite-state table; its memory is used again. */
export class FseTable {
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
  readonly bases: Uint16Array;
  /** log2 of its states; -1 before it has been set. */
  log = -1;
  readonly #counts: Int16Array;
  readonly #next: Uint16Array;

  /**
   * @param maxLog Its largest size, as log2 of the states.
   * @param maxSymbol The largest symbol it may give.
   */
  constructor(readonly maxLog: number, readonly maxSymbol: number) {
    this.symbols = new Uint8Array(1 << maxLog);
    this.bits = new Uint8Array(1 << maxLog);
    this.bases = new Uint16Array(1 << maxLog);
    this.#counts = new Int16Array(maxSymbol + 1);
    this.#next = new Uint16Array(maxSymbol + 1);
  }

  /** Always the same symbol. */
  setSingle(symbol: number): void {
    if (symbol > this.maxSymbol) throw undecodable("zstd", "a symbol that does not exist");
    this.log = this.bits[0] = this.bases[0] = 0;
    this.symbols[0] = symbol;
  }

  /** The distribution of the format itself. */
  setCounts(counts: readonly number[], log: number): void {
    this.#counts.fill(0).set(counts);
    this.#build(log);
  }

  /** Reads a distribution from `[at, end)`; gives where it ends. */
  read(data: Uint8Array, at: number, end: number): number {
    if (at >= end) throw undecodable("zstd", "a table is cut off");
    const log = (data[at]! & 15) + 5;
    if (log > this.maxLog) throw undecodable("zstd", "a table that is too large");
    const counts = this.#counts.fill(0);
    let [bit, remaining, symbol] = [at * 8 + 4, 1 << log, 0];
    const peek = () =>
      (data[bit >> 3]! | data[(bit >> 3) + 1]! << 8 | data[(bit >> 3) + 2]! << 16) >> (bit & 7);
    while (remaining > 0) {
      if (symbol > this.maxSymbol || bit >= end * 8) throw undecodable("zstd", "a table");
      const width = 32 - Math.clz32(remaining + 1);
      const low = (1 << width - 1) - 1;
      const spare = (1 << width) - 2 - remaining;
      let value = peek() & (1 << width) - 1;
      if ((value & low) < spare) [value, bit] = [value & low, bit + width - 1];
      else [value, bit] = [value > low ? value - spare : value, bit + width];
      counts[symbol++] = --value;
      remaining -= Math.abs(value);
      for (let zeros = value === 0 ? 3 : 0; zeros === 3;) {
        zeros = peek() & 3;
        [symbol, bit] = [symbol + zeros, bit + 2];
        if (bit > end * 8) throw undecodable("zstd", "a table is cut off");
      }
    }
    const stop = bit + 7 >> 3;
    if (remaining !== 0 || stop > end) throw undecodable("zstd", "a table that does not add up");
    this.#build(log);
    return stop;
  }

  #build(log: number): void {
    const size = 1 << log;
    const [counts, next, symbols] = [this.#counts, this.#next, this.symbols];
    let high = size - 1;
    for (let symbol = 0; symbol < counts.length; symbol++) {
      next[symbol] = Math.abs(counts[symbol]!);
      if (counts[symbol] === -1) symbols[high--] = symbol;
    }
    const step = (size >> 1) + (size >> 3) + 3;
    for (let symbol = 0, place = 0; symbol < counts.length; symbol++) {
      for (let i = 0; i < counts[symbol]!; i++) {
        symbols[place] = symbol;
        do place = place + step & size - 1; while (place > high);
      }
    }
    for (let state = 0; state < size; state++) {
      const x = next[symbols[state]!]!++;
      const bits = log - 31 + Math.clz32(x);
      this.bits[state] = bits;
      this.bases[state] = (x << bits) - size;
    }
    this.log = log;
  }
}

/** Bits from the last byte to the first (RFC 8878 4.1). */
export class BackwardBits {
  /** How many bits are left. */
  left = 0;
  #data: Uint8Array = new Uint8Array(0);
  #start = 0;

  /** Begins at the end of `[start, end)`: its highest set bit is a mark. */
  open(data: Uint8Array, start: number, end: number): void {
    const last = end > start ? data[end - 1]! : 0;
    if (last === 0) throw undecodable("zstd", "a stream without its end mark");
    this.#data = data;
    this.#start = start;
    this.left = (end - start) * 8 - Math.clz32(last) + 23;
  }

  /** The next bits, at most 24. */
  read(count: number): number {
    this.left -= count;
    if (this.left < 0) throw undecodable("zstd", "a stream is cut off");
    const data = this.#data;
    const at = this.#start + (this.left >> 3);
    const word = data[at]! | data[at + 1]! << 8 | data[at + 2]! << 16 | data[at + 3]! << 24;
    return word >>> (this.left & 7) & (1 << count) - 1;
  }
}

const MAX_HUFFMAN_LOG = 11;

/** A Huffman table: the longest code looks up symbol and length at once. */
export class HuffmanTable {
  /** log2 of its size; -1 before it has been read. */
  log = -1;
  /** Symbol times 16, plus length of its code. */
  readonly #entries = new Uint16Array(1 << MAX_HUFFMAN_LOG);
  readonly #weights = new Uint8Array(256);
  readonly #fse = new FseTable(6, 255);
  readonly #bits = new BackwardBits();

  /** Reads the description at `at`; gives where it ends. */
  read(data: Uint8Array, at: number, end: number): number {
    if (at >= end) throw undecodable("zstd", "a table is cut off");
    const size = data[at]!;
    const from = at + 1;
    const stop = from + (size < 128 ? size : size - 126 >> 1);
    if (stop > end) throw undecodable("zstd", "a table is cut off");
    let count = size - 127;
    if (size < 128) count = this.#readWeights(data, from, stop);
    else {
      for (let i = 0; i < count; i++) {
        this.#weights[i] = i % 2 === 0 ? data[from + (i >> 1)]! >> 4 : data[from + (i >> 1)]! & 15;
      }
    }
    this.#build(count);
    return stop;
  }

  /** Two states take turns until the bits are used up (RFC 8878 4.2.1.2). */
  #readWeights(data: Uint8Array, at: number, end: number): number {
    const [fse, bits] = [this.#fse, this.#bits];
    bits.open(data, fse.read(data, at, end), end);
    const states = [bits.read(fse.log), bits.read(fse.log)];
    for (let count = 0;; count++) {
      const turn = count & 1;
      const state = states[turn]!;
      if (count >= 254) throw undecodable("zstd", "too many weights");
      this.#weights[count] = fse.symbols[state]!;
      if (bits.left < fse.bits[state]!) {
        this.#weights[count + 1] = fse.symbols[states[1 - turn]!]!;
        return count + 2;
      }
      states[turn] = fse.bases[state]! + bits.read(fse.bits[state]!);
    }
  }

  /** The last weight is not written: it fills the sum up to a power of two. */
  #build(count: number): void {
    const weights = this.#weights;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      if (weights[i]! > MAX_HUFFMAN_LOG) throw undecodable("zstd", "a code that is too long");
      if (weights[i]! > 0) sum += 1 << weights[i]! - 1;
    }
    const log = 32 - Math.clz32(sum);
    const rest = (1 << log) - sum;
    if (sum === 0 || log > MAX_HUFFMAN_LOG || (rest & rest - 1) !== 0) {
      throw undecodable("zstd", "weights that do not add up");
    }
    weights[count] = 32 - Math.clz32(rest);
    let place = 0;
    for (let weight = 1; weight <= log; weight++) {
      for (let symbol = 0; symbol <= count; symbol++) {
        if (weights[symbol] !== weight) continue;
        const next = place + (1 << weight - 1);
        this.#entries.fill(symbol << 4 | log + 1 - weight, place, next);
        place = next;
      }
    }
    if (place !== 1 << log) throw undecodable("zstd", "weights that do not add up");
    this.log = log;
  }

  /** Decodes the stream `[start, end)` of `data` into exactly `target[at, to)`. */
  decode(
    data: Uint8Array,
    stream: readonly [start: number, end: number],
    target: Uint8Array,
    place: readonly [at: number, to: number],
  ): void {
    const [start, end] = stream;
    this.#bits.open(data, start, end);
    const [entries, log, to] = [this.#entries, this.log, place[1]];
    const mask = (1 << log) - 1;
    let left = this.#bits.left;
    for (let at = place[0]; at < to; at++) {
      const from = left - log;
      let code: number;
      if (from >= 0) {
        const byte = start + (from >> 3);
        code = (data[byte]! | data[byte + 1]! << 8 | data[byte + 2]! << 16) >> (from & 7) & mask;
      } else code = (data[start]! | data[start + 1]! << 8) << -from & mask;
      const entry = entries[code]!;
      target[at] = entry >> 4;
      left -= entry & 15;
      if (left < 0) throw undecodable("zstd", "literals are cut off");
    }
    if (left !== 0) throw undecodable("zstd", "literals that do not end where they should");
  }
}
