/**
 * The base image as the encoder reads it: anywhere, again and again. A base up to
 * {@linkcode MAX_RESIDENT_BASE_BYTES} lies in memory as one page; of a larger one only some pages
 * do, so that memory does not grow with the image.
 *
 * @module
 */
import { MAX_RESIDENT_BASE_BYTES } from "shared/limits.ts";
import { type RandomRead, readInto } from "shared/delta/random_read.ts";

/** Small enough that a lone probe is cheap to read, large enough to follow a match in one read. */
const PAGE_BYTES = 64 * 1024;

/** How a base is kept. */
export interface BaseBytesOptions {
  /** Memory for its bytes; a shorter base is kept whole. */
  readonly residentBytes?: number;
  /** Bytes of a page; a power of two. */
  readonly pageBytes?: number;
}

/**
 * The base. Loops over its bytes use `bytes`, `start` and `end` after a {@linkcode seek}, for a
 * call for each byte would cost more than the work.
 */
export class BaseBytes {
  readonly lengthBytes: number;
  /** The page at hand; it holds `[start, end)` of the base. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  readonly #source: RandomRead;
  readonly #pageBytes: number;
  readonly #maxPages: number;
  /** By number; absent where a page is not in memory. */
  readonly #pages: (Uint8Array | undefined)[];
  /** By number: used since the hand last passed it. */
  readonly #used: Uint8Array;
  /** The numbers of the pages in memory: a clock, whose hand takes the first unused one away. */
  readonly #resident: number[] = [];
  #hand = 0;

  /**
   * @param source The base; its length must not change.
   * @param options How much of it is kept.
   */
  constructor(source: RandomRead, options: BaseBytesOptions = {}) {
    const { residentBytes = MAX_RESIDENT_BASE_BYTES, pageBytes = PAGE_BYTES } = options;
    this.#source = source;
    this.lengthBytes = source.lengthBytes;
    const whole = this.lengthBytes <= residentBytes;
    this.#pageBytes = whole ? Math.max(this.lengthBytes, 1) : pageBytes;
    this.#maxPages = whole ? 1 : Math.max(2, Math.floor(residentBytes / pageBytes));
    const pages = Math.ceil(this.lengthBytes / this.#pageBytes);
    this.#pages = new Array<Uint8Array | undefined>(pages).fill(undefined);
    this.#used = new Uint8Array(pages);
    if (whole) this.bytes = this.#pages[0] = new Uint8Array(this.lengthBytes);
  }

  /** Whether the base lies in memory as one page. */
  get whole(): boolean {
    return this.#maxPages === 1;
  }

  /**
   * Reads the base once from the front to the back, and fills the one page if there is one.
   *
   * @param chunkBytes How much at a time.
   * @returns Chunks, each valid until the next.
   */
  *readThrough(chunkBytes: number): Generator<Uint8Array, void> {
    const chunk = this.whole ? undefined : new Uint8Array(Math.min(chunkBytes, this.lengthBytes));
    for (let at = 0; at < this.lengthBytes; at += chunkBytes) {
      const length = Math.min(chunkBytes, this.lengthBytes - at);
      const target = chunk ? chunk.subarray(0, length) : this.bytes.subarray(at, at + length);
      readInto(this.#source, at, target);
      yield target;
    }
    if (this.whole) this.end = this.lengthBytes;
  }

  /**
   * Brings the page of an offset to hand.
   *
   * @param offset An offset inside the base.
   */
  seek(offset: number): void {
    if (offset >= this.start && offset < this.end) return;
    const number = Math.floor(offset / this.#pageBytes);
    const page = this.#pages[number] ?? this.#load(number);
    this.#used[number] = 1;
    this.bytes = page;
    this.start = number * this.#pageBytes;
    this.end = Math.min(this.start + this.#pageBytes, this.lengthBytes);
  }

  #load(number: number): Uint8Array {
    let page: Uint8Array | undefined;
    if (this.#resident.length < this.#maxPages) this.#resident.push(number);
    else {
      while (this.#used[this.#resident[this.#hand]!] === 1) {
        this.#used[this.#resident[this.#hand]!] = 0;
        this.#hand = (this.#hand + 1) % this.#maxPages;
      }
      const oldest = this.#resident[this.#hand]!;
      page = this.#pages[oldest];
      this.#pages[oldest] = undefined;
      this.#resident[this.#hand] = number;
      this.#hand = (this.#hand + 1) % this.#maxPages;
    }
    page ??= new Uint8Array(this.#pageBytes);
    const start = number * this.#pageBytes;
    const length = Math.min(this.#pageBytes, this.lengthBytes - start);
    readInto(this.#source, start, page.subarray(0, length));
    this.#pages[number] = page;
    return page;
  }

  /**
   * Copies a range, from as many pages as it lies in.
   *
   * @param offset Where it begins; wholly inside the base.
   * @param target Filled completely.
   */
  copy(offset: number, target: Uint8Array): void {
    for (let done = 0; done < target.length;) {
      this.seek(offset + done);
      const from = offset + done - this.start;
      const length = Math.min(target.length - done, this.end - this.start - from);
      target.set(this.bytes.subarray(from, from + length), done);
      done += length;
    }
  }

  /**
   * How many bytes from an offset on are those of another array.
   *
   * @param offset In the base, at most its length.
   * @param other The array.
   * @param at Where in it.
   * @param most At most so many.
   * @returns Equal bytes.
   */
  equalForward(offset: number, other: Uint8Array, at: number, most: number): number {
    const limit = Math.min(most, this.lengthBytes - offset, other.length - at);
    let equal = 0;
    while (equal < limit) {
      this.seek(offset + equal);
      const { bytes } = this;
      const from = offset + equal - this.start;
      const here = Math.min(limit - equal, this.end - this.start - from);
      let i = 0;
      while (i < here && bytes[from + i] === other[at + equal + i]) i++;
      equal += i;
      if (i < here) break;
    }
    return equal;
  }

  /**
   * How many bytes before an offset are those before a place of another array.
   *
   * @param offset In the base, at most its length.
   * @param other The array.
   * @param at Where in it.
   * @param most At most so many.
   * @returns Equal bytes.
   */
  equalBackward(offset: number, other: Uint8Array, at: number, most: number): number {
    const limit = Math.min(most, offset, at);
    let equal = 0;
    while (equal < limit) {
      this.seek(offset - equal - 1);
      const { bytes } = this;
      const from = offset - equal - 1 - this.start;
      const here = Math.min(limit - equal, from + 1);
      let i = 0;
      while (i < here && bytes[from - i] === other[at - equal - 1 - i]) i++;
      equal += i;
      if (i < here) break;
    }
    return equal;
  }

  /**
   * How many bytes of a range are those of another array, one by one.
   *
   * @param offset In the base; what lies outside counts as different.
   * @param other The array.
   * @param at Where in it.
   * @param length How many are compared.
   * @returns Equal bytes.
   */
  countEqual(offset: number, other: Uint8Array, at: number, length: number): number {
    const first = Math.max(0, -offset);
    const last = Math.min(length, this.lengthBytes - offset);
    let equal = 0;
    for (let done = first; done < last;) {
      this.seek(offset + done);
      const { bytes } = this;
      const from = offset + done - this.start;
      const here = Math.min(last - done, this.end - this.start - from);
      for (let i = 0; i < here; i++) if (bytes[from + i] === other[at + done + i]) equal++;
      done += here;
    }
    return equal;
  }
}
