/**
 * The power-cut graph (house 7). A node is what the disks durably hold, with what the server knows;
 * an edge is a power cut before one durable operation that leaves one of the states the medium
 * allows. From each node one life is lived to its end, and every cut in it leads to further
 * nodes: so cuts in recovery, on the way back, and after any number of cuts before come by
 * themselves.
 *
 * @module
 */
import { gatewayKey, journalText, recordsKey, type Sectors, SlotKeys } from "./graph_state.ts";
import {
  Life,
  type LifeEnd,
  type Media,
  type Outside,
  type Scenario,
  Violation,
} from "./graph_life.ts";
import { mediumStates } from "./medium_states.ts";
import { type SectorFate, type SimDisk, survivor } from "./sim_disk.ts";
import { seeded } from "./sim_release.ts";

interface Node {
  readonly media: Media;
  readonly outside: Outside;
  /** Cuts on the way here. */
  readonly depth: number;
  /** The cut that led here, and the node it was in: the way to see it again. */
  readonly way: string;
  readonly before: Node | undefined;
}

/** How far to go. */
export interface Bounds {
  /** Nodes to live; the whole graph without it. */
  readonly maxNodes?: number;
  readonly seed?: number;
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
 * @param bounds How far to go. A bounded search takes the oldest node and one drawn from all by
 * turns, so that it is broad and deep.
 * @returns What was seen; it ends at the first violation.
 */
export async function explore(scenario: Scenario, bounds: Bounds = {}): Promise<Explored> {
  const explorer = new Explorer(scenario, seeded(bounds.seed ?? 1));
  const random = seeded(bounds.seed ?? 1);
  const { explored, frontier } = explorer;
  let oldest = 0;
  for (let turn = 0; oldest < frontier.length; turn++) {
    if (explored.nodes >= (bounds.maxNodes ?? Infinity)) break;
    const left = frontier.length - oldest;
    const drawn = bounds.maxNodes !== undefined && turn % 2 === 1;
    const at = drawn ? oldest + Math.floor(random() * left) : oldest;
    const node = frontier[at]!;
    frontier[at] = frontier[oldest]!;
    frontier[oldest++] = undefined!; // What was lived is forgotten, but for its children's way.
    await explorer.live(node);
    if (explored.violations.length > 0) break;
    if (explored.nodes === 1) await explorer.liveWithNews(node);
    if (explored.nodes % 100 === 0) bounds.onProgress?.(explored);
  }
  explored.waiting = frontier.length - oldest;
  return explored;
}

class Explorer {
  readonly frontier: Node[] = [];
  readonly explored: Explored;
  readonly #scenario: Scenario;
  readonly #slots: SlotKeys;
  readonly #random: () => number;
  readonly #seen = new Set<string>();
  /** States that a cut point leaves, by what lies on the disks and in their caches. */
  readonly #cuts = new Map<string, number>();

  constructor(scenario: Scenario, random: () => number) {
    this.#scenario = scenario;
    this.#random = random;
    this.#slots = new SlotKeys(Object.values(scenario.images).flatMap((one) => Object.values(one)));
    this.explored = {
      ...{ scenario: scenario.name, nodes: 0, waiting: 0, edges: 0, cutPoints: 0, depth: 0 },
      ...{ outcomes: {}, phases: {}, interrupted: 0, violations: [] },
    };
    const { root: media, outside } = scenario;
    this.frontier.push({ media, outside, depth: 0, way: "the update begins", before: undefined });
  }

  /** Lives a node to its end and notes every cut on the way. */
  async live(node: Node, newsAt?: number): Promise<void> {
    const { explored } = this;
    const life = new Life(this.#scenario, node.media, node.outside);
    const cuts = new Cuts(this, node, life);
    try {
      let operation = 0;
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
  }

  /** The undisturbed life, and before each of its operations the server changes its answer. */
  async liveWithNews(root: Node): Promise<void> {
    const life = this.explored.cutPoints;
    if (root.outside.stage + 1 >= this.#scenario.stages.length) return;
    for (let at = 0; at < life && this.explored.violations.length === 0; at++) {
      await this.live({ ...root, way: `the server changes its answer at operation ${at}` }, at);
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
    const text = journalText((sector) => node.media[0]!.get(sector) ?? EMPTY);
    const { phase, interruptedTrials } = JSON.parse(text!);
    explored.phases[phase] = (explored.phases[phase] ?? 0) + 1;
    if (interruptedTrials > 0 && phase !== "idle") explored.interrupted++;
  }

  /** What lies on one disk. */
  key(disk: number, sectors: Sectors, outside: Outside): string {
    if (disk === 0) return gatewayKey(sectors, knownStarts(outside));
    const count = disk % 3 === 1 ? this.#bootSectors : this.#slotSectors;
    return disk % 3 === 1 ? recordsKey(sectors, count) : this.#slots.key(sectors, count);
  }

  get #bootSectors(): number {
    return 8;
  }

  get #slotSectors(): number {
    return this.#scenario.options.slotBytes! / 512;
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
      this.frontier.push({ ...made, outside: { ...made.outside, stage } });
    }
  }

  get random(): () => number {
    return this.#random;
  }
}

const EMPTY = new Uint8Array(512);
const ids = new Map<string, string>();

/** A short name for a long text; the same for the same text. */
function idOf(text: string): string {
  const known = ids.get(text);
  if (known !== undefined) return known;
  const id = ids.size.toString(36);
  ids.set(text, id);
  return id;
}

/** The cuts of one life. */
class Cuts {
  readonly #explorer: Explorer;
  readonly #node: Node;
  readonly #life: Life;
  /** What each disk durably holds, as of one of its versions. */
  readonly #durable: { version: number; starts: number; id: string }[] = [];
  readonly #snapshots: { version: number; sectors: Media[number] }[] = [];

  constructor(explorer: Explorer, node: Node, life: Life) {
    [this.#explorer, this.#node, this.#life] = [explorer, node, life];
  }

  /** The power may go here: notes every state that it may leave. */
  here(operation: number): void {
    const { explored } = this.#explorer;
    const { disks } = this.#life;
    const outside = this.#life.outside;
    const ids = disks.map((disk, i) => this.#durableId(disk, i, outside));
    const pending = disks.flatMap((disk, index) =>
      [...disk.pending].map(([sector, writes]) => ({ disk: index, sector, writes }))
    );
    explored.cutPoints++;
    const point = `${outside.stage}|${ids.join(" ")}|${this.#cacheKey(pending, outside)}`;
    const met = this.#explorer.met(point);
    if (met !== undefined) return void (explored.edges += met);
    let states = 0;
    const made = pending.map(() => new Map<SectorFate, Uint8Array>());
    const content = (i: number, fate: SectorFate) => {
      const { disk, sector, writes } = pending[i]!;
      const known = made[i]!.get(fate);
      if (known !== undefined) return known;
      const bytes = survivor(fate, disks[disk]!.held(sector), writes);
      made[i]!.set(fate, bytes); // Each once: what is known of a sector is kept by its identity.
      return bytes;
    };
    const touched = [...new Set(pending.map(({ disk }) => disk))];
    for (
      const fates of mediumStates(pending.map((one) => one.writes.length), this.#explorer.random)
    ) {
      states++;
      const left = new Map(touched.map((disk) => [disk, new Map<number, Uint8Array>()]));
      for (const [i, { disk, sector }] of pending.entries()) {
        left.get(disk)!.set(sector, content(i, fates[i]!));
      }
      const after = ids.slice();
      for (const [disk, changes] of left) {
        const sectors: Sectors = (sector) => changes.get(sector) ?? disks[disk]!.held(sector);
        after[disk] = idOf(this.#explorer.key(disk, sectors, outside));
      }
      this.#explorer.found(`${outside.stage}|${after.join(" ")}`, () => ({
        media: disks.map((disk, i) => this.#mediumOf(disk, i, left.get(i))),
        outside,
        depth: this.#node.depth + 1,
        way: `cut at operation ${operation}: ${fates.join(" ") || "nothing unsynced"} of sectors ${
          pending.map(({ disk, sector }) => `${disk}:${sector}`).join(" ")
        }, server at ${outside.stage}`,
        before: this.#node,
      }));
    }
    explored.edges += states;
    this.#explorer.meet(point, states);
  }

  /**
   * What lies in the caches. That old and new content are the same by their keys makes every mix
   * of them the same: what is mixed is never looked at, or fails its check.
   */
  #cacheKey(
    pending: readonly { disk: number; sector: number; writes: readonly Uint8Array[] }[],
    outside: Outside,
  ): string {
    const { disks } = this.#life;
    const parts = [...new Set(pending.map(({ disk }) => disk))].map((index) => {
      const { pending: cache } = disks[index]!;
      const most = Math.max(...[...cache.values()].map((writes) => writes.length));
      // Content by content, as a sector may have been written more than once.
      const keys = Array.from({ length: most }, (_, i) => {
        const sectors: Sectors = (sector) => {
          const writes = cache.get(sector);
          return writes?.[Math.min(i, writes.length - 1)] ?? disks[index]!.held(sector);
        };
        return idOf(this.#explorer.key(index, sectors, outside));
      });
      const [first] = cache.keys();
      const where = [...cache].map(([sector, writes]) => `${sector - first!}x${writes.length}`);
      return `${index}:${where.join(",")}:${keys.join(",")}`;
    });
    return parts.join(" ");
  }

  #durableId(disk: SimDisk, index: number, outside: Outside): string {
    const known = this.#durable[index];
    const { version } = disk;
    const starts = index === 0 ? knownStarts(outside) : 0;
    if (known?.version === version && known.starts === starts) return known.id;
    const id = idOf(this.#explorer.key(index, (sector) => disk.held(sector), outside));
    this.#durable[index] = { version, starts, id };
    return id;
  }

  #mediumOf(
    disk: SimDisk,
    index: number,
    changes: ReadonlyMap<number, Uint8Array> | undefined,
  ): Media[number] {
    const { version } = disk;
    const known = this.#snapshots[index];
    const sectors = known?.version === version ? known.sectors : disk.snapshot();
    this.#snapshots[index] = { version, sectors };
    return changes === undefined ? sectors : new Map([...sectors, ...changes]);
  }
}

/** The highest start of which the server heard: the upper part of its reports' numbers. */
function knownStarts({ knownSeq }: Outside): number {
  return Math.floor(knownSeq / 2 ** 20);
}

function wayTo(node: Node): string[] {
  const way = [];
  for (let at: Node | undefined = node; at !== undefined; at = at.before) way.unshift(at.way);
  return way;
}
