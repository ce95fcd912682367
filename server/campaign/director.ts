/**
 * What a vehicle is told, made from a decision. Pure.
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import { LEAF_BYTES, MAX_DELTAS } from "shared/limits.ts";
import type { Need } from "shared/needs.ts";
import type { Carrier } from "shared/protocol/common.ts";
import { PRECONDITIONS } from "shared/protocol/common.ts";
import type { DirectorTargets, EcuTarget } from "shared/protocol/director.ts";
import type { Announcement } from "shared/protocol/messages.ts";
import type { BlobRow, ReleaseRow } from "../ports.ts";

/** The compressed one, and the one that it was fetched by before that was there. */
const MAX_FULL = 2;

/** A release with the files that bring it. */
export interface FullRelease {
  readonly row: ReleaseRow;
  readonly blob: BlobRow;
  readonly carriers: readonly Carrier[];
  /** What must run beside it. */
  readonly needs: readonly Need[];
  /** Its owner has signed it, or nothing is signed on this server yet. */
  readonly signed: boolean;
}

/** A release for one ECU. */
export interface Assigned {
  readonly release: FullRelease;
  /** The image that the ECU last said it runs. */
  readonly runs: string | null;
}

/** The targets of one vehicle, without their version. */
export type Told = Omit<DirectorTargets, "version">;

/**
 * What the vehicle is told.
 *
 * @param vin The vehicle.
 * @param campaign Its campaign, or `null`.
 * @param targets The release of each of its ECUs that has one; each has a full container.
 * @returns The body, without a version.
 */
export function tell(
  vin: string,
  campaign: string | null,
  targets: ReadonlyMap<string, Assigned>,
): Told {
  if (campaign === null) {
    return { v: 1, vin, campaign, action: "none", preconditions: [], ecus: {} };
  }
  const ecus: Record<string, EcuTarget> = {};
  for (const [serial, assigned] of [...targets].sort(([a], [b]) => a < b ? -1 : 1)) {
    ecus[serial] = targetOf(assigned);
  }
  return { v: 1, vin, campaign, action: "install", preconditions: [...PRECONDITIONS], ecus };
}

function targetOf({ release: { row, blob, carriers, needs }, runs }: Assigned): EcuTarget {
  invariant(row.sha256 === blob.sha256, "a release is told with its own image");
  return {
    hardware: row.hardware,
    release: {
      v: 1,
      hardware: row.hardware,
      version: row.version,
      counter: row.counter,
      minCounter: 0,
      lengthBytes: blob.lengthBytes,
      sha256: row.sha256,
      merkle: { alg: "sha256-rfc6962", leafBytes: LEAF_BYTES, root: blob.merkleRoot },
      notes: row.notes,
      rxswin: [...row.rxswin],
      needs: [...row.needs],
      // Absent without needs, as it was before there were any: no vehicle is told anew.
      ...(needs.length === 0 ? {} : { needCounters: countersOf(needs) }),
    },
    carriers: usable(carriers, runs),
  };
}

function countersOf(needs: readonly Need[]): Record<string, number> {
  const known = needs.flatMap(({ release, counter }) =>
    counter === undefined ? [] : [[release, counter] as const]
  );
  return Object.fromEntries(known);
}

/**
 * The carriers that a vehicle is told of: containers that need no base, and those whose base it
 * runs. Deltas for others would be news to every vehicle each time one more is made.
 */
function usable(carriers: readonly Carrier[], runs: string | null): Carrier[] {
  const containers = carriers.filter(({ format }) => format === "container")
    .toSorted((a, b) => a.lengthBytes - b.lengthBytes);
  const full = containers.filter(({ baseSha256 }) => baseSha256 === undefined);
  const deltas = containers.filter(({ baseSha256 }) =>
    baseSha256 !== undefined && baseSha256 === runs
  );
  return [...full.slice(0, MAX_FULL), ...deltas.slice(0, MAX_DELTAS)];
}

/**
 * Whether a vehicle can be told of a release: old records have images without a container, until
 * one is made; and one that waits for its signature would be refused.
 *
 * @param release The release.
 * @returns Whether it is signed, and there is a full container.
 */
export function canTell({ carriers, signed }: FullRelease): boolean {
  return signed &&
    carriers.some(({ format, baseSha256 }) => format === "container" && baseSha256 === undefined);
}

/**
 * Whether a vehicle would be told something else than before.
 *
 * @param before What it was told, if anything.
 * @param now What it is to be told.
 * @returns Whether the version must rise.
 */
export function isNews(before: DirectorTargets | null, now: Told): boolean {
  if (before === null) return true;
  const { version: _, ...rest } = before;
  return canonical(rest) !== canonical(now);
}

/** JSON with keys in order, so that equal values give equal text. */
function canonical(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, each) =>
      each !== null && typeof each === "object" && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => a < b ? -1 : 1))
        : each,
  );
}

/**
 * The announcement of a hardware id: its highest published release.
 *
 * @param release That release, with its carriers.
 * @returns What goes to `ota/v1/announce/{hardware}`.
 */
export function announcementOf({ row, blob, carriers }: FullRelease): Announcement {
  // A patch of another format is none yet: vehicles get the container that is made of it, proved.
  const bases = carriers.flatMap(({ format, baseSha256 }) =>
    format === "container" && baseSha256 !== undefined ? [baseSha256] : []
  );
  return {
    v: 1,
    hardware: row.hardware,
    version: row.version,
    counter: row.counter,
    type: bases.length > 0 ? "delta" : "full",
    deltasFrom: [...new Set(bases)].slice(-MAX_DELTAS),
    lengthBytes: blob.lengthBytes,
    sha256: row.sha256,
  };
}
