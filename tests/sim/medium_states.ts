/**
 * What a power cut may leave of the sectors that were not synced: every state that house 3 allows
 * for at most ten of them, a wide sample above. Pure.
 *
 * @module
 */
import type { SectorFate } from "./sim_disk.ts";

/** Up to so many sectors every subset is tried. */
export const MAX_EXHAUSTIVE = 10;
/** Draws from all states where there are too many. */
const DRAWS = 64;
const TEARS = ["torn", "tornTail", "garbage"] as const;

/**
 * The states of some sectors, in the order in which they were first written.
 *
 * Any subset of the newest contents; of a sector written k times any of its k + 1 contents. Times
 * the tears: the medium writes one sector at a time, so at most one is torn, whichever it is.
 *
 * @param writes How often each sector was written since the last sync.
 * @param options `random`: numbers in `[0, 1)`, for the draws. `exhaustive`: up to so many sectors
 * every subset is tried.
 * @returns A fate for each sector, state by state.
 */
export function* mediumStates(
  writes: readonly number[],
  { random, exhaustive = MAX_EXHAUSTIVE }: {
    readonly random: () => number;
    readonly exhaustive?: number;
  },
): Generator<readonly SectorFate[]> {
  const wholes = writes.map((times) => Array.from({ length: times + 1 }, (_, i) => i));
  const states = wholes.reduce((product, { length }) => product * length, 1);
  if (states > 2 ** exhaustive) return yield* sample(writes, random);
  yield* product(wholes);
  for (const torn of writes.keys()) {
    yield* product(wholes.map((one, i): readonly SectorFate[] => i === torn ? TEARS : one));
  }
}

function* product(choices: readonly (readonly SectorFate[])[]): Generator<readonly SectorFate[]> {
  const [first, ...rest] = choices;
  if (first === undefined) return yield [];
  for (const tail of product(rest)) {
    for (const fate of first) yield [fate, ...tail];
  }
}

function* sample(
  writes: readonly number[],
  random: () => number,
): Generator<readonly SectorFate[]> {
  const all = (fate: (i: number) => boolean): SectorFate[] =>
    writes.map((_, i) => fate(i) ? "new" : "old");
  yield all(() => false);
  yield all(() => true);
  for (const [i, times] of writes.entries()) {
    yield all((one) => one === i);
    yield all((one) => one !== i);
    yield all((one) => one < i); // The prefixes, both ways.
    yield all((one) => one >= i);
    for (let content = 1; content < times; content++) {
      yield all(() => true).with(i, content);
      yield all(() => false).with(i, content);
    }
    for (const tear of TEARS) {
      yield all(() => true).with(i, tear);
      yield all(() => false).with(i, tear);
    }
  }
  for (let draw = 0; draw < DRAWS; draw++) {
    const torn = Math.floor(random() * writes.length * 2); // Half of them without a tear.
    yield writes.map((times, i) =>
      i === torn ? TEARS[Math.floor(random() * 3)]! : Math.floor(random() * (times + 1))
    );
  }
}
