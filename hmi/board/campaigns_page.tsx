/**
 * Campaigns: how far each is, vehicle by vehicle, and the three verbs.
 *
 * @module
 */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type { Campaign } from "shared/protocol/api.ts";
import type { PageProps } from "./app.tsx";
import type { Board } from "./state.ts";
import { type Refusal, refusalFrom, type Verb } from "./ports.ts";
import { formatAgo } from "../format.ts";
import { Icon, type IconName } from "../parts/icon.tsx";
import { CampaignProgress } from "./parts/chips.tsx";
import { ConfirmDialog } from "./parts/confirm_dialog.tsx";
import { RefusalNote } from "./parts/refusal_note.tsx";

/** The page. */
export function CampaignsPage({ board }: PageProps): VNode {
  const campaigns = board.campaigns.value.toSorted((a, b) =>
    Number(b.campaign.slice(1)) - Number(a.campaign.slice(1))
  );
  if (campaigns.length === 0) {
    return (
      <section class="card empty">
        <h2>No campaign yet</h2>
        <p>Publishing a release offers it to every vehicle that has its hardware.</p>
      </section>
    );
  }
  return (
    <ul class="cards">
      {campaigns.map((campaign) => (
        <CampaignCard key={campaign.campaign} board={board} campaign={campaign} />
      ))}
    </ul>
  );
}

const VERBS: Record<Verb, { label: string; icon: IconName; from: Campaign["state"][] }> = {
  resume: { label: "Resume", icon: "play", from: ["halted"] },
  halt: { label: "Halt", icon: "pause", from: ["running"] },
  withdraw: { label: "Withdraw", icon: "trash", from: ["running", "halted"] },
};

function CampaignCard(
  { board, campaign }: { readonly board: Board; readonly campaign: Campaign },
): VNode {
  const asked = useSignal<Verb | null>(null);
  const refusal = useSignal<Refusal | null>(null);
  const steer = async (verb: Verb) => {
    asked.value = null;
    refusal.value = null;
    try {
      await board.api.steer(campaign.campaign, verb);
    } catch (error) {
      refusal.value = refusalFrom(error);
    }
  };
  const operator = board.session.value?.role === "operator";
  const verbs = (Object.keys(VERBS) as Verb[]).filter((verb) =>
    VERBS[verb].from.includes(campaign.state)
  );
  return (
    <li class="card" data-testid={`campaign-${campaign.campaign}`}>
      <div class="card-head">
        <h2>{campaign.releases.join(" + ")}</h2>
      </div>
      <p class="muted">
        {campaign.releases.length > 1 ? "Bundle, started " : "Started "}
        {formatAgo(campaign.createdAt, board.nowMs.value)} by {campaign.createdBy}
      </p>
      <CampaignProgress campaign={campaign} vehicles={board.vehicles.value} />
      {operator && verbs.length > 0 && (
        <div class="verbs">
          {verbs.map((verb) => (
            <button
              type="button"
              key={verb}
              data-testid={`${verb}-${campaign.campaign}`}
              onClick={() => verb === "resume" ? void steer(verb) : asked.value = verb}
            >
              <Icon name={VERBS[verb].icon} />
              {VERBS[verb].label}
            </button>
          ))}
        </div>
      )}
      {refusal.value !== null && <RefusalNote refusal={refusal.value} />}
      {asked.value !== null && asked.value !== "resume" && (
        <ConfirmDialog
          campaign={campaign}
          verb={asked.value}
          onConfirm={steer}
          onCancel={() => asked.value = null}
        />
      )}
    </li>
  );
}
