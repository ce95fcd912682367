/**
 * The rows of signed metadata, and of what the signed targets list.
 *
 * @module
 */
import { z } from "zod";
import { Carrier } from "shared/protocol/common.ts";
import { REPOSITORIES, type Repository } from "shared/protocol/signing.ts";
import type {
  MetadataName,
  MetadataRecords,
  MetadataRow,
  RootedCarrier,
} from "../ports_metadata.ts";
import { StorageRows } from "./records_rows_storage.ts";
import { json, type Row } from "./records_statements.ts";

const WhichRepository = z.enum(REPOSITORIES);

/** Containers of releases that are signed with their image. */
const SIGNED_CONTAINERS = `
  FROM carriers JOIN (SELECT DISTINCT sha256 FROM releases JOIN signed_releases
    USING (release, sha256)) USING (sha256)
  LEFT JOIN carrier_roots USING (carrier_sha256)
  WHERE json_extract(carriers.body, '$.format') = 'container'`;

/** Their part of {@linkcode MetadataRecords}. */
export class MetadataRows extends StorageRows implements MetadataRecords {
  metadata(
    { repository, vin, role }: MetadataName,
    version?: number,
  ): Promise<MetadataRow | undefined> {
    const sql = `SELECT * FROM metadata WHERE repository = ? AND vin = ? AND role = ?
      AND version = coalesce(?4, version) ORDER BY version DESC LIMIT 1`;
    return this.one(sql, readMetadata, repository, vin, role, version ?? null);
  }

  roots(repository: Repository): Promise<MetadataRow[]> {
    const sql = `SELECT * FROM metadata WHERE repository = ? AND vin = '' AND role = 'root'
      ORDER BY version`;
    return this.all(sql, readMetadata, repository);
  }

  async putMetadata(row: MetadataRow, keep: number): Promise<void> {
    const { repository, vin, role, version } = row;
    await this.run(
      "INSERT INTO metadata VALUES (?, ?, ?, ?, ?, ?, ?)",
      ...[repository, vin, role, version, row.body, row.expiresAtMs, row.keyId],
    );
    await this.run(
      `DELETE FROM metadata WHERE repository = ?1 AND vin = ?2 AND role = ?3 AND version <=
         (SELECT version FROM metadata WHERE repository = ?1 AND vin = ?2 AND role = ?3
          ORDER BY version DESC LIMIT 1 OFFSET ?4)`,
      ...[repository, vin, role, keep],
    );
  }

  directorDue(
    { expiresBeforeMs, keyId }: { readonly expiresBeforeMs: number; readonly keyId: string },
    { after, limit }: { readonly after: string; readonly limit: number },
  ): Promise<string[]> {
    const sql = `SELECT vin FROM vehicles WHERE vin > ? AND NOT EXISTS (
      SELECT 1 FROM metadata WHERE repository = 'director' AND metadata.vin = vehicles.vin
        AND role = 'timestamp' AND expires_at_ms >= ? AND key_id = ?) ORDER BY vin LIMIT ?`;
    return this.all(sql, (row) => String(row.vin), after, expiresBeforeMs, keyId, limit);
  }

  async isSigned(release: string): Promise<boolean> {
    const sql = `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM metadata WHERE repository = 'image'
        AND vin = '' AND role = 'root')
      OR EXISTS (SELECT 1 FROM signed_releases JOIN releases USING (release, sha256)
        WHERE release = ?)`;
    return await this.one(sql, () => true, release) ?? false;
  }

  unsignedReleases(): Promise<string[]> {
    const sql = `SELECT release FROM releases LEFT JOIN signed_releases USING (release, sha256)
      WHERE state = 'published' AND signed_releases.release IS NULL ORDER BY id`;
    return this.all(sql, (row) => String(row.release));
  }

  async putSignedReleases(
    rows: readonly { readonly release: string; readonly sha256: string }[],
  ): Promise<void> {
    await this.run("DELETE FROM signed_releases");
    for (const { release, sha256 } of rows) {
      await this.run("INSERT INTO signed_releases VALUES (?, ?)", release, sha256);
    }
  }

  carriersWithoutRoot(limit: number): Promise<Carrier[]> {
    const sql = `SELECT carriers.body ${SIGNED_CONTAINERS} AND merkle_root IS NULL
      ORDER BY carriers.id LIMIT ?`;
    return this.all(sql, (row) => json(Carrier, row.body), limit);
  }

  async putCarrierRoot(carrierSha256: string, merkleRoot: string): Promise<void> {
    await this.run("INSERT OR REPLACE INTO carrier_roots VALUES (?, ?)", carrierSha256, merkleRoot);
  }

  signableCarriers(limit: number): Promise<RootedCarrier[]> {
    const sql = `SELECT * FROM (SELECT carriers.carrier_sha256, carriers.body, merkle_root
      ${SIGNED_CONTAINERS} AND merkle_root IS NOT NULL ORDER BY carriers.id DESC LIMIT ?)
      ORDER BY carrier_sha256`;
    return this.all(
      sql,
      (row) => ({ carrier: json(Carrier, row.body), merkleRoot: String(row.merkle_root) }),
      limit,
    );
  }
}

function readMetadata(row: Row): MetadataRow {
  return {
    repository: WhichRepository.parse(row.repository),
    vin: String(row.vin),
    role: String(row.role),
    version: Number(row.version),
    body: String(row.body),
    expiresAtMs: Number(row.expires_at_ms),
    keyId: String(row.key_id),
  };
}
