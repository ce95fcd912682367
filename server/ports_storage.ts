/**
 * What the collection of files needs from records and store: see `ports.ts`.
 *
 * @module
 */
import type { Millis } from "shared/clock.ts";
import type { Carrier } from "shared/protocol/common.ts";

/** A stored file that nothing refers to any more. */
export interface RetiredRow {
  readonly sha256: string;
  /** Since when, in milliseconds since the epoch. */
  readonly sinceMs: Millis;
  readonly lengthBytes: number;
  /** The carrier that it was: still sent to whoever has begun to fetch it. */
  readonly carrier: Carrier | null;
  /** Its records are gone, and its file goes next, perhaps in the next run of the server. */
  readonly leaving: boolean;
}

/** What was given back to the medium. */
export interface Freed {
  readonly files: number;
  readonly bytes: number;
}

/** A stored file as it lies on the medium. */
export interface StoredFile {
  readonly sha256: string;
  readonly lengthBytes: number;
  readonly modifiedAtMs: Millis;
}

/** The records of files. */
export interface StorageRecords {
  /** It is no carrier of this image any more; vehicles can go on fetching it for a while. */
  retireCarrier(carrier: Carrier, nowMs: Millis): Promise<void>;
  retired(): Promise<RetiredRow[]>;
  retiredFile(sha256: string): Promise<RetiredRow | undefined>;
  putRetired(row: RetiredRow): Promise<void>;
  /** Something refers to it again, or it is gone. */
  dropRetired(sha256: string): Promise<void>;
  /** Every file that a release, a carrier, a job that is not over, or a vehicle's report names. */
  referencedFiles(): Promise<Set<string>>;
  /** Forgets what is known of a file: length, root, and how a carrier is put together of it. */
  forgetFile(sha256: string): Promise<void>;
  /** Full carriers made in a hurry that have a better one beside them. */
  supersededCarriers(): Promise<Carrier[]>;
  /** All that was ever given back. */
  freed(): Promise<Freed>;
  addFreed(freed: Freed): Promise<void>;
}

/** The files, as the collection sees them. */
export interface StoredFiles {
  /** All whole files. */
  files(): Promise<StoredFile[]>;
  /** All uploads that are not whole. */
  parts(): Promise<StoredFile[]>;
  /** Whether somebody reads it now. */
  isOpen(sha256: string): boolean;
  /**
   * Removes a whole file, durably.
   *
   * @returns `false` if it is kept, since it was stored anew after `untilMs`.
   */
  remove(sha256: string, untilMs: Millis): Promise<boolean>;
}
