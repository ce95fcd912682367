/**
 * The phases of the gateway's table in which the vehicle changes what it boots. Each
 * does its work through `commit.ts` and takes one event.
 *
 * @module
 */
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import { MAX_INTERRUPTED_TRIALS } from "shared/limits.ts";
import type { Link } from "vehicle/ports.ts";
import { armAll, confirmAll, type OnState, rollBackAll, type Secure, trialAll } from "./commit.ts";
import type { Ledger } from "./ledger.ts";
import { failureReport } from "./report.ts";
import type { Wake } from "./wake.ts";

function onState(ledger: Ledger): OnState {
  return (serial, state) => ledger.setState(serial, state);
}

/** Marks all slots for trial; one that no longer holds its image takes all back. */
export async function installing(ledger: Ledger, secure: Secure): Promise<void> {
  try {
    await armAll(ledger.members(), onState(ledger), secure);
    ledger.take("armed");
  } catch (error) {
    if (!(error instanceof UpdateFailure)) throw error;
    ledger.blame(error);
    ledger.take("failed", { tryAgain: false });
  }
}

/** Tries all in order. Trials that the power cut are tried again, within their bound. */
export async function trying(
  ledger: Ledger,
  { link, wake, signal }: {
    readonly link: Link;
    readonly wake: Wake;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  link.conn("rebooting");
  const end = await trialAll(ledger.members(), onState(ledger), wake, signal);
  link.conn("online");
  if (end.end === "passed") return ledger.take("passed");
  if (end.end === "failed") {
    ledger.blame(end.failure);
    return ledger.take("failed", { tryAgain: false });
  }
  const { interruptedTrials } = ledger.state;
  const tryAgain = interruptedTrials < MAX_INTERRUPTED_TRIALS;
  if (!tryAgain) {
    const times = `the power was cut in ${interruptedTrials + 1} trials`;
    const message = `Cannot finish the trial of ${end.serial}: ${times}`;
    ledger.blame(new UpdateFailure("trialInterrupted", end.serial, message));
  }
  ledger.take("failed", { tryAgain });
}

/** Confirms all: the journal says so already, so the way leads only forward. */
export async function confirming(ledger: Ledger): Promise<void> {
  const stuck = await confirmAll(ledger.members(), onState(ledger));
  for (const { serial, failure } of stuck) {
    ledger.setState(serial, "failed", failureReport(failure));
  }
  const result = ledger.result(stuck.length === 0 ? "confirmed" : "failed");
  ledger.take("confirmed", { result, concluded: ledger.state.campaign });
}

/** Takes all back; after a cut without a verdict the same release is tried again. */
export async function rollingBack(ledger: Ledger): Promise<void> {
  const { tryAgain, interruptedTrials, ecus, members: serials } = ledger.state;
  const verdicts = new Map(
    serials.map((serial): [string, FailureName | null] => [
      serial,
      tryAgain ? null : ecus[serial]?.failure?.name ?? "partnerFailed",
    ]),
  );
  const members = ledger.members();
  await rollBackAll(members, verdicts, onState(ledger));
  if (tryAgain) {
    return ledger.take("again", { tryAgain: false, interruptedTrials: interruptedTrials + 1 });
  }
  for (const { ecu } of members) {
    const back = ecu.inventory().running !== null; // An ECU that was empty has no way back.
    const failure = ledger.state.ecus[ecu.serial]?.failure ?? failureReport("partnerFailed");
    ledger.setState(ecu.serial, back ? "rolledBack" : "failed", failure);
  }
  const result = ledger.result("rolledBack");
  ledger.take("restored", { result, concluded: ledger.state.campaign });
}
