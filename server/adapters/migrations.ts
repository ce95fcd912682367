/**
 * The SQLite schema, one step a version. `user_version` says which steps a database
 * has taken. Append only: a step that was released is never changed.
 *
 * @module
 */

/** SQL of each step; step `n` leads from version `n` to `n + 1`. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE operators (user TEXT PRIMARY KEY, role TEXT NOT NULL, password_hash TEXT NOT NULL);
  CREATE TABLE sessions (token_hash TEXT PRIMARY KEY, user TEXT NOT NULL, role TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL);
  CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, length_bytes INTEGER NOT NULL,
    merkle_root TEXT NOT NULL);
  CREATE TABLE carriers (id INTEGER PRIMARY KEY, carrier_sha256 TEXT NOT NULL, sha256 TEXT NOT NULL,
    body TEXT NOT NULL, UNIQUE (carrier_sha256, sha256));
  CREATE INDEX carriers_by_image ON carriers (sha256);
  CREATE TABLE hardware (hardware TEXT PRIMARY KEY, origin TEXT NOT NULL);
  CREATE TABLE releases (id INTEGER PRIMARY KEY, release TEXT NOT NULL UNIQUE,
    hardware TEXT NOT NULL, version TEXT NOT NULL, counter INTEGER NOT NULL, sha256 TEXT NOT NULL,
    state TEXT NOT NULL, notes TEXT NOT NULL, rxswin TEXT NOT NULL, needs TEXT NOT NULL,
    created_at TEXT NOT NULL, created_by TEXT NOT NULL, UNIQUE (hardware, counter));
  CREATE TABLE campaigns (number INTEGER PRIMARY KEY, campaign TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL, releases TEXT NOT NULL, created_at TEXT NOT NULL,
    created_by TEXT NOT NULL);
  CREATE TABLE assignments (campaign TEXT NOT NULL, vin TEXT NOT NULL, state TEXT NOT NULL,
    failure TEXT, targets TEXT NOT NULL, updated_at TEXT NOT NULL, PRIMARY KEY (campaign, vin));
  CREATE INDEX assignments_by_vehicle ON assignments (vin);
  CREATE TABLE vehicles (vin TEXT PRIMARY KEY, token_hash TEXT, secret_hash TEXT, pending_hash TEXT,
    last_seen_at TEXT, report TEXT, director TEXT, current TEXT, queue TEXT NOT NULL);
  CREATE INDEX vehicles_by_secret ON vehicles (secret_hash);
  CREATE INDEX vehicles_by_pending ON vehicles (pending_hash);
  CREATE TABLE events (id INTEGER PRIMARY KEY, vin TEXT NOT NULL, event_id TEXT NOT NULL,
    body TEXT NOT NULL, UNIQUE (vin, event_id));
  `,
  // What another broker must know of a secret can only be made while the secret is known.
  `
  ALTER TABLE vehicles ADD COLUMN broker_entry TEXT;
  ALTER TABLE vehicles ADD COLUMN pending_entry TEXT;
  `,
  // Which vehicle made a hardware id known: one alone must not fill the table.
  "ALTER TABLE hardware ADD COLUMN vin TEXT; CREATE INDEX hardware_by_vin ON hardware (vin);",
  // Carriers that the server makes. `base_sha256` is empty for a full one: NULLs are never equal.
  `
  CREATE TABLE composites (carrier_sha256 TEXT PRIMARY KEY, head_sha256 TEXT NOT NULL,
    image_sha256 TEXT NOT NULL, ranges TEXT NOT NULL);
  CREATE TABLE delta_jobs (number INTEGER PRIMARY KEY AUTOINCREMENT, sha256 TEXT NOT NULL,
    base_sha256 TEXT NOT NULL, effort TEXT NOT NULL, rank INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT,
    failure TEXT, attempts INTEGER NOT NULL, carrier_sha256 TEXT, length_bytes INTEGER,
    full_bytes INTEGER, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    UNIQUE (sha256, base_sha256, effort));
  CREATE INDEX delta_jobs_by_state ON delta_jobs (state, rank, number);
  CREATE INDEX releases_by_image ON releases (sha256);
  ALTER TABLE assignments ADD COLUMN held_until TEXT;
  `,
  // Files that nothing refers to, and what was given back to the medium: one row.
  `
  CREATE TABLE retired (sha256 TEXT PRIMARY KEY, since_ms INTEGER NOT NULL,
    length_bytes INTEGER NOT NULL, carrier TEXT, leaving INTEGER NOT NULL);
  CREATE TABLE freed (id INTEGER PRIMARY KEY CHECK (id = 1), files INTEGER NOT NULL,
    bytes INTEGER NOT NULL);
  INSERT INTO freed VALUES (1, 0, 0);
  `,
  // The last failed trial of each ECU, from the events that told of it, and who has rot to show.
  `
  CREATE TABLE trials (id INTEGER PRIMARY KEY AUTOINCREMENT, vin TEXT NOT NULL, ecu TEXT NOT NULL,
    body TEXT NOT NULL, UNIQUE (vin, ecu));
  INSERT OR REPLACE INTO trials (vin, ecu, body)
    SELECT vin, json_extract(body, '$.log.ecu'), json_extract(body, '$.log') FROM events
    WHERE json_extract(body, '$.log') IS NOT NULL ORDER BY id;
  CREATE INDEX vehicles_rotten ON vehicles (vin) WHERE json_extract(report, '$.rot') IS NOT NULL;
  `,
  // Signed metadata as it is sent; `vin` is empty but for what the Director says to a vehicle.
  `
  CREATE TABLE metadata (repository TEXT NOT NULL, vin TEXT NOT NULL, role TEXT NOT NULL,
    version INTEGER NOT NULL, body TEXT NOT NULL, expires_at_ms INTEGER NOT NULL,
    key_id TEXT NOT NULL, PRIMARY KEY (repository, vin, role, version)) WITHOUT ROWID;
  CREATE TABLE signed_releases (release TEXT PRIMARY KEY, sha256 TEXT NOT NULL);
  CREATE TABLE carrier_roots (carrier_sha256 TEXT PRIMARY KEY, merkle_root TEXT NOT NULL);
  `,
];
