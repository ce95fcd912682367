/**
 * Bytes to lines, with a bound: what a child writes is never kept beyond one line.
 *
 * @module
 */
import { concatBytes } from "shared/bytes.ts";

const LINE_FEED = 0x0A;

/** Cuts a stream of bytes into lines. */
export class LineSplitter {
  readonly #maxLineBytes: number;
  readonly #decoder = new TextDecoder();
  #rest: Uint8Array = new Uint8Array(0);

  /** @param maxLineBytes The longest line, without its line feed. */
  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /**
   * Takes the next bytes.
   *
   * @param bytes As they come.
   * @returns The lines that are now whole, in order; then `"tooLong"` if one is longer than allowed.
   */
  *push(bytes: Uint8Array): Generator<string, "ok" | "tooLong"> {
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, start);
      const part = bytes.subarray(start, end < 0 ? bytes.length : end);
      if (this.#rest.length + part.length > this.#maxLineBytes) return "tooLong";
      if (end < 0) {
        this.#rest = concatBytes(this.#rest, part);
        return "ok";
      }
      const line = this.#rest.length === 0 ? part : concatBytes(this.#rest, part);
      this.#rest = new Uint8Array(0);
      start = end + 1;
      yield this.#decoder.decode(line);
    }
  }
}
