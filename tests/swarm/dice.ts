/**
 * Chance from a seed. Each part of a world draws from a stream of its own, so that a part that
 * draws once more does not change what the others meet.
 *
 * @module
 */
import { seeded } from "../sim/sim_release.ts";

/** One stream of chance. */
export class Dice {
  readonly #next: () => number;

  /**
   * @param seed The seed of the world.
   * @param stream Which part draws.
   */
  constructor(seed: number, stream: string) {
    let mixed = seed >>> 0;
    for (const letter of stream) mixed = Math.imul(mixed ^ letter.charCodeAt(0), 0x01000193);
    this.#next = seeded(mixed);
    this.#next(); // Neighbouring seeds begin alike.
  }

  /** Whether something happens that has this probability. */
  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  /** A whole number, both ends included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.#next() * (high - low + 1));
  }

  /** One of them. */
  pick<T>(list: readonly T[]): T {
    return list[this.between(0, list.length - 1)]!;
  }

  /** So many things in a row. */
  times<T>(count: number, make: (index: number) => T): T[] {
    return Array.from({ length: count }, (_, index) => make(index));
  }

  /** 256 bits as a token of the server looks. */
  token(): string {
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return this.times(43, () => letters[this.between(0, 63)]).join("");
  }
}
