/**
 * Whether the vehicle may call itself drivable: every ECU answers and runs a sound image that was
 * confirmed, and of releases that belong together either all run or none. Pure.
 *
 * @module
 */
import { counterFloor, type SlotRecord } from "vehicle/bootloader/boot_record.ts";
import type { EcuInventory } from "vehicle/bus/ecu_port.ts";
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
    const left = fellBehind(inventory, inventories);
    if (left !== undefined) {
      return `${serial} fell back from ${left.image!.version}, others did not`;
    }
  }
  return undefined;
}

/** A release that an ECU had confirmed and no longer runs, while its partners still do. */
function fellBehind(
  { serial, running, record }: EcuInventory,
  inventories: readonly EcuInventory[],
): SlotRecord | undefined {
  const floor = counterFloor(record);
  if (running === null || running.image.counter >= floor) return undefined;
  const left = slots(record).find((slot) => slot.successful && slot.image?.counter === floor)!;
  const others = inventories.filter((one) => one.serial !== serial);
  // Without a tag, as earlier versions left it, every other ECU may be its partner.
  const partnered = others.some((one) =>
    !left.bundle || slots(one.record).some((slot) => slot.successful && slot.bundle === left.bundle)
  );
  return partnered ? left : undefined;
}

function slots(record: EcuInventory["record"]): SlotRecord[] {
  return [record.A, record.B];
}
