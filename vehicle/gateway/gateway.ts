/**
 * The central gateway (Uptane Primary): one loop over the table of `update_table.ts`.
 * Callbacks only ring; every decision falls in the loop, every step is journalled
 * before it is done.
 *
 * @module
 */
import { type Clock, isoTime } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { BACKOFF_MAX_MS, BACKOFF_MIN_MS } from "shared/limits.ts";
import { type Precondition, PRECONDITIONS } from "shared/protocol/common.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { ImageMessage } from "shared/protocol/ecu.ts";
import type { HmiCommand, Signals } from "shared/protocol/hmi.ts";
import type { LastError } from "shared/protocol/messages.ts";
import type { EcuListener, EcuPort } from "vehicle/bus/ecu_port.ts";
import type { HmiPort, Link } from "vehicle/ports.ts";
import { type CommitParts, confirming, installing, rollingBack, trying } from "./commit_phases.ts";
import { Consent } from "./consent.ts";
import { type ConsentParts, postponed, ready, waiting } from "./consent_phases.ts";
import { DirectorWatch } from "./director_watch.ts";
import type { Journal } from "./journal.ts";
import { Ledger } from "./ledger.ts";
import { isLoss, Patience } from "./patience.ts";
import { planUpdate } from "./plan.ts";
import type { PrepareParts } from "./prepare.ts";
import { Preparation } from "./prepare_phase.ts";
import { errorField, failureReport } from "./report.ts";
import { Reporter } from "./reporter.ts";
import { RollCall } from "./roll_call.ts";
import { judge } from "./signals.ts";
import { Settler } from "./strays.ts";
import { type Phase, WAITS } from "./update_table.ts";
import type { Upkeep } from "./upkeep.ts";
import { upkeepOf } from "./upkeep_of.ts";
import { Wake } from "./wake.ts";

/** What the gateway is made of. */
export interface GatewayParts extends PrepareParts, Pick<CommitParts, "prove"> {
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
  readonly #roll: RollCall;
  readonly #settler: Settler;
  readonly #patience: Patience;
  /** Rung when a lost ECU is there again: what waits for it goes on at once. */
  readonly #return: Wake;
  readonly #preparation: Preparation;
  readonly #upkeep: Upkeep;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    this.#clock = parts.clock;
    this.#wake = new Wake(parts.clock);
    this.#consent = new Consent(parts.signals);
    this.#roll = new RollCall(parts.ecus, parts.clock);
    this.#settler = new Settler(parts.ecus, this.#roll, parts.log);
    this.#patience = new Patience(parts.clock);
    this.#return = new Wake(parts.clock);
    this.#roll.onNews = () => {
      this.#ledger.told();
      this.#wake.ring();
    };
    this.#roll.onReturn = () => this.#return.ring();
    this.#ledger = new Ledger(parts, this.#roll);
    const patient = true;
    this.#preparation = new Preparation(
      {
        ...parts,
        secure: (ecu, signal) => this.#upkeep.secure(ecu, signal, { patient }),
      },
      this.#ledger,
      this.#patience,
    );
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
      rot: () => this.#upkeep.findings.reports(),
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

  changed(serial: string): void {
    this.#roll.changed(serial);
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
    this.#ledger.show(); // Locked: no ECU has answered yet.
    await this.#roll.call(); // The server is not told of ECUs that were not asked.
    this.#upkeep.begin();
    this.#ledger.told();
    await Promise.all([
      this.#roll.run(signal),
      this.#reporter.run(signal),
      this.#director.run(signal),
      this.#loop(signal),
    ]);
  }

  async #loop(signal: AbortSignal): Promise<void> {
    let pauseMs = BACKOFF_MIN_MS;
    while (!signal.aborted) {
      const { phase } = this.#ledger.state;
      try {
        await this.#settle(signal);
        await this.#act[phase](signal);
        pauseMs = BACKOFF_MIN_MS;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof UpdateFailure)) throw error;
        // Storage or an ECU may come back; the phase is done again from its beginning.
        this.#parts.log(`${phase}: ${error.failure}: ${error.message}`);
        if (isLoss(error)) await this.#return.wait(pauseMs, signal);
        else await this.#clock.sleep(pauseMs, signal);
        pauseMs = Math.min(pauseMs * 2, BACKOFF_MAX_MS);
      }
    }
  }

  /** One handler a phase; each returns after one event was taken, or after a wait. */
  readonly #act: Readonly<Record<Phase, (signal: AbortSignal) => Promise<void>>> = {
    idle: (signal) => this.#idle(signal),
    preparing: (signal) => this.#preparing(signal),
    ready: (signal) => this.#asking(ready, signal),
    postponed: (signal) => this.#asking(postponed, signal),
    waiting: (signal) => this.#asking(waiting, signal),
    installing: (signal) => installing(this.#committing(signal)),
    trialAll: (signal) => trying(this.#committing(signal), signal),
    confirmAll: (signal) => confirming(this.#committing(signal)),
    rollBackAll: (signal) => rollingBack(this.#committing(signal)),
    reporting: (signal) => this.#reporting(signal),
  };

  #committing(signal: AbortSignal): CommitParts {
    return {
      ledger: this.#ledger,
      link: this.#parts.link,
      wake: this.#wake,
      patience: this.#patience,
      refill: (member) => this.#preparation.refill(member, signal),
      secure: (ecu) => this.#upkeep.secure(ecu, signal),
      prove: this.#parts.prove,
    };
  }

  /** While a bundle goes back, nothing may take a part of it forward. */
  async #settle(signal: AbortSignal): Promise<void> {
    if (this.#ledger.committed || this.#ledger.state.retreat !== undefined) return;
    await this.#settler.settle((ecu) => this.#upkeep.secure(ecu, signal));
  }

  async #idle(signal: AbortSignal): Promise<void> {
    const offer = this.#director.targets;
    const ledger = this.#ledger;
    const news = offer !== null && offer.campaign !== null &&
      offer.campaign !== ledger.state.concluded;
    if (!news || this.#upkeep.delays()) {
      await this.#wake.wait(await this.#upkeep.step(signal), signal);
      return;
    }
    const lost = await this.#preparation.missing(offer);
    if (lost !== undefined && this.#patience.lasts(lost.subject, WAITS.idle)) throw lost;
    this.#patience.ends();
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
      if (lost !== undefined) throw lost;
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
    if (this.#superseded()) return this.#withdraw();
    if (this.#upkeep.delays()) {
      await this.#wake.wait(await this.#upkeep.step(signal), signal);
      return;
    }
    if (await this.#preparation.run(signal) === "stopped") this.#withdraw();
  }

  async #asking(act: (parts: ConsentParts) => Promise<void>, signal: AbortSignal): Promise<void> {
    if (this.#superseded()) return this.#withdraw();
    await act({
      ledger: this.#ledger,
      consent: this.#consent,
      auto: this.#parts.consent === "auto",
      clock: this.#clock,
      log: this.#parts.log,
      mayRestart: (preconditions) => this.#mayRestart(preconditions),
      keep: () => this.#upkeep.step(signal),
      wait: (ms) => this.#wake.wait(ms, signal),
    });
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
    const { phase, campaign, concluded } = this.#ledger.state;
    const before = phase === "idle" ? concluded : campaign;
    if (targets.campaign !== null && targets.campaign !== before) this.#upkeep.interrupt();
    if (this.#superseded()) this.#preparation.stop();
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

  #command(command: HmiCommand): void {
    if (!this.#consent.take(command)) return;
    if ("campaign" in command) this.#upkeep.interrupt(); // An answer does not wait for a slow line.
    if (command.command === "checkNow") this.#director.look();
    if (command.command === "acknowledge" && this.#ledger.state.result !== null) {
      this.#ledger.remember({ result: null });
    }
    this.#ledger.show();
    this.#wake.ring();
  }
}
