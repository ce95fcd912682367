/**
 * The nodes of the power-cut graph that were found and not yet lived.
 *
 * @module
 */
import type { Media, Outside } from "./graph_life.ts";
import { journalText } from "./graph_state.ts";

/** A state of all disks and the server, without power. */
export interface Node {
  readonly media: Media;
  readonly outside: Outside;
  /** Cuts on the way here. */
  readonly depth: number;
  readonly trail: Trail;
}

/** A cut, and those before it. Apart from the nodes, whose media are not to be kept for it. */
export interface Trail {
  /** What was cut where, and what the media kept. */
  readonly way: string;
  readonly before?: Trail;
}

const EMPTY = new Uint8Array(512);

/** Where a node's journal says the update stands. */
export function journalOf({ media }: Node): { phase: string; interruptedTrials: number } {
  const text = journalText((sector) => media[0]!.get(sector) ?? EMPTY);
  return text === undefined ? { phase: "none", interruptedTrials: 0 } : JSON.parse(text);
}

/** The cuts that led to a node, the first one first. */
export function wayTo({ trail }: Node): string[] {
  const way: string[] = [];
  for (let at: Trail | undefined = trail; at !== undefined; at = at.before) way.unshift(at.way);
  return way;
}

/** Nodes that are found and not yet lived, by the phase of their journal. */
export class Frontier {
  readonly #all: (Node | undefined)[] = [];
  readonly #byPhase = new Map<string, number[]>();
  #oldest = 0;
  #turn = 0;
  waiting = 0;

  add(node: Node, phase: string): void {
    this.waiting++;
    const places = this.#byPhase.get(phase);
    if (places) places.push(this.#all.length);
    else this.#byPhase.set(phase, [this.#all.length]);
    this.#all.push(node);
  }

  /** The oldest; of a bounded search by turns one of each phase, any or the oldest of it. */
  take(random?: () => number): Node | undefined {
    while (this.#oldest < this.#all.length && this.#all[this.#oldest] === undefined) this.#oldest++;
    if (this.waiting === 0) return undefined;
    const at = random === undefined ? this.#oldest : this.#draw(random);
    const node = this.#all[at]!;
    this.#all[at] = undefined; // What was lived is forgotten, but for its children's way.
    this.waiting--;
    return node;
  }

  #draw(random: () => number): number {
    for (;;) {
      const phases = [...this.#byPhase.values()];
      const places = phases[Math.floor(this.#turn / 2) % phases.length]!;
      const one = this.#turn++ % 2 === 0 ? 0 : Math.floor(random() * places.length);
      const [at] = places.splice(one, 1);
      if (at !== undefined) return at;
    }
  }
}
