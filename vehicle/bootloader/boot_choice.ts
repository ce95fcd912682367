/**
 * Which slot to boot: a pure function of the two slot records. Ordered rows, the
 * first that fits decides, the last fits all.
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import type { Slot } from "shared/protocol/common.ts";
import type { BootRecord, SlotRecord } from "./boot_record.ts";

/** What counts about one slot. */
export interface SlotView {
  /** It holds an image and is not marked unbootable. */
  readonly bootable: boolean;
  /** It was confirmed. */
  readonly successful: boolean;
  /** A trial has tries left. */
  readonly tries: boolean;
}

/** The loader's answer about the preferred and the other slot. */
export type BootChoice = "preferred" | "other" | "recovery";

type Pattern = Partial<SlotView>;
const ANY: Pattern = {};
const CONFIRMED: Pattern = { bootable: true, successful: true };
const TRIAL: Pattern = { bootable: true, successful: false, tries: true };

// deno-fmt-ignore
/** The rows, in order; the documents draw them. */
export const RULES: readonly (readonly [Pattern, Pattern, BootChoice])[] = [
  // preferred   other       boot
  [CONFIRMED,    ANY,        "preferred"],
  [TRIAL,        ANY,        "preferred"],
  [ANY,          CONFIRMED,  "other"],
  [ANY,          TRIAL,      "other"],
  [ANY,          ANY,        "recovery"],
];

/**
 * Chooses between the slot of the higher priority and the other.
 *
 * @param preferred The slot of the higher priority.
 * @param other The other one.
 * @returns Which to boot, or `recovery` if none may run.
 */
export function chooseBoot(preferred: SlotView, other: SlotView): BootChoice {
  const row = RULES.find(([first, second]) => fits(first, preferred) && fits(second, other));
  invariant(row, "the last rule must fit every pair");
  return row[2];
}

/**
 * Chooses from a boot record.
 *
 * @param record The record.
 * @returns The slot to boot, or `null` for recovery.
 */
export function chooseSlot(record: BootRecord): Slot | null {
  const preferred: Slot = record.B.priority > record.A.priority ? "B" : "A";
  const other: Slot = preferred === "A" ? "B" : "A";
  const choice = chooseBoot(view(record[preferred]), view(record[other]));
  return choice === "preferred" ? preferred : choice === "other" ? other : null;
}

function view(slot: SlotRecord): SlotView {
  return {
    bootable: slot.image !== null && !slot.unbootable,
    successful: slot.successful,
    tries: slot.triesRemaining > 0,
  };
}

function fits(pattern: Pattern, slot: SlotView): boolean {
  return (Object.keys(pattern) as (keyof SlotView)[]).every((key) => pattern[key] === slot[key]);
}
