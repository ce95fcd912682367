/**
 * The pieces of one segment: which run of the image comes from where in the base.
 *
 * @module
 */

/** A list that is filled again for each segment, without an object for a piece. */
export class PieceList {
  count = 0;
  /** Where each piece begins in the segment; ascending, without overlap. */
  readonly at: Int32Array;
  readonly length: Int32Array;
  /** Where it begins in the base; beyond 2^32 in large images. */
  readonly base: Float64Array;

  /** @param capacity The most pieces there can be. */
  constructor(capacity: number) {
    this.at = new Int32Array(capacity);
    this.length = new Int32Array(capacity);
    this.base = new Float64Array(capacity);
  }

  /** Forgets all pieces. */
  clear(): void {
    this.count = 0;
  }

  /**
   * Appends a piece. One that goes on where the last one ended is joined to it.
   *
   * @param at Where it begins in the segment; not before the end of the last one.
   * @param length At least 1.
   * @param base Where it begins in the base.
   */
  push(at: number, length: number, base: number): void {
    const last = this.count - 1;
    if (last >= 0) {
      const end = this.at[last]! + this.length[last]!;
      if (end === at && this.base[last]! + this.length[last]! === base) {
        this.length[last] = this.length[last]! + length;
        return;
      }
    }
    const next = this.count++;
    this.at[next] = at;
    this.length[next] = length;
    this.base[next] = base;
  }
}
