/**
 * Which carriers are to be made for a release: the full image, compressed in a hurry, since no
 * delta may be larger; then a delta from each image that vehicles still run, the most common
 * first; then the full image once more, compressed well. That takes twice as long as a delta, for
 * which vehicles wait, and a tenth of the time for nine tenths of the gain is spent before.
 *
 * @module
 */
import { MAX_DELTAS, MAX_QUEUED_DELTA_JOBS } from "shared/limits.ts";
import type { Carrier } from "shared/protocol/common.ts";
import type { Records, ReleaseRow } from "../ports.ts";
import type { DeltaJobRow } from "../ports_delta.ts";

/** Behind the deltas of every release that waits: no vehicle waits for a full carrier. */
const LAST_RANK = MAX_DELTAS + 1;

/**
 * Queues the jobs of a release; those that there are already stay as they are, and those that
 * failed or were canceled are begun anew.
 *
 * @param tables The records, in a transaction for writing.
 * @param row The release.
 * @param at The time.
 * @returns The ids of the jobs that wait now.
 */
export async function queueDeltas(
  tables: Records,
  row: Pick<ReleaseRow, "hardware" | "counter" | "sha256">,
  at: string,
): Promise<string[]> {
  const { sha256 } = row;
  const carriers = await tables.carriersOf(sha256);
  const known = new Map((await tables.deltaJobsOf(sha256)).map((job) => [keyOf(job), job]));
  const bases = await basesOf(tables, row, carriers);
  const wanted: Wanted[] = [
    { baseSha256: null, effort: "fast" },
    ...bases.map((baseSha256) => ({ baseSha256, effort: "best" }) as const),
    { baseSha256: null, effort: "best" },
  ];
  let room = MAX_QUEUED_DELTA_JOBS - await tables.queuedDeltaJobs();
  const queued: string[] = [];
  for (const [place, each] of wanted.entries()) {
    if (room <= 0) break;
    const { baseSha256 } = each;
    const rank = baseSha256 === null && place > 0 ? LAST_RANK : place;
    const old = known.get(keyOf(each));
    const fresh: Omit<DeltaJobRow, "job"> = {
      ...{ sha256, ...each, rank, state: "queued", reason: null, failure: null },
      ...{ attempts: 0, carrierSha256: null, lengthBytes: null, fullBytes: null },
      ...{ createdAt: at, updatedAt: at },
    };
    if (old === undefined) {
      if (baseSha256 !== null && hasDelta(carriers, baseSha256)) continue;
      queued.push((await tables.addDeltaJob(fresh))!);
    } else if (old.state === "dropped" && old.reason !== "larger") {
      await tables.putDeltaJob({ ...fresh, job: old.job, createdAt: old.createdAt });
      queued.push(old.job);
    } else continue;
    room--;
  }
  return queued;
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
): Promise<string[]> {
  const patches = carriers.filter(({ format }) => format === "bsdiff40");
  const bases = new Set(patches.map(({ baseSha256 }) => baseSha256!));
  for (const { sha256 } of await tables.basesInField(row.hardware, MAX_DELTAS)) bases.add(sha256);
  const before = (await tables.releasesOf(row.hardware))
    .find(({ state, counter }) => state === "published" && counter < row.counter);
  if (before !== undefined) bases.add(before.sha256);
  bases.delete(row.sha256); // Nothing needs to travel.
  return [...bases].slice(0, MAX_DELTAS);
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
