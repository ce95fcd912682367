/**
 * What signed metadata needs from records and from the keeper of the server's keys: see `ports.ts`.
 *
 * @module
 */
import type { Millis } from "shared/clock.ts";
import type { Carrier } from "shared/protocol/common.ts";
import type { OnlineRole, Repository } from "shared/protocol/signing.ts";
import type { StorageRecords } from "./ports_storage.ts";
import type { SigningKey } from "./trust/keys.ts";

/** Whose metadata it is. */
export interface MetadataName {
  readonly repository: Repository;
  /** Of the Director's but the root: the vehicle. Else empty. */
  readonly vin: string;
  readonly role: string;
}

/** One version of one role, as it is sent. */
export interface MetadataRow extends MetadataName {
  readonly version: number;
  readonly body: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: Millis;
  /** Of the server's key that signed it; empty if it was signed offline. */
  readonly keyId: string;
}

/** A carrier with the root over its own leaves, hex. */
export interface RootedCarrier {
  readonly carrier: Carrier;
  readonly merkleRoot: string;
}

/** The records of signed metadata. */
export interface MetadataRecords extends StorageRecords {
  /** The newest version, or a given one. */
  metadata(name: MetadataName, version?: number): Promise<MetadataRow | undefined>;
  /** Every root, the first one first. */
  roots(repository: Repository): Promise<MetadataRow[]>;
  /** Adds a version, and drops those before the newest `keep`. */
  putMetadata(row: MetadataRow, keep: number): Promise<void>;
  /**
   * Vehicles whose Director's timestamp expires before a time, or was signed by another key, or is
   * not there. By VIN, after one, at most so many.
   */
  directorDue(
    due: { readonly expiresBeforeMs: Millis; readonly keyId: string },
    page: { readonly after: string; readonly limit: number },
  ): Promise<string[]>;
  /** Whether vehicles may be told of a release: it is signed, or there is no root yet. */
  isSigned(release: string): Promise<boolean>;
  /** Releases that the signed targets do not list with their image; published ones, oldest first. */
  unsignedReleases(): Promise<string[]>;
  /** What the signed targets list, all of it. */
  putSignedReleases(
    rows: readonly { readonly release: string; readonly sha256: string }[],
  ): Promise<void>;
  /** Containers of signed releases whose own leaves have not been hashed yet. */
  carriersWithoutRoot(limit: number): Promise<Carrier[]>;
  putCarrierRoot(carrierSha256: string, merkleRoot: string): Promise<void>;
  /** Containers of signed releases, the newest, in the order of their digests. */
  signableCarriers(limit: number): Promise<RootedCarrier[]>;
}

/** Keeps the server's private keys. */
export interface KeyVault {
  /** Those of a role, newest first; at least one. */
  keys(role: OnlineRole): readonly SigningKey[];
  /** The one with this public part, if it is here. */
  byPublic(publicHex: string): SigningKey | undefined;
  /** Makes a new key for a role; it is durable when this resolves. */
  make(role: OnlineRole): Promise<SigningKey>;
  /** Forgets every key of a role but these. */
  keepOnly(role: OnlineRole, keyIds: readonly string[]): Promise<void>;
}
