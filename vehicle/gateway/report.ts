/**
 * The vehicle's report, made from the roll call and the journal. Pure.
 *
 * @module
 */
import { failureKind, type FailureName, FAILURES, type UpdateFailure } from "shared/failure.ts";
import type { FailureReport } from "shared/protocol/common.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { EcuReport, LastError } from "shared/protocol/messages.ts";
import { chooseSlot } from "vehicle/bootloader/boot_choice.ts";
import { isEmpty, type SlotRecord } from "vehicle/bootloader/boot_record.ts";
import type { EcuInventory } from "vehicle/bus/ecu_port.ts";
import { stillShown } from "shared/supervise.ts";
import type { JournalEcu } from "./journal.ts";

/** Bytes on their way to one ECU. */
export type Progress = NonNullable<EcuReport["progress"]>;

/**
 * One ECU's line of the report.
 *
 * @param inventory Its answer to the roll call.
 * @param journal Its last assignment, if it ever had one.
 * @param targets What is under way.
 * @param progress Bytes on their way.
 * @param rot What it suffers from beside updates.
 * @returns The line.
 */
export function ecuReport(
  inventory: EcuInventory,
  journal: JournalEcu | undefined,
  targets: DirectorTargets | null,
  progress: Progress | null,
  rot: FailureReport | null = null,
): EcuReport {
  const { running, record, trouble } = inventory;
  const target = targets?.ecus[inventory.serial]?.release;
  return {
    serial: inventory.serial,
    hardware: inventory.hardware,
    slotBytes: inventory.slotBytes,
    state: journal?.state ?? "idle",
    slot: running?.slot ?? null,
    version: running?.image.version ?? null,
    counter: running?.image.counter ?? null,
    sha256: running?.image.sha256 ?? null,
    slots: { A: slotReport(record.A), B: slotReport(record.B) },
    desired: target ? { version: target.version, sha256: target.sha256 } : null,
    progress,
    failure: trouble
      ? failureReport(trouble.failure, trouble.detail)
      : rot ?? journal?.failure ?? recovery(inventory),
  };
}

/** An ECU that has a past and nothing left to boot. */
function recovery({ running, record }: EcuInventory): FailureReport | null {
  const lost = running === null && !isEmpty(record) && chooseSlot(record) === null;
  return lost ? failureReport("noBootableSlot") : null;
}

function slotReport(slot: SlotRecord): EcuReport["slots"]["A"] {
  const { successful, unbootable, triesRemaining } = slot;
  const [version, sha256] = [slot.image?.version ?? null, slot.image?.sha256 ?? null];
  return { version, sha256, successful, unbootable, triesRemaining };
}

/**
 * Why the process was restarted, as long as that is to be told.
 *
 * @param lastError Why, if it was.
 * @param nowMs Milliseconds since the epoch.
 * @returns The field, or none.
 */
export function errorField(
  lastError: LastError | undefined,
  nowMs: number,
): { readonly lastError?: LastError } {
  const shown = stillShown(lastError, nowMs);
  return shown === undefined ? {} : { lastError: shown };
}

/**
 * A failure as it is reported.
 *
 * @param error The failure, or its name with what is known in words.
 * @param detail What was found; the catalogue's remedy if nothing is known.
 * @returns Code, name, stage and message.
 */
export function failureReport(error: UpdateFailure | FailureName, detail?: string): FailureReport {
  const name = typeof error === "string" ? error : error.failure;
  const message = typeof error === "string"
    ? detail ?? failureKind(name).remedy
    : detail ?? error.message;
  const { code, stage } = FAILURES[name];
  return { code, name, stage, message: message.slice(0, 2000) };
}
