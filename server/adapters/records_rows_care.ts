/**
 * The rows of failed trials, and the vehicles with open rot.
 *
 * @module
 */
import { MAX_ECUS } from "shared/limits.ts";
import { TrialLog } from "shared/protocol/messages.ts";
import type { CareRecords, RottenVehicle } from "../ports_care.ts";
import { json, Statements } from "./records_statements.ts";

/** The condition is that of the index `vehicles_rotten`, word by word: so SQLite uses it. */
const ROTTEN = `
  SELECT vin, (
      SELECT count(*) FROM json_each(vehicles.report, '$.rot')
      WHERE json_extract(value, '$.healedAt') IS NULL
    ) AS open
  FROM vehicles WHERE json_extract(report, '$.rot') IS NOT NULL AND open > 0
  ORDER BY open DESC, vin`;

/** Their part of the records. */
export class CareRows extends Statements implements CareRecords {
  async putTrial(vin: string, log: TrialLog): Promise<void> {
    await this.run(
      "INSERT OR REPLACE INTO trials (vin, ecu, body) VALUES (?, ?, ?)",
      ...[vin, log.ecu, JSON.stringify(log)],
    );
    // One that makes up serials must not fill the table.
    await this.run(
      `DELETE FROM trials WHERE vin = ?1 AND ecu NOT IN
         (SELECT ecu FROM trials WHERE vin = ?1 ORDER BY id DESC LIMIT ?2)`,
      ...[vin, MAX_ECUS],
    );
  }

  trials(vin: string): Promise<TrialLog[]> {
    const sql = "SELECT body FROM trials WHERE vin = ? ORDER BY id DESC";
    return this.all(sql, ({ body }) => json(TrialLog, body), vin);
  }

  rotten(): Promise<RottenVehicle[]> {
    return this.all(ROTTEN, ({ vin, open }) => ({ vin: String(vin), open: Number(open) }));
  }
}
