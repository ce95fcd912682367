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

/** One way a release travels. */
export interface CarrierRow {
  readonly id: string;
  /** `Full image`, `Delta from 1.4.0`. */
  readonly label: string;
  readonly lengthBytes: number;
  /** Whole percent saved against the image; 0 for a full one. */
  readonly savedPercent: number;
}

/**
 * The ways a release travels: full ones first, then deltas, the smallest first.
 *
 * @param release The release.
 * @param releases All releases, to name the bases.
 * @returns A row for each carrier.
 */
export function carrierRows(release: Release, releases: readonly Release[]): CarrierRow[] {
  const baseName = (sha256: string) => {
    const base = releases.find((it) => it.sha256 === sha256 && it.hardware === release.hardware);
    return base?.version ?? sha256.slice(0, 8);
  };
  return release.carriers.map((carrier) => {
    const saved = release.lengthBytes - carrier.lengthBytes;
    const label = carrier.baseSha256 !== undefined
      ? `Delta from ${baseName(carrier.baseSha256)}`
      : carrier.format === "raw"
      ? "Full image"
      : "Full image, compressed";
    return {
      id: carrier.carrierSha256,
      label,
      lengthBytes: carrier.lengthBytes,
      savedPercent: carrier.format === "raw" ? 0 : Math.max(0, percent(saved, release.lengthBytes)),
      delta: carrier.baseSha256 !== undefined,
    };
  }).sort((a, b) => Number(a.delta) - Number(b.delta) || a.lengthBytes - b.lengthBytes);
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
 * Whether somebody should look at a vehicle: its last update failed, or an ECU lost what
 * it ran. An ECU that never had software waits for its first release and is well.
 *
 * @param vehicle The vehicle.
 * @returns Whether it needs attention.
 */
export function needsAttention(vehicle: Vehicle): boolean {
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

/**
 * What a file is: a bsdiff patch says so in its first eight bytes, all else is an image.
 *
 * @param head Its first bytes.
 * @returns The kind.
 */
export function fileKind(head: Uint8Array): FileKind {
  const magic = "BSDIFF40";
  const is = head.length >= magic.length &&
    [...magic].every((char, at) => head[at] === char.charCodeAt(0));
  return is ? "patch" : "image";
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
