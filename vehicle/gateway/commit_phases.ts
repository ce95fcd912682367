/**
 * The phases of the gateway's table in which the vehicle changes what it boots. Each
 * does its work through `commit.ts` and takes one event.
 *
 * @module
 */
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import { MAX_INTERRUPTED_TRIALS } from "shared/limits.ts";
import type { Millis } from "shared/clock.ts";
import type { ReleaseTarget } from "shared/protocol/director.ts";
import type { Link } from "vehicle/ports.ts";
import {
  armAll,
  type Bundle,
  confirmAll,
  type Member,
  rollBackAll,
  type Secure,
  trialAll,
  type TrialEnd,
} from "./commit.ts";
import { keptNeeds } from "./kept_needs.ts";
import type { Ledger } from "./ledger.ts";
import { isLoss, type Patience } from "./patience.ts";
import { checkNeeds } from "./plan.ts";
import { failureReport } from "./report.ts";
import { WAITS } from "./update_table.ts";
import type { Wake } from "./wake.ts";

/** What the committed phases need. */
export interface CommitParts {
  readonly ledger: Ledger;
  readonly link: Link;
  readonly wake: Wake;
  readonly patience: Patience;
  /** Fills the slot of one ECU anew, beyond the commit point. */
  readonly refill: (member: Member) => Promise<void>;
  /** Gives an ECU a sound way back, or throws. */
  readonly secure: Secure;
  /**
   * The last look at the signatures, as of the start of the update: throws if a release is not what
   * its owner signed. Without it there are none.
   */
  readonly prove?:
    | ((releases: ReadonlyMap<string, ReleaseTarget>, startAt: Millis) => Promise<void>)
    | undefined;
}

function bundleOf({ ledger, patience, secure }: CommitParts): Bundle {
  return {
    members: ledger.members(),
    tag: ledger.bundleTag(),
    roll: ledger.roll,
    patience,
    secure,
    onState: (serial, state) => ledger.setState(serial, state),
    onTrouble: (serial, failure) => ledger.hinder(serial, failure),
  };
}

/** Marks all slots for trial; one that no longer holds its image takes all back. */
export async function installing(parts: CommitParts): Promise<void> {
  const { ledger, patience } = parts;
  try {
    await proveAll(parts);
    await armAll(bundleOf(parts));
    ledger.take("armed");
  } catch (error) {
    if (!(error instanceof UpdateFailure)) throw error;
    // Arming twice changes nothing: the loop pauses, and it is done again.
    const patient = isLoss(error) && patience.lasts(error.subject, WAITS.installing);
    if (patient) throw error;
    ledger.blame(error);
    ledger.take("failed", { tryAgain: false });
  }
  patience.ends();
}

/** The last look at the signatures: behind it, what is in the slots is booted. */
async function proveAll({ ledger, prove }: CommitParts): Promise<void> {
  const { targets, state: { members, startedAt } } = ledger;
  const releases = members.flatMap((serial): [string, ReleaseTarget][] => {
    const release = targets?.ecus[serial]?.release;
    return release === undefined ? [] : [[serial, release]];
  });
  await prove?.(new Map(releases), startedAt === null ? 0 : Date.parse(startedAt));
}

/** Tries all in order. Trials that the power cut are tried again, within their bound. */
export async function trying(parts: CommitParts, signal: AbortSignal): Promise<void> {
  const { ledger, link, wake, patience } = parts;
  link.conn("rebooting");
  const tried = await trialAll(bundleOf(parts), wake, signal);
  link.conn("online");
  const end = tried.end === "passed" ? await needsHold(parts) : tried;
  patience.ends();
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

/** Before anything is confirmed: what the releases need still runs beside them. */
async function needsHold({ ledger, patience }: CommitParts): Promise<TrialEnd> {
  const { targets, roll, state: { members } } = ledger;
  const needy = members.some((serial) => targets?.ecus[serial]?.release.needs.length);
  if (!needy) return { end: "passed" };
  await roll.call();
  const absent = [...roll.absent].find((serial) => !members.includes(serial));
  if (absent !== undefined) {
    const failure = roll.absence(absent)!;
    if (patience.lasts(absent, WAITS.trialAll)) throw failure;
    return { end: "failed", serial: absent, failure };
  }
  try {
    checkNeeds(roll.all(), targets!, members);
    return { end: "passed" };
  } catch (error) {
    if (!(error instanceof UpdateFailure)) throw error;
    return { end: "failed", serial: error.subject, failure: error };
  }
}

/** Confirms all: the journal says so already, so the way leads only forward. */
export async function confirming(parts: CommitParts): Promise<void> {
  const { ledger, refill } = parts;
  await confirmAll(bundleOf(parts), refill);
  await ledger.roll.call(); // What is reported below is how they stand now.
  const result = ledger.result("confirmed");
  const { campaign, members, retreat } = ledger.state;
  const needs = keptNeeds(ledger.state.needs, ledger.targets, members);
  // Those that went forward meanwhile have no part in a way back any more.
  const left = retreat?.filter((serial) => !members.includes(serial)) ?? [];
  const rest = left.length === 0 ? undefined : left;
  ledger.take("confirmed", { result, concluded: campaign, retreat: rest, needs });
}

/** Takes all back; after a cut without a verdict the same release is tried again. */
export async function rollingBack(parts: CommitParts): Promise<void> {
  const { ledger } = parts;
  const { tryAgain, interruptedTrials, ecus, members: serials } = ledger.state;
  const verdicts = new Map(
    serials.map((serial): [string, FailureName | null] => [
      serial,
      tryAgain ? null : ecus[serial]?.failure?.name ?? "partnerFailed",
    ]),
  );
  const bundle = bundleOf(parts);
  await rollBackAll(bundle, verdicts);
  if (tryAgain) {
    return ledger.take("again", { tryAgain: false, interruptedTrials: interruptedTrials + 1 });
  }
  for (const { ecu: { serial } } of bundle.members) {
    const back = ledger.roll.of(serial).running !== null; // One that was empty has no way back.
    const failure = ledger.state.ecus[serial]?.failure ?? failureReport("partnerFailed");
    ledger.setState(serial, back ? "rolledBack" : "failed", failure);
  }
  const result = ledger.result("rolledBack");
  ledger.take("restored", { result, concluded: ledger.state.campaign });
}
