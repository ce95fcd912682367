/**
 * What was found rotten since the vehicle has power: told as events when it is found and when it is
 * healed, and in every report, the newest finding of each place.
 *
 * @module
 */
import { type Clock, isoTime } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_ROT_REPORTS } from "shared/limits.ts";
import type { EcuState, FailureReport } from "shared/protocol/common.ts";
import type { RotReport } from "shared/protocol/messages.ts";
import type { EcuPort } from "vehicle/bus/ecu_port.ts";
import type { WatchedSlot } from "vehicle/bus/slot_care.ts";
import { failureReport } from "./report.ts";

/** Where something was found. */
export interface RotPlace {
  /** The ECU, or `gateway`. */
  readonly ecu: string;
  /** The slot or the record. */
  readonly what: string;
}

/** Whom it tells. */
export interface FindingsParts {
  readonly clock: Clock;
  readonly log: (line: string) => void;
  /** The word that an ECU has now. */
  readonly stateOf: (ecu: string) => EcuState;
  readonly event: (
    ecu: string,
    state: EcuState,
    more: { readonly failure?: FailureReport; readonly note?: string },
  ) => void;
  /** Reports have something new. */
  readonly changed: () => void;
  /** Healing goes on: who looks on is to see it, and no record needs it. */
  readonly progressed: () => void;
}

/** The findings of one power-on. */
export class Findings {
  readonly #parts: FindingsParts;
  readonly #found = new Map<string, RotReport>();

  /** @param parts Whom it tells. */
  constructor(parts: FindingsParts) {
    this.#parts = parts;
  }

  /** Something is rotten, if that is not known yet. */
  rotten(place: RotPlace, failure: UpdateFailure): void {
    if (this.#found.get(keyOf(place))?.healedAt !== null) this.found(place, failure);
  }

  /** Something is rotten, or why it stays so; told again only when the reason is another. */
  found(place: RotPlace, failure: UpdateFailure): void {
    const { clock, log, event, stateOf, changed } = this.#parts;
    const before = this.#found.get(keyOf(place));
    const report = failureReport(failure);
    const open = before !== undefined && before.healedAt === null;
    if (open && before.failure.name === report.name) return;
    const at = open ? before.at : isoTime(clock.now());
    this.#found.delete(keyOf(place)); // The newest stands last.
    this.#found.set(keyOf(place), { ...place, at, failure: report, healedAt: null });
    log(`upkeep: ${place.ecu}: ${failure.failure}: ${failure.message}`);
    event(place.ecu, stateOf(place.ecu), { failure: report });
    changed();
  }

  /** So many of its bad leaves are whole again. */
  healing(place: RotPlace, doneLeaves: number, totalLeaves: number): void {
    const before = this.#open(place);
    if (before === undefined || totalLeaves === 0) return;
    this.#found.set(keyOf(place), { ...untried(before), healing: { doneLeaves, totalLeaves } });
    this.#parts.progressed();
  }

  /** It could not be healed this time; told again only when the reason is another. */
  hindered(place: RotPlace, failure: UpdateFailure): void {
    const before = this.#open(place);
    if (before === undefined || before.waits?.name === failure.failure) return;
    this.#found.set(keyOf(place), { ...before, waits: failureReport(failure) });
    this.#parts.changed();
  }

  /** It is whole again. */
  healed(place: RotPlace, note: string): void {
    const { clock, log, event, stateOf, changed } = this.#parts;
    const before = this.#open(place);
    if (before === undefined) return;
    this.#found.set(keyOf(place), { ...untried(before), healedAt: isoTime(clock.now()) });
    log(`upkeep: ${place.ecu}: ${note}`);
    event(place.ecu, stateOf(place.ecu), { note });
    changed();
  }

  /** For the report, oldest first; of too many those that are healed are left out before others. */
  reports(): RotReport[] {
    const all = [...this.#found.values()];
    const healed = all.filter(({ healedAt }) => healedAt !== null);
    const spare = new Set(healed.slice(0, Math.max(0, all.length - MAX_ROT_REPORTS)));
    return all.filter((one) => !spare.has(one)).slice(-MAX_ROT_REPORTS);
  }

  /** What an ECU suffers from now, if anything. */
  open(ecu: string): FailureReport | null {
    for (const one of this.#found.values()) {
      if (one.ecu === ecu && one.healedAt === null) return one.failure;
    }
    return null;
  }

  #open(place: RotPlace): RotReport | undefined {
    const found = this.#found.get(keyOf(place));
    return found?.healedAt === null ? found : undefined;
  }
}

/** What was in the way the last time no longer is. */
function untried({ waits: _waits, ...rest }: RotReport): RotReport {
  return rest;
}

function keyOf({ ecu, what }: RotPlace): string {
  return `${ecu} ${what}`;
}

/** A slot, as a place. */
export function placeOf(ecu: EcuPort, { slot }: WatchedSlot): RotPlace {
  return { ecu: ecu.serial, what: `slot ${slot}` };
}

/** Why a slot is not to be trusted. */
export function rotFailure(ecu: EcuPort, { slot, image, condemned }: WatchedSlot): UpdateFailure {
  const found = condemned ? "the loader refused it" : "its bytes are no longer those of the image";
  const message =
    `Cannot trust slot ${slot} of ${ecu.serial}, which holds ${image.version}: ${found}`;
  return new UpdateFailure(condemned ? "slotUnsound" : "slotRotten", ecu.serial, message);
}
