/**
 * Counts what a vehicle process does at its disks, for real: a preload into its runtime wraps the
 * calls of the file adapter, and notes the counts each time the journal gets another phase.
 *
 * @module
 */

/** What was done at one kind of disk. */
export interface DiskCount {
  readonly writes: number;
  readonly writtenBytes: number;
  readonly writeMs: number;
  readonly syncs: number;
  readonly syncMs: number;
  readonly readBytes: number;
  readonly readMs: number;
}

/** The counts since the process began, as the journal is given a phase. */
export interface DiskMark {
  readonly phase: string;
  readonly atMs: number;
  /** When a slot was last synced. */
  readonly slotDoneMs: number;
  /** `slot`, `boot` and `gateway`. */
  readonly disks: Readonly<Record<string, DiskCount>>;
  /** What the kernel sends to the medium for the process; -1 where it does not tell. */
  readonly mediumBytes: number;
}

const PRELOAD = (marks: string) => `
import fs from "node:fs";

const kinds = new Map();
const none = () => ({
  writes: 0, writtenBytes: 0, writeMs: 0, syncs: 0, syncMs: 0, readBytes: 0, readMs: 0,
});
const disks = { slot: none(), boot: none(), gateway: none() };
let phase = "";
let slotDoneMs = 0;

function mediumBytes() {
  try {
    return Number(/^write_bytes: (\\d+)/m.exec(Deno.readTextFileSync("/proc/self/io"))[1]);
  } catch { return -1; }
}

function mark(bytes) {
  const found = /"phase":"(\\w+)"/.exec(new TextDecoder().decode(bytes));
  if (found === null || found[1] === phase) return;
  phase = found[1];
  const line = { phase, atMs: performance.now(), slotDoneMs, disks, mediumBytes: mediumBytes() };
  Deno.writeTextFileSync("${marks}", JSON.stringify(line) + "\\n", { append: true });
}

const { openSync, fdatasyncSync, writeSync, readSync } = fs;
fs.openSync = (path, ...rest) => {
  const fd = openSync(path, ...rest);
  const kind = /(slot|boot|gateway)[AB]?\\.disk$/.exec(String(path));
  if (kind !== null) kinds.set(fd, kind[1]);
  return fd;
};
fs.writeSync = (fd, data, ...rest) => {
  const begun = performance.now();
  const count = writeSync(fd, data, ...rest);
  const disk = disks[kinds.get(fd)];
  if (disk === undefined) return count;
  disk.writeMs += performance.now() - begun;
  disk.writes++;
  disk.writtenBytes += count;
  if (kinds.get(fd) === "gateway") mark(data);
  return count;
};
fs.readSync = (fd, ...rest) => {
  const begun = performance.now();
  const count = readSync(fd, ...rest);
  const disk = disks[kinds.get(fd)];
  if (disk === undefined) return count;
  disk.readMs += performance.now() - begun;
  disk.readBytes += count;
  return count;
};
fs.fdatasyncSync = (fd) => {
  const begun = performance.now();
  fdatasyncSync(fd);
  const disk = disks[kinds.get(fd)];
  if (disk === undefined) return;
  disk.syncMs += performance.now() - begun;
  disk.syncs++;
  if (kinds.get(fd) === "slot") slotDoneMs = performance.now();
};
`;

/** The meter of one process. */
export class DiskMeter {
  readonly #folder: string;

  /** @param folder A folder for the preload and for what it notes. */
  constructor(folder: string) {
    this.#folder = folder;
    Deno.writeTextFileSync(`${folder}/meter.mjs`, PRELOAD(`${folder}/marks`));
  }

  /** Options of the runtime. */
  get runtime(): string[] {
    return [`--preload=${this.#folder}/meter.mjs`];
  }

  /** All marks so far. */
  marks(): DiskMark[] {
    const text = Deno.readTextFileSync(`${this.#folder}/marks`);
    return text.trim().split("\n").map((line) => JSON.parse(line) as DiskMark);
  }
}
