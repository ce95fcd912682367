/**
 * Whether a vehicle waits a moment before it is told of its campaign: a delta from what it runs is
 * being made, and seconds later it would have fetched a fraction of the bytes.
 *
 * It waits for a bound only, it was not told yet, and it profits: nobody else is held. That is so
 * when the image is large, or when somebody uploaded a patch for it, which says what they want.
 *
 * @module
 */
import { isoTime, type Millis } from "shared/clock.ts";
import { DELTA_HOLD_MS, MIN_HELD_BYTES } from "shared/limits.ts";
import type { Records, VehicleRow } from "../ports.ts";
import { hasDelta } from "../release/delta_plan.ts";
import type { FullRelease } from "./director.ts";

/**
 * Until when a vehicle is held.
 *
 * @param tables The records.
 * @param row The vehicle, as it was told last.
 * @param look Its campaign, the releases of its ECUs by serial, and the time.
 * @returns ISO 8601, or `null` if it may be told.
 */
export async function heldUntil(
  tables: Records,
  row: VehicleRow,
  look: {
    readonly campaign: string;
    readonly targets: ReadonlyMap<string, FullRelease>;
    readonly nowMs: Millis;
  },
): Promise<string | null> {
  if (row.director?.campaign === look.campaign) return null; // What was said is not taken back.
  const campaign = await tables.campaign(look.campaign);
  const untilMs = Date.parse(campaign?.createdAt ?? "") + DELTA_HOLD_MS;
  if (!(look.nowMs < untilMs)) return null;
  for (const [serial, { row: release, blob, carriers }] of look.targets) {
    const runs = row.report?.ecus.find((ecu) => ecu.serial === serial)?.sha256 ?? null;
    if (runs === null || runs === release.sha256 || hasDelta(carriers, runs)) continue;
    const patched = carriers.some(({ baseSha256 }) => baseSha256 === runs);
    if (blob.lengthBytes < MIN_HELD_BYTES && !patched) continue;
    const jobs = await tables.deltaJobsOf(release.sha256);
    const pending = jobs.some(({ baseSha256, state }) =>
      baseSha256 === runs && (state === "queued" || state === "running")
    );
    if (pending) return isoTime(untilMs);
  }
  return null;
}
