/**
 * Gives back the room of files that nothing refers to: carriers that a better one replaced, deltas
 * that were dropped, uploads that nobody published, what a crash left between file and record.
 *
 *   marked      nothing refers to it since then; vehicles still get it, an upload is still whole
 *   leaving     the grace is over: its records are gone, in one transaction that looked again
 *   gone        the file is removed and its folder synced; then the mark goes, and is counted
 *
 * A power cut between two steps leaves a mark, and the next look goes on from it. A record never
 * names a file that is gone; a file without a record is found by its name.
 *
 * @module
 */
import type { Clock, Millis } from "shared/clock.ts";
import { isoTime } from "shared/clock.ts";
import { COLLECT_EVERY_MS, RETIRED_FILE_MS, UNPUBLISHED_UPLOAD_MS } from "shared/limits.ts";
import type { Storage } from "shared/protocol/storage.ts";
import type { Metrics } from "../metrics.ts";
import type { BlobStore, Log, Records, RecordStore } from "../ports.ts";
import type { Freed, RetiredRow, StoredFile } from "../ports_storage.ts";
import type { Uploads } from "./uploads.ts";

/** What the collection needs. */
export interface CollectorPorts {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly uploads: Uploads;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** When files go. */
export interface CollectorBounds {
  readonly retiredMs: Millis;
  readonly unpublishedMs: Millis;
  readonly everyMs: Millis;
}

const BOUNDS: CollectorBounds = {
  retiredMs: RETIRED_FILE_MS,
  unpublishedMs: UNPUBLISHED_UPLOAD_MS,
  everyMs: COLLECT_EVERY_MS,
};

/** What a look found. */
interface Look {
  readonly at: string;
  readonly files: number;
  readonly storedBytes: number;
}

/** The collection of one server. */
export class Collector {
  readonly #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #look: Look | undefined;

  constructor(readonly ports: CollectorPorts, readonly bounds: CollectorBounds = BOUNDS) {}

  /** Looks now, and again and again. */
  start(): void {
    this.#loop = this.#work();
  }

  /** Ends it; a look that has begun stops at the next file. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #work(): Promise<void> {
    const { clock, log } = this.ports;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const { files, bytes } = await this.collect();
        if (files > 0) log(`Freed ${bytes} bytes: ${files} files that nothing refers to`);
      } catch (error) {
        log(`Cannot free what nothing refers to: ${(error as Error).message}`);
      }
      await clock.sleep(this.bounds.everyMs, signal).catch(() => undefined);
    }
  }

  /** What is stored, as the last look saw it, and what was given back. */
  async storage(): Promise<Storage> {
    const { retired, freed } = await this.ports.records.read(async (tables) => ({
      retired: await tables.retired(),
      freed: await tables.freed(),
    }));
    return {
      v: 1,
      at: this.#look?.at ?? null,
      files: this.#look?.files ?? 0,
      storedBytes: this.#look?.storedBytes ?? 0,
      retiredFiles: retired.length,
      retiredBytes: retired.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0),
      freedFiles: freed.files,
      freedBytes: freed.bytes,
    };
  }

  /**
   * Looks once, and removes what is due.
   *
   * @returns What was given back.
   */
  async collect(): Promise<Freed> {
    const { records, blobs, clock } = this.ports;
    const files = await blobs.files();
    const nowMs = clock.now();
    const retired = await records.write((tables) => mark(tables, files, nowMs));
    let freed: Freed = await this.#dropParts(nowMs);
    for (const row of retired) {
      if (this.#stopping.signal.aborted) break;
      const uploaded = await records.read((tables) => tables.blob(row.sha256)) !== undefined;
      const graceMs = uploaded ? this.bounds.unpublishedMs : this.bounds.retiredMs;
      if (!row.leaving && nowMs - row.sinceMs < graceMs) continue;
      await this.ports.uploads.unlessBusy(row.sha256, async () => {
        const bytes = await this.#remove(row, nowMs - this.bounds.retiredMs);
        freed = {
          files: freed.files + (bytes === null ? 0 : 1),
          bytes: freed.bytes + (bytes ?? 0),
        };
      });
      await clock.sleep(0); // Requests come first.
    }
    const storedBytes = files.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0) - freed.bytes;
    this.#look = { at: isoTime(nowMs), files: files.length - freed.files, storedBytes };
    return freed;
  }

  /** Record first, then file: what is removed in between nobody can ask for any more. */
  async #remove(row: RetiredRow, untilMs: Millis): Promise<number | null> {
    const { records, blobs, metrics } = this.ports;
    const { sha256, lengthBytes } = row;
    const leaves = await records.write(async (tables) => {
      const now = await tables.retiredFile(sha256);
      if (now === undefined || now.sinceMs !== row.sinceMs || blobs.isOpen(sha256)) return false;
      if ((await tables.referencedFiles()).has(sha256)) return false; // The next look unmarks it.
      await tables.forgetFile(sha256);
      await tables.putRetired({ ...row, carrier: null, leaving: true });
      return true;
    });
    if (!leaves) return null;
    const gone = await blobs.remove(sha256, untilMs);
    await records.write(async (tables) => {
      await tables.dropRetired(sha256);
      if (gone) await tables.addFreed({ files: 1, bytes: lengthBytes });
    });
    if (!gone) return null; // Stored anew meanwhile: marked anew, if nobody records it.
    metrics.add("ota_collected_files_total");
    metrics.add("ota_collected_bytes_total", lengthBytes);
    return lengthBytes;
  }

  /** Uploads that nobody goes on with. */
  async #dropParts(nowMs: Millis): Promise<Freed> {
    const { blobs, uploads, records, metrics } = this.ports;
    const freed = { files: 0, bytes: 0 };
    for (const { sha256, lengthBytes, modifiedAtMs } of await blobs.parts()) {
      if (nowMs - modifiedAtMs < this.bounds.unpublishedMs) continue;
      await uploads.unlessBusy(sha256, async () => {
        await blobs.dropPart(sha256);
        await records.write((tables) => tables.addFreed({ files: 1, bytes: lengthBytes }));
        freed.files++;
        freed.bytes += lengthBytes;
        metrics.add("ota_collected_files_total");
        metrics.add("ota_collected_bytes_total", lengthBytes);
      });
    }
    return freed;
  }
}

/** Marks what nothing refers to, and unmarks what is used again. Answers all that are marked. */
async function mark(
  tables: Records,
  files: readonly StoredFile[],
  nowMs: Millis,
): Promise<RetiredRow[]> {
  for (const carrier of await tables.supersededCarriers()) { // Of an older program.
    await tables.retireCarrier(carrier, nowMs);
  }
  const referenced = await tables.referencedFiles();
  const marked = new Set<string>();
  const there = new Set(files.map(({ sha256 }) => sha256));
  for (const row of await tables.retired()) {
    const uploadedAgain = row.leaving && await tables.blob(row.sha256) !== undefined;
    const lost = !row.leaving && !there.has(row.sha256); // Nothing of it can be given back.
    if (referenced.has(row.sha256) || uploadedAgain || lost) await tables.dropRetired(row.sha256);
    else marked.add(row.sha256);
  }
  for (const { sha256, lengthBytes } of files) {
    if (referenced.has(sha256) || marked.has(sha256)) continue;
    await tables.putRetired({ sha256, sinceMs: nowMs, lengthBytes, carrier: null, leaving: false });
  }
  return await tables.retired();
}
