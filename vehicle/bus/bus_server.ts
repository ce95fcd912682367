/**
 * The ECU's end of the bus. It does each request once, in order, and repeats its last answer when
 * it is asked again; what comes late, behind a newer request, is dropped, lest a delayed `arm`
 * undo the `revert` that followed it.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { BUS_WORKING_MS } from "shared/limits.ts";
import type { BusAnswer, BusRequest, BusValue, RequestFrame } from "./bus_messages.ts";
import type { EcuService } from "./ecu_port.ts";

/** What the ECU's end is made of. */
export interface BusServerParts {
  readonly ecu: EcuService;
  readonly clock: Clock;
  readonly answer: (id: number, answer: BusAnswer) => void;
  /** Takes a bug: what is thrown and is no named failure. */
  readonly broken: (error: unknown) => void;
}

interface Job {
  readonly id: number;
  readonly stop: AbortController;
  answer?: BusAnswer;
}

const CLOSED: BusAnswer = { kind: "closed" };

/** Answers for one ECU. */
export class BusServer {
  readonly #parts: BusServerParts;
  #session = 0;
  #openedBy: number | undefined;
  #last: Job | undefined;
  #tail: Promise<void> = Promise.resolve();
  /** Work is under way, or waits. */
  #busy = 0;
  /** Bytes of the slot that are there; a repeated write() below it changes nothing. */
  #writtenBytes = 0;

  /** @param parts What it is made of. */
  constructor(parts: BusServerParts) {
    this.#parts = parts;
  }

  /** Takes a request, be it repeated or late. Never throws. */
  receive({ id, session, request }: RequestFrame): void {
    if (request.kind === "inventory") return this.#inventory(id);
    if (request.kind === "open") return this.#open(id);
    if (session !== this.#session) return this.#parts.answer(id, CLOSED);
    const last = this.#last;
    if (last !== undefined && id < last.id) return; // Whoever asked has gone on without it.
    if (last?.id === id) return this.#parts.answer(id, last.answer ?? { kind: "working" });
    last?.stop.abort(); // Nobody waits for it any more.
    const job: Job = { id, stop: new AbortController() };
    this.#last = job;
    this.#take(job, request);
  }

  #inventory(id: number): void {
    const said = this.#guard(() => ({ kind: "done", value: this.#parts.ecu.inventory() }));
    if (said !== undefined) this.#parts.answer(id, said);
  }

  /** A repeated `open` opens nothing new: the first answer may be under way. */
  #open(id: number): void {
    if (this.#openedBy !== id) {
      this.#openedBy = id;
      // Also different from what this ECU gave before it started anew.
      this.#session = Math.max(this.#session + 1, this.#parts.clock.now());
      this.#last?.stop.abort();
      this.#last = undefined;
    }
    this.#parts.answer(id, { kind: "done", value: this.#session });
  }

  /** What takes no time is answered at once; the rest is done behind what is under way. */
  #take(job: Job, request: BusRequest): void {
    const start = () => this.#start(request, job.stop.signal);
    // Overtaken while it waited: it must not be done behind the newer one's back.
    if (this.#busy > 0) return this.#queue(job, () => this.#last === job ? start() : CLOSED);
    const said = this.#guard(start);
    if (said instanceof Promise) return this.#queue(job, () => said);
    if (said !== undefined) this.#say(job, said);
  }

  #queue(job: Job, work: () => Promise<BusAnswer> | BusAnswer): void {
    this.#busy++;
    const ended = new AbortController();
    void this.#tellWorking(job, ended.signal);
    this.#tail = this.#tail.then(work).then((answer) => this.#say(job, answer)).catch((error) => {
      if (error instanceof UpdateFailure) return this.#say(job, refusal(error));
      if (error !== job.stop.signal.reason) this.#parts.broken(error);
    }).finally(() => {
      this.#busy--;
      ended.abort();
    });
  }

  async #tellWorking({ id }: Job, ended: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#parts.clock.sleep(BUS_WORKING_MS, ended);
        this.#parts.answer(id, { kind: "working" });
      }
    } catch { /* It has ended. */ }
  }

  #say(job: Job, answer: BusAnswer): void {
    job.answer = answer;
    this.#parts.answer(job.id, answer);
  }

  #guard<T>(run: () => T | BusAnswer): T | BusAnswer | undefined {
    try {
      return run();
    } catch (error) {
      if (error instanceof UpdateFailure) return refusal(error);
      this.#parts.broken(error);
      return undefined;
    }
  }

  #start(request: BusRequest, signal: AbortSignal): Promise<BusAnswer> | BusAnswer {
    const { ecu } = this.#parts;
    switch (request.kind) {
      case "begin": {
        const { image, keepBytes } = request;
        this.#writtenBytes = ecu.begin(image, keepBytes === undefined ? {} : { keepBytes });
        return done(this.#writtenBytes);
      }
      case "write":
        return this.#write(request.offset, request.bytes);
      case "verify":
        return ecu.verify(request.image, signal).then(() => done(null));
      case "arm":
        return ecu.arm(request.image, request.bundle).then(() => done(null));
      case "restart":
        return ecu.restart().then(() => done(null));
      case "confirm":
        ecu.confirm(request.image);
        return done(null);
      case "revert":
        return ecu.revert(request.image, request.verdict).then(() => done(null));
      case "inventory":
      case "open":
        return done(null); // Answered before: see receive().
    }
  }

  #write(offset: number, bytes: Uint8Array): BusAnswer {
    const endBytes = offset + bytes.length;
    if (endBytes <= this.#writtenBytes) return done(null);
    if (offset !== this.#writtenBytes) {
      const { serial } = this.#parts.ecu;
      throw new UpdateFailure(
        "ecuLost",
        serial,
        `Cannot write at ${offset} on ${serial}: ${this.#writtenBytes} bytes are there`,
      );
    }
    this.#parts.ecu.write(bytes);
    this.#writtenBytes = endBytes;
    return done(null);
  }
}

function done(value: BusValue): BusAnswer {
  return { kind: "done", value };
}

function refusal({ failure, subject, message }: UpdateFailure): BusAnswer {
  return { kind: "refused", failure, subject, message };
}
