/**
 * What the releases that were confirmed need beside them, kept in the journal: rot may take a partner
 * long after the update, and a release never runs without what it needs. Pure.
 *
 * @module
 */
import { needOf, unmetNeed } from "shared/needs.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { EcuInventory } from "vehicle/bus/ecu_port.ts";
import type { JournalState } from "./journal.ts";

/** By ECU: the release that it confirmed, and what that needs. */
export type KeptNeeds = NonNullable<JournalState["needs"]>;

/**
 * The needs after an update.
 *
 * @param before Those before it.
 * @param targets What the ECUs were given.
 * @param members The ECUs that confirmed it.
 * @returns Those of all ECUs; without an ECU whose release needs nothing.
 */
export function keptNeeds(
  before: KeptNeeds = {},
  targets: DirectorTargets | null,
  members: readonly string[],
): KeptNeeds {
  const others = Object.entries(before).filter(([serial]) => !members.includes(serial));
  const own = members.flatMap((serial) => {
    const release = targets?.ecus[serial]?.release;
    if (release === undefined || release.needs.length === 0) return [];
    const { counter, needCounters } = release;
    const needs = release.needs.map((id) => ({ release: id, counter: needCounters?.[id] ?? null }));
    return [[serial, { counter, needs }] as const];
  });
  return Object.fromEntries([...others, ...own]);
}

/**
 * Looks for a release that runs without what it needs.
 *
 * @param kept The needs.
 * @param inventories The roll call.
 * @returns Why the vehicle must not be driven, in words; `undefined` if nothing is missing.
 */
export function lackOf(
  kept: KeptNeeds = {},
  inventories: readonly EcuInventory[],
): string | undefined {
  const ecus = inventories.map(({ hardware, running }) => {
    const image = running === null || running.trial ? undefined : running.image;
    const release = image === undefined ? null : `${hardware}/${image.version}`;
    return { hardware, release, counter: image?.counter ?? null };
  });
  for (const { serial, running } of inventories) {
    const own = kept[serial];
    // What it fell back to has needs of its own, which were met when it was confirmed.
    if (own === undefined || running?.image.counter !== own.counter) continue;
    const needs = own.needs.map(({ release, counter }) => needOf(release, counter ?? undefined));
    const why = unmetNeed(needs, ecus);
    if (why !== undefined) return `${serial} runs ${running.image.version}: ${why}`;
  }
  return undefined;
}
