/**
 * The rows of carriers that the server makes: jobs, and carriers that are put together from
 * other files when they are sent.
 *
 * @module
 */
import { z } from "zod";
import { DELTA_JOB_STATES } from "shared/protocol/api.ts";
import { FailureReport } from "shared/protocol/common.ts";
import type { BaseInField, CompositeRow, DeltaJobRow } from "../ports_delta.ts";
import { json, jsonOrNull, type Row, textOrNull } from "./records_statements.ts";
import { MetadataRows } from "./records_rows_metadata.ts";

const Text = z.string().nullable();
const Count = z.number().nullable();
const Ranges = z.array(z.tuple([z.number().int().min(0), z.number().int().min(1)]));
const State = z.enum(DELTA_JOB_STATES);
const Effort = z.enum(["fast", "best"]);
const Reason = z.enum(["larger", "canceled", "failed"]).nullable();

/** Their part of {@linkcode Records}. */
export class DeltaRows extends MetadataRows {
  composite(carrierSha256: string): Promise<CompositeRow | undefined> {
    const sql = "SELECT * FROM composites WHERE carrier_sha256 = ?";
    return this.one(sql, readComposite, carrierSha256);
  }

  async putComposite(row: CompositeRow): Promise<void> {
    await this.run(
      "INSERT OR IGNORE INTO composites VALUES (?, ?, ?, ?)",
      ...[row.carrierSha256, row.headSha256, row.imageSha256, JSON.stringify(row.ranges)],
    );
  }

  deltaJob(job: string): Promise<DeltaJobRow | undefined> {
    const number = Number(job.slice(1));
    return this.one("SELECT * FROM delta_jobs WHERE number = ?", readJob, number);
  }

  deltaJobsOf(sha256: string): Promise<DeltaJobRow[]> {
    return this.all("SELECT * FROM delta_jobs WHERE sha256 = ? ORDER BY number", readJob, sha256);
  }

  recentDeltaJobs(limit: number): Promise<DeltaJobRow[]> {
    return this.all(
      `SELECT * FROM delta_jobs WHERE state IN ('queued', 'running') UNION
         SELECT * FROM (SELECT * FROM delta_jobs ORDER BY number DESC LIMIT ?)
         ORDER BY number DESC`,
      readJob,
      limit,
    );
  }

  nextDeltaJob(): Promise<DeltaJobRow | undefined> {
    const sql = "SELECT * FROM delta_jobs WHERE state = 'queued' ORDER BY rank, number LIMIT 1";
    return this.one(sql, readJob);
  }

  async queuedDeltaJobs(): Promise<number> {
    const sql = "SELECT count(*) AS n FROM delta_jobs WHERE state = 'queued'";
    return await this.one(sql, (row) => Number(row.n)) ?? 0;
  }

  async addDeltaJob(row: Omit<DeltaJobRow, "job">): Promise<string | undefined> {
    const added = await this.one(
      `INSERT INTO delta_jobs (sha256, base_sha256, effort, rank, state, reason, failure, attempts,
         carrier_sha256, length_bytes, full_bytes, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (sha256, base_sha256, effort) DO NOTHING RETURNING number`,
      (row) => `d${row.number}`,
      ...[row.sha256, row.baseSha256 ?? "", row.effort, row.rank, ...columnsOf(row), row.createdAt],
      row.updatedAt,
    );
    return added;
  }

  async putDeltaJob(row: DeltaJobRow): Promise<void> {
    await this.run(
      `UPDATE delta_jobs SET rank = ?, state = ?, reason = ?, failure = ?, attempts = ?,
         carrier_sha256 = ?, length_bytes = ?, full_bytes = ?, updated_at = ? WHERE number = ?`,
      ...[row.rank, ...columnsOf(row), row.updatedAt, Number(row.job.slice(1))],
    );
  }

  async requeueDeltaJobs(): Promise<void> {
    await this.run("UPDATE delta_jobs SET state = 'queued' WHERE state = 'running'");
  }

  lastQueuedDeltaJob(): Promise<DeltaJobRow | undefined> {
    const sql = `SELECT * FROM delta_jobs WHERE state = 'queued'
      ORDER BY rank DESC, number DESC LIMIT 1`;
    return this.one(sql, readJob);
  }

  basesInField(
    hardware: string,
    { limit, each }: { readonly limit: number; readonly each: number },
  ): Promise<BaseInField[]> {
    // Counted by SQLite: reading every report of a large fleet would hold up requests. A report is
    // a vehicle's word: only releases of the hardware id count, and each vehicle once.
    return this.all(
      `WITH told AS (
         SELECT DISTINCT vin, json_extract(value, '$.sha256') AS sha256
           FROM vehicles, json_each(vehicles.report, '$.ecus')
           WHERE json_extract(value, '$.hardware') = ?1),
       images AS (
         SELECT sha256, max(counter) AS counter FROM releases JOIN blobs USING (sha256)
            WHERE hardware = ?1 GROUP BY sha256),
       places AS (
         SELECT sha256, counter, row_number() OVER (PARTITION BY vin ORDER BY counter DESC) AS place
           FROM told JOIN images USING (sha256))
       SELECT sha256, count(*) AS vehicles, counter FROM places WHERE place <= ?2
         GROUP BY sha256 ORDER BY vehicles DESC, counter DESC LIMIT ?3`,
      (row) => ({ sha256: String(row.sha256), vehicles: Number(row.vehicles) }),
      ...[hardware, each, limit],
    );
  }

  releasesWith(sha256: string): Promise<{ release: string; hardware: string }[]> {
    return this.all(
      "SELECT release, hardware FROM releases WHERE sha256 = ? ORDER BY id",
      (row) => ({ release: String(row.release), hardware: String(row.hardware) }),
      sha256,
    );
  }
}

/** The columns that change. */
function columnsOf(row: Omit<DeltaJobRow, "job">): (string | number | null)[] {
  return [
    ...[row.state, row.reason, textOrNull(row.failure), row.attempts],
    ...[row.carrierSha256, row.lengthBytes, row.fullBytes],
  ];
}

function readJob(row: Row): DeltaJobRow {
  return {
    job: `d${row.number}`,
    sha256: String(row.sha256),
    baseSha256: row.base_sha256 === "" ? null : String(row.base_sha256),
    effort: Effort.parse(row.effort),
    rank: Number(row.rank),
    state: State.parse(row.state),
    reason: Reason.parse(row.reason),
    failure: jsonOrNull(FailureReport, row.failure),
    attempts: Number(row.attempts),
    carrierSha256: Text.parse(row.carrier_sha256),
    lengthBytes: Count.parse(row.length_bytes),
    fullBytes: Count.parse(row.full_bytes),
    createdAt: String(row.created_at),
    updatedAt: String(row.updated_at),
  };
}

function readComposite(row: Row): CompositeRow {
  return {
    carrierSha256: String(row.carrier_sha256),
    headSha256: String(row.head_sha256),
    imageSha256: String(row.image_sha256),
    ranges: json(Ranges, row.ranges),
  };
}
