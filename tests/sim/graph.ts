/**
 * The power-cut graph (house 7). A node is what the disks durably hold, with what the server knows;
 * an edge is a power cut before one durable operation that leaves one of the states the medium
 * allows. From each node one life is lived to its end, and every cut in it leads to further
 * nodes: so cuts in recovery, on the way back, and after any number of cuts before come by
 * themselves.
 *
 * @module
 */
import { type CutBook, Cuts, knownStarts, type Lies } from "./graph_cuts.ts";
import { Frontier, journalOf, type Node, wayTo } from "./graph_frontier.ts";
import { Life, type LifeEnd, type Scenario, Violation } from "./graph_life.ts";
import { gatewayKey, recordsKey, SlotKeys } from "./graph_state.ts";
import { MAX_EXHAUSTIVE } from "./medium_states.ts";
import { seeded } from "./sim_release.ts";

/** How far to go. */
export interface Bounds {
  /** Nodes to live; the whole graph without it. */
  readonly maxNodes?: number;
  readonly seed?: number;
  /** Up to so many unsynced sectors every subset is tried; ten without it. */
  readonly exhaustive?: number;
  /** Told of every hundredth node. */
  readonly onProgress?: (explored: Explored) => void;
}

/** What was seen. */
export interface Explored {
  readonly scenario: string;
  /** Nodes that were lived to their end. */
  nodes: number;
  /** Nodes that were found but, by the bounds, not lived. */
  waiting: number;
  /** Cuts with the state they left: edges of the graph, parallel ones included. */
  edges: number;
  /** Durable operations before which the power was cut. */
  cutPoints: number;
  /** The most cuts in a row on the way to a node. */
  depth: number;
  /** Lives by how they ended. */
  readonly outcomes: Record<string, number>;
  /** Nodes by the phase that their journal was in. */
  readonly phases: Record<string, number>;
  /** Lives that began in an update some of whose trials had been cut short for good. */
  interrupted: number;
  readonly violations: { readonly what: string; readonly way: readonly string[] }[];
}

/**
 * Explores a scenario from its root.
 *
 * @param scenario What happens, to whom.
 * @param bounds How far to go. A bounded search takes nodes of all phases by turns, old ones and
 * any, so that it is broad and deep.
 * @returns What was seen; it ends at the first violation.
 */
export async function explore(scenario: Scenario, bounds: Bounds = {}): Promise<Explored> {
  const explorer = new Explorer(scenario, bounds);
  const random = seeded(bounds.seed ?? 1);
  const { explored, frontier } = explorer;
  for (;;) {
    if (explored.nodes >= (bounds.maxNodes ?? Infinity)) break;
    const node = frontier.take(bounds.maxNodes === undefined ? undefined : random);
    if (node === undefined) break;
    const operations = await explorer.live(node);
    if (explored.violations.length > 0) break;
    await explorer.liveWithNews(node, operations);
    if (explored.violations.length > 0) break;
    if (explored.nodes % 100 === 0) bounds.onProgress?.(explored);
  }
  explored.waiting = frontier.waiting;
  return explored;
}

class Explorer implements CutBook {
  readonly frontier = new Frontier();
  readonly explored: Explored;
  readonly #scenario: Scenario;
  readonly #slots: SlotKeys;
  readonly random: () => number;
  readonly exhaustive: number;
  readonly #seen = new Set<string>();
  /** States that a cut point leaves, by what lies on the disks and in their caches. */
  readonly #cuts = new Map<string, number>();

  constructor(scenario: Scenario, bounds: Bounds) {
    this.#scenario = scenario;
    this.random = seeded(bounds.seed ?? 1);
    this.exhaustive = bounds.exhaustive ?? MAX_EXHAUSTIVE;
    this.#slots = new SlotKeys(Object.values(scenario.images).flatMap((one) => Object.values(one)));
    this.explored = {
      ...{ scenario: scenario.name, nodes: 0, waiting: 0, edges: 0, cutPoints: 0, depth: 0 },
      ...{ outcomes: {}, phases: {}, interrupted: 0, violations: [] },
    };
    const { root: media, outside } = scenario;
    this.frontier.add({ media, outside, depth: 0, trail: { way: "the update begins" } }, "idle");
  }

  /** Lives a node to its end and notes every cut on the way; returns how many operations it took. */
  async live(node: Node, newsAt?: number): Promise<number> {
    const { explored } = this;
    const life = new Life(this.#scenario, node.media, node.outside);
    const cuts = new Cuts(this, node, life);
    let operation = 0;
    try {
      const end = await life.run(() => {
        cuts.here(operation);
        if (operation++ === newsAt) life.advance();
      });
      if (newsAt === undefined) this.#count(node, end);
    } catch (error) {
      life.vehicle.crash();
      if (!(error instanceof Error)) throw error;
      const what = error instanceof Violation ? error.message : `the product threw: ${error.stack}`;
      explored.violations.push({ what, way: wayTo(node) });
    }
    return operation - 1; // The last one is behind the end.
  }

  /**
   * The same life, and in it the server changes its answer: of the undisturbed life before each
   * operation, of any other one before one that is drawn.
   */
  async liveWithNews(node: Node, operations: number): Promise<void> {
    if (node.outside.stage + 1 >= this.#scenario.stages.length || operations <= 0) return;
    const drawn = Math.floor(this.random() * operations);
    const places = node.depth === 0 ? Array.from({ length: operations }, (_, i) => i) : [drawn];
    for (const at of places) {
      const way = `the server changes its answer at operation ${at}`;
      await this.live({ ...node, trail: { way, before: node.trail } }, at);
      if (this.explored.violations.length > 0) return;
    }
  }

  #count(node: Node, { version, journal }: LifeEnd): void {
    const { explored } = this;
    explored.nodes++;
    explored.depth = Math.max(explored.depth, node.depth);
    const failures = Object.values(journal.ecus).map((ecu) => ecu.failure?.name);
    const why = failures.find((name) => name !== undefined && name !== "partnerFailed");
    const outcome = why === undefined ? version : `${version} after ${why}`;
    explored.outcomes[outcome] = (explored.outcomes[outcome] ?? 0) + 1;
    const { phase, interruptedTrials } = journalOf(node);
    explored.phases[phase] = (explored.phases[phase] ?? 0) + 1;
    if (interruptedTrials > 0 && phase !== "idle") explored.interrupted++;
  }

  /** What lies on one disk of so many sectors. */
  key(disk: number, count: number, { sectors, outside }: Lies): string {
    if (disk === 0) return gatewayKey(sectors, knownStarts(outside));
    // Of each ECU the boot disk, slot A, slot B.
    return disk % 3 === 1 ? recordsKey(sectors, count) : this.#slots.key(sectors, count);
  }

  /** How many states a cut point leaves, if it was met before. */
  met(key: string): number | undefined {
    return this.#cuts.get(key);
  }

  meet(key: string, states: number): void {
    this.#cuts.set(key, states);
  }

  /** A state that a cut leaves; a new one is to be lived. */
  found(key: string, node: () => Node): void {
    const stages = this.#scenario.stages.length;
    const first = Number(key.slice(0, key.indexOf("|")));
    // While the power is off the server may go on to its next answers.
    for (let stage = first; stage < stages; stage++) {
      const full = `${stage}${key.slice(key.indexOf("|"))}`;
      if (this.#seen.has(full)) continue;
      this.#seen.add(full);
      const made = node();
      this.frontier.add({ ...made, outside: { ...made.outside, stage } }, journalOf(made).phase);
    }
  }
}
