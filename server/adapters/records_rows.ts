/**
 * Rows to values and back. JSON columns are read through their schemas, so that a row
 * that was tampered with is a clear failure, not a strange state.
 *
 * @module
 */
import { z } from "zod";
import { Hardware } from "shared/protocol/api.ts";
import { Carrier, EcuState, FailureReport, Notes } from "shared/protocol/common.ts";
import { DirectorTargets } from "shared/protocol/director.ts";
import { VehicleEvent, VehicleReport } from "shared/protocol/messages.ts";
import {
  type AssignmentRow,
  type BlobRow,
  type CampaignRow,
  type Counts,
  type OperatorRow,
  type Page,
  type Records,
  type ReleaseRow,
  ROLES,
  type SessionRow,
  type VehicleRow,
} from "../ports.ts";
import { DeltaRows } from "./records_rows_delta.ts";
import { json, jsonOrNull, type Row, textOrNull } from "./records_statements.ts";

const Role = z.enum(ROLES);
const Strings = z.array(z.string());
const Text = z.string().nullable();
const ReleaseState = z.enum(["draft", "published"]);
const CampaignState = z.enum(["running", "halted", "withdrawn"]);
const Targets = z.record(z.string(), z.string());

const ALL: Page = { limit: -1, after: undefined };

/** {@linkcode Records} on one connection. */
export class Rows extends DeltaRows implements Records {
  operator(user: string): Promise<OperatorRow | undefined> {
    return this.one("SELECT * FROM operators WHERE user = ?", readOperator, user);
  }

  operators(): Promise<OperatorRow[]> {
    return this.all("SELECT * FROM operators ORDER BY user", readOperator);
  }

  async dropOperator(user: string): Promise<void> {
    await this.dropSessionsOf(user);
    await this.run("DELETE FROM operators WHERE user = ?", user);
  }

  async operatorCount(): Promise<number> {
    return await this.one("SELECT count(*) AS n FROM operators", (row) => Number(row.n)) ?? 0;
  }

  async putOperator(row: OperatorRow): Promise<void> {
    await this.run(
      "INSERT OR REPLACE INTO operators VALUES (?, ?, ?)",
      ...[row.user, row.role, row.passwordHash],
    );
  }

  session(tokenHash: string): Promise<SessionRow | undefined> {
    return this.one("SELECT * FROM sessions WHERE token_hash = ?", (row) => ({
      tokenHash: String(row.token_hash),
      user: String(row.user),
      role: Role.parse(row.role),
      createdAtMs: Number(row.created_at_ms),
    }), tokenHash);
  }

  async putSession(row: SessionRow): Promise<void> {
    await this.run(
      "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?)",
      ...[row.tokenHash, row.user, row.role, row.createdAtMs],
    );
  }

  async dropSession(tokenHash: string): Promise<void> {
    await this.run("DELETE FROM sessions WHERE token_hash = ?", tokenHash);
  }

  async dropSessionsOf(user: string, exceptTokenHash = ""): Promise<void> {
    const sql = "DELETE FROM sessions WHERE user = ? AND token_hash <> ?";
    await this.run(sql, user, exceptTokenHash);
  }

  async dropSessionsBefore(createdAtMs: number): Promise<void> {
    await this.run("DELETE FROM sessions WHERE created_at_ms < ?", createdAtMs);
  }

  blob(sha256: string): Promise<BlobRow | undefined> {
    return this.one("SELECT * FROM blobs WHERE sha256 = ?", blobRow, sha256);
  }

  blobsByRoot(merkleRoot: string): Promise<BlobRow[]> {
    return this.all("SELECT * FROM blobs WHERE merkle_root = ?", blobRow, merkleRoot);
  }

  async putBlob(row: BlobRow): Promise<void> {
    const sql = "INSERT OR IGNORE INTO blobs VALUES (?, ?, ?)";
    await this.run(sql, row.sha256, row.lengthBytes, row.merkleRoot);
  }

  carriersOf(sha256: string): Promise<Carrier[]> {
    const sql = "SELECT body FROM carriers WHERE sha256 = ? ORDER BY id";
    return this.all(sql, (row) => json(Carrier, row.body), sha256);
  }

  carrier(carrierSha256: string): Promise<Carrier | undefined> {
    const sql = `SELECT body FROM carriers WHERE carrier_sha256 = ?1 UNION ALL
      SELECT carrier FROM retired WHERE sha256 = ?1 AND carrier IS NOT NULL LIMIT 1`;
    return this.one(sql, (row) => json(Carrier, row.body), carrierSha256);
  }

  putCarrier(row: Carrier): Promise<boolean> {
    return this.run(
      "INSERT OR IGNORE INTO carriers (carrier_sha256, sha256, body) VALUES (?, ?, ?)",
      ...[row.carrierSha256, row.sha256, JSON.stringify(row)],
    );
  }

  hardware(): Promise<Hardware[]> {
    const sql = "SELECT * FROM hardware ORDER BY hardware";
    return this.all(sql, (row) => Hardware.parse({ ...row }));
  }

  putHardware({ hardware, origin }: Hardware, vin: string | null = null): Promise<boolean> {
    return this.run("INSERT OR IGNORE INTO hardware VALUES (?, ?, ?)", hardware, origin, vin);
  }

  async hardwareCountOf(vin: string): Promise<number> {
    const sql = "SELECT count(*) AS n FROM hardware WHERE vin = ?";
    return await this.one(sql, (row) => Number(row.n), vin) ?? 0;
  }

  async counts(): Promise<Counts> {
    const sql = `SELECT (SELECT count(*) FROM releases) AS releases,
      (SELECT count(*) FROM campaigns) AS campaigns, (SELECT count(*) FROM vehicles) AS vehicles,
      (SELECT count(*) FROM campaigns WHERE state = 'running') AS running`;
    return (await this.one(sql, (row) => ({ ...row as unknown as Counts })))!;
  }

  releases({ limit, after }: Page = ALL): Promise<ReleaseRow[]> {
    const sql = `SELECT * FROM releases WHERE iif(?1 IS NULL, TRUE,
      id < (SELECT id FROM releases WHERE release = ?1)) ORDER BY id DESC LIMIT ?2`;
    return this.all(sql, readRelease, after ?? null, limit);
  }

  releasesOf(hardware: string): Promise<ReleaseRow[]> {
    const sql = "SELECT * FROM releases WHERE hardware = ? ORDER BY counter DESC";
    return this.all(sql, readRelease, hardware);
  }

  release(id: string): Promise<ReleaseRow | undefined> {
    return this.one("SELECT * FROM releases WHERE release = ?", readRelease, id);
  }

  async putRelease(row: ReleaseRow): Promise<void> {
    await this.run(
      `INSERT INTO releases (release, hardware, version, counter, sha256, state, notes, rxswin,
         needs, created_at, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (release) DO UPDATE SET state = excluded.state`, // Nothing else ever changes.
      ...[row.release, row.hardware, row.version, row.counter, row.sha256, row.state],
      ...[row.notes, row.rxswin, row.needs].map((value) => JSON.stringify(value)),
      ...[row.createdAt, row.createdBy],
    );
  }

  campaigns({ limit, after }: Page = ALL): Promise<CampaignRow[]> {
    const sql = "SELECT * FROM campaigns WHERE number < ? ORDER BY number DESC LIMIT ?";
    return this.all(sql, readCampaign, after === undefined ? 2 ** 53 : +after.slice(1), limit);
  }

  campaign(id: string): Promise<CampaignRow | undefined> {
    return this.one("SELECT * FROM campaigns WHERE campaign = ?", readCampaign, id);
  }

  async putCampaign(row: CampaignRow): Promise<void> {
    await this.run(
      "INSERT OR REPLACE INTO campaigns VALUES (?, ?, ?, ?, ?, ?)",
      ...[row.number, row.campaign, row.state, JSON.stringify(row.releases)],
      ...[row.createdAt, row.createdBy],
    );
  }

  async nextCampaign(): Promise<number> {
    const sql = "SELECT coalesce(max(number), 0) + 1 AS n FROM campaigns";
    return await this.one(sql, (row) => Number(row.n)) ?? 1;
  }

  assignmentsOfCampaign(campaign: string): Promise<AssignmentRow[]> {
    const sql = "SELECT * FROM assignments WHERE campaign = ? ORDER BY vin";
    return this.all(sql, readAssignment, campaign);
  }

  assignmentsOfVehicle(vin: string): Promise<AssignmentRow[]> {
    return this.all("SELECT * FROM assignments WHERE vin = ?", readAssignment, vin);
  }

  async putAssignment(row: AssignmentRow): Promise<void> {
    await this.run(
      "INSERT OR REPLACE INTO assignments VALUES (?, ?, ?, ?, ?, ?, ?)",
      ...[row.campaign, row.vin, row.state, textOrNull(row.failure)],
      ...[JSON.stringify(row.targets), row.updatedAt, row.heldUntil],
    );
  }

  vehicles({ limit, after }: Page = ALL): Promise<VehicleRow[]> {
    const sql = "SELECT * FROM vehicles WHERE vin > ? ORDER BY vin LIMIT ?";
    return this.all(sql, readVehicle, after ?? "", limit);
  }

  vins(): Promise<string[]> {
    return this.all("SELECT vin FROM vehicles ORDER BY vin", (row) => String(row.vin));
  }

  vehicle(vin: string): Promise<VehicleRow | undefined> {
    return this.one("SELECT * FROM vehicles WHERE vin = ?", readVehicle, vin);
  }

  vehicleBySecret(hash: string): Promise<VehicleRow | undefined> {
    const sql = "SELECT * FROM vehicles WHERE secret_hash = ? OR pending_hash = ?";
    return this.one(sql, readVehicle, hash, hash);
  }

  async putVehicle(row: VehicleRow): Promise<void> {
    await this.run(
      "INSERT OR REPLACE INTO vehicles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      ...[row.vin, row.tokenHash, row.secretHash, row.pendingHash, row.lastSeenAt],
      ...[textOrNull(row.report), textOrNull(row.director), row.current, JSON.stringify(row.queue)],
      ...[row.brokerEntry, row.pendingEntry],
    );
  }

  async addEvent(vin: string, event: VehicleEvent, keep: number): Promise<boolean> {
    const added = await this.run(
      "INSERT OR IGNORE INTO events (vin, event_id, body) VALUES (?, ?, ?)",
      ...[vin, event.id, JSON.stringify(event)],
    );
    if (added) {
      await this.run(
        `DELETE FROM events WHERE vin = ? AND id <=
           (SELECT id FROM events WHERE vin = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
        ...[vin, vin, keep],
      );
    }
    return added;
  }

  events(vin: string, limit: number): Promise<VehicleEvent[]> {
    const sql = "SELECT body FROM events WHERE vin = ? ORDER BY id DESC LIMIT ?";
    return this.all(sql, (row) => json(VehicleEvent, row.body), vin, limit);
  }
}

function readOperator(row: Row): OperatorRow {
  return {
    user: String(row.user),
    role: Role.parse(row.role),
    passwordHash: String(row.password_hash),
  };
}

function readRelease(row: Row): ReleaseRow {
  return {
    release: String(row.release),
    hardware: String(row.hardware),
    version: String(row.version),
    counter: Number(row.counter),
    sha256: String(row.sha256),
    state: ReleaseState.parse(row.state),
    notes: json(Notes, row.notes),
    rxswin: json(Strings, row.rxswin),
    needs: json(Strings, row.needs),
    createdAt: String(row.created_at),
    createdBy: String(row.created_by),
  };
}

function readCampaign(row: Row): CampaignRow {
  return {
    campaign: String(row.campaign),
    number: Number(row.number),
    state: CampaignState.parse(row.state),
    releases: json(Strings, row.releases),
    createdAt: String(row.created_at),
    createdBy: String(row.created_by),
  };
}

function readAssignment(row: Row): AssignmentRow {
  return {
    campaign: String(row.campaign),
    vin: String(row.vin),
    state: EcuState.parse(row.state),
    failure: jsonOrNull(FailureReport, row.failure),
    targets: json(Targets, row.targets),
    updatedAt: String(row.updated_at),
    heldUntil: Text.parse(row.held_until),
  };
}

function readVehicle(row: Row): VehicleRow {
  return {
    vin: String(row.vin),
    tokenHash: Text.parse(row.token_hash),
    secretHash: Text.parse(row.secret_hash),
    pendingHash: Text.parse(row.pending_hash),
    brokerEntry: Text.parse(row.broker_entry),
    pendingEntry: Text.parse(row.pending_entry),
    lastSeenAt: Text.parse(row.last_seen_at),
    report: jsonOrNull(VehicleReport, row.report),
    director: jsonOrNull(DirectorTargets, row.director),
    current: Text.parse(row.current),
    queue: json(Strings, row.queue),
  };
}

function blobRow(row: Record<string, unknown>): BlobRow {
  return {
    sha256: String(row.sha256),
    lengthBytes: Number(row.length_bytes),
    merkleRoot: String(row.merkle_root),
  };
}
