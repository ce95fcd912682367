/**
 * Whether the vehicle may call itself drivable: every ECU answers and runs a sound image that was
 * confirmed, and of releases that belong together either all run or none. Pure.
 *
 * @module
 */
import type { OwedRelease, SlotRecord } from "vehicle/bootloader/boot_record.ts";
import type { EcuInventory } from "vehicle/bus/ecu_port.ts";
import { strays } from "./strays.ts";
import { isSame } from "./trial_view.ts";
import { COMMITTED, type Phase } from "./update_table.ts";

/** What counts. */
export interface DrivableView {
  readonly phase: Phase;
  readonly inventories: readonly EcuInventory[];
  /** ECUs that do not answer. */
  readonly absent: ReadonlySet<string>;
}

/**
 * Looks for what keeps the vehicle from being driven.
 *
 * @param view What counts.
 * @returns Why it must not be driven, in words; `undefined` if it may be.
 */
export function undrivable({ phase, inventories, absent }: DrivableView): string | undefined {
  if (COMMITTED.includes(phase)) return `the update is in phase ${phase}`;
  const [lost] = absent;
  if (lost !== undefined) return `${lost} does not answer`;
  const [stray] = strays(inventories);
  if (stray !== undefined) {
    return `${stray.serial} has ${stray.image.version} neither confirmed nor given up`;
  }
  for (const inventory of inventories) {
    const { serial, running, record } = inventory;
    if (running === null && (record.A.image ?? record.B.image) !== null) {
      return `${serial} runs nothing`;
    }
    if (fellBehind(inventory, inventories)) {
      return `${serial} does not run the release that belongs to those of others`;
    }
  }
  return undefined;
}

/**
 * A release was confirmed here, or was to be, that does not run while its partners may run theirs:
 * it is in a slot that does not boot, or its slot was taken for another image.
 */
function fellBehind(
  { serial, running, record }: EcuInventory,
  all: readonly EcuInventory[],
): boolean {
  const others = all.filter((one) => one.serial !== serial);
  return slots(record).flatMap((slot) => wanted(slot, record)).some(
    ({ counter, bundle, successful }) => {
      if (running !== null && running.image.counter >= counter) return false;
      // Without a tag, as earlier versions left it, every other ECU may be its partner.
      if (!bundle) return successful && others.length > 0;
      return others.some((one) => keeps(one, bundle));
    },
  );
}

/** What a slot says should run. */
function wanted(slot: SlotRecord, record: EcuInventory["record"]): OwedRelease[] {
  const { image, successful, bundle, owed } = slot;
  // With a tag the partners tell whether all went back; without one only the slot itself does.
  const settled = !bundle && wentBack(slot, record);
  const kept = image !== null && successful && !settled
    ? [{ counter: image.counter, bundle: bundle ?? null, successful }]
    : [];
  // Of a trial that failed, only the tag is left once its slot was emptied.
  const missed = image === null && bundle ? [{ counter: Infinity, bundle, successful }] : [];
  return [...kept, ...missed, ...owed ? [owed] : []];
}

/** It confirmed a release of the bundle, and has not gone back from it with its partners. */
function keeps({ record, running }: EcuInventory, bundle: string): boolean {
  return slots(record).some((slot) =>
    slot.successful && slot.bundle === bundle &&
    (!wentBack(slot, record) || (running !== null && isSame(running.image, slot.image!)))
  );
}

/** A confirmed older image is preferred to it: the whole bundle was taken back (decision 0011). */
function wentBack(slot: SlotRecord, record: EcuInventory["record"]): boolean {
  return slots(record).some((other) =>
    other.successful && other.priority > slot.priority &&
    (other.image?.counter ?? Infinity) < (slot.image?.counter ?? 0)
  );
}

function slots(record: EcuInventory["record"]): SlotRecord[] {
  return [record.A, record.B];
}
