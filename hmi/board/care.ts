/**
 * What the board says of rot in a vehicle: pure.
 *
 * @module
 */
import { type Care, careOf } from "shared/care.ts";
import type { Vehicle } from "shared/protocol/api.ts";
import type { EcuReport, RotReport } from "shared/protocol/messages.ts";
import type { Tone } from "../copy.ts";
import type { IconName } from "../parts/icon.tsx";

/** Where rot stands, as a chip. */
export interface CareChip {
  readonly label: string;
  readonly tone: Tone;
  readonly icon: IconName;
}

const CARE_COPY: Record<Care, CareChip> = {
  found: { label: "Rot found", tone: "warn", icon: "alert" },
  healing: { label: "Being healed", tone: "busy", icon: "wrench" },
  waiting: { label: "Not healed yet", tone: "warn", icon: "clock" },
  healed: { label: "Healed", tone: "good", icon: "check" },
};

/**
 * Where rot stands, as a chip. One that only waits for the line to the server says so.
 *
 * @param rot What was found.
 * @returns What to draw.
 */
export function careChip(rot: RotReport): CareChip {
  const care = careOf(rot);
  const offline = care === "waiting" && rot.waits?.stage === "download";
  return offline
    ? { ...CARE_COPY.waiting, label: "Waits for the server", icon: "offline" }
    : CARE_COPY[care];
}

/** The rot of one ECU, or of the gateway: what is open, and what was healed, newest first. */
export interface EcuRot {
  readonly open: readonly RotReport[];
  readonly healed: readonly RotReport[];
}

/**
 * The rot of one ECU.
 *
 * @param vehicle The vehicle.
 * @param serial The ECU, or `gateway`.
 * @returns Open and healed.
 */
export function rotOf({ rot = [] }: Vehicle, serial: string): EcuRot {
  const own = rot.filter(({ ecu }) => ecu === serial);
  return {
    open: own.filter(({ healedAt }) => healedAt === null),
    healed: own.filter(({ healedAt }) => healedAt !== null)
      .sort((a, b) => Date.parse(b.healedAt!) - Date.parse(a.healedAt!)),
  };
}

/**
 * An ECU's failure, unless it is told as its rot already.
 *
 * @param ecu The ECU.
 * @param rot Its rot.
 * @returns The failure to show beside it.
 */
export function failureBeside({ failure }: EcuReport, rot: EcuRot): EcuReport["failure"] {
  const told = rot.open.some((one) => one.failure.message === failure?.message);
  return told ? null : failure;
}
