/**
 * Bytes that can be read anywhere: a file, a slot, an array.
 *
 * @module
 */

/** Positioned, synchronous reads. */
export interface RandomRead {
  readonly lengthBytes: number;
  /**
   * Reads `[offset, offset + length)`. The bytes may be valid until the next read only.
   *
   * @throws {RangeError} If that is not wholly inside.
   */
  read(offset: number, length: number): Uint8Array;
  /**
   * Reads `[offset, offset + target.length)` into an array of the caller's: for loops that must
   * not allocate. Whoever does not have it is read by `read()` and copied. Its name is not that of
   * asynchronous reads: a promise passes for `void`, and the bytes would come too late.
   *
   * @throws {RangeError} If that is not wholly inside.
   */
  fill?(offset: number, target: Uint8Array): void;
}

/**
 * Reads into an array, by whichever of the two ways the source has.
 *
 * @param source What is read.
 * @param offset Where, in bytes.
 * @param target Filled completely.
 * @throws {RangeError} If that is not wholly inside.
 */
export function readInto(source: RandomRead, offset: number, target: Uint8Array): void {
  if (source.fill) source.fill(offset, target);
  else target.set(source.read(offset, target.length));
}

/**
 * An array as {@linkcode RandomRead}.
 *
 * @param bytes The bytes, not copied.
 * @returns Reads give views into them.
 */
export function readArray(bytes: Uint8Array): RandomRead {
  return {
    lengthBytes: bytes.length,
    read(offset, length) {
      if (offset < 0 || length < 0 || offset + length > bytes.length) {
        throw new RangeError(`Cannot read ${length} bytes at ${offset}: ${bytes.length} are there`);
      }
      return bytes.subarray(offset, offset + length);
    },
  };
}
