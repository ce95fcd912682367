/**
 * Progress of long work: a bar on a terminal; elsewhere a plain line at every
 * tenth and after every ten seconds, so that a log stays short and still moves.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes.js";

/** What a progress needs of its surroundings. */
export interface ProgressOptions {
  /** What is being done. */
  readonly label: string;
  readonly totalBytes: number;
  /** Whether a bar can be redrawn in place. */
  readonly terminal: boolean;
  /** Takes text as it is, line ends included. */
  readonly write: (text: string) => void;
  /** Milliseconds since some fixed point; never goes back. */
  readonly now: () => number;
}

const LINE_PERCENT = 10;
const LINE_MS = 10_000;
/** A bar is redrawn at most this often: eyes see no more, and slow lines carry no more. */
const BAR_MS = 100;
const BAR_CELLS = 30;

/** Told of every step; prints when it is worth it. */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #startedMs: number;
  #startBytes: number | undefined;
  #shownMs = -Infinity;
  #shownTenth = -1;
  #open = false;

  /** @param options What is being done, and where to print. */
  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#startedMs = options.now();
  }

  /**
   * So much is done.
   *
   * @param doneBytes Bytes done of all; the first call tells where a resumed work began.
   */
  update(doneBytes: number): void {
    const { totalBytes, terminal, now, write } = this.#options;
    this.#startBytes ??= doneBytes;
    const nowMs = now();
    const percent = totalBytes === 0 ? 100 : Math.floor(doneBytes / totalBytes * 100);
    const tenth = Math.floor(percent / LINE_PERCENT);
    const done = doneBytes >= totalBytes;
    if (terminal) {
      if (!done && nowMs - this.#shownMs < BAR_MS) return;
      const filled = Math.floor(percent / 100 * BAR_CELLS);
      const bar = "#".repeat(filled).padEnd(BAR_CELLS, ".");
      write(`\r\x1b[2K[${bar}] ${this.#text(doneBytes, percent, nowMs)}`);
      this.#open = true;
    } else {
      if (tenth === this.#shownTenth && nowMs - this.#shownMs < LINE_MS) return;
      write(`${this.#text(doneBytes, percent, nowMs)}\n`);
    }
    this.#shownMs = nowMs;
    this.#shownTenth = tenth;
  }

  /** Ends the line of a bar, so that what follows begins on its own. */
  end(): void {
    if (this.#open) this.#options.write("\n");
    this.#open = false;
  }

  #text(doneBytes: number, percent: number, nowMs: number): string {
    const { label, totalBytes } = this.#options;
    const seconds = (nowMs - this.#startedMs) / 1000;
    const moved = doneBytes - (this.#startBytes ?? 0);
    const speed = seconds > 0.5 && moved > 0 ? `, ${formatBytes(moved / seconds)}/s` : "";
    return `${label}: ${percent} % of ${formatBytes(totalBytes)}${speed}`;
  }
}
