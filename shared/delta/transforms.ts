/**
 * Transforms of ADD: how the difference stream of a segment is added to the base. Most of a
 * difference is zero, so all but transform 0 list only what differs, unit by unit:
 *
 *   1 words       u32, in five kinds by what the base word is as an A64 instruction, each with
 *                 its own list, and its immediate field subtracted by itself; so one shift of
 *                 the callee is one value, whatever carries and registers do
 *   2 halfwords   u16: code of 16-bit parcels
 *   3 bytes       all else
 *
 * Units lie on the grid of the image; bytes of a piece that fill no unit go to a last list of
 * bytes. A list: how many units of its kind are unchanged before the next changed one, and the
 * values of the changed ones, as indices of a dictionary of its frequent values.
 *
 *   for each list: varint bytes of gaps, varint changes, varint dictionary entries (at most 255),
 *                  varint escapes
 *   gaps of all lists, a varint a change
 *   for each list: dictionary (entries * unit), indices (changes; absent without a dictionary),
 *                  escapes (escapes * unit): the values that index 255 stands for; without a
 *                  dictionary all values
 *
 * Nothing here predicts where a word points to: an operation that does so gets its own number.
 *
 * @module
 */
import { damaged } from "./container_format.ts";
import { VarintReader } from "./segment_varint.ts";

/** Adds a difference stream, piece by piece. */
export interface Adder {
  /**
   * Adds the difference of one piece to the base bytes in `target[at, at + length)`.
   *
   * @param target The segment; `at` counts from it, so the grid is that of the image.
   * @param aligned Whether the piece lies in the base at the same place of the grid of words.
   * @throws {UpdateFailure} `containerDamaged` if the stream has nothing for it.
   */
  add(target: Uint8Array, at: number, length: number, aligned: boolean): void;
  /** @throws {UpdateFailure} `containerDamaged` if something of the stream is left. */
  end(): void;
}

/** Transform numbers: the index is the number. A new one goes to the end. */
export const TRANSFORMS: readonly ((difference: Uint8Array) => Adder)[] = [
  (difference) => new DenseAdder(difference),
  (difference) => new SparseAdder(difference, WORDS),
  (difference) => new SparseAdder(difference, HALFWORDS),
  (difference) => new SparseAdder(difference, BYTES),
];

/** What a sparse transform is made of. */
export interface SparseShape {
  /** Its number. */
  readonly transform: number;
  /** Bytes of a unit: 1, 2 or 4. */
  readonly unitBytes: number;
  /** Lists of units, one a kind; with units above a byte, one more of single bytes follows. */
  readonly kinds: number;
}

/** Transform 1. */
export const WORDS: SparseShape = { transform: 1, unitBytes: 4, kinds: 5 };
/** Transform 2. */
export const HALFWORDS: SparseShape = { transform: 2, unitBytes: 2, kinds: 1 };
/** Transform 3. */
export const BYTES: SparseShape = { transform: 3, unitBytes: 1, kinds: 1 };

/** Dictionary index of a value that is not in the dictionary. */
export const ESCAPE = 255;

/** Kinds of A64 words by their top byte: what their immediate field is. */
const OTHER = 0, BRANCH = 1, PAGE = 2, OFFSET = 3, NEAR = 4;

/** The kind of a word in the base by its top byte. */
export const WORD_KINDS: Uint8Array = Uint8Array.from({ length: 256 }, (_, top) => {
  if ((top & 0x7C) === 0x14) return BRANCH; // B, BL: imm26.
  if ((top & 0x1F) === 0x10) return PAGE; // ADR, ADRP: immhi, immlo.
  if ((top & 0x1F) === 0x11) return OFFSET; // ADD, SUB with imm12.
  if ((top & 0x3B) === 0x39) return OFFSET; // LDR, STR with imm12.
  if (top === 0x54 || (top & 0x7C) === 0x34) return NEAR; // B.cond, CBZ, TBZ: imm19.
  return OTHER;
});

/**
 * The value that leads from one word to another: the difference of the field, the other bits
 * where they differ.
 *
 * @param kind The kind of the base word.
 * @param from The base word.
 * @param to The image word.
 * @returns 32 bits; zero only if both are the same.
 */
export function wordChange(kind: number, from: number, to: number): number {
  const other = from ^ to;
  switch (kind) {
    case BRANCH:
      return ((to - from) & 0x03FFFFFF) | (other & 0xFC000000);
    case PAGE:
      return ((pageField(to) - pageField(from)) & 0x1FFFFF) |
        (((other & 31) | (other >>> 24 & 31) << 5 | (other >>> 31) << 10) << 21);
    case OFFSET:
      return (((to >>> 10) - (from >>> 10)) & 0xFFF) | (other & 0x3FF) << 12 | (other >>> 22) << 22;
    case NEAR:
      return (((to >>> 5) - (from >>> 5)) & 0x7FFFF) | (other & 31) << 19 | (other >>> 24) << 24;
    default:
      return (to - from) | 0;
  }
}

/**
 * The counterpart of {@linkcode wordChange}.
 *
 * @param kind The kind of the base word.
 * @param from The base word.
 * @param change The value.
 * @returns The image word, as 32 signed bits.
 */
export function changedWord(kind: number, from: number, change: number): number {
  switch (kind) {
    case BRANCH:
      return ((from + change) & 0x03FFFFFF) | ((from ^ change) & 0xFC000000);
    case PAGE: {
      const rest = change >>> 21;
      const field = (pageField(from) + change) & 0x1FFFFF;
      const kept = (from ^ ((rest & 31) | (rest >>> 5 & 31) << 24 | (rest >>> 10) << 31)) &
        ~0x60FFFFE0;
      return kept | (field >>> 2) << 5 | (field & 3) << 29;
    }
    case OFFSET:
      return ((((from >>> 10) + change) & 0xFFF) << 10) |
        ((from ^ (change >>> 12 & 0x3FF)) & 0x3FF) | ((from ^ change) & 0xFFC00000);
    case NEAR:
      return ((((from >>> 5) + change) & 0x7FFFF) << 5) |
        ((from ^ (change >>> 19)) & 31) | ((from ^ change) & 0xFF000000);
    default:
      return (from + change) | 0;
  }
}

/** ADR and ADRP keep the two low bits of their 21 apart from the others. */
function pageField(word: number): number {
  return (word >>> 5 & 0x7FFFF) << 2 | (word >>> 29 & 3);
}

/** Transform 0: a difference byte for each byte, modulo 256. */
class DenseAdder implements Adder {
  readonly #difference: Uint8Array;
  #at = 0;

  constructor(difference: Uint8Array) {
    this.#difference = difference;
  }

  add(target: Uint8Array, at: number, length: number): void {
    const [difference, from] = [this.#difference, this.#at];
    if (length > difference.length - from) throw damaged("too few difference bytes");
    for (let i = 0; i < length; i++) target[at + i] = target[at + i]! + difference[from + i]!;
    this.#at += length;
  }

  end(): void {
    if (this.#at !== this.#difference.length) throw leftOver();
  }
}

/** More units than a segment has: nothing changes any more. */
const NEVER = 0x7FFFFFFF;

function leftOver() {
  return damaged("difference bytes that belong to no piece");
}

/** One list of changes: where its parts begin in the stream. */
class ChangeList {
  gapAt = 0;
  gapEnd = 0;
  changes = 0;
  entries = 0;
  dictionaryAt = 0;
  indexAt = 0;
  escapeAt = 0;
  escapeEnd = 0;
  /** The last change has been made. */
  done = false;

  constructor(readonly unitBytes: number) {}
}

/** Transforms 1 to 3. */
class SparseAdder implements Adder {
  readonly #stream: Uint8Array;
  readonly #lists: readonly ChangeList[];
  /** Of each list: unchanged units before the next changed one. */
  readonly #left: Int32Array;
  readonly #shape: SparseShape;

  constructor(stream: Uint8Array, shape: SparseShape) {
    this.#stream = stream;
    this.#shape = shape;
    this.#lists = readLists(stream, shape);
    this.#left = new Int32Array(this.#lists.length);
    for (let list = 0; list < this.#lists.length; list++) this.#advance(list);
  }

  add(target: Uint8Array, at: number, length: number, aligned: boolean): void {
    const { unitBytes } = this.#shape;
    const end = at + length;
    const first = Math.min((at + unitBytes - 1) & -unitBytes, end);
    const last = Math.max(end & -unitBytes, first);
    if (first > at) this.#addBytes(target, at, first);
    if (unitBytes === 4 && aligned) this.#addWords(target, first, last);
    else this.#addUnits(target, first, last);
    if (end > last) this.#addBytes(target, last, end);
  }

  end(): void {
    for (const list of this.#lists) {
      const whole = list.gapAt === list.gapEnd && list.escapeAt === list.escapeEnd;
      if (!list.done || !whole) throw leftOver();
    }
  }

  /** Words by kind. */
  #addWords(target: Uint8Array, start: number, end: number): void {
    const [left, kinds] = [this.#left, WORD_KINDS];
    for (let at = start; at < end; at += 4) {
      const kind = kinds[target[at + 3]!]!;
      if (left[kind]! > 0) {
        left[kind] = left[kind]! - 1;
        continue;
      }
      const from = target[at]! | target[at + 1]! << 8 | target[at + 2]! << 16 |
        target[at + 3]! << 24;
      const to = changedWord(kind, from, this.#take(kind));
      target[at] = to;
      target[at + 1] = to >>> 8;
      target[at + 2] = to >>> 16;
      target[at + 3] = to >>> 24;
      this.#advance(kind);
    }
  }

  /** Units of the first kind, whatever they are: what is unchanged is leapt over. */
  #addUnits(target: Uint8Array, start: number, end: number): void {
    const { unitBytes } = this.#shape;
    const left = this.#left;
    for (let at = start; at < end; at += unitBytes) {
      const unchanged = Math.min(left[0]!, (end - at) / unitBytes);
      left[0] = left[0]! - unchanged;
      at += unchanged * unitBytes;
      if (at >= end) return;
      let carry = this.#take(0);
      for (let i = 0; i < unitBytes; i++) {
        const sum = target[at + i]! + (carry & 0xFF);
        target[at + i] = sum;
        carry = (carry >>> 8) + (sum >>> 8);
      }
      this.#advance(0);
    }
  }

  /** Bytes that fill no unit: the last list. */
  #addBytes(target: Uint8Array, start: number, end: number): void {
    const [left, list] = [this.#left, this.#lists.length - 1];
    for (let at = start; at < end; at++) {
      if (left[list]! > 0) {
        left[list] = left[list]! - 1;
        continue;
      }
      target[at] = target[at]! + this.#take(list);
      this.#advance(list);
    }
  }

  /** The value of the next change of a list. */
  #take(number: number): number {
    const list = this.#lists[number]!;
    let from: number;
    const index = list.entries > 0 ? this.#stream[list.indexAt++]! : ESCAPE;
    if (index < list.entries) from = list.dictionaryAt + index * list.unitBytes;
    else {
      from = list.escapeAt;
      list.escapeAt += list.unitBytes;
      if (index !== ESCAPE || list.escapeAt > list.escapeEnd) throw damaged("a change of no value");
    }
    let value = this.#stream[from]!;
    for (let i = 1; i < list.unitBytes; i++) value |= this.#stream[from + i]! << (8 * i);
    return value;
  }

  /** Reads how many units of a list come before its next change. */
  #advance(number: number): void {
    const list = this.#lists[number]!;
    if (list.changes === 0) {
      list.done = true;
      this.#left[number] = NEVER;
      return;
    }
    list.changes--;
    let [gap, shift, byte] = [0, 0, 0];
    do {
      if (list.gapAt >= list.gapEnd || shift > 21) throw damaged("a change at no place");
      byte = this.#stream[list.gapAt++]!;
      gap |= (byte & 0x7F) << shift;
      shift += 7;
    } while (byte >= 0x80);
    if (byte === 0 && shift > 7) throw damaged("a change at a place with two spellings");
    this.#left[number] = gap;
  }
}

/** Finds the parts of a sparse stream; they must fill it exactly. */
function readLists(stream: Uint8Array, shape: SparseShape): ChangeList[] {
  const head = new VarintReader(stream);
  const lists: ChangeList[] = [];
  for (let i = 0; i < shape.kinds; i++) lists.push(new ChangeList(shape.unitBytes));
  if (shape.unitBytes > 1) lists.push(new ChangeList(1));
  for (const list of lists) {
    list.gapEnd = head.unsigned();
    list.changes = head.unsigned();
    list.entries = head.unsigned();
    list.escapeEnd = head.unsigned() * list.unitBytes;
    if (list.changes > list.gapEnd || list.entries > ESCAPE) {
      throw damaged("a false list of changes");
    }
  }
  let at = head.at;
  for (const list of lists) {
    list.gapAt = at;
    at = list.gapEnd += at;
  }
  for (const list of lists) {
    list.dictionaryAt = at;
    list.indexAt = at + list.entries * list.unitBytes;
    list.escapeAt = list.indexAt + (list.entries > 0 ? list.changes : 0);
    at = list.escapeEnd += list.escapeAt;
  }
  if (at !== stream.length) throw damaged("lists of changes that do not fill their stream");
  return lists;
}
