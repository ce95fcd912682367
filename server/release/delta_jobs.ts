/**
 * Makes carriers in the background, one at a time: takes the next job from the records, has it
 * made and proved outside this process, keeps it if it is smaller than the full one, and tells
 * everybody. No failure of a job ever harms its release: the full carrier is there already.
 *
 * @module
 */
import { type Clock, isoTime, type Millis } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { DELTA_JOB_MS, MAX_DELTA_JOB_ATTEMPTS } from "shared/limits.ts";
import type { Carrier, FailureReport } from "shared/protocol/common.ts";
import type { Feed } from "../board/feed.ts";
import type { Bulletins } from "../campaign/bulletins.ts";
import type { Fleet } from "../campaign/fleet.ts";
import type { Metrics } from "../metrics.ts";
import type { BlobRow, BlobStore, Log, RecordStore } from "../ports.ts";
import type { DeltaJobRow, DeltaMaker } from "../ports_delta.ts";
import { keepCarrier, resumeDeltas } from "./delta_records.ts";
import { checkRoom } from "./room.ts";

/** The records could not be written, perhaps because the medium is full: tried again after this. */
const PAUSE_MS = 5_000;

/** What the jobs need. */
export interface DeltaJobPorts {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly maker: DeltaMaker;
  readonly feed: Feed;
  readonly bulletins: Bulletins;
  readonly fleet: Fleet;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** How long and how often a job may run. */
export interface DeltaJobBounds {
  readonly jobMs: Millis;
  readonly maxAttempts: number;
}

const BOUNDS: DeltaJobBounds = { jobMs: DELTA_JOB_MS, maxAttempts: MAX_DELTA_JOB_ATTEMPTS };

/** What became of a job. */
type Outcome = Pick<
  DeltaJobRow,
  "state" | "reason" | "failure" | "carrierSha256" | "lengthBytes" | "fullBytes"
>;

/** Why a job that runs is ended. */
type Stop = "canceled" | "tooSlow" | "closing";

/** The same, with the carrier that is kept. */
interface Made extends Outcome {
  readonly carrier?: Carrier;
}

interface Running {
  readonly job: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
  doneBytes: number;
}

/** The jobs of one server. */
export class DeltaJobs {
  #running: Running | undefined;
  #wake = Promise.withResolvers<void>();
  #idle = Promise.withResolvers<void>();
  #isIdle = false;
  #loop: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor(readonly ports: DeltaJobPorts, readonly bounds: DeltaJobBounds = BOUNDS) {}

  /** Begins: what an earlier run left undone first. */
  start(): void {
    this.#loop = this.#work();
  }

  /** There may be something to do. */
  wake(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
    if (this.#isIdle) this.#idle = Promise.withResolvers();
    this.#isIdle = false;
  }

  /** Bytes of the image that a job that runs has done; 0 of any other. */
  doneBytes(job: string): number {
    return this.#running?.job === job ? this.#running.doneBytes : 0;
  }

  /** Resolves when nothing waits or runs. */
  async idle(): Promise<void> {
    while (!this.#isIdle && !this.#closing.signal.aborted) await this.#idle.promise;
  }

  /**
   * Cancels a job that waits or runs; its result is never used.
   *
   * @param job Its id.
   * @throws {UpdateFailure} `notFound`, or `wrongState` if it is over.
   */
  async cancel(job: string): Promise<void> {
    const { records, clock } = this.ports;
    const row = await records.write(async (tables) => {
      const row = await tables.deltaJob(job);
      if (row?.state !== "queued") return row;
      const updatedAt = isoTime(clock.now());
      await tables.putDeltaJob({ ...row, state: "dropped", reason: "canceled", updatedAt });
      return row;
    });
    if (row === undefined) {
      throw new UpdateFailure("notFound", job, `Cannot cancel ${job}: there is no such job`);
    }
    if (row.state === "queued") return this.#tell(row, false);
    const running = this.#running;
    if (row.state !== "running" || running?.job !== job) {
      throw new UpdateFailure("wrongState", job, `Cannot cancel ${job}: it is ${row.state}`);
    }
    running.stop.abort("canceled" satisfies Stop);
    await running.ended;
    const { state } = (await records.read((tables) => tables.deltaJob(job)))!;
    if (state === "dropped") return;
    throw new UpdateFailure("wrongState", job, `Cannot cancel ${job}: it was just ${state}`);
  }

  /** Ends the work; a job that runs is begun anew at the next start. */
  async stop(): Promise<void> {
    this.#closing.abort();
    this.#running?.stop.abort("closing" satisfies Stop);
    this.#wake.resolve();
    await this.#loop;
    this.#idle.resolve();
  }

  async #work(): Promise<void> {
    let resumed = false;
    while (!this.#closing.signal.aborted) {
      const woken = this.#wake.promise;
      try {
        if (!resumed) await resumeDeltas(this.ports, this.#closing.signal);
        resumed = true;
        const row = await this.#take();
        if (row !== undefined) await this.#run(row);
        else if (this.#wake.promise === woken) { // Else there came something meanwhile.
          this.#isIdle = true;
          this.#idle.resolve();
          await woken;
        }
      } catch (error) {
        this.ports.log(`Cannot go on making carriers: ${(error as Error).stack}`);
        resumed = false; // What could not be written down may still be marked as running.
        await this.ports.clock.sleep(PAUSE_MS, this.#closing.signal).catch(() => undefined);
      }
    }
  }

  /** The next job, marked as begun. */
  #take(): Promise<DeltaJobRow | undefined> {
    return this.ports.records.write(async (tables) => {
      const row = await tables.nextDeltaJob();
      if (row === undefined) return undefined;
      const begun: DeltaJobRow = {
        ...row,
        state: "running",
        attempts: row.attempts + 1,
        updatedAt: isoTime(this.ports.clock.now()),
      };
      await tables.putDeltaJob(begun);
      return begun;
    });
  }

  async #run(row: DeltaJobRow): Promise<void> {
    const { records, metrics, clock } = this.ports;
    const ended = Promise.withResolvers<void>();
    const stop = new AbortController();
    const running: Running = { job: row.job, stop, ended: ended.promise, doneBytes: 0 };
    this.#running = running;
    if (this.#closing.signal.aborted) stop.abort("closing" satisfies Stop);
    try {
      this.ports.feed.changed("delta", row.job);
      const over = new AbortController();
      void clock.sleep(this.bounds.jobMs, over.signal)
        .then(() => stop.abort("tooSlow" satisfies Stop), () => undefined);
      const { carrier, ...outcome } = await this.#outcome(row, running)
        .finally(() => over.abort());
      await records.write(async (tables) => {
        if (carrier !== undefined) await keepCarrier(tables, carrier, clock.now());
        const updatedAt = isoTime(clock.now());
        const attempts = outcome.state === "queued" ? row.attempts - 1 : row.attempts;
        await tables.putDeltaJob({ ...row, ...outcome, attempts, updatedAt });
      });
      this.#running = undefined;
      if (outcome.state === "queued") return;
      metrics.add("ota_delta_jobs_total", 1, ["result", outcome.reason ?? "kept"]);
      if (carrier !== undefined) {
        const saved = outcome.fullBytes! - carrier.lengthBytes;
        metrics.add("ota_delta_saved_bytes_total", saved);
      }
      await this.#tell(row, carrier !== undefined);
    } finally {
      this.#running = undefined;
      ended.resolve();
    }
  }

  /** Runs it; whatever goes wrong is an outcome like others. */
  async #outcome(row: DeltaJobRow, running: Running): Promise<Made> {
    const nothing = { failure: null, carrierSha256: null, lengthBytes: null, fullBytes: null };
    const { signal } = running.stop;
    const dropped = { ...nothing, state: "dropped" } as const;
    try {
      if (row.attempts > this.bounds.maxAttempts) {
        throw new UpdateFailure(
          "deltaMakerCrashed",
          row.job,
          `Cannot begin ${row.job} once more: the server ended ${row.attempts - 1} times meanwhile`,
        );
      }
      return await this.#make(row, running);
    } catch (error) {
      const stop = signal.aborted ? signal.reason as Stop : undefined;
      if (stop === "closing") return { ...nothing, state: "queued", reason: null };
      if (stop === "canceled") return { ...dropped, reason: "canceled" };
      const failure = stop === "tooSlow"
        ? tooSlow(row, this.bounds.jobMs)
        : error instanceof UpdateFailure
        ? error
        : internal(row, error as Error);
      this.ports.log(`Job ${row.job} failed: ${failure.message}`);
      return { ...dropped, reason: "failed", failure: reportOf(failure) };
    }
  }

  async #make(row: DeltaJobRow, running: Running): Promise<Made> {
    const { blobs, maker, feed } = this.ports;
    const { image, base, full } = await this.#needs(row);
    const what = `Cannot make ${row.job}`;
    await checkRoom(blobs, full.lengthBytes, what, "store");
    const target = await blobs.createTemporary();
    let kept = false;
    try {
      const maxBytes = full.lengthBytes - 1;
      const made = await maker.make({ image, base, effort: row.effort, maxBytes, target }, {
        signal: running.stop.signal,
        onProgress: (doneBytes) => {
          running.doneBytes = doneBytes;
          feed.changed("delta", row.job);
        },
      });
      running.stop.signal.throwIfAborted();
      const none = { failure: null, fullBytes: full.lengthBytes };
      if (made === null) {
        const nothing = { carrierSha256: null, lengthBytes: null };
        return { ...none, ...nothing, state: "dropped", reason: "larger" };
      }
      await blobs.commit(target, made.carrierSha256);
      kept = true;
      const carrier: Carrier = {
        ...{ v: 1, ...made, format: "container", sha256: image.sha256 },
        ...(base === null ? {} : { baseSha256: base.sha256 }),
      };
      return { ...none, ...made, state: "kept", reason: null, carrier };
    } finally {
      if (!kept) await blobs.dropTemporary(target);
    }
  }

  /** The images of a job, and the full carrier that it must be smaller than. */
  async #needs(
    row: DeltaJobRow,
  ): Promise<{ image: BlobRow; base: BlobRow | null; full: Carrier }> {
    const found = await this.ports.records.read(async (tables) => ({
      image: await tables.blob(row.sha256),
      base: row.baseSha256 === null ? null : await tables.blob(row.baseSha256),
      full: (await tables.carriersOf(row.sha256))
        .filter((each) => each.format === "container" && each.baseSha256 === undefined)
        .toSorted((a, b) => a.lengthBytes - b.lengthBytes)[0],
    }));
    const { image, base, full } = found;
    const stored = await this.#isStored(image) && full !== undefined;
    if (stored && (base === null || await this.#isStored(base))) {
      return { image: image!, base: base ?? null, full };
    }
    const missing = stored ? row.baseSha256! : row.sha256;
    throw new UpdateFailure(
      "imageUnknown",
      missing,
      `Cannot make ${row.job}: image ${missing} is not stored`,
    );
  }

  async #isStored(row: BlobRow | undefined): Promise<boolean> {
    return row !== undefined && await this.ports.blobs.lengthOf(row.sha256) === row.lengthBytes;
  }

  /** Vehicles that waited for it go on either way. */
  async #tell(row: DeltaJobRow, kept: boolean): Promise<void> {
    const { records, feed, bulletins, fleet } = this.ports;
    feed.changed("delta", row.job);
    if (kept) {
      const releases = await records.read((tables) => tables.releasesWith(row.sha256));
      for (const { release } of releases) feed.changed("release", release);
      const hardware = new Set(releases.map((each) => each.hardware));
      // Also after a full one: deltas that are no smaller are gone with it.
      for (const id of hardware) await bulletins.announce(id);
    }
    fleet.settleAll();
  }
}

function tooSlow({ job }: DeltaJobRow, jobMs: Millis): UpdateFailure {
  const message = `Cannot make ${job}: it is not done after ${jobMs / 60_000} minutes`;
  return new UpdateFailure("deltaMakerTooSlow", job, message);
}

function internal({ job }: DeltaJobRow, cause: Error): UpdateFailure {
  return new UpdateFailure("internal", job, `Cannot make ${job}: ${cause.message}`, { cause });
}

function reportOf({ failure: name, code, kind, message }: UpdateFailure): FailureReport {
  return { code, name, stage: kind.stage, message: message.slice(0, 2000) };
}
