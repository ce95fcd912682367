/**
 * How a vehicle cares for what has rotted in it, in a word and in a line: the same on the notice
 * board, the head unit and the command line.
 *
 * @module
 */
import type { FailureReport } from "./protocol/common.ts";
import type { RotReport } from "./protocol/messages.ts";

/** Where rot stands. `waiting`: it could not be healed, and is tried again by itself. */
export type Care = "found" | "healing" | "waiting" | "healed";

/**
 * Where rot stands.
 *
 * @param rot What was found.
 * @returns The word.
 */
export function careOf({ healedAt, waits, healing }: RotReport): Care {
  if (healedAt !== null) return "healed";
  if (waits !== undefined) return "waiting";
  return healing === undefined ? "found" : "healing";
}

/**
 * The same in a line, such as `slot B: being healed, 3 of 7 leaves`.
 *
 * @param rot What was found.
 * @returns The line, without a full stop.
 */
export function careLine(rot: RotReport): string {
  const { what, healing, waits } = rot;
  const done = healing?.doneLeaves ?? 0;
  const leaves = done === 0 ? "" : `, ${done} ${done === 1 ? "leaf" : "leaves"}`;
  const words: Record<Care, string> = {
    found: "has rotted",
    healing: `being healed, ${done} of ${healing?.totalLeaves} leaves`,
    waiting: waits === undefined ? "" : waitingFor(waits),
    healed: `healed${leaves}`,
  };
  return `${what}: ${words[careOf(rot)]}`;
}

/** A line that is down is waited for; any other reason has a name. */
function waitingFor({ stage, code, name }: FailureReport): string {
  return stage === "download" ? "waits for the server" : `cannot be healed yet, ${code} ${name}`;
}

/**
 * What changed in the rot of a vehicle between two of its reports.
 *
 * @param before What the older one says.
 * @param now What the newer one says.
 * @returns What was found since, and what was healed since. What is found again after the vehicle
 * was switched off counts again.
 */
export function rotNews(
  before: readonly RotReport[],
  now: readonly RotReport[],
): { readonly found: RotReport[]; readonly healed: RotReport[] } {
  const known = new Map(before.map((one) => [keyOf(one), one]));
  return {
    found: now.filter((one) => !known.has(keyOf(one))),
    healed: now.filter((one) =>
      one.healedAt !== null && (known.get(keyOf(one))?.healedAt ?? null) === null
    ),
  };
}

/** A place may rot again: then at another time. */
function keyOf({ ecu, what, at }: RotReport): string {
  return `${ecu} ${what} ${at}`;
}
