/**
 * The ways a release travels, and those that are still being made: pure.
 *
 * @module
 */
import type { DeltaJob, Release } from "shared/protocol/api.ts";
import type { Carrier } from "shared/protocol/common.ts";
import { formatBytes, percent } from "../format.ts";

/** One way a release travels. */
export interface CarrierRow {
  readonly id: string;
  /** `Full image, compressed`, `Delta from 1.4.0`. */
  readonly label: string;
  readonly lengthBytes: number;
  /** Whole percent that a full one saves against the image, a delta against the full one. */
  readonly savedPercent: number;
}

/** One that is being made, or was not kept. */
export interface JobRow {
  readonly id: string;
  readonly label: string;
  readonly state: "queued" | "running" | "dropped";
  /** Whole percent that is done. */
  readonly percent: number;
  /** What to say of it. */
  readonly text: string;
}

/**
 * The ways a release travels: the full one first, then deltas, the smallest first.
 *
 * @param release The release.
 * @param releases All releases, to name the bases.
 * @returns A row for the smallest carrier of each base.
 */
export function carrierRows(release: Release, releases: readonly Release[]): CarrierRow[] {
  const smallest = new Map<string, Carrier>();
  for (const carrier of release.carriers) {
    const key = carrier.baseSha256 ?? "";
    const other = smallest.get(key);
    if (other === undefined || comesFirst(carrier, other)) smallest.set(key, carrier);
  }
  const full = smallest.get("");
  return [...smallest.values()].map((carrier) => ({
    id: carrier.carrierSha256,
    label: labelOf(carrier, baseName(carrier.baseSha256 ?? null, release, releases)),
    lengthBytes: carrier.lengthBytes,
    savedPercent: saved(carrier, carrier === full ? release.lengthBytes : full?.lengthBytes),
    delta: carrier.baseSha256 !== undefined,
  })).sort((a, b) => Number(a.delta) - Number(b.delta) || a.lengthBytes - b.lengthBytes);
}

/** A patch that no vehicle reads is shown until there is a container in its place. */
function comesFirst(carrier: Carrier, other: Carrier): boolean {
  const isPatch = ({ format }: Carrier) => format === "bsdiff40";
  return isPatch(carrier) === isPatch(other)
    ? carrier.lengthBytes < other.lengthBytes
    : isPatch(other);
}

function labelOf({ format, baseSha256 }: Carrier, base: string): string {
  if (baseSha256 === undefined) return format === "raw" ? "Full image" : "Full image, compressed";
  return format === "bsdiff40" ? `Patch from ${base}, as uploaded` : `Delta from ${base}`;
}

function saved(carrier: Carrier, against: number | undefined): number {
  if (against === undefined) return 0;
  return Math.max(0, percent(against - carrier.lengthBytes, against));
}

function baseName(sha256: string | null, release: Release, releases: readonly Release[]): string {
  const base = releases.find((it) => it.sha256 === sha256 && it.hardware === release.hardware);
  return base?.version ?? sha256?.slice(0, 8) ?? "";
}

/**
 * The jobs of a release that have no carrier to show for: those that wait, that run, and deltas
 * that were dropped.
 *
 * @param release The release.
 * @param releases All releases, to name the bases.
 * @param jobs All jobs.
 * @returns A row each, in the order in which they are made.
 */
export function jobRows(
  release: Release,
  releases: readonly Release[],
  jobs: readonly DeltaJob[],
): JobRow[] {
  const number = (job: DeltaJob) => Number(job.job.slice(1));
  return jobs.filter((job) => job.sha256 === release.sha256 && isShown(job))
    .toSorted((a, b) => number(a) - number(b))
    .map((job) => ({
      id: job.job,
      label: job.baseSha256 !== null
        ? `Delta from ${baseName(job.baseSha256, release, releases)}`
        : job.effort === "fast"
        ? "Full image, compressed in a hurry"
        : "Full image, compressed well",
      state: job.state as JobRow["state"],
      percent: percent(job.doneBytes, job.totalBytes),
      text: textOf(job),
    }));
}

/** That a full image does not get smaller is nobody's concern. */
function isShown({ state, reason, baseSha256 }: DeltaJob): boolean {
  return state !== "kept" && !(reason === "larger" && baseSha256 === null);
}

function textOf({ state, reason, failure, fullBytes }: DeltaJob): string {
  if (state === "queued") return "Waits its turn";
  if (state === "running") return "Being made";
  if (reason === "canceled") return "Canceled";
  if (reason === "larger") {
    return `Not used: no smaller than the full image${
      fullBytes === null ? "" : ` of ${formatBytes(fullBytes)}`
    }`;
  }
  return failure === null
    ? "Failed"
    : `Failed: ${failure.code} ${failure.name}: ${failure.message}`;
}
