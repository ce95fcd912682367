/**
 * The vehicle-atomic part of an update: arm all, try all in order, confirm all or go
 * back all. Every step asks the ECU first how it stands and may be repeated after any cut, and
 * after any request of which it is not known whether it was done.
 *
 * @module
 */
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import type { EcuState } from "shared/protocol/common.ts";
import { TRIAL_TRIES } from "shared/limits.ts";
import type { EcuImage, EcuInventory, EcuPort } from "vehicle/bus/ecu_port.ts";
import type { Patience } from "./patience.ts";
import type { RollCall } from "./roll_call.ts";
import { isSame, trialView } from "./trial_view.ts";
import { WAITS } from "./update_table.ts";
import type { Wake } from "./wake.ts";

/** One ECU of the update, in the order of restarts. */
export interface Member {
  readonly ecu: EcuPort;
  readonly image: EcuImage;
}

/** Gives an ECU a sound way back, or throws. */
export type Secure = (ecu: EcuPort) => Promise<void>;

/** The ECUs that go together. */
export interface Bundle {
  readonly members: readonly Member[];
  /** What their boot records call it. */
  readonly tag: string | undefined;
  readonly roll: RollCall;
  readonly patience: Patience;
  readonly secure: Secure;
  /** Told of every step. */
  readonly onState: (serial: string, state: EcuState) => void;
  /** Told of what keeps an ECU from its step, and with `undefined` when nothing does any more. */
  readonly onTrouble: (serial: string, failure: UpdateFailure | undefined) => void;
}

/** How a trial of all ended. */
export type TrialEnd =
  | { readonly end: "passed" }
  | { readonly end: "failed"; readonly serial: string; readonly failure: UpdateFailure }
  /** The power was cut so often that the tries are spent, and nothing was judged. */
  | { readonly end: "interrupted"; readonly serial: string };

/** How often the trials are looked at without a ring. */
const LOOK_EVERY_MS = 500;

/**
 * Marks every slot for trial. A slot that was armed before is left as it is.
 *
 * @param bundle The ECUs.
 * @throws {UpdateFailure} If a slot no longer holds its image; then all must be taken back.
 */
export async function armAll(bundle: Bundle): Promise<void> {
  const { members, patience, onState } = bundle;
  for (const member of members) {
    const { ecu } = member;
    onState(ecu.serial, "installing");
    await armSecured(member, bundle);
    patience.ends(ecu.serial);
    onState(ecu.serial, "installed");
  }
}

/** Arms one; a way back that has rotted meanwhile is healed first. */
async function armSecured(
  { ecu, image }: Member,
  { tag, secure }: Pick<Bundle, "tag" | "secure">,
): Promise<void> {
  try {
    await ecu.arm(image, tag);
  } catch (error) {
    if (!(error instanceof UpdateFailure) || error.failure !== "fallbackUnsound") throw error;
    await secure(ecu);
    await ecu.arm(image, tag);
  }
}

/**
 * Restarts one ECU after another into its trial; the next follows when the one before
 * has passed its own checks. Ends when all stood their trial time, or one did not; one that
 * is lost is waited for, within its bound.
 *
 * @param bundle The ECUs in the order of restarts.
 * @param wake Rung when an ECU changes.
 * @param signal Ends the wait.
 * @returns How it ended.
 */
export async function trialAll(
  bundle: Bundle,
  wake: Wake,
  signal: AbortSignal,
): Promise<TrialEnd> {
  const { onState, patience } = bundle;
  for (;;) {
    const views = await lookAll(bundle);
    for (const { ecu, inventory, view } of views) {
      const { serial } = ecu;
      if (view.at === "judged") {
        const detail = inventory?.verdictDetail ?? view.failure;
        const message = `Cannot keep the trial of ${serial}: ${detail}`;
        return { end: "failed", serial, failure: new UpdateFailure(view.failure, serial, message) };
      }
      if (view.at === "spent") return { end: "interrupted", serial };
      if (view.at === "lost") {
        if (patience.lasts(serial, WAITS.trialAll)) continue;
        return { end: "failed", serial, failure: view.failure };
      }
      if (view.at !== "armed") patience.ends(serial);
      onState(serial, view.at === "armed" ? "installed" : "trial");
    }
    if (views.every(({ view }) => view.at === "passed")) return { end: "passed" };
    const waiting = views.findIndex(({ view }) => view.at !== "tested" && view.at !== "passed");
    const next = views[waiting];
    if (next?.view.at === "armed") {
      const failure = await tryNext(next, bundle);
      if (failure === undefined) continue;
      const patient = failure.failure !== "ecuSlow"; // It had all the time that any work takes.
      if (!patient || !patience.lasts(next.ecu.serial, WAITS.trialAll)) {
        return { end: "failed", serial: next.ecu.serial, failure };
      }
    }
    await wake.wait(LOOK_EVERY_MS, signal);
  }
}

/** How every member stands; of one that does not answer, why. */
function lookAll({ members, roll }: Bundle) {
  return Promise.all(members.map(async (member) => {
    try {
      const inventory = await roll.ask(member.ecu.serial);
      return { ...member, inventory, view: trialView(inventory, member.image) };
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      return { ...member, inventory: undefined, view: { at: "lost", failure: error } as const };
    }
  }));
}

/** Restarts one into its trial; the failure, if it is not known whether it did. */
async function tryNext({ ecu }: Member, { onState }: Bundle): Promise<UpdateFailure | undefined> {
  onState(ecu.serial, "activating");
  try {
    await ecu.restart();
    return undefined;
  } catch (error) {
    if (!(error instanceof UpdateFailure)) throw error;
    return error;
  }
}

/**
 * Confirms all. Beyond the commit point the way leads only forward: an ECU that is found on its
 * old slot, because the power was cut or its image ended meanwhile, is armed and restarted again;
 * one whose slot no longer holds its image is filled again. A member that cannot go on now keeps
 * no other from it.
 *
 * @param bundle The ECUs.
 * @param refill Fills the slot of one ECU anew.
 * @throws {UpdateFailure} The first reason why not all are confirmed; then it is to be repeated.
 */
export async function confirmAll(
  bundle: Bundle,
  refill: (member: Member) => Promise<void>,
): Promise<void> {
  await eachOf(bundle, bundle.members, async (member) => {
    await confirmOne(member, bundle, refill);
    bundle.onState(member.ecu.serial, "confirmed");
  });
}

/**
 * Takes one ECU forward: it runs its image, confirmed, when this returns.
 *
 * @param member The ECU with the image it must keep.
 * @param bundle Its tag, the roll call, and how a way back is healed.
 * @param refill Fills its slot anew, where that is possible.
 * @throws {UpdateFailure} Why it does not now.
 */
export async function confirmOne(
  member: Member,
  bundle: Pick<Bundle, "tag" | "roll" | "secure">,
  refill?: (member: Member) => Promise<void>,
): Promise<void> {
  const { ecu, image } = member;
  let last: FailureName = "slotUnsound";
  for (let attempt = 0; attempt < TRIAL_TRIES; attempt++) {
    const view = trialView(await bundle.roll.ask(ecu.serial), image);
    if (view.at === "testing" || view.at === "tested" || view.at === "passed") {
      return await ecu.confirm(image); // It stood its trial before the commit point.
    }
    if (view.at === "judged") last = view.failure;
    // Read back, it was another image: marking it once more would not make it whole.
    if (last === "slotUnsound" && view.at === "judged") await refill?.(member);
    try {
      await armSecured(member, bundle);
    } catch (error) {
      const rotten = error instanceof UpdateFailure && error.failure === "slotDigestDiffers";
      if (!rotten || refill === undefined) throw error;
      await refill(member);
      await armSecured(member, bundle);
    }
    await ecu.restart();
  }
  const found = `it falls back each time (${last})`;
  throw new UpdateFailure(
    last,
    ecu.serial,
    `Cannot confirm ${image.version} on ${ecu.serial}: ${found}`,
  );
}

/**
 * Takes all back, in the reverse order of restarts. An ECU that is lost keeps no other from it.
 *
 * @param bundle The ECUs in the order of restarts.
 * @param verdicts Why, by ECU; without one the slot may be armed again.
 * @throws {UpdateFailure} The first reason why not all are back; then it is to be repeated.
 */
export async function rollBackAll(
  bundle: Bundle,
  verdicts: ReadonlyMap<string, FailureName | null>,
): Promise<void> {
  const { members, roll, onState } = bundle;
  await eachOf(bundle, members.toReversed(), async ({ ecu, image }) => {
    const verdict = verdicts.get(ecu.serial) ?? null;
    onState(ecu.serial, "rollingBack");
    if (isBack(await roll.ask(ecu.serial), image, verdict)) return;
    await ecu.revert(image, verdict);
    const { running } = await roll.ask(ecu.serial);
    if (running !== null && isSame(running.image, image)) {
      throw new UpdateFailure(
        "internal",
        ecu.serial,
        `Cannot take ${image.version} back on ${ecu.serial}: it still runs`,
      );
    }
  });
}

/** Whether an image was taken back already: it neither runs nor can it, and the verdict stands. */
function isBack(
  { running, record }: EcuInventory,
  image: EcuImage,
  verdict: FailureName | null,
): boolean {
  if (running === null || isSame(running.image, image)) return false;
  const slot = [record.A, record.B].find((one) => one.image !== null && isSame(one.image, image));
  if (slot === undefined) return true;
  if (slot.successful) return false;
  return slot.triesRemaining === 0 && (verdict === null || slot.verdict !== null);
}

/** Does the same for all, whatever becomes of each; throws the first failure at the end. */
async function eachOf(
  { onTrouble }: Bundle,
  members: readonly Member[],
  act: (member: Member) => Promise<void>,
): Promise<void> {
  let first: UpdateFailure | undefined;
  for (const member of members) {
    try {
      await act(member);
      onTrouble(member.ecu.serial, undefined);
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      onTrouble(member.ecu.serial, error);
      first ??= error;
    }
  }
  if (first !== undefined) throw first;
}
