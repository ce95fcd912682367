/**
 * What the boot records alone tell of a way back that all of a bundle was to take: who has taken it,
 * and who has not. So it goes on without the journal that began it (decision 0011). Pure.
 *
 * @module
 */
import { otherSlot, slotFloor, wentBack } from "vehicle/bootloader/boot_record.ts";
import type { EcuInventory } from "vehicle/bus/ecu_port.ts";
import { isSame } from "./trial_view.ts";

const SLOTS = ["A", "B"] as const;

/**
 * Whether an ECU confirmed a release of a bundle and has it still, in a slot from which it has not
 * gone back, whether that slot is the one to boot or only the way back of a later release.
 *
 * @param ecu How it stands.
 * @param bundle The tag.
 * @returns Whether it has.
 */
export function keeps({ record, running }: EcuInventory, bundle: string): boolean {
  return SLOTS.some((at) => {
    const { image, successful, bundle: tag } = record[at];
    if (!successful || tag !== bundle) return false;
    return !wentBack(record, at) || (running !== null && isSame(running.image, image!));
  });
}

/**
 * The same, and nothing later was confirmed there: the ECU runs its part, or is to run it.
 *
 * @param ecu How it stands.
 * @param bundle The tag.
 * @returns Whether it does.
 */
export function runsOn(ecu: EcuInventory, bundle: string): boolean {
  const at = SLOTS.find((slot) => ecu.record[slot].bundle === bundle);
  if (at === undefined || !keeps(ecu, bundle)) return false;
  return slotFloor(ecu.record[otherSlot(at)]) < slotFloor(ecu.record[at]);
}

/** It had its part of a bundle, and has gone back from it. */
function isBack({ record }: EcuInventory, bundle: string): boolean {
  return SLOTS.some((at) => {
    const { bundle: tag, owed } = record[at];
    return (tag === bundle && wentBack(record, at)) || (owed?.back && owed.bundle === bundle);
  });
}

/**
 * The ECUs of a bundle that confirmed their part, and have nothing later.
 *
 * @param bundle The tag.
 * @param inventories The roll call.
 * @returns Their serials.
 */
export function partners(bundle: string, inventories: readonly EcuInventory[]): string[] {
  return inventories.filter((one) => runsOn(one, bundle) || isBack(one, bundle))
    .map(({ serial }) => serial);
}

/**
 * A bundle from which some of its ECUs have gone back, and others not.
 *
 * @param inventories The roll call: of all ECUs, since the one that is missing may decide.
 * @returns The serials of all that go back together, or `undefined` if no bundle is half way.
 */
export function halfBack(inventories: readonly EcuInventory[]): string[] | undefined {
  const bundles = new Set(
    inventories.flatMap(({ record }) =>
      SLOTS.flatMap((at) => [record[at].bundle, record[at].owed?.bundle]).filter((tag) => !!tag)
    ),
  );
  for (const bundle of bundles) {
    const back = inventories.some((one) => isBack(one, bundle!) && !runsOn(one, bundle!));
    if (back && inventories.some((one) => runsOn(one, bundle!))) {
      return partners(bundle!, inventories);
    }
  }
  return undefined;
}
