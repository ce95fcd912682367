/**
 * Whether the vehicle may call itself drivable: every ECU answers and runs a sound image that was
 * confirmed, and of releases that belong together either all run or none. Pure.
 *
 * @module
 */
import { counterFloor, type SlotRecord } from "vehicle/bootloader/boot_record.ts";
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
    if (fellBehind(inventory, inventories) || misses(inventory, inventories)) {
      return `${serial} does not run the release that belongs to those of others`;
    }
  }
  return undefined;
}

/** An ECU had confirmed a release and no longer runs it, while its partners still do. */
function fellBehind(
  { serial, running, record }: EcuInventory,
  all: readonly EcuInventory[],
): boolean {
  const floor = counterFloor(record);
  if (running === null || running.image.counter >= floor) return false;
  const left = slots(record).find((slot) => slot.successful && slot.image?.counter === floor)!;
  const others = all.filter((one) => one.serial !== serial);
  // Without a tag, as earlier versions left it, every other ECU may be its partner.
  return others.some((one) => left.bundle ? keeps(one, left.bundle) : !wentBack(left, record));
}

/** A slot was emptied, to be filled anew, that held a release whose partners are confirmed. */
function misses({ serial, record }: EcuInventory, all: readonly EcuInventory[]): boolean {
  return slots(record).some(({ image, bundle }) =>
    image === null && bundle && all.some((one) => one.serial !== serial && keeps(one, bundle))
  );
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
