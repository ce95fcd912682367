/**
 * Where the update stands: the journal's state in memory, every ECU's word, the bytes
 * on their way. The only writer of the journal; tells server and screen of each change.
 *
 * @module
 */
import { type Clock, isoTime } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { follow } from "shared/machine.ts";
import type { EcuState, FailureReport } from "shared/protocol/common.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { ImageMessage } from "shared/protocol/ecu.ts";
import type { HmiSnapshot, Signals } from "shared/protocol/hmi.ts";
import type { EcuReport, RotReport } from "shared/protocol/messages.ts";
import type { EcuInventory, EcuPort } from "vehicle/bus/ecu_port.ts";
import type { Digest, HmiPort } from "vehicle/ports.ts";
import type { Member } from "./commit.ts";
import { hmiSnapshot } from "./hmi_view.ts";
import { type Journal, type JournalEcu, type JournalState, NEW_JOURNAL } from "./journal.ts";
import { imageOf, type PlanStep } from "./plan.ts";
import { ecuReport, failureReport, type Progress } from "./report.ts";
import type { Reporter } from "./reporter.ts";
import { resultOf } from "./result.ts";
import type { RollCall } from "./roll_call.ts";
import { Throughput } from "./throughput.ts";
import { COMMITTED, type Event, type Phase, RESUME, UPDATE } from "./update_table.ts";

/** What the ledger needs. */
export interface LedgerParts {
  readonly vin: string;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly ecus: readonly EcuPort[];
  readonly hmi: HmiPort;
  readonly newDigest: () => Digest;
  readonly log: (line: string) => void;
}

/** What the screen shows besides the ledger itself. */
export interface Surroundings {
  readonly signals: Signals;
  readonly serverReachable: boolean;
  readonly brokerConnected: boolean;
  readonly checkedAt: string | null;
  /** What an ECU suffers from beside updates. */
  readonly rotOf: (serial: string) => FailureReport | null;
  /** All that was found rotten. */
  readonly rot: () => readonly RotReport[];
  /** Rot has left the vehicle with half a bundle. */
  readonly mixed: () => boolean;
}

/** Where the update stands. */
export class Ledger {
  readonly #parts: LedgerParts;
  readonly #clock: Clock;
  readonly #throughput: Throughput;
  #state: JournalState;
  #targets: DirectorTargets | null;
  #progress = new Map<string, Progress>();
  /** What keeps ECUs from what must be done with them, for as long as it does. */
  readonly #hindered = new Map<string, UpdateFailure>();
  #displays: Record<string, ImageMessage> = {};
  #reporter: Reporter | undefined;
  #surroundings: (() => Surroundings) | undefined;
  /** The plan of this start, with the way each ECU takes. */
  steps: readonly PlanStep[] = [];
  /** How the ECUs stand. */
  readonly roll: RollCall;

  /**
   * @param parts What it works with.
   * @param roll How the ECUs stand.
   */
  constructor(parts: LedgerParts, roll: RollCall) {
    this.#parts = parts;
    this.roll = roll;
    this.#clock = parts.clock;
    this.#throughput = new Throughput(parts.clock);
    const [state, targets] = this.#recall();
    this.#targets = targets;
    this.#state = { ...state, phase: RESUME[state.phase], starts: this.#nextStart(state.starts) };
    parts.journal.write(this.#state);
  }

  /** Connects whom it tells. */
  connect(reporter: Reporter, surroundings: () => Surroundings): void {
    this.#reporter = reporter;
    this.#surroundings = surroundings;
  }

  /** The journal's state, with the newest words of the ECUs. */
  get state(): JournalState {
    return this.#state;
  }

  /** The targets under way, or the last ones. */
  get targets(): DirectorTargets | null {
    return this.#targets;
  }

  /** Nothing may replace or withdraw the update any more. */
  get committed(): boolean {
    return COMMITTED.includes(this.#state.phase);
  }

  /** Remembers targets; before the journal names their campaign. */
  begin(targets: DirectorTargets): void {
    this.#parts.journal.writeTargets(targets);
    this.#targets = targets;
  }

  /** Follows one edge of the table: journalled first, then told. */
  take(event: Event, changes: Partial<JournalState> = {}): void {
    const phase = follow<Phase, Event>(UPDATE, this.#state.phase, event);
    this.remember({ ...changes, phase });
    this.told();
  }

  /** Writes a change down that moves no phase. */
  remember(changes: Partial<JournalState>): void {
    const state = { ...this.#state, ...changes };
    this.#parts.journal.write(state); // If this fails, nothing has changed: no deed follows it.
    this.#state = state;
  }

  /** Server and screen are to know. */
  told(): void {
    this.#reporter?.changed();
    this.show();
  }

  /** One ECU's new word. In memory: the next edge of the table writes it down. */
  setState(serial: string, state: EcuState, failure?: FailureReport): void {
    const ecu = this.#state.ecus[serial];
    if (ecu === undefined || (ecu.state === state && failure === undefined)) return;
    const next: JournalEcu = { ...ecu, state, failure: failure ?? ecu.failure };
    this.#state = { ...this.#state, ecus: { ...this.#state.ecus, [serial]: next } };
    this.#reporter?.event(serial, state, failure === undefined ? {} : { failure });
    this.told();
  }

  /** The same word for every ECU of the update. */
  setAll(state: EcuState, failure?: FailureReport): void {
    for (const serial of this.#state.members) this.setState(serial, state, failure);
  }

  /** Tells what keeps an ECU from its step while the vehicle waits for it. */
  hinder(serial: string, failure: UpdateFailure | undefined): void {
    if (this.#hindered.get(serial)?.message === failure?.message) return;
    if (failure === undefined) this.#hindered.delete(serial);
    else this.#hindered.set(serial, failure);
    this.told();
  }

  /** Notes which ECU failed, before all go back. */
  blame(failure: UpdateFailure): void {
    const { ecus, members } = this.#state;
    const named = members.includes(failure.subject) ? failure.subject : members[0];
    this.#parts.log(`${named}: ${failure.failure}: ${failure.message}`);
    if (named === undefined) return;
    const ecu = { ...ecus[named]!, failure: failureReport(failure) };
    this.#state = { ...this.#state, ecus: { ...ecus, [named]: ecu } };
  }

  /** Ends an update before the switch: nothing was changed. */
  fail(failure: UpdateFailure, changes: Partial<JournalState> = {}): void {
    this.#parts.log(`${failure.subject}: ${failure.failure}: ${failure.message}`);
    this.#state = { ...this.#state, ...changes };
    const { members } = this.#state;
    for (const serial of members) {
      const own = serial === failure.subject || !members.includes(failure.subject);
      this.setState(serial, "failed", failureReport(own ? failure : "partnerFailed"));
    }
    const result = this.result("failed")!;
    // Without a member that could carry it, the failure is told all the same.
    const { subject: serial, kind: { remedy } } = failure;
    result.failure ??= { ...failureReport(failure), serial, remedy };
    this.take("failed", { result, concluded: this.#state.campaign });
  }

  /** The result as it would be now. */
  result(outcome: "confirmed" | "rolledBack" | "failed"): JournalState["result"] {
    const view = { journal: this.#state, targets: this.#targets, nowMs: this.#clock.now() };
    return resultOf(view, outcome);
  }

  /** Journal lines for the ECUs that begin an update; those of the others stand. */
  fresh(serials: readonly string[], state: EcuState): Pick<JournalState, "ecus" | "members"> {
    const known = this.#parts.ecus.filter((ecu) => serials.includes(ecu.serial));
    const lines = known.map((ecu): [string, JournalEcu] => {
      const from = this.roll.of(ecu.serial).running?.image.version ?? null;
      return [ecu.serial, { state, failure: null, from }];
    });
    const ecus = { ...this.#state.ecus, ...Object.fromEntries(lines) };
    return { ecus, members: known.map((ecu) => ecu.serial) };
  }

  /** The ECUs of the update in the order of restarts; the head unit is last. */
  members(): Member[] {
    const targets = this.#targets?.ecus ?? {};
    return this.#parts.ecus.filter((ecu) =>
      this.#state.members.includes(ecu.serial) && ecu.serial in targets
    )
      .toSorted((a, b) => a.profile.restartRank - b.profile.restartRank)
      .map((ecu) => ({ ecu, image: imageOf(targets[ecu.serial]!) }));
  }

  /** What the boot records call the releases of this campaign, so that they know their partners. */
  bundleTag(): string | undefined {
    const { campaign } = this.#state;
    // Offered for one ECU alone it has no partners. What is left to do of a bundle may be one ECU.
    const offered = Object.keys(this.#targets?.ecus ?? {}).length;
    if (campaign === null || offered < 2) return undefined;
    const digest = this.#parts.newDigest();
    digest.update(new TextEncoder().encode(campaign));
    return digest.hex().slice(0, 16);
  }

  /** The answers to the last roll call. */
  inventories(): EcuInventory[] {
    return this.roll.all();
  }

  /** Bytes arrived for one ECU. */
  progress(serial: string, progress: Progress): void {
    if (progress.doneBytes === 0) this.#throughput.restart();
    this.#progress.set(serial, progress);
    this.#throughput.at(progress.doneBytes);
    this.#reporter?.progressed();
    this.show();
  }

  /** Nothing travels any more. */
  progressEnds(): void {
    this.#progress.clear();
  }

  /** An image shows something of itself. */
  display(serial: string, message: ImageMessage): void {
    this.#displays[serial] = message;
    this.show();
  }

  /** The ECUs' lines of a report. */
  reports(): EcuReport[] {
    return this.inventories().map((inventory) => {
      const { serial } = inventory;
      const journal = this.#state.ecus[serial];
      const progress = this.#progress.get(serial) ?? null;
      const rot = this.#surroundings?.().rotOf(serial) ?? null;
      const line = ecuReport(inventory, journal, this.#targets, progress, rot);
      const hindered = this.#hindered.get(serial);
      return hindered === undefined ? line : { ...line, failure: failureReport(hindered) };
    });
  }

  /** The screen is to draw again. */
  show(): void {
    this.#parts.hmi.show(() => this.#draw(this.#surroundings!()));
  }

  #draw(surroundings: Surroundings): HmiSnapshot {
    return hmiSnapshot({
      vin: this.#parts.vin,
      at: isoTime(this.#clock.now()),
      journal: this.#state,
      targets: this.#targets,
      steps: this.steps,
      inventories: this.inventories(),
      absent: this.roll.absent,
      reports: this.reports(),
      displays: this.#displays,
      bytesPerSecond: this.#throughput.bytesPerSecond,
      ...surroundings,
      mixed: surroundings.mixed(),
      rot: surroundings.rot(),
    });
  }

  /**
   * The number of this start. A lost journal must not take the sequence numbers back, since the
   * server drops older reports: the first start is the time in seconds, which outruns restarts.
   */
  #nextStart(starts: number): number {
    if (starts > 0) return starts + 1;
    const seconds = Math.floor(this.#clock.now() / 1000);
    return Math.min(Math.max(1, seconds), 2 ** 32); // Times 2 ** 20 it stays a safe integer.
  }

  /** What was remembered; a memory that contradicts itself is none. */
  #recall(): [JournalState, DirectorTargets | null] {
    const { journal, log } = this.#parts;
    try {
      const [state, targets] = [journal.read(), journal.readTargets() ?? null];
      const idle = state.phase === "idle" || state.phase === "reporting";
      if (idle || targets?.campaign === state.campaign) return [state, targets];
      log(`journal: phase ${state.phase} of ${state.campaign}, but its targets are lost`);
      return [{ ...state, phase: "idle", members: [] }, null];
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      log(`journal: ${error.failure}: ${error.message}`);
      return [NEW_JOURNAL, null]; // What the boot records tell of it, `strays.ts` brings to an end.
    }
  }
}
