/**
 * Brings reports to the server: each state by MQTT at once, best effort, and by
 * `PUT /manifest` until the server has it.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { isoTime } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, MAX_QUEUED_EVENTS, POLL_MS } from "shared/limits.ts";
import type { EcuState, FailureReport } from "shared/protocol/common.ts";
import type { TrialLog, VehicleEvent, VehicleReport } from "shared/protocol/messages.ts";
import type { Backend, Link } from "vehicle/ports.ts";
import { Wake } from "./wake.ts";

/** Progress is told at most this often. */
const PROGRESS_EVERY_MS = 500;

/** What the reporter needs. */
export interface ReporterParts {
  readonly vin: string;
  readonly clock: Clock;
  readonly backend: Backend;
  readonly link: Link;
  readonly newId: () => string;
  /** Starts of this gateway: the upper part of sequence numbers, so that they rise across them. */
  readonly starts: number;
  /** The ECUs as they stand now. */
  readonly report: () => Pick<VehicleReport, "campaign" | "ecus" | "lastError" | "rot">;
  /** Logs that the server does not have. */
  readonly trialLogs: () => TrialLog[];
  /** It has them now. */
  readonly logsDelivered: (logs: readonly TrialLog[]) => void;
  readonly log: (line: string) => void;
}

/** Tells the server where the vehicle stands. */
export class Reporter {
  readonly #parts: ReporterParts;
  readonly #wake: Wake;
  #seq: number;
  #eventSeq: number;
  #wanted = 0;
  #delivered = 0;
  #statusAtMs = -Infinity;
  #queue: VehicleEvent[] = [];
  /** The server answered last time. */
  reachable = false;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#wake = new Wake(parts.clock);
    this.#seq = this.#eventSeq = parts.starts * 2 ** 20;
  }

  /** Something changed that the server must know; returns a ticket for {@linkcode delivered}. */
  changed(): number {
    this.#wanted++;
    this.#publishStatus();
    this.#wake.ring();
    return this.#wanted;
  }

  /** Bytes arrived: told by MQTT only, and not too often. */
  progressed(): void {
    const now = this.#parts.clock.monotonic();
    if (now - this.#statusAtMs >= PROGRESS_EVERY_MS) this.#publishStatus();
  }

  /** Whether the server has a report made at or after a ticket. */
  delivered(ticket: number): boolean {
    return this.#delivered >= ticket;
  }

  /** The broker is there again: what it missed follows. */
  connected(): void {
    this.#parts.link.conn("online");
    this.#publishStatus();
    for (const event of this.#queue.splice(0)) this.#parts.link.event(event);
    this.#wake.ring();
  }

  /** Something happened to an ECU, or beside it. */
  event(
    ecu: string,
    state: EcuState,
    more: { readonly failure?: FailureReport; readonly note?: string } = {},
  ): void {
    const { campaign } = this.#parts.report();
    const event: VehicleEvent = {
      v: 1,
      id: this.#parts.newId(),
      seq: ++this.#eventSeq,
      at: isoTime(this.#parts.clock.now()),
      ecu,
      state,
      campaign,
      ...more,
    };
    if (this.#parts.link.connected) return this.#parts.link.event(event);
    this.#queue.push(event);
    if (this.#queue.length > MAX_QUEUED_EVENTS) this.#queue.shift();
  }

  /**
   * Delivers manifests until the signal ends it; also once in a while without a change.
   *
   * @param signal Ends the loop.
   */
  async run(signal: AbortSignal): Promise<void> {
    let pauseMs = BACKOFF_MIN_MS;
    for (;;) {
      if (this.#delivered >= this.#wanted) await this.#wake.wait(POLL_MS, signal);
      const ticket = this.#wanted;
      try {
        const trialLogs = this.#parts.trialLogs();
        const report = { ...this.#build(), ...(trialLogs.length === 0 ? {} : { trialLogs }) };
        await this.#parts.backend.manifest(report, signal);
        this.#parts.logsDelivered(trialLogs);
        this.#delivered = ticket;
        this.reachable = true;
        pauseMs = BACKOFF_MIN_MS;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof UpdateFailure)) throw error;
        if (this.reachable) this.#parts.log(`manifest: ${error.message}`);
        this.reachable = false;
        await this.#wake.wait(pauseMs, signal);
        pauseMs = Math.min(pauseMs * 2, BACKOFF_MAX_MS);
      }
    }
  }

  #publishStatus(): void {
    this.#statusAtMs = this.#parts.clock.monotonic();
    this.#parts.link.status(this.#build());
  }

  #build(): VehicleReport {
    return {
      v: 1,
      vin: this.#parts.vin,
      seq: ++this.#seq,
      at: isoTime(this.#parts.clock.now()),
      ...this.#parts.report(),
    };
  }
}
