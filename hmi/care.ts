/**
 * What the head unit says of rot: to a driver only whether it matters to them, on the page of the
 * vehicle what has rotted and how far its repair is. Pure.
 *
 * @module
 */
import { type Care, careOf } from "shared/care.ts";
import type { HmiSnapshot } from "shared/protocol/hmi.ts";
import type { EcuReport, RotReport } from "shared/protocol/messages.ts";
import { FAILURE_COPY, type Tone } from "./copy.ts";
import type { IconName } from "./parts/icon.tsx";

/** One line for the driver. */
export interface CareNote {
  readonly tone: Tone;
  readonly icon: IconName;
  readonly text: string;
  /** At most 30 characters: all that may be read while moving; `null` where nothing need be. */
  readonly moving: string | null;
}

/**
 * What a driver must know beside the phase: that the vehicle must not be driven, and why, or that it
 * repairs itself meanwhile.
 *
 * @param snapshot What the gateway says.
 * @returns The line; `null` if there is nothing to say.
 */
export function careNote(snapshot: HmiSnapshot): CareNote | null {
  const repairs = (snapshot.rot ?? []).filter(isSlot).filter(({ healedAt }) => healedAt === null);
  const ecus = new Set(repairs.map(({ ecu }) => ecu)).size;
  if (snapshot.driveLock) return locked(snapshot, ecus);
  if (ecus === 0) return null;
  const who = ecus === 1 ? "One control unit" : `${ecus} control units`;
  const is = ecus === 1 ? "is" : "are";
  const stuck = repairs.every((one) => careOf(one) === "waiting");
  const offline = repairs.every(({ waits }) => waits?.stage === "download");
  const text = !stuck
    ? `${who} ${is} being repaired.`
    : offline
    ? `${who} ${is} to be repaired once the server is there.`
    : `${who} ${is} damaged and cannot be repaired yet.`;
  return { tone: "calm", icon: "wrench", text: `${text} You can drive.`, moving: null };
}

function locked({ ecus }: HmiSnapshot, repairs: number): CareNote {
  const lock = { tone: "bad", icon: "lock" } as const;
  if (repairs > 0) {
    const text = "Do not drive. A control unit is being repaired: it goes on by itself.";
    return { ...lock, text, moving: "Stop safely. Being repaired" };
  }
  const failing = ecus.find(({ failure }) => failure !== null)?.failure?.name;
  const why = failing === undefined
    ? "The vehicle checks its control units"
    : FAILURE_COPY[failing];
  return { ...lock, text: `Do not drive. ${why}.`, moving: "Stop safely. Do not drive" };
}

/** Records are whole again as soon as they are found rotten: nothing for a screen. */
function isSlot({ what }: RotReport): boolean {
  return what.startsWith("slot ");
}

/** One slot on the page of the vehicle. */
export interface CareRow {
  /** Such as `Slot B`. */
  readonly place: string;
  readonly tone: Tone;
  readonly icon: IconName;
  readonly label: string;
}

/**
 * What the page of the vehicle says of one ECU's slots.
 *
 * @param snapshot What the gateway says.
 * @param serial The ECU.
 * @returns A row for each slot that rotted since the vehicle has power, A first.
 */
export function careRows({ rot = [] }: HmiSnapshot, serial: string): CareRow[] {
  const own = rot.filter((one) => one.ecu === serial && isSlot(one));
  return own.toSorted((a, b) => a.what < b.what ? -1 : 1).map((one) => ({
    ...LOOK[careOf(one)],
    place: one.what.charAt(0).toUpperCase() + one.what.slice(1),
    label: labelOf(one),
  }));
}

const LOOK: Record<Care, { readonly tone: Tone; readonly icon: IconName }> = {
  found: { tone: "warn", icon: "alert" },
  healing: { tone: "busy", icon: "wrench" },
  waiting: { tone: "warn", icon: "clock" },
  healed: { tone: "good", icon: "check" },
};

function labelOf(rot: RotReport): string {
  const { healing, waits } = rot;
  const labels: Record<Care, string> = {
    found: "Damaged",
    healing: `Repairing, ${healing?.doneLeaves} of ${healing?.totalLeaves}`,
    waiting: waits?.stage === "download" ? "Waits for server" : `No repair yet (${waits?.code})`,
    healed: "Repaired",
  };
  return labels[careOf(rot)];
}

/**
 * Whether an ECU's failure is more than the rot that the page tells anyway.
 *
 * @param ecu The ECU.
 * @param snapshot What the gateway says.
 * @returns Whether to show it.
 */
export function hasOwnFailure({ serial, failure }: EcuReport, { rot = [] }: HmiSnapshot): boolean {
  return failure !== null &&
    !rot.some((one) =>
      one.ecu === serial && one.healedAt === null && one.failure.message === failure.message
    );
}
