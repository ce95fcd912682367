/**
 * The vehicle-atomic part of an update: arm all, try all in order, confirm all or go
 * back all. Every step reads the boot records first and may be repeated after any cut.
 *
 * @module
 */
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import type { EcuState } from "shared/protocol/common.ts";
import { TRIAL_TRIES } from "shared/limits.ts";
import type { EcuImage, EcuPort } from "vehicle/bus/ecu_port.ts";
import { isSame, trialView } from "./trial_view.ts";
import type { Wake } from "./wake.ts";

/** One ECU of the update, in the order of restarts. */
export interface Member {
  readonly ecu: EcuPort;
  readonly image: EcuImage;
}

/** How a trial of all ended. */
export type TrialEnd =
  | { readonly end: "passed" }
  | { readonly end: "failed"; readonly serial: string; readonly failure: UpdateFailure }
  /** The power was cut so often that the tries are spent, and nothing was judged. */
  | { readonly end: "interrupted"; readonly serial: string };

/** Told of every step. */
export type OnState = (serial: string, state: EcuState) => void;

/** Gives an ECU a sound way back. */
export type Secure = (ecu: EcuPort) => Promise<void>;

/** How often the trials are looked at without a ring. */
const LOOK_EVERY_MS = 500;

/**
 * Marks every slot for trial. A slot that was armed before is left as it is.
 *
 * @param members The ECUs.
 * @param onState Told of every step.
 * @param secure Gives an ECU a sound way back, or throws.
 * @throws {UpdateFailure} If a slot no longer holds its image; then all must be taken back.
 */
export async function armAll(
  members: readonly Member[],
  onState: OnState,
  secure: Secure,
): Promise<void> {
  for (const { ecu, image } of members) {
    onState(ecu.serial, "installing");
    try {
      await ecu.arm(image);
    } catch (error) {
      if (!(error instanceof UpdateFailure) || error.failure !== "fallbackUnsound") throw error;
      await secure(ecu);
      await ecu.arm(image);
    }
    onState(ecu.serial, "installed");
  }
}

/**
 * Restarts one ECU after another into its trial; the next follows when the one before
 * has passed its own checks. Ends when all stood their trial time, or one did not.
 *
 * @param members The ECUs in the order of restarts.
 * @param onState Told of every step.
 * @param wake Rung when an ECU changes.
 * @param signal Ends the wait.
 * @returns How it ended.
 */
export async function trialAll(
  members: readonly Member[],
  onState: OnState,
  wake: Wake,
  signal: AbortSignal,
): Promise<TrialEnd> {
  for (;;) {
    const views = members.map((member) => ({
      ...member,
      view: trialView(member.ecu.inventory(), member.image),
    }));
    for (const { ecu, view } of views) {
      if (view.at === "judged") {
        const detail = ecu.inventory().verdictDetail;
        const message = `Cannot keep the trial of ${ecu.serial}: ${detail ?? view.failure}`;
        const failure = new UpdateFailure(view.failure, ecu.serial, message);
        return { end: "failed", serial: ecu.serial, failure };
      }
      if (view.at === "spent") return { end: "interrupted", serial: ecu.serial };
      onState(ecu.serial, view.at === "armed" ? "installed" : "trial");
    }
    if (views.every(({ view }) => view.at === "passed")) return { end: "passed" };
    const waiting = views.findIndex(({ view }) => view.at !== "tested" && view.at !== "passed");
    const next = views[waiting];
    if (next?.view.at === "armed") {
      onState(next.ecu.serial, "activating");
      await next.ecu.restart();
      continue;
    }
    await wake.wait(LOOK_EVERY_MS, signal);
  }
}

/**
 * Confirms all. Beyond the commit point the way leads only forward: an ECU that is found on
 * its old slot, because the power was cut, is armed and restarted again.
 *
 * @param members The ECUs.
 * @param onState Told of every step.
 * @returns The ECUs that can't go forward, with the reason: their new slot was judged meanwhile.
 */
export async function confirmAll(
  members: readonly Member[],
  onState: OnState,
): Promise<{ readonly serial: string; readonly failure: FailureName }[]> {
  const stuck: { serial: string; failure: FailureName }[] = [];
  for (const { ecu, image } of members) {
    for (let attempt = 0; attempt < TRIAL_TRIES; attempt++) {
      const view = trialView(ecu.inventory(), image);
      if (view.at === "judged") {
        stuck.push({ serial: ecu.serial, failure: view.failure });
        break;
      }
      if (view.at !== "armed" && view.at !== "spent") {
        ecu.confirm(image);
        onState(ecu.serial, "confirmed");
        break;
      }
      await ecu.arm(image);
      await ecu.restart();
    }
  }
  return stuck;
}

/**
 * Takes all back, in the reverse order of restarts.
 *
 * @param members The ECUs in the order of restarts.
 * @param verdicts Why, by ECU; without one the slot may be armed again.
 * @param onState Told of every step.
 */
export async function rollBackAll(
  members: readonly Member[],
  verdicts: ReadonlyMap<string, FailureName | null>,
  onState: OnState,
): Promise<void> {
  for (const { ecu, image } of members.toReversed()) {
    onState(ecu.serial, "rollingBack");
    await ecu.revert(image, verdicts.get(ecu.serial) ?? null);
    const { running } = ecu.inventory();
    if (running !== null && isSame(running.image, image)) {
      throw new UpdateFailure(
        "internal",
        ecu.serial,
        `Cannot take ${image.version} back on ${ecu.serial}: it still runs`,
      );
    }
  }
}
