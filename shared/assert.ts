/**
 * Invariants: what must hold if this program has no bug. Never used on input.
 *
 * @module
 */

/** Thrown when the program contradicts itself. Nobody catches it: the process ends. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/**
 * Crashes when the program contradicts itself.
 *
 * @param holds What must be true.
 * @param message What was assumed, and what was found.
 * @throws {InvariantError} If it is not.
 */
export function invariant(holds: unknown, message: string): asserts holds {
  if (!holds) throw new InvariantError(message);
}
