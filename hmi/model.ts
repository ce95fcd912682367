/**
 * What the screens show, worked out from a snapshot: pure, so that every case is a
 * plain test. Nothing here decides anything; the gateway does.
 *
 * @module
 */
import type { HmiOffer, HmiSnapshot } from "shared/protocol/hmi.ts";
import type { EcuReport } from "shared/protocol/messages.ts";
import type { EcuState, Slot } from "shared/protocol/common.ts";
import { SEGMENT_BYTES, SYNC_BYTES } from "shared/limits.ts";
import { formatBytes, formatRate, formatSpan, percent } from "./format.ts";
import { INERT_PHASES } from "./copy.ts";

/** The one card that may be shown, the full page, or the page that cannot be touched. */
export type Mode = "moving" | "inert" | "parked";

/**
 * How much may be shown. Unknown speed counts as moving. While the gateway keeps the
 * vehicle locked, what is under way is shown whatever the speed signal says.
 *
 * @param snapshot What the gateway says.
 * @returns The mode.
 */
export function modeOf(snapshot: HmiSnapshot): Mode {
  if (INERT_PHASES.includes(snapshot.phase)) return "inert";
  const { speedKmh } = snapshot.signals;
  return speedKmh === null || speedKmh > 0 ? "moving" : "parked";
}

/** Progress of the download in words. */
export interface ProgressView {
  readonly percent: number;
  /** `38 MB of 412 MB` */
  readonly amount: string;
  /** `4.2 MB/s`, or that it waits. */
  readonly rate: string;
  /** `about 40 s left`, empty when it cannot be known. */
  readonly eta: string;
}

/**
 * The download in words.
 *
 * @param progress Bytes done, bytes in all, bytes a second.
 * @returns Texts; an end in sight only while bytes arrive.
 */
export function progressView(progress: NonNullable<HmiSnapshot["progress"]>): ProgressView {
  const { doneBytes, totalBytes, bytesPerSecond } = progress;
  const left = Math.max(0, totalBytes - doneBytes);
  const moving = bytesPerSecond > 0 && left > 0;
  return {
    percent: percent(doneBytes, totalBytes),
    amount: `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    rate: left === 0 ? "Complete" : moving ? formatRate(bytesPerSecond) : "Waiting for data",
    eta: moving ? `about ${formatSpan(Math.max(1, left / bytesPerSecond))} left` : "",
  };
}

/**
 * What a power cut would leave of the download. A segment counts once it is whole and synced, some
 * at a time; of a patch it is not known where in it the segments end, only that none is longer than
 * a whole one.
 *
 * @param snapshot What the gateway says.
 * @returns Whole percent that are certain to be there afterwards.
 */
export function keptPercent({ progress, ecus }: HmiSnapshot): number {
  if (progress === null) return 0;
  const lostBytes = ecus.reduce((sum, { progress: own }) => {
    if (own === null || own.doneBytes === own.totalBytes) return sum;
    const open = own.via === "full" ? own.doneBytes % SEGMENT_BYTES : SEGMENT_BYTES;
    const unsynced = SYNC_BYTES - SEGMENT_BYTES; // Whole segments that wait for their sync at most.
    return sum + Math.min(own.doneBytes, open + unsynced);
  }, 0);
  return percent(Math.max(0, progress.doneBytes - lostBytes), progress.totalBytes);
}

/** One slot as the diagram draws it. */
export interface SlotView {
  readonly slot: Slot;
  /** `filling`: being written. `trial`: boots, unproved. `struck`: gone back from. */
  readonly role: "running" | "spare" | "filling" | "full" | "trial" | "struck" | "empty";
  readonly version: string;
  readonly label: string;
  /** How far it is filled, 0 to 100. */
  readonly fill: number;
}

/** The diagram of one ECU: two slots and the lever that says which boots next. */
export interface SlotsView {
  readonly slots: readonly [SlotView, SlotView];
  /** `null` in recovery: nothing boots. */
  readonly lever: Slot | null;
  /** What the lever says: `Boots A`, `3 tries`, `Locked`. */
  readonly leverLabel: string;
  readonly locked: boolean;
  /** The whole picture in one sentence, for screen readers. */
  readonly spoken: string;
}

const WRITING: readonly EcuState[] = ["downloading", "verifying"];
const STAGED: readonly EcuState[] = ["ready", "waiting", "installing", "installed", "postponed"];
const TRYING: readonly EcuState[] = ["activating", "trial"];
const BACK: readonly EcuState[] = ["rollingBack", "rolledBack"];

/**
 * The slot diagram of one ECU (hmi.md 5): the target fills while it is written, the
 * lever moves only when the trial is marked, and locks when it is confirmed.
 *
 * @param ecu The ECU's report.
 * @returns What to draw.
 */
export function slotsView(ecu: EcuReport): SlotsView {
  const armed = armedSlot(ecu);
  const lever = armed ?? ecu.slot;
  const slots = [slotView(ecu, "A", armed), slotView(ecu, "B", armed)] as const;
  const tries = armed === null ? 0 : ecu.slots[armed].triesRemaining;
  const locked = armed === null && ecu.slot !== null;
  const leverLabel = lever === null
    ? "Nothing boots"
    : armed === null
    ? `Boots ${lever}`
    : tries === 1
    ? "1 try left"
    : `${tries} tries left`;
  const spoken = slots.map((slot) => `Slot ${slot.slot}: ${slot.label}, ${slot.version}`)
    .concat(leverLabel).join(". ");
  return { slots, lever, leverLabel, locked, spoken };
}

/** The slot that boots next on trial, if one is marked for it. */
function armedSlot(ecu: EcuReport): Slot | null {
  if (BACK.includes(ecu.state)) return null;
  const isArmed = (slot: Slot) => {
    const { successful, unbootable, version } = ecu.slots[slot];
    const marked = ecu.slots[slot].triesRemaining > 0 || ecu.slot === slot;
    return version !== null && !successful && !unbootable && marked;
  };
  if (!TRYING.includes(ecu.state) && ecu.state !== "installed") return null;
  return (["A", "B"] as const).find(isArmed) ?? null;
}

function slotView(ecu: EcuReport, slot: Slot, armed: Slot | null): SlotView {
  const report = ecu.slots[slot];
  const version = report.version ?? "empty";
  const full = (role: SlotView["role"], label: string, shown = version): SlotView => ({
    ...{ slot, role, label },
    version: shown,
    fill: 100,
  });
  if (armed === slot) return full("trial", "On trial");
  if (ecu.slot === slot) return full("running", "Running");
  // A slot is blank in the boot record until it is armed: what is written comes from `desired`.
  const coming = ecu.desired?.version ?? version;
  if (slot === targetSlot(ecu)) {
    if (ecu.state === "verifying") return full("filling", "Verifying", coming);
    if (WRITING.includes(ecu.state)) {
      const { doneBytes = 0, totalBytes = 0 } = ecu.progress ?? {};
      const fill = percent(doneBytes, totalBytes);
      return { slot, role: "filling", version: coming, label: `Writing ${fill}\u00a0%`, fill };
    }
    if (STAGED.includes(ecu.state)) return full("full", "Ready", coming);
  }
  if (report.version === null) return { slot, role: "empty", version, label: "Empty", fill: 0 };
  const failed = report.unbootable || BACK.includes(ecu.state) && !report.successful;
  return failed ? full("struck", "Failed") : full("spare", "Spare");
}

/** The slot that an update is written to: never the one that runs. */
function targetSlot({ slot, slots }: EcuReport): Slot {
  if (slot !== null) return slot === "A" ? "B" : "A";
  return slots.A.version === null ? "A" : "B";
}

/** What the offer says in a few facts. */
export interface OfferFacts {
  /** `About 6 min` */
  readonly installs: string;
  /** `About 40 s, stay parked` */
  readonly restart: string;
  /** `38 MB`: what travels. */
  readonly transfer: string;
  /** `38 MB of 412 MB`, or just the size. */
  readonly size: string;
}

/**
 * The two times that matter and the size.
 *
 * @param offer The offer.
 * @returns Texts.
 */
export function offerFacts(offer: HmiOffer): OfferFacts {
  const sum = (pick: (release: HmiOffer["releases"][number]) => number) =>
    offer.releases.reduce((total, release) => total + pick(release), 0);
  const [transfer, image] = [sum((r) => r.transferBytes), sum((r) => r.imageBytes)];
  return {
    installs: `About ${formatSpan(offer.minutes * 60)}`,
    restart: `About ${formatSpan(Math.max(1, offer.restartSeconds))}, stay parked`,
    transfer: formatBytes(transfer),
    size: transfer < image
      ? `${formatBytes(transfer)} of ${formatBytes(image)}`
      : formatBytes(image),
  };
}

/**
 * The note on time: how long the release takes, how long the restart of them all.
 *
 * @param offer The offer.
 * @param release One of its releases.
 * @returns One line.
 */
export function timeNote(offer: HmiOffer, release: HmiOffer["releases"][number]): string {
  const { installs, restart, size } = offerFacts(offer);
  if (offer.releases.length === 1) return `${installs}, ${size}. Restart: ${lower(restart)}`;
  const own = `About ${formatSpan(release.notes.minutes * 60)}`;
  return `${own}, together ${lower(installs)}. Restart: ${lower(restart)}`;
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** Where the installation stands, as steps with a tick, a mark for now, or nothing yet. */
export interface Step {
  readonly label: string;
  readonly state: "done" | "now" | "next";
}

const STEPS = [
  "Software written and verified",
  "Marked for trial",
  "Restart",
  "Self-tests",
  "Confirmed",
];
const STEP_OF: Partial<Record<HmiSnapshot["phase"], number>> = {
  installing: 1,
  restarting: 2,
  trial: 3,
  confirming: 4,
};

/**
 * The steps of an installation.
 *
 * @param phase An inert phase.
 * @returns The steps; empty when it goes back.
 */
export function stepsOf(phase: HmiSnapshot["phase"]): readonly Step[] {
  const now = STEP_OF[phase];
  if (now === undefined) return [];
  return STEPS.map((label, at) => ({
    label,
    state: at < now ? "done" : at === now ? "now" : "next",
  }));
}

/**
 * The ECU worth looking at: one that fails or works, else the head unit, else the first.
 *
 * @param ecus All ECUs, at least one.
 * @returns One of them.
 */
export function leadingEcu(ecus: readonly EcuReport[]): EcuReport | undefined {
  const rank = (ecu: EcuReport) =>
    ecu.slot === null
      ? 0
      : BACK.includes(ecu.state)
      ? 1
      : TRYING.includes(ecu.state)
      ? 2
      : ecu.state === "downloading"
      ? 3
      : ecu.state === "verifying"
      ? 4
      : ecu.serial === "ivi"
      ? 5
      : 6;
  return [...ecus].sort((a, b) => rank(a) - rank(b))[0];
}

/**
 * The order in which ECUs are listed: the one the driver sits in front of comes first.
 *
 * @param ecus All ECUs.
 * @returns The same ones.
 */
export function headUnitFirst(ecus: readonly EcuReport[]): EcuReport[] {
  return ecus.toSorted((a, b) => Number(b.serial === "ivi") - Number(a.serial === "ivi"));
}

/**
 * What remains of a countdown that the gateway gave some time ago.
 *
 * @param secondsLeft As given.
 * @param ageMs Milliseconds since then.
 * @returns Whole seconds, 0 or more.
 */
export function countdown(secondsLeft: number, ageMs: number): number {
  return Math.max(0, Math.ceil(secondsLeft - Math.max(0, ageMs) / 1000));
}
