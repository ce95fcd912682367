/**
 * The central gateway (Uptane Primary): one loop over the table of `update_table.ts`.
 * Callbacks only ring; every decision falls in the loop, every step is journalled
 * before it is done.
 *
 * @module
 */
import { type Clock, isoTime } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import {
  BACKOFF_MAX_MS,
  BACKOFF_MIN_MS,
  MAX_STORAGE_ATTEMPTS,
  POLL_MS,
  POSTPONE_MS,
} from "shared/limits.ts";
import { type Precondition, PRECONDITIONS } from "shared/protocol/common.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { ImageMessage } from "shared/protocol/ecu.ts";
import type { HmiCommand, Signals } from "shared/protocol/hmi.ts";
import type { LastError } from "shared/protocol/messages.ts";
import type { EcuListener, EcuPort } from "vehicle/bus/ecu_port.ts";
import type { HmiPort, Link } from "vehicle/ports.ts";
import { confirming, installing, rollingBack, trying } from "./commit_phases.ts";
import { Consent } from "./consent.ts";
import { DirectorWatch } from "./director_watch.ts";
import type { Journal } from "./journal.ts";
import { Ledger } from "./ledger.ts";
import { type PlanStep, planUpdate } from "./plan.ts";
import { prepareEcu, type PrepareParts } from "./prepare.ts";
import { errorField, failureReport } from "./report.ts";
import { Reporter } from "./reporter.ts";
import { judge } from "./signals.ts";
import type { Phase } from "./update_table.ts";
import { type Upkeep, upkeepOf } from "./upkeep.ts";
import { Wake } from "./wake.ts";

/** What the gateway is made of. */
export interface GatewayParts extends PrepareParts {
  readonly vin: string;
  readonly journal: Journal;
  readonly ecus: readonly EcuPort[];
  readonly link: Link;
  readonly hmi: HmiPort;
  /** `auto` agrees by itself and takes every precondition as met. */
  readonly consent: "ask" | "auto";
  readonly signals: Signals;
  readonly newId: () => string;
  readonly log: (line: string) => void;
  /** Why the run before this one ended, if it crashed. */
  readonly lastError?: LastError;
  /** The size of a leaf; another one than the wire's in small worlds only. */
  readonly leafBytes?: number;
}

/** The central gateway. */
export class Gateway implements EcuListener {
  readonly #parts: GatewayParts;
  readonly #clock: Clock;
  readonly #wake: Wake;
  readonly #ledger: Ledger;
  readonly #reporter: Reporter;
  readonly #director: DirectorWatch;
  readonly #consent: Consent;
  readonly #upkeep: Upkeep;
  /** Ends work that a newer offer made pointless. */
  #work = new AbortController();
  /** How often storage failed since a slot was last filled or given up. */
  #storageFaults = 0;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    this.#clock = parts.clock;
    this.#wake = new Wake(parts.clock);
    this.#consent = new Consent(parts.signals);
    this.#ledger = new Ledger(parts);
    this.#reporter = new Reporter({
      ...parts,
      starts: this.#ledger.state.starts,
      report: () => ({
        campaign: this.#ledger.state.campaign,
        ecus: this.#ledger.reports(),
        ...this.#upkeep.reports(),
        ...errorField(parts.lastError, this.#clock.now()),
      }),
      trialLogs: () => this.#upkeep.trialLogs(),
      logsDelivered: (logs) => this.#upkeep.logsDelivered(logs),
    });
    const mayRestart = () => this.#mayRestart(PRECONDITIONS);
    this.#upkeep = upkeepOf(parts, this.#ledger, { reporter: this.#reporter, mayRestart });
    this.#director = new DirectorWatch({
      ...parts,
      seenVersion: this.#ledger.state.directorVersion,
      onTargets: (targets) => this.#offered(targets),
    });
    this.#ledger.connect(this.#reporter, () => ({
      signals: this.#consent.signals,
      serverReachable: this.#director.reachable,
      brokerConnected: parts.link.connected,
      checkedAt: this.#director.checkedAt,
      rotOf: (serial) => this.#upkeep.failureOf(serial),
      mixed: () => this.#upkeep.mixed,
    }));
    parts.hmi.onCommand((command) => this.#command(command));
  }

  /** Something said "look": MQTT, a person, or the broker coming back. */
  hint(): void {
    this.#director.look();
  }

  /** The broker is connected, or lost. */
  linked(connected: boolean): void {
    if (connected) {
      this.#reporter.connected();
      this.hint();
    }
    this.#ledger.show();
  }

  changed(_serial: string): void {
    this.#ledger.told();
    this.#wake.ring();
  }

  display(serial: string, message: ImageMessage): void {
    this.#ledger.display(serial, message);
  }

  /**
   * Runs until the signal ends it; the ECUs must have power.
   *
   * @param signal Ends all loops.
   */
  async run(signal: AbortSignal): Promise<void> {
    this.#upkeep.begin();
    this.#ledger.told();
    await Promise.all([this.#reporter.run(signal), this.#director.run(signal), this.#loop(signal)]);
  }

  async #loop(signal: AbortSignal): Promise<void> {
    let pauseMs = BACKOFF_MIN_MS;
    while (!signal.aborted) {
      const { phase } = this.#ledger.state;
      try {
        if (!this.#ledger.committed) await this.#takeBackStrays();
        await this.#act[phase](signal);
        pauseMs = BACKOFF_MIN_MS;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof UpdateFailure)) throw error;
        // Storage that fails may come back; the phase is done again from its beginning.
        this.#parts.log(`${phase}: ${error.failure}: ${error.message}`);
        await this.#clock.sleep(pauseMs, signal);
        pauseMs = Math.min(pauseMs * 2, BACKOFF_MAX_MS);
      }
    }
  }

  /** One handler a phase; each returns after one event was taken, or after a wait. */
  readonly #act: Readonly<Record<Phase, (signal: AbortSignal) => Promise<void>>> = {
    idle: (signal) => this.#idle(signal),
    preparing: (signal) => this.#preparing(signal),
    ready: (signal) => this.#ready(signal),
    postponed: (signal) => this.#postponed(signal),
    waiting: (signal) => this.#waiting(signal),
    installing: (signal) => installing(this.#ledger, (ecu) => this.#upkeep.secure(ecu, signal)),
    trialAll: (signal) => trying(this.#ledger, { ...this.#parts, wake: this.#wake, signal }),
    confirmAll: () => confirming(this.#ledger),
    rollBackAll: () => rollingBack(this.#ledger),
    reporting: (signal) => this.#reporting(signal),
  };

  /** A trial that no journal knows of, since it was lost, goes back: never half a vehicle. */
  async #takeBackStrays(): Promise<void> {
    for (const ecu of this.#parts.ecus) {
      const { running } = ecu.inventory();
      if (running?.trial !== true) continue;
      this.#parts.log(`${ecu.serial}: takes back ${running.image.version}: no journal knows it`);
      await ecu.revert(running.image, "journalUnknown");
    }
  }

  async #idle(signal: AbortSignal): Promise<void> {
    const offer = this.#director.targets;
    const ledger = this.#ledger;
    if (offer === null || offer.campaign === null || offer.campaign === ledger.state.concluded) {
      return await this.#wake.wait(await this.#upkeep.step(signal), signal);
    }
    ledger.begin(offer);
    const begun = {
      campaign: offer.campaign,
      interruptedTrials: 0,
      tryAgain: false,
      postponedUntil: null,
      startedAt: isoTime(this.#clock.now()),
      result: null,
    };
    try {
      const { steps } = planUpdate(ledger.inventories(), offer);
      ledger.steps = steps;
      if (steps.length > 0) {
        const lines = ledger.fresh(steps.map((step) => step.serial), "assigned");
        return ledger.take("offered", { ...begun, ...lines });
      }
      const lines = ledger.fresh(Object.keys(offer.ecus), "confirmed");
      ledger.remember({ ...begun, ...lines, concluded: offer.campaign });
      ledger.told();
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      ledger.fail(error, { ...begun, ...ledger.fresh(Object.keys(offer.ecus), "assigned") });
    }
  }

  async #preparing(signal: AbortSignal): Promise<void> {
    const ledger = this.#ledger;
    if (this.#superseded()) return this.#withdraw();
    this.#work = new AbortController();
    const both = AbortSignal.any([signal, this.#work.signal]);
    let serial: string | undefined;
    try {
      ledger.steps = planUpdate(ledger.inventories(), ledger.targets!).steps;
      for (const step of ledger.steps) {
        serial = step.serial;
        await this.#prepare(step, both);
      }
      ledger.progressEnds();
      ledger.take("prepared");
    } catch (error) {
      signal.throwIfAborted();
      ledger.progressEnds();
      if (this.#work.signal.aborted) return this.#withdraw();
      if (!(error instanceof UpdateFailure)) throw error;
      // Storage may come back; the loop pauses, and it goes on from its checkpoint.
      if (error.failure === "storageFailed" && ++this.#storageFaults < MAX_STORAGE_ATTEMPTS) {
        throw error;
      }
      ledger.fail(new UpdateFailure(error.failure, serial ?? error.subject, error.message));
    }
    this.#storageFaults = 0;
  }

  async #prepare(step: PlanStep, signal: AbortSignal): Promise<void> {
    const ledger = this.#ledger;
    const ecu = this.#parts.ecus.find((one) => one.serial === step.serial)!;
    ledger.setState(step.serial, "downloading");
    await this.#upkeep.secure(ecu, signal, { patient: true });
    await prepareEcu(step, ecu, this.#parts, {
      signal,
      progress: (doneBytes, totalBytes, via) =>
        ledger.progress(step.serial, { doneBytes, totalBytes, via }),
      verifying: () => ledger.setState(step.serial, "verifying"),
      trouble: (failure) => {
        this.#parts.log(`${step.serial}: ${failure.failure}: ${failure.message}`);
        ledger.setState(step.serial, "downloading");
      },
    });
    ledger.setState(step.serial, "ready");
  }

  async #ready(signal: AbortSignal): Promise<void> {
    if (this.#superseded()) return this.#withdraw();
    this.#ledger.setAll("ready");
    if (this.#parts.consent === "auto") return this.#ledger.take("accepted");
    const answer = this.#consent.answer(this.#ledger.state.campaign);
    if (answer === "accept") return this.#ledger.take("accepted");
    if (answer === "decline") return this.#decline();
    if (answer === "postpone") {
      const postponedUntil = isoTime(this.#clock.now() + POSTPONE_MS);
      return this.#ledger.take("postponed", { postponedUntil });
    }
    await this.#wake.wait(POLL_MS, signal);
  }

  async #postponed(signal: AbortSignal): Promise<void> {
    if (this.#superseded()) return this.#withdraw();
    const ledger = this.#ledger;
    ledger.setAll("postponed");
    const answer = this.#consent.answer(ledger.state.campaign);
    if (answer === "accept") return ledger.take("accepted", { postponedUntil: null });
    if (answer === "decline") return this.#decline();
    const leftMs = Date.parse(ledger.state.postponedUntil ?? "") - this.#clock.now();
    // A clock that was set back must not postpone for ever.
    if (!(leftMs > 0) || leftMs > POSTPONE_MS) return ledger.take("due", { postponedUntil: null });
    await this.#wake.wait(Math.min(leftMs, POLL_MS), signal);
  }

  async #waiting(signal: AbortSignal): Promise<void> {
    if (this.#superseded()) return this.#withdraw();
    const ledger = this.#ledger;
    ledger.setAll("waiting");
    if (this.#consent.answer(ledger.state.campaign) === "cancel") return ledger.take("canceled");
    if (this.#mayRestart(ledger.targets?.preconditions ?? [])) return ledger.take("satisfied");
    await this.#wake.wait(POLL_MS, signal);
  }

  #mayRestart(preconditions: readonly Precondition[]): boolean {
    return this.#parts.consent === "auto" ||
      judge(preconditions, this.#consent.signals).every((check) => check.ok);
  }

  async #reporting(signal: AbortSignal): Promise<void> {
    const ticket = this.#reporter.changed();
    while (!this.#reporter.delivered(ticket)) {
      await this.#clock.sleep(BACKOFF_MIN_MS / 5, signal);
    }
    this.#ledger.take("delivered");
    this.#director.look();
  }

  /** A newer answer of the Director: replaces what is not committed. */
  #offered(targets: DirectorTargets): void {
    if (targets.version !== this.#ledger.state.directorVersion) {
      this.#ledger.remember({ directorVersion: targets.version });
    }
    const { campaign } = targets;
    if (campaign !== null && campaign !== this.#ledger.state.concluded) this.#upkeep.interrupt();
    if (this.#superseded()) this.#work.abort(new Error("a newer offer replaced this one"));
    this.#ledger.show();
    this.#wake.ring();
  }

  #superseded(): boolean {
    const { phase, campaign } = this.#ledger.state;
    const latest = this.#director.targets;
    return latest !== null && phase !== "idle" && phase !== "reporting" &&
      !this.#ledger.committed && latest.campaign !== campaign;
  }

  #withdraw(): void {
    const why = this.#director.targets?.campaign == null ? "withdrawn" : "replaced";
    this.#ledger.setAll("canceled", failureReport(why));
    this.#ledger.take("withdrawn", { result: null });
  }

  #decline(): void {
    this.#ledger.setAll("declined", failureReport("declined"));
    this.#ledger.take("declined", { concluded: this.#ledger.state.campaign });
  }

  #command(command: HmiCommand): void {
    if (!this.#consent.take(command)) return;
    if (command.command === "checkNow") this.#director.look();
    if (command.command === "acknowledge" && this.#ledger.state.result !== null) {
      this.#ledger.remember({ result: null });
    }
    this.#ledger.show();
    this.#wake.ring();
  }
}
