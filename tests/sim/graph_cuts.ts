/**
 * The cuts of one life: before every durable operation the power may go, and leave any state that
 * the medium allows.
 *
 * @module
 */
import type { Node } from "./graph_frontier.ts";
import type { Life, Media, Outside } from "./graph_life.ts";
import type { Sectors } from "./graph_state.ts";
import { mediumStates } from "./medium_states.ts";
import { rubbish, type SectorFate, type SimDisk, survivor } from "./sim_disk.ts";

/** What lies on a disk, and what the world remembers beside it. */
export interface Lies {
  readonly sectors: Sectors;
  readonly outside: Outside;
}

/** What the cuts of all lives share. */
export interface CutBook {
  readonly explored: { cutPoints: number; edges: number };
  readonly random: () => number;
  /** Up to so many sectors every subset is tried. */
  readonly exhaustive: number;
  /** What lies on a disk of so many sectors: the same text for media that no program can tell apart. */
  key(disk: number, count: number, lies: Lies): string;
  /** How many states a cut point left, if it was met before. */
  met(point: string): number | undefined;
  meet(point: string, states: number): void;
  /** A state that a cut leaves; a new one is to be lived. */
  found(state: string, node: () => Node): void;
}

const ids = new Map<string, string>();

/** A short name for a long text; the same for the same text. */
function idOf(text: string): string {
  const known = ids.get(text);
  if (known !== undefined) return known;
  const id = ids.size.toString(36);
  ids.set(text, id);
  return id;
}

/** A sector that was not synced. */
interface Pending {
  readonly disk: number;
  readonly sector: number;
  readonly writes: readonly Uint8Array[];
}

/** The cuts of one life. */
export class Cuts {
  readonly #book: CutBook;
  readonly #node: Node;
  readonly #life: Life;
  /** The state in which this life began. */
  #begun = "";
  /** What each disk durably holds, as of one of its versions. */
  readonly #durable: { version: number; starts: number; id: string }[] = [];
  readonly #snapshots: { version: number; sectors: Media[number] }[] = [];

  constructor(book: CutBook, node: Node, life: Life) {
    [this.#book, this.#node, this.#life] = [book, node, life];
  }

  /** The power may go here: notes every state that it may leave. */
  here(operation: number): void {
    const { explored } = this.#book;
    const { disks, outside, tried } = this.#life;
    const ids = disks.map((disk, i) => this.#durableId(disk, i, outside));
    const pending = disks.flatMap((disk, index) =>
      [...disk.pending].map(([sector, writes]) => ({ disk: index, sector, writes }))
    );
    explored.cutPoints++;
    const state = `${outside.stage}|${ids.join(" ")}`;
    if (operation === 0) this.#begun = state;
    // Else the power could go there for ever, and the image be tried for ever.
    if (tried && pending.length === 0 && state === this.#begun) {
      this.#life.failed = "an image is on trial, and no disk knows that it was tried";
    }
    const point = `${state}|${this.#cacheKey(pending, outside)}`;
    const met = this.#book.met(point);
    if (met !== undefined) return void (explored.edges += met);
    const states = this.#spread(pending, { operation, ids, outside });
    explored.edges += states;
    this.#book.meet(point, states);
  }

  /** Hands every state on that the medium may be left in; returns how many there are. */
  #spread(
    pending: readonly Pending[],
    { operation, ids, outside }: {
      readonly operation: number;
      readonly ids: readonly string[];
      readonly outside: Outside;
    },
  ): number {
    const { disks } = this.#life;
    const { depth, trail: before } = this.#node;
    const content = this.#contentOf(pending);
    const touched = [...new Set(pending.map(({ disk }) => disk))];
    const where = pending.map(({ disk, sector }) => `${disk}:${sector}`).join(" ");
    let states = 0;
    for (const fates of mediumStates(pending.map((one) => one.writes.length), this.#book)) {
      states++;
      const left = new Map(touched.map((disk) => [disk, new Map<number, Uint8Array>()]));
      for (const [i, { disk, sector }] of pending.entries()) {
        left.get(disk)!.set(sector, content(i, fates[i]!));
      }
      for (const [i, { disk, sector }] of pending.entries()) {
        if (fates[i] === "garbage") this.#spoil(disk, sector, left.get(disk)!);
      }
      const after = ids.slice();
      for (const [disk, changes] of left) {
        const sectors: Sectors = (sector) => changes.get(sector) ?? disks[disk]!.held(sector);
        after[disk] = idOf(this.#book.key(disk, disks[disk]!.sectors, { sectors, outside }));
      }
      this.#book.found(`${outside.stage}|${after.join(" ")}`, () => {
        const kept = where === "" ? "nothing was unsynced" : `${fates.join(" ")} of ${where}`;
        const way = `cut at operation ${operation}: ${kept}; server at ${outside.stage}`;
        const media = disks.map((disk, i) => this.#mediumOf(disk, i, left.get(i)));
        return { media, outside, depth: depth + 1, trail: { way, before } };
      });
    }
    return states;
  }

  /** What lies beside a sector whose page was never finished is lost with it, as on the disk itself. */
  #spoil(index: number, sector: number, left: Map<number, Uint8Array>): void {
    const disk = this.#life.disks[index]!;
    for (const one of disk.pageOf(sector)) {
      if (one !== sector) left.set(one, rubbish(left.get(one) ?? disk.held(one)));
    }
  }

  /** What a fate makes of a pending sector; each made once, as sectors are known by identity. */
  #contentOf(pending: readonly Pending[]): (i: number, fate: SectorFate) => Uint8Array {
    const { disks } = this.#life;
    const made = pending.map(() => new Map<SectorFate, Uint8Array>());
    return (i, fate) => {
      const { disk, sector, writes } = pending[i]!;
      const known = made[i]!.get(fate);
      if (known !== undefined) return known;
      const bytes = survivor(fate, disks[disk]!.held(sector), writes);
      made[i]!.set(fate, bytes);
      return bytes;
    };
  }

  /**
   * What lies in the caches. That old and new content are the same by their keys makes every mix
   * of them the same: what is mixed is never looked at, or fails its check.
   */
  #cacheKey(
    pending: readonly Pending[],
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
        return idOf(this.#book.key(index, disks[index]!.sectors, { sectors, outside }));
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
    const sectors: Sectors = (sector) => disk.held(sector);
    const id = idOf(this.#book.key(index, disk.sectors, { sectors, outside }));
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
export function knownStarts({ knownSeq }: Outside): number {
  return Math.floor(knownSeq / 2 ** 20);
}
