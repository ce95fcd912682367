/**
 * What the records must say before and after carriers are made.
 *
 * @module
 */
import { isoTime, type Millis } from "shared/clock.ts";
import type { Carrier } from "shared/protocol/common.ts";
import type { Records, ReleaseRow } from "../ports.ts";
import type { DeltaJobPorts } from "./delta_jobs.ts";
import { queueDeltas } from "./delta_plan.ts";
import { makeInstant, recordInstant } from "./instant.ts";

/**
 * Records a carrier that was made; deltas that are no smaller than a full one are of no use, nor
 * is the full one that was made in a hurry before it.
 *
 * @param tables The records, in a transaction for writing.
 * @param carrier The carrier.
 * @param nowMs The time.
 */
export async function keepCarrier(tables: Records, carrier: Carrier, nowMs: Millis): Promise<void> {
  await tables.putCarrier(carrier);
  await tables.dropRetired(carrier.carrierSha256);
  if (carrier.baseSha256 !== undefined) return;
  const carriers = await tables.carriersOf(carrier.sha256);
  for (const job of await tables.deltaJobsOf(carrier.sha256)) {
    const useless = job.state === "kept" && job.lengthBytes! >= carrier.lengthBytes &&
      job.carrierSha256 !== carrier.carrierSha256;
    if (!useless) continue;
    const old = carriers.find(({ carrierSha256 }) => carrierSha256 === job.carrierSha256);
    if (old !== undefined) await tables.retireCarrier(old, nowMs);
    const fullBytes = carrier.lengthBytes;
    const dropped = { state: "dropped", reason: "larger", carrierSha256: null } as const;
    await tables.putDeltaJob({ ...job, ...dropped, fullBytes });
  }
}

/**
 * After a start: jobs that ran wait again, and releases of a time when there were no containers
 * get one, without which they are not told to vehicles.
 *
 * @param ports What jobs need.
 * @param signal The server ends.
 */
export async function resumeDeltas(ports: DeltaJobPorts, signal: AbortSignal): Promise<void> {
  const { records } = ports;
  await records.write((tables) => tables.requeueDeltaJobs());
  const newest = new Set<string>();
  for (const row of await records.read((tables) => tables.releases())) {
    if (signal.aborted) return;
    const isNewest = row.state === "published" && !newest.has(row.hardware);
    if (isNewest) newest.add(row.hardware);
    const carriers = await records.read((tables) => tables.carriersOf(row.sha256));
    if (carriers.some((each) => each.format === "container" && !each.baseSha256)) continue;
    try {
      await makeReady(ports, row, isNewest);
    } catch (error) {
      ports.log(`Cannot offer ${row.release} to vehicles: ${(error as Error).message}`);
    }
  }
}

async function makeReady(ports: DeltaJobPorts, row: ReleaseRow, isNewest: boolean): Promise<void> {
  const { records, clock, feed, fleet } = ports;
  const blob = await records.read((tables) => tables.blob(row.sha256));
  const instant = await makeInstant(ports, blob!);
  await records.write(async (tables) => {
    await recordInstant(tables, instant);
    if (isNewest) await queueDeltas(tables, row, isoTime(clock.now()));
  });
  feed.changed("release", row.release);
  fleet.settleAll();
}
