/**
 * What the kills of a run hit, and what came of them.
 *
 * @module
 */
import { type DiskPhase, PHASES } from "./kill_disk.ts";

/** One update, from its offer to its checked end. */
export interface UpdateLine {
  readonly vin: string;
  readonly way: "full" | "delta";
  readonly good: boolean;
  readonly kills: readonly DiskPhase[];
  readonly ms: number;
}

/** Counts kills and updates of all vehicles. */
export class KillTally {
  readonly #hits = new Map<DiskPhase, { full: number; delta: number }>();
  readonly #watched: Promise<void>[] = [];
  readonly updates: UpdateLine[] = [];
  /** Kills of a process that was just picking up after another kill, and did not listen yet. */
  inRecovery = 0;

  /** @param replay How this run is begun again. */
  constructor(readonly replay: string) {}

  /** Kills while an update was under way: before its first journal record there is none. */
  get kills(): number {
    return PHASES.filter((phase) => phase !== "idle").reduce(
      (sum, phase) => sum + this.hits(phase),
      0,
    );
  }

  /** Kills in one phase. */
  hits(phase: DiskPhase, way?: "full" | "delta"): number {
    const { full, delta } = this.#hits.get(phase) ?? { full: 0, delta: 0 };
    return way === undefined ? full + delta : way === "full" ? full : delta;
  }

  /** Of some phases the one that was hit least in updates of that way. */
  leastOf(phases: readonly DiskPhase[], way: "full" | "delta"): DiskPhase {
    return phases.toSorted((a, b) => this.hits(a, way) - this.hits(b, way))[0]!;
  }

  /** One kill. */
  kill(phase: DiskPhase, how: { way: "full" | "delta"; inRecovery: boolean }): void {
    const hits = this.#hits.get(phase) ?? { full: 0, delta: 0 };
    hits[how.way]++;
    this.#hits.set(phase, hits);
    if (how.inRecovery) this.inRecovery++;
  }

  /** One update that ended right. */
  update(line: UpdateLine): void {
    this.updates.push(line);
  }

  /** Something that must come true before the run is over. */
  watch(done: Promise<void>): void {
    done.catch(() => {}); // Told by settled().
    this.#watched.push(done);
  }

  /** Waits for all that is watched. */
  async settled(): Promise<void> {
    await Promise.all(this.#watched);
  }

  /** The run in lines for people. */
  lines(): string[] {
    const killed = this.updates.filter(({ kills }) => kills.length > 0);
    const many = killed.filter(({ kills }) => kills.length > 1).length;
    const rolledBack = killed.filter(({ good }) => !good).length;
    return [
      `${this.kills} kills (${this.inRecovery} in recovery) in ${killed.length} updates, of which ` +
      `${many} were killed more than once and ${rolledBack} went back as they had to`,
      ...PHASES.map((phase) =>
        `${phase.padEnd(12)} full ${String(this.hits(phase, "full")).padStart(3)}, delta ${
          String(this.hits(phase, "delta")).padStart(3)
        }`
      ),
    ];
  }
}
