/**
 * Where a few bytes of the image may be found in the base: a hash table over every n-th position,
 * the positions of one hash in a chain. A match of at least window + step - 1 bytes always
 * contains an indexed window. Four bytes an entry, whatever the size of the base: n grows with it.
 *
 * An entry is 24 bits of position (in steps) and 8 bits more of the hash, so that most false
 * candidates are known without touching the base.
 *
 * @module
 */
import { isZero } from "./zeros.ts";

const NUMBER_BITS = 24;
const NUMBER_MASK = (1 << NUMBER_BITS) - 1;
/** No entry; the highest number is left free for it. */
const NONE = -1;
const MAX_ENTRIES = NUMBER_MASK;
/** Hash heads: more would cost memory, fewer would make chains of strangers. */
const MAX_HEAD_BITS = 22;
const MIN_HEAD_BITS = 8;

/** The geometry of an index. */
export interface IndexGeometry {
  /** Bytes between indexed positions. */
  readonly stepBytes: number;
  /** Bytes that are hashed; a multiple of 4, at least 8. */
  readonly windowBytes: number;
}

/** The index of one base. */
export class BaseIndex {
  readonly stepBytes: number;
  readonly windowBytes: number;
  /** The longest run of zeros that lies in the base: where, and how many bytes. */
  zerosAt = 0;
  zerosBytes = 0;
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  readonly #shift: number;
  #zeroStart = 0;

  /**
   * @param baseBytes Length of the base.
   * @param geometry Step and window.
   */
  constructor(baseBytes: number, geometry: IndexGeometry) {
    this.windowBytes = geometry.windowBytes;
    const least = Math.ceil(baseBytes / MAX_ENTRIES);
    this.stepBytes = Math.max(geometry.stepBytes, least);
    const entries = Math.ceil(baseBytes / this.stepBytes);
    let bits = MIN_HEAD_BITS;
    while (bits < MAX_HEAD_BITS && 2 ** bits < entries) bits++;
    this.#shift = 32 - bits;
    this.#heads = new Int32Array(2 ** bits).fill(NONE);
    this.#next = new Int32Array(entries);
  }

  /**
   * Adds what lies in a part of the base; parts come in order and without gaps, each with the
   * `windowBytes - 1` bytes before it, where the last windows of the part before it begin.
   *
   * @param bytes The part and what is before it.
   * @param start Where `bytes` begins in the base.
   * @param from Where the part begins in `bytes`.
   */
  add(bytes: Uint8Array, start: number, from: number): void {
    if (isZero(bytes)) { // Sparse images are mostly that.
      const end = start + bytes.length;
      if (end - this.#zeroStart > this.zerosBytes) this.#keepZeros(this.#zeroStart, end);
      return;
    }
    const [heads, next, step] = [this.#heads, this.#next, this.stepBytes];
    const firstWindow = Math.max(0, start + from - this.windowBytes + 1);
    let entry = Math.ceil(firstWindow / step);
    const last = bytes.length - this.windowBytes;
    for (let at = entry * step - start; at <= last; at += step, entry++) {
      const hash = hashAt(bytes, at, this.windowBytes);
      if (hash === 0) continue;
      const head = hash >>> this.#shift;
      next[entry] = heads[head]!;
      heads[head] = entry | hash << NUMBER_BITS;
    }
    this.#findZeros(bytes, start, from);
  }

  /** Runs of zeros are not indexed: one place is as good as the other, if it is long enough. */
  #findZeros(bytes: Uint8Array, start: number, from: number): void {
    let zeroStart = this.#zeroStart;
    for (let at = from; at < bytes.length; at++) {
      if (bytes[at] === 0) continue;
      if (start + at - zeroStart > this.zerosBytes) this.#keepZeros(zeroStart, start + at);
      zeroStart = start + at + 1;
    }
    this.#zeroStart = zeroStart;
    const end = start + bytes.length;
    if (end - zeroStart > this.zerosBytes) this.#keepZeros(zeroStart, end);
  }

  #keepZeros(start: number, end: number): void {
    this.zerosAt = start;
    this.zerosBytes = end - start;
  }

  /**
   * Begins to look for a window.
   *
   * @param hash Its {@linkcode hashAt}, not 0.
   * @returns An entry for {@linkcode matches}, or a negative number.
   */
  first(hash: number): number {
    return this.#heads[hash >>> this.#shift]!;
  }

  /**
   * Goes on in a chain.
   *
   * @param entry The entry before.
   * @returns The next one; the chain ends where `entry` is {@linkcode NO_ENTRY}.
   */
  next(entry: number): number {
    return this.#next[entry & NUMBER_MASK]!;
  }

  /**
   * Where an entry lies.
   *
   * @param entry An entry.
   * @returns An offset in the base.
   */
  offset(entry: number): number {
    return (entry & NUMBER_MASK) * this.stepBytes;
  }
}

/** The end of a chain. */
export const NO_ENTRY = NONE;

/**
 * Whether an entry can be that of a window.
 *
 * @param entry An entry.
 * @param hash The hash of the window.
 * @returns False for nearly all of those of other windows.
 */
export function mayMatch(entry: number, hash: number): boolean {
  return ((entry >>> NUMBER_BITS) ^ hash) << NUMBER_BITS === 0;
}

/**
 * The hash of a window.
 *
 * @param bytes Where it lies.
 * @param at Its offset there.
 * @param windowBytes How many bytes it has; a multiple of 4, at least 8.
 * @returns 32 bits; 0 for a window that repeats one word: such runs are everywhere.
 */
export function hashAt(bytes: Uint8Array, at: number, windowBytes: number): number {
  const first = wordAt(bytes, at);
  let hash = Math.imul(first, 0x9E3779B1);
  let differs = 0;
  for (let i = 4; i < windowBytes; i += 4) {
    const word = wordAt(bytes, at + i);
    differs |= word ^ first;
    hash = Math.imul(hash ^ hash >>> 15, 0x85EBCA77) ^ Math.imul(word, 0xC2B2AE3D);
  }
  if (differs === 0) return 0;
  hash = Math.imul(hash ^ hash >>> 15, 0x2C1B3C6D);
  return (hash ^ hash >>> 13) | 1;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
}
