/**
 * What happened in a world: a readable story, a digest of all of it, and marks of what was met.
 *
 * @module
 */
import { sha256Digest } from "shared/node/digest.ts";

/** The story of one world. */
export class Story {
  readonly #digest = sha256Digest();
  /** The lines, when they are wanted. */
  readonly lines: string[] = [];
  /** How often each thing was met. */
  readonly marks = new Map<string, number>();

  /**
   * @param nowMs The virtual time of the world.
   * @param keep Whether the lines are kept.
   */
  constructor(readonly nowMs: () => number, readonly keep: boolean) {}

  /** Something happened. */
  tell(who: string, what: string): void {
    const line = `${(this.nowMs() / 1000).toFixed(3).padStart(9)} ${who.padEnd(9)} ${what}`;
    this.#digest.update(new TextEncoder().encode(line + "\n"));
    if (this.keep) this.lines.push(line);
  }

  /** A fault or an outcome was really met. */
  mark(name: string): void {
    this.marks.set(name, (this.marks.get(name) ?? 0) + 1);
  }

  /** The digest of all lines; ends the story. */
  end(): string {
    return this.#digest.hex();
  }
}
