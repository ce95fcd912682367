/**
 * How far an ECU has come with its trial, read from its boot record and from what
 * runs: the record is the judge, so the answer survives any restart. Pure.
 *
 * @module
 */
import type { FailureName } from "shared/failure.ts";
import type { EcuImage, EcuInventory } from "vehicle/bus/ecu_port.ts";

/** How far an ECU has come. */
export type TrialView =
  | { readonly at: "armed" } // Marked; the old image still runs.
  | { readonly at: "testing" } // Runs, has not told of its self-test.
  | { readonly at: "tested" } // Its own checks passed; the trial time is not over.
  | { readonly at: "passed" }
  | { readonly at: "judged"; readonly failure: FailureName }
  | { readonly at: "spent" }; // No verdict, no tries: the power was cut.

/**
 * Reads an ECU's trial.
 *
 * @param inventory Its answer.
 * @param image What it should be trying.
 * @returns How far it has come.
 */
export function trialView(inventory: EcuInventory, image: EcuImage): TrialView {
  const { running, record } = inventory;
  if (running !== null && isSame(running.image, image)) {
    if (!running.trial || running.passed) return { at: "passed" };
    return { at: running.selfTested ? "tested" : "testing" };
  }
  const slot = [record.A, record.B].find((one) => one.image !== null && isSame(one.image, image));
  if (slot === undefined) return { at: "judged", failure: "slotUnsound" };
  if (slot.verdict !== null) return { at: "judged", failure: slot.verdict };
  if (slot.unbootable) return { at: "judged", failure: "slotUnsound" };
  return slot.successful || slot.triesRemaining > 0 ? { at: "armed" } : { at: "spent" };
}

/**
 * Whether two images are the same release: the same bytes may be released again.
 *
 * @param a One.
 * @param b The other.
 * @returns Whether digest and counter agree.
 */
export function isSame(a: EcuImage, b: EcuImage): boolean {
  return a.sha256 === b.sha256 && a.counter === b.counter;
}
