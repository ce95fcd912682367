/**
 * Sorts the rotations of a text by prefix doubling, as a BWT and a suffix array need it.
 *
 * @module
 */

/**
 * Sorts all rotations. With a last symbol that is nowhere else and below all others,
 * that is the order of the suffixes. Takes O(n log n), whatever the text is.
 *
 * @param text Symbols from 0 up to below `symbols`.
 * @param symbols How many different symbols there may be.
 * @returns Where each rotation begins, smallest first; equal ones in any order.
 */
export function sortRotations(text: ArrayLike<number>, symbols: number): Int32Array {
  const n = text.length;
  let ranks = Int32Array.from(text);
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  let spareRanks = new Int32Array(n);
  const spareOrder = new Int32Array(n);
  const counts = new Int32Array(Math.max(symbols, n) + 1);
  let classes = symbols;
  // Before each round `order` is sorted by what comes `length` after; the first sorts by symbol.
  for (let length = 0; length < n; length = length === 0 ? 1 : length * 2) {
    for (let i = 0; i < n; i++) {
      const start = order[i]! - length;
      spareOrder[i] = start < 0 ? start + n : start;
    }
    sortByRank(spareOrder, order, { ranks, counts, classes });
    classes = rankAgain(order, length, { ranks, into: spareRanks });
    [ranks, spareRanks] = [spareRanks, ranks];
    if (classes === n) break;
  }
  return order;
}

/** A stable counting sort. */
function sortByRank(
  source: Int32Array,
  target: Int32Array,
  by: { readonly ranks: Int32Array; readonly counts: Int32Array; readonly classes: number },
): void {
  const { ranks, counts, classes } = by;
  counts.fill(0, 0, classes + 1);
  for (let i = 0; i < source.length; i++) counts[ranks[source[i]!]! + 1]!++;
  for (let c = 1; c <= classes; c++) counts[c]! += counts[c - 1]!;
  for (let i = 0; i < source.length; i++) target[counts[ranks[source[i]!]!]!++] = source[i]!;
}

/** Rotations that agree in twice `length` symbols keep one rank. */
function rankAgain(
  order: Int32Array,
  length: number,
  { ranks, into }: { readonly ranks: Int32Array; readonly into: Int32Array },
): number {
  const n = order.length;
  let rank = 0;
  let [before, beforeNext] = [-1, -1];
  for (let i = 0; i < n; i++) {
    const start = order[i]!;
    const next = start + length;
    const [own, ownNext] = [ranks[start]!, ranks[next < n ? next : next - n]!];
    if (i > 0 && (own !== before || ownNext !== beforeNext)) rank++;
    into[start] = rank;
    [before, beforeNext] = [own, ownNext];
  }
  return rank + 1;
}
