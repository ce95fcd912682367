/**
 * State machines as data: a table names the phases, the events each phase
 * accepts, and where every event leads. The code that acts on a phase lives
 * with whoever owns the machine, never here.
 *
 * @module
 */

/** Each phase, the events it accepts, and the phase each event leads to. */
export type Table<Phase extends string, Event extends string> = {
  readonly [P in Phase]: { readonly [E in Event]?: Phase };
};

/** Thrown when an event arrives in a phase whose row has no place for it. */
export class TransitionError extends Error {
  override readonly name = "TransitionError";

  /**
   * @param phase Where the machine stands.
   * @param event What it cannot take.
   * @param accepted What it can take.
   */
  constructor(readonly phase: string, readonly event: string, accepted: readonly string[]) {
    super(
      `Cannot take event "${event}" in phase "${phase}": ` +
        `accepted events are ${accepted.join(", ") || "none"}`,
    );
  }
}

/**
 * Follows one edge of a table.
 *
 * @example Usage
 * ```ts
 * import { follow } from "shared/machine.ts";
 * import { assertEquals } from "@std/assert/mod.js";
 *
 * type Phase = "shut" | "open";
 * type Event = "push" | "pull";
 * const DOOR = { shut: { push: "open" }, open: { pull: "shut" } } as const;
 *
 * assertEquals(follow<Phase, Event>(DOOR, "shut", "push"), "open");
 * ```
 *
 * @param table The machine.
 * @param phase Where it stands.
 * @param event What happened.
 * @returns Where it stands next.
 * @throws {TransitionError} If the phase does not accept the event.
 */
export function follow<Phase extends string, Event extends string>(
  table: Table<Phase, Event>,
  phase: Phase,
  event: Event,
): Phase {
  const target = table[phase][event];
  if (target === undefined) throw new TransitionError(phase, event, Object.keys(table[phase]));
  return target;
}

/**
 * Whether a phase accepts an event, for callers that may drop a late one.
 *
 * @param table The machine.
 * @param phase Where it stands.
 * @param event What happened.
 * @returns Whether {@linkcode follow} would not throw.
 */
export function accepts<Phase extends string, Event extends string>(
  table: Table<Phase, Event>,
  phase: Phase,
  event: Event,
): boolean {
  return table[phase][event] !== undefined;
}
