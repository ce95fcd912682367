/**
 * Keeps the vehicle sound while nothing is installed: the scrub, the healing of what has rotted, and
 * the return to one whole release after rot made an ECU fall back (decision 0011).
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import {
  BACKOFF_MIN_MS,
  HEAL_BACKOFF_MAX_MS,
  HEAL_WORN_MAX_MS,
  MAX_SECURE_HEALS,
  MAX_TRIAL_LOGS,
  POLL_MS,
  WHOLE_PATIENCE_MS,
} from "shared/limits.ts";
import type { FailureReport } from "shared/protocol/common.ts";
import type { RotReport, TrialLog } from "shared/protocol/messages.ts";
import type { EcuPort } from "vehicle/bus/ecu_port.ts";
import type { WatchedSlot } from "vehicle/bus/slot_care.ts";
import { Findings, type FindingsParts, placeOf, rotFailure } from "./findings.ts";
import { type HealParts, healSlot } from "./heal.ts";
import { HealPatience } from "./heal_patience.ts";
import type { JournalState } from "./journal.ts";
import { lackOf } from "./kept_needs.ts";
import type { RollCall } from "./roll_call.ts";
import { type GatewayRecords, Scrub } from "./scrub.ts";
import { isSame } from "./trial_view.ts";
import { adoptImage, confirmedImages, Retreat, type Stray, strays } from "./wholeness.ts";

/** What it works with. */
export interface UpkeepParts extends HealParts, FindingsParts {
  readonly ecus: readonly EcuPort[];
  readonly roll: RollCall;
  readonly records: GatewayRecords;
  readonly state: () => JournalState;
  readonly remember: (changes: Partial<JournalState>) => void;
  /** The vehicle stands safely: an ECU may restart. */
  readonly mayRestart: () => boolean;
}

/** Failures that say more about why a slot stays rotten than that it is. */
const TELLING = ["healSourceMissing", "storageFailed", "storageFull", "leafDiffers", "slotRotten"];

/** Keeps the vehicle sound. */
export class Upkeep {
  readonly #parts: UpkeepParts;
  readonly #scrub: Scrub;
  readonly findings: Findings;
  readonly #retreat: Retreat;
  /** Slots that the scrub found rotten: ECU and slot. */
  readonly #rotten = new Set<string>();
  readonly #patience: HealPatience;
  /** ECUs whose slot was healed and that do not run it yet. */
  readonly #revived = new Set<string>();
  #lastTrouble = "";
  #mixedSinceMs: number | undefined;
  /** Ends a step, however long the line takes. */
  #pause = new AbortController();

  /** @param parts What it works with. */
  constructor(parts: UpkeepParts) {
    this.#parts = parts;
    this.findings = new Findings(parts);
    this.#retreat = new Retreat(parts);
    this.#patience = new HealPatience(parts.clock);
    this.#scrub = new Scrub({
      ...parts,
      findings: this.findings,
      rotten: (ecu, watched) => {
        this.#rotten.add(keyOf(ecu, watched));
        this.findings.rotten(placeOf(ecu, watched), rotFailure(ecu, watched));
      },
    });
  }

  /** At power-on: damage that has a good copy is healed before anything else is done. */
  begin(): void {
    this.#guarded(() => this.#scrub.records({ even: false }));
  }

  /** Something else is to be done: what is under way ends, and begins anew another time. */
  interrupt(): void {
    this.#scrub.interrupt();
    this.#pause.abort(new Error("there is an offer"));
    this.#pause = new AbortController();
  }

  /**
   * Does a little, if it is time. To be called while nothing is installed.
   *
   * @param signal Ends it.
   * @returns Milliseconds until there is more to do.
   */
  async step(signal: AbortSignal): Promise<number> {
    const pause = this.#pause.signal;
    try {
      return await this.#step(AbortSignal.any([signal, pause]));
    } catch (error) {
      if (signal.aborted || !pause.aborted) throw error;
      return 0; // It goes on where it stood: every part of it may be repeated.
    }
  }

  async #step(signal: AbortSignal): Promise<number> {
    let pauseMs = POLL_MS;
    this.#guarded(() => {
      this.#rememberImages();
      pauseMs = Math.min(pauseMs, this.#scrub.step());
    });
    for (const ecu of this.#parts.ecus) {
      this.#closeStale(ecu);
      for (const watched of this.#sick(ecu)) {
        pauseMs = Math.min(pauseMs, await this.#heal(ecu, watched, signal));
      }
    }
    if (await this.#makeWhole(signal)) return 0;
    return pauseMs;
  }

  /**
   * Makes sure that an ECU has a sound way back before it is given a new image: heals the slot that
   * it runs from if need be.
   *
   * @param ecu The ECU.
   * @param signal Ends it.
   * @param options `patient` waits for a server that cannot be reached.
   * @throws {UpdateFailure} `fallbackUnsound` if it has none and cannot be given one.
   */
  async secure(
    ecu: EcuPort,
    signal: AbortSignal,
    options: { readonly patient?: boolean } = {},
  ): Promise<void> {
    const { clock } = this.#parts;
    let heals = 0;
    for (let pauseMs = BACKOFF_MIN_MS;; pauseMs = Math.min(2 * pauseMs, HEAL_BACKOFF_MAX_MS)) {
      try {
        return await ecu.proveFallback(signal);
      } catch (unsound) {
        const [watched] = ecu.care.watched();
        if (!(unsound instanceof UpdateFailure) || unsound.failure !== "fallbackUnsound") {
          throw unsound;
        }
        if (watched === undefined) throw unsound;
        if (++heals > MAX_SECURE_HEALS) {
          const message = `${unsound.message}, ${MAX_SECURE_HEALS} times after it was healed`;
          throw new UpdateFailure("fallbackUnsound", ecu.serial, message);
        }
        this.findings.rotten(placeOf(ecu, watched), rotFailure(ecu, watched));
        const why = await this.#tryToHeal(ecu, watched, signal);
        if (why === undefined) continue;
        if (why.kind.stage === "download") heals--; // Nothing was written.
        if (options.patient !== true || why.kind.stage !== "download") {
          const message = `${unsound.message}, and it cannot be healed: ${why.message}`;
          throw new UpdateFailure("fallbackUnsound", ecu.serial, message, { cause: why });
        }
        await clock.sleep(pauseMs, signal);
      }
    }
  }

  /**
   * Rot has left the vehicle with half a bundle, with an ECU that lost what it ran, or with a release
   * that runs without what it needs.
   */
  get mixed(): boolean {
    const { roll, state } = this.#parts;
    const { members, retreat, needs } = state();
    return retreat !== undefined || lackOf(needs, roll.all()) !== undefined ||
      this.#strays().some(({ ecu: { serial } }) =>
        roll.of(serial).running === null || (members.length > 1 && members.includes(serial))
      );
  }

  /**
   * Whether an offer is to wait, since rot has left the vehicle in parts, and it may be whole soon:
   * a release that failed now would leave it in parts for good.
   */
  delays(): boolean {
    if (!this.mixed) {
      this.#mixedSinceMs = undefined;
      return false;
    }
    const now = this.#parts.clock.monotonic();
    this.#mixedSinceMs ??= now;
    return now - this.#mixedSinceMs < WHOLE_PATIENCE_MS;
  }

  /** For the report. */
  reports(): { readonly rot?: RotReport[] } {
    const rot = this.findings.reports();
    return rot.length === 0 ? {} : { rot };
  }

  /** What an ECU suffers from now. */
  failureOf(serial: string): FailureReport | null {
    return this.findings.open(serial);
  }

  /** Logs of failed trials that the server does not have. */
  trialLogs(): TrialLog[] {
    return this.#parts.ecus.flatMap((ecu) => ecu.care.trialLog() ?? []).slice(0, MAX_TRIAL_LOGS);
  }

  /** The server has them. */
  logsDelivered(logs: readonly TrialLog[]): void {
    for (const { ecu: serial, id } of logs) {
      this.#parts.ecus.find((ecu) => ecu.serial === serial)?.care.trialLogReported(id);
    }
  }

  /** What rotted in a slot is no trouble any more once another image lies there. */
  #closeStale(ecu: EcuPort): void {
    const sick = this.#sick(ecu).map(({ slot }) => slot);
    for (const slot of ["A", "B"] as const) {
      if (sick.includes(slot)) continue;
      const place = { ecu: ecu.serial, what: `slot ${slot}` };
      this.findings.healed(place, `slot ${slot} of ${ecu.serial} holds another image now`);
    }
  }

  /** Slots of an ECU that are known to be rotten, by the loader or by the scrub. */
  #sick(ecu: EcuPort): WatchedSlot[] {
    return ecu.care.watched().filter((watched) =>
      watched.condemned || this.#rotten.has(keyOf(ecu, watched))
    );
  }

  /** @returns Milliseconds until it may be tried again. */
  async #heal(ecu: EcuPort, watched: WatchedSlot, signal: AbortSignal): Promise<number> {
    const key = keyOf(ecu, watched);
    const leftMs = this.#patience.leftMs(key);
    if (leftMs > 0) return leftMs;
    this.findings.rotten(placeOf(ecu, watched), rotFailure(ecu, watched));
    const why = await this.#tryToHeal(ecu, watched, signal);
    const wears = why === undefined || why.failure === "storageFailed";
    const pauseMs = this.#patience.tried(key, wears ? HEAL_WORN_MAX_MS : HEAL_BACKOFF_MAX_MS);
    if (why === undefined) return 0;
    this.#retreat.failed();
    return pauseMs;
  }

  /** @returns Why it could not be healed, or nothing. */
  async #tryToHeal(
    ecu: EcuPort,
    watched: WatchedSlot,
    signal: AbortSignal,
  ): Promise<UpdateFailure | undefined> {
    const key = keyOf(ecu, watched);
    try {
      const onLeaf = (done: number, all: number) =>
        this.findings.healing(placeOf(ecu, watched), done, all);
      const leaves = await healSlot(ecu, watched, { ...this.#parts, signal, onLeaf });
      const note = leaves === 0
        ? `slot ${watched.slot} of ${ecu.serial} reads right again`
        : `slot ${watched.slot} of ${ecu.serial} was healed: ${leaves} leaves from the server`;
      this.findings.healed(placeOf(ecu, watched), note);
      this.#rotten.delete(key);
      this.#parts.roll.changed(ecu.serial);
      if (watched.condemned) this.#revived.add(ecu.serial);
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof UpdateFailure)) throw error;
      if (TELLING.includes(error.failure)) this.findings.found(placeOf(ecu, watched), error);
      this.findings.hindered(placeOf(ecu, watched), error);
      return error;
    }
  }

  async #makeWhole(signal: AbortSignal): Promise<boolean> {
    const { roll, state, mayRestart, log } = this.#parts;
    if (state().retreat !== undefined || this.#strays().length > 0) await roll.call();
    const lost = this.#strays();
    await this.#retreat.find();
    // Half of the way back is behind it, whatever has healed since: the rest follows.
    if (state().retreat !== undefined) {
      return await this.#retreat.step(lost.map(({ ecu }) => ecu.serial), signal);
    }
    if (lost.length === 0) {
      this.#retreat.whole();
      return false;
    }
    for (const { ecu, wanted, image } of lost) {
      if (wanted === undefined) {
        const slot = await adoptImage(ecu, image, { ...this.#parts, signal });
        roll.changed(ecu.serial);
        if (slot !== undefined) this.#revived.add(ecu.serial);
        log(`${ecu.serial}: knows again that it is to run ${image.version}`);
        return true;
      }
      if (wanted.condemned || !mayRestart() || !this.#mayTry(ecu)) continue;
      log(`${ecu.serial}: restarts into ${image.version}, which is whole again`);
      await ecu.restart();
      const { running } = await roll.ask(ecu.serial);
      this.#revived.delete(ecu.serial);
      if (running !== null && isSame(running.image, image)) this.#patience.ends(ecu.serial);
      else this.#retreat.failed(); // Its slot cannot be read, say: that is not healed by leaves.
      return true;
    }
    return await this.#retreat.step(lost.map(({ ecu }) => ecu.serial), signal);
  }

  /** A restart that does not help is tried again with growing pauses. */
  #mayTry({ serial }: EcuPort): boolean {
    if (this.#patience.leftMs(serial) > 0) return false;
    this.#patience.tried(serial, HEAL_BACKOFF_MAX_MS);
    return true;
  }

  #strays(): Stray[] {
    return strays(this.#parts, this.#parts.state(), this.#revived);
  }

  /** What each ECU is to run, for the day on which its boot record is lost. */
  #rememberImages(): void {
    const { ecus, state, remember } = this.#parts;
    const known = state().settled ?? {};
    const now = confirmedImages(ecus);
    const news = Object.entries(now).some(([serial, image]) => {
      const before = known[serial];
      return before === undefined || !isSame(before, image) ||
        before.merkleRoot !== image.merkleRoot;
    });
    if (news) remember({ settled: { ...known, ...now } });
  }

  /** Storage that fails must not keep the vehicle from its other work. */
  #guarded(work: () => void): void {
    try {
      work();
      this.#lastTrouble = "";
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      if (error.message !== this.#lastTrouble) this.#parts.log(`upkeep: ${error.message}`);
      this.#lastTrouble = error.message;
    }
  }
}

function keyOf(ecu: EcuPort, { slot, image }: WatchedSlot): string {
  return `${ecu.serial} ${slot} ${image.sha256}`;
}
