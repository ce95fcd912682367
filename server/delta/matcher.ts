/**
 * Finds what of a segment lies in the base, and where. As in bsdiff 4.3, the place at hand is left
 * only for one that fits clearly better, and each match is grown over differences in both
 * directions; unlike there, candidates come from a hash index, first of all from the places used
 * last, and wherever the place at hand fits exactly nothing is looked up at all.
 *
 * @module
 */
import type { BaseBytes } from "./base_bytes.ts";
import { type BaseIndex, hashAt, mayMatch, NO_ENTRY } from "./base_index.ts";
import type { PieceList } from "./pieces.ts";

/** A run this long at the place at hand is followed without a look elsewhere. */
const FOLLOWED_BYTES = 16;
/** How much better another place must fit: what a piece costs. As in bsdiff. */
const BETTER_BYTES = 8;
/**
 * Where the place at hand fits again after so many bytes, a new piece begins, lest what is between
 * outweigh it. If both grow together they become one piece again.
 */
const APART_BYTES = 64;
/** A candidate is followed so far to judge it; a longer one is better for sure. */
const JUDGED_BYTES = 4096;
/** Places remembered: functions move in groups, and come back to where they were. */
const RECENT_SHIFTS = 8;
/** A piece with fewer equal bytes costs more than its bytes. */
const MIN_PIECE_HITS = 8;
/** Chains hold strangers too: two or three on average, any number in a base made to harm. */
const MAX_CHAIN_STEPS = 64;
/** A new piece grows back so far at most: farther back it would have been found earlier. */
const BACKWARD_BYTES = 64 * 1024;
/**
 * Where two places fit alike, as in repeated data, each new piece is compared with all that the
 * last one was. So many bytes a byte of the segment may go into that, then pieces grow back by
 * {@linkcode SPENT_BACKWARD_BYTES} only: else it would be the square of the segment's length.
 */
const BACKWARD_WORK = 32;
const SPENT_BACKWARD_BYTES = 1024;
/** A piece is not grown over so many more misses than hits: beyond, it would begin anew. */
const HOPELESS_BYTES = 512;
/** Zeros from elsewhere in the base, where the place at hand has none. */
const MIN_ZERO_BYTES = 64;

/** Finds pieces, segment by segment. */
export class Matcher {
  readonly #base: BaseBytes;
  readonly #index: BaseIndex;
  readonly #depth: number;
  /** Base offset minus image offset of the place at hand; goes on from segment to segment. */
  #shift = 0;
  readonly #recent = new Float64Array(RECENT_SHIFTS);
  readonly #forward: Uint8Array;
  readonly #backward: Uint8Array;

  /**
   * @param base The base.
   * @param index Its index.
   * @param options The longest segment, and how many candidates of one hash are tried.
   */
  constructor(
    base: BaseBytes,
    index: BaseIndex,
    options: { readonly segmentBytes: number; readonly depth: number },
  ) {
    this.#base = base;
    this.#index = index;
    this.#depth = options.depth;
    this.#forward = new Uint8Array(options.segmentBytes);
    this.#backward = new Uint8Array(options.segmentBytes);
  }

  /**
   * Finds the pieces of one segment.
   *
   * @param segment Its bytes.
   * @param imageOffset Where it begins in the image.
   * @param pieces Filled anew.
   */
  match(segment: Uint8Array, imageOffset: number, pieces: PieceList): void {
    pieces.clear();
    this.#backwardLeft = BACKWARD_WORK * segment.length;
    this.#chooseStart(segment, imageOffset);
    const found = { at: 0, base: 0, length: 0 };
    let [start, startBase, scan] = [0, imageOffset + this.#shift, 0];
    while (true) {
      const more = this.#findBetter(segment, imageOffset, { scan, start, found });
      const [at, place] = more ? [found.at, found.base] : [segment.length, 0];
      let forward = this.#growForward(segment, start, startBase, at);
      let backward = more ? this.#growBackward(segment, at, place, start) : 0;
      const overlap = start + forward - (at - backward);
      if (overlap > 0) {
        const kept = this.#bestCut(segment, {
          at: at - backward,
          overlap,
          forwardAt: start,
          backwardEnd: at,
        });
        forward += kept - overlap;
        backward -= kept;
      }
      if (this.#worthIt(segment, start, forward)) pieces.push(start, forward, startBase);
      if (!more) return;
      this.#moveTo(place - (imageOffset + at));
      start = at - backward;
      startBase = place - backward;
      scan = at + found.length;
    }
  }

  #moveTo(shift: number): void {
    if (shift === this.#shift) return;
    this.#recent.copyWithin(1, 0);
    this.#recent[0] = this.#shift;
    this.#shift = shift;
  }

  /** A segment begins where the last one ended, or in place. */
  #chooseStart(segment: Uint8Array, imageOffset: number): void {
    if (this.#shift === 0) return;
    const length = Math.min(segment.length, JUDGED_BYTES);
    const goingOn = this.#base.countEqual(imageOffset + this.#shift, segment, 0, length);
    const inPlace = this.#base.countEqual(imageOffset, segment, 0, length);
    if (inPlace >= goingOn) this.#shift = 0;
  }

  /**
   * Goes on until a place fits better than the one at hand, or that one fits again.
   *
   * @returns Whether there is one; if so, `found` says which.
   */
  #findBetter(
    segment: Uint8Array,
    imageOffset: number,
    from: {
      readonly scan: number;
      /** Where the piece at hand begins: what is before belongs to others. */
      readonly start: number;
      readonly found: { at: number; base: number; length: number };
    },
  ): boolean {
    const [base, shift, end] = [this.#base, this.#shift, segment.length];
    const backMost = Math.max(FOLLOWED_BYTES, this.#index.stepBytes);
    let [scan, runEnd, followed] = [from.scan, from.scan, from.scan];
    while (scan < end) {
      if (scan >= runEnd) {
        const here = imageOffset + scan + shift;
        const inside = here >= 0 && here < base.lengthBytes;
        runEnd = scan + (inside ? base.equalForward(here, segment, scan, end) : 0);
      }
      if (runEnd - scan >= FOLLOWED_BYTES) {
        if (scan - followed >= APART_BYTES) {
          from.found.at = scan;
          from.found.base = imageOffset + scan + shift;
          from.found.length = runEnd - scan;
          return true;
        }
        scan = followed = runEnd;
        continue;
      }
      const [place, length] = this.#bestCandidate(segment, imageOffset, scan);
      if (length >= BETTER_BYTES) {
        const back = base.equalBackward(
          place,
          segment,
          scan,
          Math.min(scan - from.start, backMost),
        );
        const [at, whole] = [scan - back, length + back];
        const same = base.countEqual(imageOffset + at + shift, segment, at, whole);
        if (whole > same + BETTER_BYTES) {
          from.found.at = at;
          from.found.base = place - back;
          from.found.length = whole;
          return true;
        }
        // The place at hand is as good for so long; the next better one grows backwards anyway.
        scan++;
      } else scan++;
    }
    return false;
  }

  #bestPlace = 0;
  #bestLength = 0;

  /** The longest exact match from here on, of the places that are known. */
  #bestCandidate(
    segment: Uint8Array,
    imageOffset: number,
    scan: number,
  ): readonly [place: number, length: number] {
    const [base, index] = [this.#base, this.#index];
    this.#bestLength = 0;
    if (scan + index.windowBytes > segment.length) return [0, 0];
    for (let i = 0; i < RECENT_SHIFTS; i++) {
      this.#try(segment, scan, imageOffset + scan + this.#recent[i]!);
    }
    const hash = hashAt(segment, scan, index.windowBytes);
    if (hash === 0) this.#tryZeros(segment, scan);
    else {
      let entry = index.first(hash);
      let steps = MAX_CHAIN_STEPS;
      for (let tries = this.#depth; entry !== NO_ENTRY && tries > 0; entry = index.next(entry)) {
        if (--steps === 0) break;
        if (!mayMatch(entry, hash)) continue;
        tries--;
        this.#try(segment, scan, index.offset(entry));
        if (this.#bestLength >= JUDGED_BYTES) break;
      }
    }
    return base.lengthBytes === 0 ? [0, 0] : [this.#bestPlace, this.#bestLength];
  }

  #try(segment: Uint8Array, scan: number, place: number): void {
    const base = this.#base;
    if (place < 0 || place + this.#bestLength >= base.lengthBytes) return;
    base.seek(place);
    if (base.bytes[place - base.start] !== segment[scan]) return;
    const length = base.equalForward(place, segment, scan, JUDGED_BYTES);
    if (length <= this.#bestLength) return;
    this.#bestLength = length;
    this.#bestPlace = place;
  }

  /** Runs of zeros are in no chain. */
  #tryZeros(segment: Uint8Array, scan: number): void {
    const { zerosAt, zerosBytes } = this.#index;
    if (zerosBytes < MIN_ZERO_BYTES || segment[scan] !== 0) return;
    const length = this.#base.equalForward(
      zerosAt,
      segment,
      scan,
      Math.min(zerosBytes, JUDGED_BYTES),
    );
    if (length < MIN_ZERO_BYTES || length <= this.#bestLength) return;
    this.#bestLength = length;
    this.#bestPlace = zerosAt;
  }

  /** How far the piece at hand goes on with more hits than misses. */
  #growForward(segment: Uint8Array, at: number, place: number, end: number): number {
    if (place < 0) return 0;
    const most = Math.min(end - at, this.#base.lengthBytes - place);
    if (most <= 0) return 0;
    const base = this.#forward.subarray(0, most);
    this.#base.copy(place, base);
    let [hits, best, length] = [0, 0, 0];
    for (let i = 0; i < most;) {
      if (base[i] === segment[at + i]) hits++;
      i++;
      const score = hits * 2 - i;
      if (score > best) [best, length] = [score, i];
      else if (score < best - HOPELESS_BYTES) break;
    }
    return length;
  }

  /** The same for the next piece, backwards. */
  #growBackward(segment: Uint8Array, at: number, place: number, start: number): number {
    const bound = this.#backwardLeft > 0 ? BACKWARD_BYTES : SPENT_BACKWARD_BYTES;
    const most = Math.min(at - start, place, bound);
    this.#backwardLeft -= most;
    if (most <= 0) return 0;
    // Right-aligned, so that both scratch arrays can be indexed from the end of the gap.
    const base = this.#backward.subarray(0, most);
    this.#base.copy(place - most, base);
    this.#backwardBytes = most;
    let [hits, best, length] = [0, 0, 0];
    for (let i = 1; i <= most; i++) {
      if (base[most - i] === segment[at - i]) hits++;
      const score = hits * 2 - i;
      if (score > best) [best, length] = [score, i];
      else if (score < best - HOPELESS_BYTES) break;
    }
    return length;
  }

  #backwardBytes = 0;
  #backwardLeft = 0;

  /** Where both reach the same bytes: how many of these the earlier piece keeps. */
  #bestCut(
    segment: Uint8Array,
    both: {
      readonly at: number;
      readonly overlap: number;
      readonly forwardAt: number;
      readonly backwardEnd: number;
    },
  ): number {
    const [forward, backward] = [this.#forward, this.#backward];
    const backwardAt = both.backwardEnd - this.#backwardBytes;
    let [score, best, kept] = [0, 0, 0];
    for (let i = 0; i < both.overlap; i++) {
      const at = both.at + i;
      const byte = segment[at];
      if (byte === forward[at - both.forwardAt]) score++;
      if (byte === backward[at - backwardAt]) score--;
      if (score > best) [best, kept] = [score, i + 1];
    }
    return kept;
  }

  /** Whether a piece has so many equal bytes; its base bytes are still at hand. */
  #worthIt(segment: Uint8Array, at: number, length: number): boolean {
    let hits = 0;
    for (let i = 0; i < length; i++) {
      if (this.#forward[i] === segment[at + i] && ++hits >= MIN_PIECE_HITS) return true;
    }
    return false;
  }
}
