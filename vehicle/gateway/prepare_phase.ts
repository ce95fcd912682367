/**
 * The phase in which inactive slots are filled, one ECU after another; what boots is untouched, so
 * it may fail, be stopped and be begun again at any time. Its way of filling one slot serves beyond
 * the commit point, too.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { HEAL_WORN_MAX_MS, MAX_STORAGE_ATTEMPTS } from "shared/limits.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { EcuPort } from "vehicle/bus/ecu_port.ts";
import type { Member } from "./commit.ts";
import { HealPatience } from "./heal_patience.ts";
import type { Ledger } from "./ledger.ts";
import { isLoss, type Patience } from "./patience.ts";
import { type PlanStep, planStep, planUpdate } from "./plan.ts";
import { prepareEcu, type PrepareParts } from "./prepare.ts";
import { WAITS } from "./update_table.ts";

/** What the phase needs. */
export interface PreparationParts extends PrepareParts {
  readonly ecus: readonly EcuPort[];
  readonly log: (line: string) => void;
  /** Gives an ECU a sound way back, waiting for a server that cannot be reached, or throws. */
  readonly secure: (ecu: EcuPort, signal: AbortSignal) => Promise<void>;
}

/** Fills the slots of an update. */
export class Preparation {
  readonly #parts: PreparationParts;
  readonly #ledger: Ledger;
  readonly #patience: Patience;
  /** Ends work that a newer offer made pointless. */
  #work = new AbortController();
  /** How often storage failed since a slot was last filled or given up. */
  #storageFaults = 0;
  /** How often slots are filled again beyond the commit point, and why the last time was in vain. */
  readonly #refills: HealPatience;
  readonly #refilled = new Map<string, UpdateFailure>();

  /**
   * @param parts What it works with.
   * @param ledger Where the update stands.
   * @param patience How long lost ECUs are waited for.
   */
  constructor(parts: PreparationParts, ledger: Ledger, patience: Patience) {
    this.#parts = parts;
    this.#ledger = ledger;
    this.#patience = patience;
    this.#refills = new HealPatience(parts.clock);
  }

  /** A newer offer took the place of the one that is prepared. */
  stop(): void {
    this.#work.abort(new Error("a newer offer replaced this one"));
  }

  /**
   * Calls the roll for an offer. ECUs that it leaves alone do not count, unless a release needs
   * others beside it.
   *
   * @param offer The offer.
   * @returns Why one that counts does not answer; `undefined` if all do.
   */
  async missing(offer: DirectorTargets): Promise<UpdateFailure | undefined> {
    const { roll } = this.#ledger;
    await roll.call();
    const targets = Object.values(offer.ecus);
    const needy = targets.some(({ release }) => release.needs.length > 0);
    const serial = [...roll.absent].find((one) => needy || one in offer.ecus);
    return serial === undefined ? undefined : roll.absence(serial);
  }

  /**
   * Prepares all, and takes the event that ends the phase.
   *
   * @param signal Ends it, with the vehicle.
   * @returns `stopped` if a newer offer ended it; then no event was taken.
   * @throws {UpdateFailure} What may pass: to be run again, from its beginning.
   */
  async run(signal: AbortSignal): Promise<"stopped" | "done"> {
    const ledger = this.#ledger;
    this.#work = new AbortController();
    const both = AbortSignal.any([signal, this.#work.signal]);
    let serial: string | undefined;
    try {
      const lost = await this.missing(ledger.targets!);
      if (lost !== undefined) throw lost;
      ledger.steps = planUpdate(ledger.inventories(), ledger.targets!).steps;
      for (const step of ledger.steps) {
        serial = step.serial;
        const ecu = this.#ecu(serial);
        ledger.setState(serial, "downloading");
        await this.#parts.secure(ecu, both); // Before the first byte is written.
        await this.#prepare(step, ecu, both);
        this.#patience.ends(serial);
      }
      both.throwIfAborted();
      ledger.progressEnds();
      ledger.take("prepared");
    } catch (error) {
      signal.throwIfAborted();
      ledger.progressEnds();
      if (this.#work.signal.aborted) return "stopped";
      if (!(error instanceof UpdateFailure)) throw error;
      if (this.#mayPass(error)) throw error;
      ledger.fail(new UpdateFailure(error.failure, serial ?? error.subject, error.message));
    }
    this.#storageFaults = 0;
    this.#patience.ends();
    return "done";
  }

  /** Storage and ECUs may come back; the loop pauses, and it goes on from its checkpoint. */
  #mayPass(error: UpdateFailure): boolean {
    if (isLoss(error)) return this.#patience.lasts(error.subject, WAITS.preparing);
    return error.failure === "storageFailed" && ++this.#storageFaults < MAX_STORAGE_ATTEMPTS;
  }

  /**
   * Beyond the commit point a slot that lost its image is filled again: there is no way back that
   * would have to be proved first.
   *
   * @param member The ECU.
   * @param signal Ends it.
   * @throws {UpdateFailure} Why it did not hold the last time, while it is too soon to try again.
   */
  async refill({ ecu: { serial } }: Member, signal: AbortSignal): Promise<void> {
    const target = this.#ledger.targets!.ecus[serial]!;
    const step = planStep(await this.#ledger.roll.ask(serial), target);
    const last = this.#refilled.get(serial);
    if (last !== undefined && this.#refills.leftMs(serial) > 0) throw last;
    // A slot that is worn out never gets there: an image each minute would wear out the rest.
    this.#refills.tried(serial, HEAL_WORN_MAX_MS);
    const message = `Cannot fill the slot of ${serial} again yet: it was filled, and did not hold`;
    this.#refilled.set(serial, new UpdateFailure("slotDigestDiffers", serial, message));
    try {
      await this.#prepare(step, this.#ecu(serial), signal);
    } catch (error) {
      if (error instanceof UpdateFailure) this.#refilled.set(serial, error);
      throw error;
    } finally {
      this.#ledger.progressEnds();
    }
  }

  #ecu(serial: string): EcuPort {
    return this.#parts.ecus.find((one) => one.serial === serial)!;
  }

  async #prepare(step: PlanStep, ecu: EcuPort, signal: AbortSignal): Promise<void> {
    const ledger = this.#ledger;
    ledger.setState(step.serial, "downloading");
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
}
