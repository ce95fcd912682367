/**
 * Fills the inactive slot of one ECU from a container, while it arrives: a delta from the image
 * that runs, or a full one, which is the same without an old image. Every leaf is proved against
 * the release before it is written; another carrier goes on where this one stopped, and so does the
 * next power-on, but for the few segments that were to share a sync.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { equalBytes } from "shared/bytes.ts";
import { ContainerApplier, type ProvedSegment } from "shared/delta/apply.ts";
import { CONTAINER_PREFIX_BYTES, type ContainerHead } from "shared/delta/container.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import type { Codecs } from "shared/delta/segment.ts";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_CARRIER_ATTEMPTS } from "shared/limits.ts";
import { type HashParts, leafHash } from "shared/merkle.ts";
import type { Carrier } from "shared/protocol/common.ts";
import type { EcuPort } from "vehicle/bus/ecu_port.ts";
import type { Backend, Digest } from "vehicle/ports.ts";
import { digestFile } from "vehicle/storage/staged_file.ts";
import { type FetchedHead, fetchHead, trustedImage } from "./container_head.ts";
import { downloadCarrier } from "./download.ts";
import type { PlanStep } from "./plan.ts";

/** How the bytes come. */
export type Via = "full" | "delta" | "local";

/** What filling needs. */
export interface FillParts {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly newDigest: () => Digest;
  readonly codecs: Codecs;
  readonly hash: HashParts;
}

/** What filling tells. */
export interface FillWatch {
  readonly signal: AbortSignal;
  /** Bytes that arrived, of those and what is still to come. */
  readonly progress: (doneBytes: number, totalBytes: number, via: Via) => void;
  /** A cut that is waited out, a part that is fetched again, or a way that is given up. */
  readonly trouble: (failure: UpdateFailure) => void;
}

/** What one preparation of an ECU remembers from carrier to carrier. */
export interface Trip {
  /** A carrier was begun in this power-on. */
  begun: boolean;
  /** Bytes that arrived, whatever carrier brought them. */
  travelledBytes: number;
  /** How often a damaged part was fetched again. */
  repairs: number;
  /** Bytes of the slot that were proved in this power-on: they are not read again. */
  provedBytes: number;
}

/** What is filled, and with what. */
export interface FillJob extends FillParts {
  readonly step: PlanStep;
  readonly ecu: EcuPort;
  readonly trip: Trip;
  readonly watch: FillWatch;
}

/** A part that may be whole when it comes again: the line, or a read of the base, was at fault. */
function mayHeal(failure: UpdateFailure): boolean {
  return failure.failure === "containerDamaged" || failure.failure === "leafDiffers";
}

const NOTHING = new Uint8Array(0);
/** Stands for the head, where else the number of a segment stands. */
const HEAD = -1;

/** One carrier being applied to one ECU. */
export class ContainerFill {
  readonly #carrier: Carrier;
  readonly #job: FillJob;
  readonly #via: Via;
  #base: RandomRead | null = null;
  #head: ContainerHead | undefined;
  /** The segment that is looked at. */
  #at = HEAD;

  /**
   * @param carrier The container.
   * @param job What is filled, and with what.
   */
  constructor(carrier: Carrier, job: FillJob) {
    this.#carrier = carrier;
    this.#job = job;
    this.#via = carrier.baseSha256 === undefined ? "full" : "delta";
  }

  /**
   * Goes on from the last segment that is there, to the end. A damaged part is fetched again once.
   *
   * @throws {UpdateFailure} If this carrier does not hold; the segments before stay. Or of the ECU.
   */
  async run(): Promise<void> {
    const { trip, watch } = this.#job;
    let again: number | undefined;
    for (;;) {
      try {
        return await this.#pass();
      } catch (error) {
        watch.signal.throwIfAborted();
        if (!(error instanceof UpdateFailure) || !mayHeal(error)) throw error;
        if (again === this.#at || trip.repairs >= MAX_CARRIER_ATTEMPTS) throw error;
        again = this.#at;
        trip.repairs++;
        watch.trouble(error);
      }
    }
  }

  async #pass(): Promise<void> {
    const { step: { image }, ecu } = this.#job;
    const doneBytes = await ecu.begin(image);
    if (this.#head === undefined) this.#estimate(doneBytes / image.lengthBytes);
    if (doneBytes === image.lengthBytes) return; // verify() reads all of it, whoever wrote it.
    this.#base ??= await this.#provedBase();
    // What is no longer than the reading of a head comes in one request, wherever it goes on.
    const whole = doneBytes === 0 || this.#carrier.lengthBytes <= CONTAINER_PREFIX_BYTES;
    const fetched = this.#head === undefined ? await this.#fetchHead(whole) : null;
    const head = this.#head = fetched?.head ?? this.#head!;
    let { rest, stream } = fetched ?? { rest: NOTHING, stream: null };
    try {
      const first = await this.#firstMissing(head, doneBytes);
      const at = head.segments.payloadOffset(first);
      const passedBytes = stream === null ? 0 : at - head.headBytes;
      if (passedBytes > rest.length) { // The line stopped before what is wanted: ask for that alone.
        await stream?.return(undefined);
        [rest, stream] = [NOTHING, null];
      }
      stream ??= this.#fetch(at);
      await this.#apply(head, first, { rest: rest.subarray(passedBytes), stream });
    } finally {
      await stream?.return(undefined); // Closes the line, whatever happened.
    }
  }

  /** The bytes of the carrier; all that arrive are counted. */
  async *#fetch(offset: number, endBytes?: number): AsyncGenerator<Uint8Array> {
    const { backend, clock, trip, watch } = this.#job;
    const { carrierSha256, lengthBytes } = this.#carrier;
    const download = { carrierSha256, lengthBytes, offset, signal: watch.signal };
    const stream = downloadCarrier(backend, clock, {
      ...download,
      ...(endBytes === undefined ? {} : { endBytes }),
      onPause: watch.trouble,
    });
    for await (const bytes of stream) {
      trip.travelledBytes += bytes.length;
      yield bytes;
    }
  }

  #fetchHead(open: boolean): Promise<FetchedHead> {
    this.#at = HEAD;
    const { step, hash } = this.#job;
    const rules = {
      carrier: this.#carrier,
      release: step.target.release,
      baseBytes: this.#base?.lengthBytes ?? 0,
      hash,
    };
    return fetchHead((offset, endBytes) => this.#fetch(offset, endBytes), rules, open);
  }

  /** A wrong base can make nothing that is written, but much that is fetched: it is checked first. */
  async #provedBase(): Promise<RandomRead | null> {
    const { ecu, newDigest, clock, watch } = this.#job;
    const { baseSha256, carrierSha256 } = this.#carrier;
    if (baseSha256 === undefined) return null;
    const base = activeOf(ecu);
    const steps = digestFile(base, newDigest());
    for (;;) {
      const step = steps.next();
      if (step.done) {
        if (step.value === baseSha256) return base;
        throw new UpdateFailure(
          "deltaBaseDiffers",
          carrierSha256,
          `Cannot apply delta: the slot reads ${step.value}, it starts from ${baseSha256}`,
        );
      }
      await clock.sleep(0, watch.signal);
    }
  }

  /** The first segment that is not there, or no longer holds: what rests in a slot can rot. */
  async #firstMissing(head: ContainerHead, doneBytes: number): Promise<number> {
    const { step: { image }, ecu, trip, watch, clock } = this.#job;
    const { segmentBytes } = head;
    const written = ecu.written();
    let there = Math.floor(doneBytes / segmentBytes);
    for (let i = Math.floor(trip.provedBytes / segmentBytes); i < there; i++) {
      if (!this.#holds(head, i, written.read(i * segmentBytes, segmentBytes))) {
        watch.trouble(
          new UpdateFailure(
            "slotDigestDiffers",
            image.sha256,
            `Cannot go on behind segment ${there}: segment ${i} reads back as something else`,
          ),
        );
        there = i;
      }
      await clock.sleep(0, watch.signal);
    }
    const keepBytes = there * segmentBytes;
    if (keepBytes < doneBytes) await ecu.begin(image, { keepBytes });
    trip.provedBytes = keepBytes;
    return there;
  }

  #holds(head: ContainerHead, segment: number, bytes: Uint8Array): boolean {
    const { leafBytes } = head;
    const first = segment * head.segmentBytes / leafBytes;
    for (let i = 0; i * leafBytes < bytes.length; i++) {
      const leaf = bytes.subarray(i * leafBytes, (i + 1) * leafBytes);
      if (!equalBytes(leafHash(leaf, this.#job.hash), head.leafHash(first + i))) return false;
    }
    return true;
  }

  async #apply(
    head: ContainerHead,
    first: number,
    { rest, stream }: {
      readonly rest: Uint8Array;
      readonly stream: AsyncGenerator<Uint8Array>;
    },
  ): Promise<void> {
    const { step: { target: { release } }, codecs, hash, trip } = this.#job;
    let at = head.segments.payloadOffset(first) + rest.length;
    if (!trip.begun) [trip.begun, trip.travelledBytes] = [true, at];
    this.#at = first;
    const applier = new ContainerApplier({
      head,
      trusted: trustedImage(release),
      base: this.#base,
      tools: { codecs, hash },
      startSegment: first,
    });
    this.#tell(head.fileBytes - at);
    await this.#write(applier.push(rest), head); // Also what needs no payload at all.
    for await (const bytes of stream) {
      at += bytes.length;
      this.#tell(head.fileBytes - at);
      await this.#write(applier.push(bytes), head);
    }
    applier.end();
  }

  /** Writes what is proved, a segment at a time; screen and heartbeats go on between them. */
  async #write(proved: Iterable<ProvedSegment>, { segmentBytes }: ContainerHead): Promise<void> {
    const { ecu, trip, clock, watch } = this.#job;
    for (const { index, bytes } of proved) {
      await ecu.write(bytes);
      trip.provedBytes = index * segmentBytes + bytes.length;
      this.#at = index + 1;
      await clock.sleep(0, watch.signal);
    }
  }

  #tell(leftBytes: number): void {
    const { travelledBytes } = this.#job.trip;
    this.#job.watch.progress(travelledBytes, travelledBytes + leftBytes, this.#via);
  }

  /** Before the head says where the segments lie: as if all of them were equally long. */
  #estimate(share: number): void {
    const { trip, watch } = this.#job;
    const { lengthBytes } = this.#carrier;
    const thereBytes = Math.round(share * lengthBytes);
    const doneBytes = trip.begun ? trip.travelledBytes : thereBytes;
    watch.progress(doneBytes, doneBytes + lengthBytes - thereBytes, this.#via);
  }
}

/**
 * The image that an ECU runs, as base of another.
 *
 * @param ecu The ECU.
 * @returns Its bytes.
 * @throws {UpdateFailure} `deltaBaseDiffers` if nothing runs.
 */
export function activeOf(ecu: EcuPort): RandomRead {
  const active = ecu.activeFile();
  if (active !== null) return active;
  throw new UpdateFailure(
    "deltaBaseDiffers",
    ecu.serial,
    `Cannot read the image that ${ecu.serial} runs: it is in recovery`,
  );
}
