/**
 * Variable-length numbers of ADD payloads: unsigned LEB128 of at most 8 bytes, below 2^53, in
 * the shortest form only, so that every number has one spelling. Signed ones are zigzagged.
 *
 * @module
 */
import { invariant } from "../assert.ts";
import { damaged } from "./container_format.ts";

const MAX_BYTES = 8;

/** Reads one number after the other. */
export class VarintReader {
  /** Where the next number begins. */
  at = 0;

  /** @param bytes What is read. */
  constructor(readonly bytes: Uint8Array) {}

  /** Whether nothing is left. */
  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  /** The next byte. */
  byte(): number {
    if (this.at >= this.bytes.length) throw damaged("a payload ends too early");
    return this.bytes[this.at++]!;
  }

  /** The next unsigned number. */
  unsigned(): number {
    const first = this.byte();
    return first < 0x80 ? first : this.#long(first);
  }

  /** The next signed number. */
  signed(): number {
    const zigzag = this.unsigned();
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  }

  #long(first: number): number {
    let [value, scale, last] = [first & 0x7F, 0x80, 0];
    for (let i = 1; i < MAX_BYTES; i++, scale *= 0x80) {
      last = this.byte();
      value += (last & 0x7F) * scale;
      if (last >= 0x80) continue;
      if (last === 0 || !Number.isSafeInteger(value)) break;
      return value;
    }
    throw damaged("a number that is too long");
  }
}

/** Collects numbers; grows as needed. */
export class VarintWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** What was written: a view. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Appends a byte. */
  byte(value: number): void {
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#length++] = value;
  }

  /** Appends an unsigned number. */
  unsigned(value: number): void {
    invariant(Number.isSafeInteger(value) && value >= 0, `varint of ${value}`);
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.byte(rest % 0x80 + 0x80);
    this.byte(rest);
  }

  /** Appends a signed number. */
  signed(value: number): void {
    this.unsigned(value >= 0 ? 2 * value : -2 * value - 1);
  }
}
