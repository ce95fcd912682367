/**
 * The result of an update, as it is shown until a person acknowledges it. Pure.
 *
 * @module
 */
import { isoTime } from "shared/clock.ts";
import { failureKind } from "shared/failure.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { JournalResult, JournalState } from "./journal.ts";

/**
 * Sums up an update.
 *
 * @param view The journal with the ECUs' last states, its targets, and the time now.
 * @param outcome How it ended.
 * @returns What changed, how long it took, and the first failure that was no partner's.
 */
export function resultOf(
  view: {
    readonly journal: JournalState;
    readonly targets: DirectorTargets | null;
    readonly nowMs: number;
  },
  outcome: JournalResult["outcome"],
): JournalResult {
  const { members, startedAt } = view.journal;
  const ecus = Object.entries(view.journal.ecus).filter(([serial]) => members.includes(serial));
  const failed = ecus.filter(([, ecu]) => ecu.failure !== null);
  const first = failed.find(([, ecu]) => ecu.failure?.name !== "partnerFailed") ?? failed[0];
  return {
    outcome,
    at: isoTime(view.nowMs),
    secondsTaken: Math.max(0, (view.nowMs - Date.parse(startedAt ?? isoTime(view.nowMs))) / 1000),
    changes: ecus.flatMap(([serial, { from }]) => {
      const release = view.targets?.ecus[serial]?.release;
      return release ? [{ serial, from, to: release.version, changes: release.notes.changes }] : [];
    }),
    failure: first === undefined ? null : {
      ...first[1].failure!,
      serial: first[0],
      remedy: failureKind(first[1].failure!.name).remedy,
    },
  };
}
