/**
 * Makes BSDIFF40 patches where Debian's `bsdiff` is not installed: the method of
 * Colin Percival's bsdiff 4.3 (2-clause BSD). For images of a few MiB.
 *
 * @module
 */
import { concatBytes } from "shared/bytes.ts";
import { bzip2 } from "./bzip2_encoder.ts";
import { sortRotations } from "./suffix_sort.ts";

/** How much better another place must fit before the current one is left. */
const BETTER_BYTES = 8;

/** One step: add so many difference bytes, copy so many new ones, then move in the base. */
interface Step {
  readonly add: number;
  readonly copy: number;
  readonly seek: number;
}

/** A place in the base that fits the target from some offset on. */
interface Match {
  readonly position: number;
  readonly length: number;
}

/**
 * Makes a patch.
 *
 * @param base The image the patch starts from.
 * @param target The image it makes.
 * @returns A BSDIFF40 file.
 */
export function bsdiff(base: Uint8Array, target: Uint8Array): Uint8Array<ArrayBuffer> {
  const differences = new Uint8Array(target.length);
  const extra = new Uint8Array(target.length);
  const steps: Step[] = [];
  let [added, copied, at, place] = [0, 0, 0, 0];
  for (const step of plan(base, target)) {
    for (let i = 0; i < step.add; i++) {
      differences[added++] = target[at + i]! - base[place + i]!;
    }
    extra.set(target.subarray(at + step.add, at + step.add + step.copy), copied);
    copied += step.copy;
    at += step.add + step.copy;
    place += step.add + step.seek;
    steps.push(step);
  }
  const control = bzip2(
    concatBytes(...steps.flatMap(({ add, copy, seek }) => [add, copy, seek].map(offset))),
  );
  const difference = bzip2(differences.subarray(0, added));
  return concatBytes(
    new TextEncoder().encode("BSDIFF40"),
    offset(control.length),
    offset(difference.length),
    offset(target.length),
    control,
    difference,
    bzip2(extra.subarray(0, copied)),
  );
}

/** Eight bytes, little-endian, the sign in the highest bit. */
function offset(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(Math.abs(value)), true);
  if (value < 0) bytes[7]! |= 0x80;
  return bytes;
}

function* plan(base: Uint8Array, target: Uint8Array): Generator<Step> {
  const find = finder(base, target);
  let [scan, lastScan, lastPlace, lastShift] = [0, 0, 0, 0];
  let match: Match = { position: 0, length: 0 };
  while (scan < target.length) {
    scan += match.length;
    let score = 0; // How many of the match's bytes the current shift gives as well.
    for (let scored = scan; scan < target.length; scan++) {
      match = find(scan);
      for (; scored < scan + match.length; scored++) {
        if (fits(scored)) score++;
      }
      const same = match.length === score && match.length !== 0;
      if (same || match.length > score + BETTER_BYTES) break;
      if (fits(scan)) score--;
    }
    if (match.length === score && scan < target.length) continue;

    let forward = growForward(base, target, { place: lastPlace, at: lastScan, end: scan });
    let backward = scan < target.length
      ? growBackward(base, target, { place: match.position, at: scan, start: lastScan })
      : 0;
    const overlap = lastScan + forward - (scan - backward);
    if (overlap > 0) {
      const kept = bestCut(base, target, {
        overlap,
        at: scan - backward,
        forwardPlace: lastPlace + forward - overlap,
        backwardPlace: match.position - backward,
      });
      forward += kept - overlap;
      backward -= kept;
    }
    const copy = scan - backward - (lastScan + forward);
    yield { add: forward, copy, seek: match.position - backward - (lastPlace + forward) };
    lastScan = scan - backward;
    lastPlace = match.position - backward;
    lastShift = match.position - scan;
  }

  function fits(at: number): boolean {
    return at + lastShift < base.length && base[at + lastShift] === target[at];
  }
}

/** How far the last match goes on forwards with more hits than misses. */
function growForward(
  base: Uint8Array,
  target: Uint8Array,
  from: { readonly place: number; readonly at: number; readonly end: number },
): number {
  let [hits, best, length] = [0, 0, 0];
  for (let i = 0; from.at + i < from.end && from.place + i < base.length;) {
    if (base[from.place + i] === target[from.at + i]) hits++;
    i++;
    if (hits * 2 - i > best) [best, length] = [hits * 2 - i, i];
  }
  return length;
}

/** The same for the next match, backwards. */
function growBackward(
  base: Uint8Array,
  target: Uint8Array,
  from: { readonly place: number; readonly at: number; readonly start: number },
): number {
  let [hits, best, length] = [0, 0, 0];
  for (let i = 1; from.at >= from.start + i && from.place >= i; i++) {
    if (base[from.place - i] === target[from.at - i]) hits++;
    if (hits * 2 - i > best) [best, length] = [hits * 2 - i, i];
  }
  return length;
}

/** Where both reach the same bytes: how many of these the earlier match keeps. */
function bestCut(
  base: Uint8Array,
  target: Uint8Array,
  both: {
    readonly overlap: number;
    readonly at: number;
    readonly forwardPlace: number;
    readonly backwardPlace: number;
  },
): number {
  let [score, best, kept] = [0, 0, 0];
  for (let i = 0; i < both.overlap; i++) {
    const byte = target[both.at + i];
    if (byte === base[both.forwardPlace + i]) score++;
    if (byte === base[both.backwardPlace + i]) score--;
    if (score > best) [best, kept] = [score, i + 1];
  }
  return kept;
}

/** Finds the longest match of the target from an offset on, by the sorted suffixes of the base. */
function finder(base: Uint8Array, target: Uint8Array): (at: number) => Match {
  const symbols = new Uint16Array(base.length + 1); // The last one, 0, ends every suffix.
  for (let i = 0; i < base.length; i++) symbols[i] = base[i]! + 1;
  const order = sortRotations(symbols, 257);

  const common = (place: number, at: number) => {
    const most = Math.min(base.length - place, target.length - at);
    let length = 0;
    while (length < most && base[place + length] === target[at + length]) length++;
    return length;
  };
  return (at) => {
    let [low, high] = [0, order.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      const place = order[middle]!;
      const length = common(place, at);
      // At the end of the base its suffix is the smaller one; at the target's end either will do.
      const smaller = place + length >= base.length || base[place + length]! < target[at + length]!;
      if (smaller) low = middle;
      else high = middle;
    }
    const [left, right] = [common(order[low]!, at), common(order[high]!, at)];
    return left > right
      ? { position: order[low]!, length: left }
      : { position: order[high]!, length: right };
  };
}
