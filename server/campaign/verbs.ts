/**
 * What a person may do with a campaign, as a table. `complete` is a running campaign whose
 * vehicles have all ended: it still covers vehicles that come later, so it takes the same verbs.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { type EcuState, isFinal } from "shared/protocol/common.ts";
import type { CampaignRow } from "../ports.ts";

/** What can be done. */
export const VERBS = ["halt", "resume", "withdraw"] as const;
/** One thing that can be done. */
export type Verb = typeof VERBS[number];

type State = CampaignRow["state"];

const CAMPAIGN: { readonly [S in State]: { readonly [V in Verb]?: State } } = {
  running: { halt: "halted", withdraw: "withdrawn" },
  halted: { resume: "running", withdraw: "withdrawn" },
  withdrawn: {}, // For ever: a new offer is a new campaign.
};

/**
 * Follows a verb.
 *
 * @param row The campaign.
 * @param verb What to do.
 * @returns The campaign afterwards.
 * @throws {UpdateFailure} `wrongState` If it makes no sense now.
 */
export function act(row: CampaignRow, verb: Verb): CampaignRow {
  const state = CAMPAIGN[row.state][verb];
  if (state === undefined) {
    throw new UpdateFailure(
      "wrongState",
      row.campaign,
      `Cannot ${verb} campaign ${row.campaign}: it is ${row.state}`,
    );
  }
  return { ...row, state };
}

/**
 * The state that people see.
 *
 * @param stored What the publisher set.
 * @param vehicles The states of its vehicles.
 * @returns `complete` if it runs, has vehicles, and all of them have ended.
 */
export function shownState(
  stored: State,
  vehicles: readonly { readonly state: EcuState }[],
): State | "complete" {
  const over = vehicles.length > 0 && vehicles.every(({ state }) => isFinal(state));
  return stored === "running" && over ? "complete" : stored;
}
