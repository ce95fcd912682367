/**
 * A journal whose two copies are lost, made anew from the targets and the boot records. Pure.
 *
 * Only one thing must not be forgotten: that the commit point was passed. An ECU that has confirmed
 * its target says so, since nothing is confirmed before.
 *
 * @module
 */
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { EcuInventory } from "vehicle/bus/ecu_port.ts";
import { type JournalEcu, type JournalState, NEW_JOURNAL } from "./journal.ts";
import { imageOf } from "./plan.ts";
import { isSame } from "./trial_view.ts";

/**
 * Makes the journal.
 *
 * @param targets The targets that were under way, or the last ones.
 * @param inventories The roll call.
 * @returns A journal that goes forward if some ECUs have confirmed and others are still to; else a
 * new one, under which trials are taken back.
 */
export function rebuildJournal(
  targets: DirectorTargets,
  inventories: readonly EcuInventory[],
): JournalState {
  const members = inventories.filter(({ serial }) => serial in targets.ecus);
  const slots = members.map(({ serial, record }) => {
    const image = imageOf(targets.ecus[serial]!);
    return [record.A, record.B].find((slot) => slot.image !== null && isSame(slot.image, image));
  });
  const confirmed = slots.some((slot) => slot?.successful === true);
  const pending = slots.some((slot) => slot?.successful === false && slot.verdict === null);
  if (!confirmed || !pending) return NEW_JOURNAL;
  const line: JournalEcu = { state: "trial", failure: null, from: null };
  return {
    ...NEW_JOURNAL,
    phase: "confirmAll",
    campaign: targets.campaign,
    directorVersion: targets.version,
    ecus: Object.fromEntries(members.map(({ serial }) => [serial, line])),
    members: members.map(({ serial }) => serial),
  };
}
