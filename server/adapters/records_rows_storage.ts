/**
 * The rows of files that nothing refers to any more, and what keeps the others.
 *
 * @module
 */
import type { Millis } from "shared/clock.ts";
import { Carrier } from "shared/protocol/common.ts";
import type { Freed, RetiredRow } from "../ports_storage.ts";
import { CareRows } from "./records_rows_care.ts";
import { json, jsonOrNull, type Row, textOrNull } from "./records_statements.ts";

/** A composite's files count as long as it is a carrier; a job's while it is not over. */
const REFERENCED = `
  SELECT sha256 FROM releases
  UNION SELECT carrier_sha256 FROM carriers
  UNION SELECT sha256 FROM carriers
  UNION SELECT head_sha256 FROM composites JOIN carriers USING (carrier_sha256)
  UNION SELECT image_sha256 FROM composites JOIN carriers USING (carrier_sha256)
  UNION SELECT sha256 FROM delta_jobs WHERE state IN ('queued', 'running')
  UNION SELECT base_sha256 FROM delta_jobs WHERE state IN ('queued', 'running')
  UNION SELECT json_extract(value, '$.sha256')
    FROM vehicles, json_each(vehicles.report, '$.ecus')
    WHERE json_extract(value, '$.sha256') IS NOT NULL`;

/** Their part of {@linkcode Records}. */
export class StorageRows extends CareRows {
  async retireCarrier(carrier: Carrier, nowMs: Millis): Promise<void> {
    const { carrierSha256, sha256, lengthBytes } = carrier;
    await this.run(
      "DELETE FROM carriers WHERE carrier_sha256 = ? AND sha256 = ?",
      ...[carrierSha256, sha256],
    );
    const row = { sha256: carrierSha256, sinceMs: nowMs, lengthBytes, carrier, leaving: false };
    await this.putRetired(row);
  }

  retired(): Promise<RetiredRow[]> {
    return this.all("SELECT * FROM retired ORDER BY since_ms, sha256", readRetired);
  }

  retiredFile(sha256: string): Promise<RetiredRow | undefined> {
    return this.one("SELECT * FROM retired WHERE sha256 = ?", readRetired, sha256);
  }

  async putRetired(row: RetiredRow): Promise<void> {
    await this.run(
      "INSERT OR REPLACE INTO retired VALUES (?, ?, ?, ?, ?)",
      ...[row.sha256, row.sinceMs, row.lengthBytes, textOrNull(row.carrier), row.leaving ? 1 : 0],
    );
  }

  async dropRetired(sha256: string): Promise<void> {
    await this.run("DELETE FROM retired WHERE sha256 = ?", sha256);
  }

  async referencedFiles(): Promise<Set<string>> {
    return new Set(await this.all(REFERENCED, ({ sha256 }) => String(sha256)));
  }

  async forgetFile(sha256: string): Promise<void> {
    await this.run("DELETE FROM blobs WHERE sha256 = ?", sha256);
    const sql = "DELETE FROM composites WHERE head_sha256 = ?1 OR image_sha256 = ?1";
    await this.run(sql, sha256);
  }

  supersededCarriers(): Promise<Carrier[]> {
    return this.all(
      `SELECT carriers.body AS body FROM delta_jobs AS fast
         JOIN delta_jobs AS best ON best.sha256 = fast.sha256 AND best.base_sha256 = ''
           AND best.effort = 'best' AND best.state = 'kept'
           AND best.length_bytes < fast.length_bytes
         JOIN carriers ON carriers.carrier_sha256 = fast.carrier_sha256
         WHERE fast.base_sha256 = '' AND fast.effort = 'fast' AND fast.state = 'kept'`,
      (row) => json(Carrier, row.body),
    );
  }

  async freed(): Promise<Freed> {
    const read = (row: Row) => ({ files: Number(row.files), bytes: Number(row.bytes) });
    return await this.one("SELECT files, bytes FROM freed", read) ?? { files: 0, bytes: 0 };
  }

  async addFreed({ files, bytes }: Freed): Promise<void> {
    await this.run("UPDATE freed SET files = files + ?, bytes = bytes + ?", files, bytes);
  }
}

function readRetired(row: Row): RetiredRow {
  return {
    sha256: String(row.sha256),
    sinceMs: Number(row.since_ms),
    lengthBytes: Number(row.length_bytes),
    carrier: jsonOrNull(Carrier, row.carrier),
    leaving: row.leaving === 1,
  };
}
