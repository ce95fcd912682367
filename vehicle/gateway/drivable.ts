/**
 * Whether the vehicle may call itself drivable: every ECU answers and runs a sound image that was
 * confirmed, and of releases that belong together either all run or none. Pure.
 *
 * @module
 */
import { type OwedRelease, wentBack } from "vehicle/bootloader/boot_record.ts";
import type { EcuInventory } from "vehicle/bus/ecu_port.ts";
import { keeps, runsOn } from "./half_way.ts";
import { strays } from "./strays.ts";
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
 * A release was confirmed here, or was to be, that does not run, though nobody took its bundle back:
 * it is in a slot that does not boot, or its slot was taken for another image.
 */
function fellBehind(
  { serial, running, record }: EcuInventory,
  all: readonly EcuInventory[],
): boolean {
  const others = all.filter((one) => one.serial !== serial);
  return (["A", "B"] as const).flatMap((slot) => wanted(slot, record)).some(
    ({ counter, bundle, successful, back }) => {
      if (running !== null && running.image.counter >= counter) return false;
      if (!bundle) return false; // It came for this ECU alone.
      // It confirmed its part. That is true whatever its partners have taken since.
      if (successful && !back) return true;
      return others.some((one) => back ? runsOn(one, bundle) : keeps(one, bundle));
    },
  );
}

/** What a slot says should run, or should not as long as its partners do not run theirs. */
function wanted(at: "A" | "B", record: EcuInventory["record"]): OwedRelease[] {
  const { image, successful, bundle = null, owed } = record[at];
  const kept = image !== null && successful
    ? [{ counter: image.counter, bundle, successful, back: wentBack(record, at) }]
    : [];
  // Of a trial that failed, only the tag is left once its slot was emptied.
  const missed = image === null && bundle && bundle !== owed?.bundle
    ? [{ counter: Infinity, bundle, successful }]
    : [];
  return [...kept, ...missed, ...owed ? [owed] : []];
}
