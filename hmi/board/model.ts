/**
 * What the board shows, worked out from what the server told: pure.
 *
 * @module
 */
import type { Campaign, Release, Vehicle } from "shared/protocol/api.ts";
import type { EcuState } from "shared/protocol/common.ts";
import { compareVersions, VERSION_PATTERN } from "shared/version.ts";
import { percent } from "../format.ts";
import type { Tone } from "../copy.ts";
import type { IconName } from "../parts/icon.tsx";

/**
 * A list with one entity replaced, or added at its end.
 *
 * @param list The list; left as it is.
 * @param value The entity.
 * @param key What it is known by.
 * @returns The new list.
 */
export function upsert<T>(list: readonly T[], value: T, key: (it: T) => string): readonly T[] {
  const at = list.findIndex((it) => key(it) === key(value));
  return at < 0 ? [...list, value] : list.with(at, value);
}

/** A campaign counted: only confirmed vehicles are done, whatever else they say. */
export interface CampaignCount {
  readonly total: number;
  readonly confirmed: number;
  readonly failed: number;
  readonly percent: number;
  /** `2 of 3 vehicles confirmed, 1 went back or failed` */
  readonly text: string;
}

const LOST: readonly EcuState[] = ["rolledBack", "failed"];

/**
 * Counts a campaign.
 *
 * @param campaign The campaign.
 * @returns Numbers and a sentence.
 */
export function countCampaign(campaign: Campaign): CampaignCount {
  const total = campaign.vehicles.length;
  const confirmed = campaign.vehicles.filter((it) => it.state === "confirmed").length;
  const failed = campaign.vehicles.filter((it) => LOST.includes(it.state)).length;
  const of = `${confirmed} of ${total} ${total === 1 ? "vehicle" : "vehicles"} confirmed`;
  return {
    total,
    confirmed,
    failed,
    percent: percent(confirmed, total),
    text: total === 0
      ? "No vehicle has this hardware yet"
      : failed === 0
      ? of
      : `${of}, ${failed} went back or failed`,
  };
}

/**
 * Live progress of a vehicle's download.
 *
 * @param vehicle The vehicle, if the server knows it.
 * @returns Whole percent, or `null` when nothing is being downloaded.
 */
export function vehiclePercent(vehicle: Vehicle | undefined): number | null {
  const running = (vehicle?.ecus ?? []).filter((ecu) => ecu.state === "downloading");
  const sum = (pick: "doneBytes" | "totalBytes") =>
    running.reduce((total, ecu) => total + (ecu.progress?.[pick] ?? 0), 0);
  return running.length === 0 ? null : percent(sum("doneBytes"), sum("totalBytes"));
}

/**
 * What the fleet runs: versions by hardware, the most frequent first.
 *
 * @param vehicles All vehicles.
 * @returns How many ECUs run which version of which hardware.
 */
export function fleetVersions(
  vehicles: readonly Vehicle[],
): { hardware: string; version: string; count: number }[] {
  const counts = new Map<string, { hardware: string; version: string; count: number }>();
  for (const ecu of vehicles.flatMap((vehicle) => vehicle.ecus)) {
    const version = ecu.version ?? "empty";
    const key = `${ecu.hardware}/${version}`;
    const row = counts.get(key) ?? { hardware: ecu.hardware, version, count: 0 };
    row.count++;
    counts.set(key, row);
  }
  return [...counts.values()].sort((a, b) =>
    b.count - a.count || (a.hardware < b.hardware ? -1 : a.hardware > b.hardware ? 1 : 0)
  );
}

/**
 * Whether somebody should look at a vehicle: its last update failed, something has rotted and is
 * not healed, or an ECU lost what it ran. An ECU that never had software waits for its first release and is well.
 *
 * @param vehicle The vehicle.
 * @returns Whether it needs attention.
 */
export function needsAttention(vehicle: Vehicle): boolean {
  if (vehicle.rot?.some(({ healedAt }) => healedAt === null)) return true;
  return vehicle.ecus.some(({ failure, slot, slots }) => {
    const had = slots.A.version !== null || slots.B.version !== null;
    return failure !== null || (slot === null && had && slots.A.unbootable && slots.B.unbootable);
  });
}

/**
 * The releases of a hardware id, the newest first. The counter decides, not the version.
 *
 * @param releases All releases.
 * @param hardware The hardware id.
 * @returns Its releases.
 */
export function releasesOf(releases: readonly Release[], hardware: string): Release[] {
  return releases.filter((it) => it.hardware === hardware).sort((a, b) => b.counter - a.counter);
}

/**
 * The version to suggest next: the highest with its second number raised.
 *
 * @param releases All releases.
 * @param hardware The hardware id.
 * @returns Such as `1.5.0`; `1.0.0` for the first.
 */
export function suggestVersion(releases: readonly Release[], hardware: string): string {
  const highest = releasesOf(releases, hardware).map((it) => it.version)
    .filter((version) => VERSION_PATTERN.test(version)).sort(compareVersions).at(-1);
  if (highest === undefined) return "1.0.0";
  const [major = "1", minor = "0"] = highest.split("-")[0]!.split(".");
  return `${major}.${Number(minor) + 1}.0`;
}

/** What a file is, by its first bytes. */
export type FileKind = "image" | "patch";

/** First bytes of files that start from another image; of a container, a flag tells. */
const BSDIFF40 = [..."BSDIFF40"].map((char) => char.charCodeAt(0));
const CONTAINER = [0x89, 0x4F, 0x54, 0x41, 0x43, 0x0D, 0x0A, 0x1A];
const FLAGS_AT = 9;

/**
 * What a file is: a patch says so in its first bytes, whether bsdiff made it or `ota delta`; all
 * else is an image.
 *
 * @param head Its first bytes.
 * @returns The kind.
 */
export function fileKind(head: Uint8Array): FileKind {
  const begins = (magic: readonly number[]) => magic.every((byte, at) => head[at] === byte);
  const isDelta = begins(CONTAINER) && ((head[FLAGS_AT] ?? 0) & 1) === 1;
  return begins(BSDIFF40) || isDelta ? "patch" : "image";
}

/** How a campaign's state is shown. */
export interface CampaignChipView {
  readonly label: string;
  readonly tone: Tone;
  readonly icon: IconName;
}

const CAMPAIGN_COPY: Record<Campaign["state"], CampaignChipView> = {
  running: { label: "Running", tone: "busy", icon: "play" },
  halted: { label: "Halted", tone: "warn", icon: "pause" },
  withdrawn: { label: "Withdrawn", tone: "calm", icon: "x" },
  complete: { label: "Complete", tone: "good", icon: "check" },
};

/**
 * A campaign's state in a word, a tone and an icon. Only confirmed is success: one that
 * has ended otherwise on any vehicle is not shown as a good end.
 *
 * @param campaign The campaign.
 * @returns What to draw.
 */
export function campaignChip(campaign: Campaign): CampaignChipView {
  const { total, confirmed, failed } = countCampaign(campaign);
  if (campaign.state !== "complete" || confirmed === total) return CAMPAIGN_COPY[campaign.state];
  return failed > 0
    ? { label: "Ended", tone: "warn", icon: "alert" }
    : { label: "Ended", tone: "calm", icon: "check" };
}

/**
 * What somebody must type before a campaign is halted or withdrawn, so that nobody
 * stops the wrong one: the version, or the campaign's id when it is a bundle.
 *
 * @param campaign The campaign.
 * @returns The word.
 */
export function confirmWord(campaign: Campaign): string {
  const [only, ...more] = campaign.releases;
  const version = only?.slice(only.lastIndexOf("/") + 1);
  return more.length > 0 || version === undefined ? campaign.campaign : version;
}
