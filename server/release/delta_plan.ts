/**
 * Which carriers are to be made for a release: the full image, compressed in a hurry, since no
 * delta may be larger; then a delta from each image that vehicles still run, the most common
 * first; then the full image once more, compressed well. That takes twice as long as a delta, for
 * which vehicles wait, and a tenth of the time for nine tenths of the gain is spent before.
 *
 * @module
 */
import { MAX_BASES_PER_VEHICLE, MAX_DELTAS, MAX_QUEUED_DELTA_JOBS } from "shared/limits.ts";
import type { Carrier } from "shared/protocol/common.ts";
import type { Records, ReleaseRow } from "../ports.ts";
import type { DeltaJobRow } from "../ports_delta.ts";

/** Behind the deltas of every release that waits: no vehicle waits for a full carrier. */
const LAST_RANK = MAX_DELTAS + 1;
/** How many jobs there may be. */
export interface DeltaPlanBounds {
  /** Jobs that wait, of all releases. */
  readonly maxQueued: number;
  /** Deltas of one release. */
  readonly maxDeltas: number;
}

const BOUNDS: DeltaPlanBounds = { maxQueued: MAX_QUEUED_DELTA_JOBS, maxDeltas: MAX_DELTAS };

/**
 * Queues the jobs of a release; those that there are already stay as they are, and those that
 * failed or were canceled are begun anew. In a full queue, one of a later rank gives way: the
 * first carriers of a release come before the last ones of any other.
 *
 * @param tables The records, in a transaction for writing.
 * @param row The release.
 * @param at The time.
 * @param bounds How many jobs there may be.
 * @returns The ids of the jobs that wait now, or gave way.
 */
export async function queueDeltas(
  tables: Records,
  row: Pick<ReleaseRow, "hardware" | "counter" | "sha256">,
  at: string,
  bounds: DeltaPlanBounds = BOUNDS,
): Promise<string[]> {
  const { sha256 } = row;
  const carriers = await tables.carriersOf(sha256);
  const known = new Map((await tables.deltaJobsOf(sha256)).map((job) => [keyOf(job), job]));
  const bases = await basesOf(tables, row, carriers, bounds);
  const wanted: Wanted[] = [
    { baseSha256: null, effort: "fast" },
    ...bases.map((baseSha256) => ({ baseSha256, effort: "best" }) as const),
    { baseSha256: null, effort: "best" },
  ];
  let room = bounds.maxQueued - await tables.queuedDeltaJobs();
  const queued: string[] = [];
  for (const [place, each] of wanted.entries()) {
    const { baseSha256 } = each;
    const rank = baseSha256 === null && place > 0 ? LAST_RANK : place;
    const old = known.get(keyOf(each));
    const fresh: Omit<DeltaJobRow, "job"> = {
      ...{ sha256, ...each, rank, state: "queued", reason: null, failure: null },
      ...{ attempts: 0, carrierSha256: null, lengthBytes: null, fullBytes: null },
      ...{ createdAt: at, updatedAt: at },
    };
    const wants = old === undefined
      ? baseSha256 === null || !hasDelta(carriers, baseSha256)
      : old.state === "dropped" && old.reason !== "larger";
    if (!wants) continue;
    if (room <= 0) {
      const gone = await giveWay(tables, rank, at);
      if (gone === undefined) break;
      queued.push(gone);
      room++;
    }
    if (old === undefined) {
      queued.push((await tables.addDeltaJob(fresh))!);
    } else {
      await tables.putDeltaJob({ ...fresh, job: old.job, createdAt: old.createdAt });
      queued.push(old.job);
    }
    room--;
  }
  return queued;
}

/** Takes the job of the latest rank out of the queue, if that is later than this one. */
async function giveWay(tables: Records, rank: number, at: string): Promise<string | undefined> {
  const last = await tables.lastQueuedDeltaJob();
  if (last === undefined || last.rank <= rank) return undefined;
  await tables.putDeltaJob({ ...last, state: "dropped", reason: "canceled", updatedAt: at });
  return last.job;
}

type Wanted = Pick<DeltaJobRow, "baseSha256" | "effort">;

function keyOf({ baseSha256, effort }: Wanted): string {
  return `${baseSha256} ${effort}`;
}

/**
 * Images from which deltas are wanted: those that somebody uploaded a patch from, which no vehicle
 * reads as it is, those in the field, and that of the release before.
 */
async function basesOf(
  tables: Records,
  row: Pick<ReleaseRow, "hardware" | "counter" | "sha256">,
  carriers: readonly Carrier[],
  { maxDeltas }: DeltaPlanBounds,
): Promise<string[]> {
  const patches = carriers.filter(({ format }) => format === "bsdiff40");
  const bases = new Set(patches.map(({ baseSha256 }) => baseSha256!));
  const most = { limit: maxDeltas, each: MAX_BASES_PER_VEHICLE };
  const field = await tables.basesInField(row.hardware, most);
  const before = (await tables.releasesOf(row.hardware))
    .find(({ state, counter }) => state === "published" && counter < row.counter);
  // A place is left for that: what vehicles say, true or not, does not take all.
  for (const { sha256 } of field.slice(0, Math.max(0, maxDeltas - 1 - bases.size))) {
    bases.add(sha256);
  }
  if (before !== undefined) bases.add(before.sha256);
  bases.delete(row.sha256); // Nothing needs to travel.
  return [...bases].slice(0, maxDeltas);
}

/**
 * Whether vehicles can take a delta from an image.
 *
 * @param carriers All carriers of the image that is wanted.
 * @param baseSha256 The image that runs.
 * @returns Whether there is one.
 */
export function hasDelta(carriers: readonly Carrier[], baseSha256: string): boolean {
  return carriers.some((carrier) =>
    carrier.format === "container" && carrier.baseSha256 === baseSha256
  );
}
