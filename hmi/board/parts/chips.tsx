/**
 * States as chips: icon, word and colour, never colour alone.
 *
 * @module
 */
import type { VNode } from "preact";
import type { Campaign, Vehicle } from "shared/protocol/api.ts";
import type { EcuState } from "shared/protocol/common.ts";
import { STATE_COPY } from "../../copy.ts";
import { Chip } from "../../parts/frame.tsx";
import { campaignChip, countCampaign, vehiclePercent } from "../model.ts";
import { Progress } from "./field.tsx";

/** An ECU's state. */
export function StateChip({ state }: { readonly state: EcuState }): VNode {
  const { icon, label, tone } = STATE_COPY[state];
  return <Chip icon={icon} tone={tone}>{label}</Chip>;
}

/** A campaign's state. */
export function CampaignChip({ campaign }: { readonly campaign: Campaign }): VNode {
  const { label, tone, icon } = campaignChip(campaign);
  return <Chip icon={icon} tone={tone}>{label}</Chip>;
}

interface ProgressProps {
  readonly campaign: Campaign;
  readonly vehicles: readonly Vehicle[];
}

/** How far a campaign is, and each of its vehicles. */
export function CampaignProgress({ campaign, vehicles }: ProgressProps): VNode {
  const count = countCampaign(campaign);
  return (
    <div class="campaign-progress">
      <p>
        <b>{campaign.campaign}</b> <CampaignChip campaign={campaign} /> {count.text}
      </p>
      {count.total > 0 && (
        <Progress percent={count.percent} label={`Campaign ${campaign.campaign}`} />
      )}
      <ul class="rows">
        {campaign.vehicles.map((it) => (
          <VehicleLine
            key={it.vin}
            entry={it}
            vehicle={vehicles.find((vehicle) =>
              vehicle.vin === it.vin && vehicle.campaign === campaign.campaign
            )}
          />
        ))}
      </ul>
    </div>
  );
}

interface LineProps {
  readonly entry: Campaign["vehicles"][number];
  readonly vehicle: Vehicle | undefined;
}

function VehicleLine({ entry, vehicle }: LineProps): VNode {
  const done = vehiclePercent(vehicle);
  return (
    <li>
      <span class="mono">{entry.vin}</span>
      <span class="row-state">
        <StateChip state={entry.state} />
        {done !== null && <span>{done} %</span>}
      </span>
      {entry.heldUntil !== undefined && (
        <span class="row-note">
          Waits for its delta, until{" "}
          <time dateTime={entry.heldUntil}>{entry.heldUntil.slice(11, 19)} UTC</time> at most
        </span>
      )}
      {entry.failure !== null && (
        <span class="row-failure">
          {entry.failure.code} {entry.failure.name}: {entry.failure.message}
        </span>
      )}
    </li>
  );
}
