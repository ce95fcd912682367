/**
 * Trusted metadata on a disk: several roles changed in one step, or none of them.
 *
 * One sector, in two copies, names for each role the valid one of its two areas; a change fills the
 * other areas, syncs, and replaces that sector. Then everything is evened out: both copies of the
 * directory and both areas of a role say the same, so that no single damage loses the root of
 * trust or takes a version back in time.
 *
 * Directory payload, 9 bytes a role in their fixed order: area (0, 1, or 255 for none), length (u32
 * little-endian), CRC-32 of the content.
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import { crc32 } from "shared/bytes.ts";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_ROOT_BYTES, MAX_SNAPSHOT_BYTES } from "shared/limits.ts";
import { MAX_TARGETS_BYTES, MAX_TIMESTAMP_BYTES } from "shared/limits.ts";
import { CARRIERS_ROLE } from "shared/protocol/signed_targets.ts";
import type { MetadataStore, StoreChange } from "shared/trust/ports.ts";
import type { Disk } from "vehicle/ports.ts";
import { type RecordHealth, SectorRecord } from "./sector_record.ts";

const SECTOR_BYTES = 512;
const ENTRY_BYTES = 9;
const NONE = 255;

/** Where the metadata of one repository lies. */
export interface MetadataPlace {
  /** Four ASCII characters. */
  readonly magic: string;
  /** The two sectors of the directory, far apart. */
  readonly heads: readonly [number, number];
  /** The first sector of the areas. */
  readonly at: number;
  /** Roles and the most bytes each may have. Never reordered: the directory is in this order. */
  readonly roles: readonly (readonly [role: string, maxBytes: number])[];
}

interface Entry {
  readonly area: 0 | 1;
  readonly length: number;
  readonly crc: number;
}

/** Metadata of one repository. */
export class MetadataArea implements MetadataStore {
  readonly #disk: Disk;
  readonly #place: MetadataPlace;
  readonly #directory: SectorRecord;

  /**
   * @param disk Where it lies.
   * @param place Which part of it.
   */
  constructor(disk: Disk, place: MetadataPlace) {
    this.#disk = disk;
    this.#place = place;
    this.#directory = new SectorRecord(disk, { magic: place.magic, sectors: place.heads });
  }

  read(role: string): Uint8Array | undefined {
    const entry = this.#entries().get(role);
    return entry && (this.#content(role, entry, 0) ?? this.#content(role, entry, 1));
  }

  commit(changes: readonly StoreChange[]): void {
    // What a cut left half evened must not lose its good half to this change.
    this.#even();
    const entries = this.#entries();
    for (const [role, bytes] of changes) {
      if (!this.#place.roles.some(([known]) => known === role)) continue; // No room: fetched again.
      const before = entries.get(role);
      if (bytes === null) entries.delete(role);
      else {
        const area = before?.area === 0 ? 1 : 0;
        this.#write(role, area, bytes);
        entries.set(role, { area, length: bytes.length, crc: crc32(bytes) });
      }
    }
    this.#disk.sync(); // The directory may not be durable before what it names.
    this.#directory.write(this.#encode(entries));
    this.#even();
  }

  /** Looks at everything twice kept; changes nothing. */
  health(): RecordHealth {
    const health = this.#directory.health();
    if (health === "blank" || health === "lost") return health;
    let worst = health;
    for (const [role, entry] of this.#entries()) {
      const whole = ([0, 1] as const).map((area) => this.#content(role, entry, area) !== undefined);
      if (!whole[0] && !whole[1]) return "lost";
      if (!whole[0] || !whole[1]) worst = "rotten";
    }
    return worst;
  }

  /**
   * Makes both of everything say the same again.
   *
   * @returns How it was before.
   */
  even(): RecordHealth {
    const health = this.health();
    if (health !== "even" && health !== "blank") this.#even();
    return health;
  }

  /** First the directory: until both copies name the new area, the old one is kept. */
  #even(): void {
    if (this.#directory.health() === "blank") return;
    this.#directory.even();
    let mended = false;
    for (const [role, entry] of this.#entries()) {
      const areas = ([0, 1] as const).map((area) => this.#content(role, entry, area));
      const good = areas.find((bytes) => bytes !== undefined);
      const bad = areas.indexOf(undefined);
      if (good === undefined || bad < 0) continue;
      this.#write(role, bad as 0 | 1, good);
      mended = true;
    }
    if (mended) this.#disk.sync();
  }

  #write(role: string, area: 0 | 1, bytes: Uint8Array): void {
    const { first, sectors } = this.#areaOf(role, area);
    const used = Math.max(1, Math.ceil(bytes.length / SECTOR_BYTES));
    invariant(used <= sectors, `metadata "${role}" of ${bytes.length} bytes`);
    const padded = new Uint8Array(used * SECTOR_BYTES);
    padded.set(bytes);
    this.#disk.write(first, padded);
  }

  /** An area that cannot be read, or holds something else, holds nothing. */
  #content(role: string, { length, crc }: Entry, area: 0 | 1): Uint8Array | undefined {
    const { first, sectors } = this.#areaOf(role, area);
    const used = Math.max(1, Math.ceil(length / SECTOR_BYTES));
    if (used > sectors) return undefined;
    try {
      const bytes = this.#disk.read(first, used).slice(0, length);
      return crc32(bytes) === crc ? bytes : undefined;
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      return undefined;
    }
  }

  #areaOf(role: string, area: 0 | 1): { first: number; sectors: number } {
    let first = this.#place.at;
    for (const [name, maxBytes] of this.#place.roles) {
      const sectors = sectorsOf(maxBytes);
      if (name === role) return { first: first + area * sectors, sectors };
      first += 2 * sectors;
    }
    throw new Error(`no area for "${role}"`);
  }

  #entries(): Map<string, Entry> {
    const payload = this.#directory.read();
    const entries = new Map<string, Entry>();
    if (payload === undefined) return entries;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    for (const [index, [role]] of this.#place.roles.entries()) {
      const at = index * ENTRY_BYTES;
      // A role that a later version added has no entry yet.
      if (at + ENTRY_BYTES > payload.length || view.getUint8(at) === NONE) continue;
      const area = view.getUint8(at) === 0 ? 0 : 1;
      const [length, crc] = [view.getUint32(at + 1, true), view.getUint32(at + 5, true)];
      entries.set(role, { area, length, crc });
    }
    return entries;
  }

  #encode(entries: ReadonlyMap<string, Entry>): Uint8Array {
    const payload = new Uint8Array(this.#place.roles.length * ENTRY_BYTES);
    const view = new DataView(payload.buffer);
    for (const [index, [role]] of this.#place.roles.entries()) {
      const entry = entries.get(role);
      const at = index * ENTRY_BYTES;
      view.setUint8(at, entry?.area ?? NONE);
      view.setUint32(at + 1, entry?.length ?? 0, true);
      view.setUint32(at + 5, entry?.crc ?? 0, true);
    }
    return payload;
  }
}

function sectorsOf(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES);
}

function areaSectors(roles: MetadataPlace["roles"]): number {
  return roles.reduce((sum, [, maxBytes]) => sum + 2 * sectorsOf(maxBytes), 0);
}

// The trust disk, in sectors of 512 bytes. The two copies of a head lie far apart: a region that
// wears out takes one of them only.
const TOP_ROLES = [
  ["root", MAX_ROOT_BYTES],
  ["timestamp", MAX_TIMESTAMP_BYTES],
  ["snapshot", MAX_SNAPSHOT_BYTES],
  ["targets", MAX_TARGETS_BYTES],
] as const;
const IMAGE_ROLES = [...TOP_ROLES, [CARRIERS_ROLE, MAX_TARGETS_BYTES]] as const;
const AREAS_AT = 64;

/** Where the Director's metadata lies. */
export const DIRECTOR_PLACE: MetadataPlace = {
  magic: "MDIR",
  heads: [0, 32],
  at: AREAS_AT,
  roles: TOP_ROLES,
};
/** Where the Image repository's metadata lies. */
export const IMAGE_PLACE: MetadataPlace = {
  magic: "MIMG",
  heads: [1, 33],
  at: AREAS_AT + areaSectors(TOP_ROLES),
  roles: IMAGE_ROLES,
};
/** Where the time floor lies. */
export const FLOOR_SECTORS: readonly [number, number] = [2, 34];
/** The trust disk, in bytes: 40 MB, of which some 100 KiB are ever written. */
export const TRUST_DISK_BYTES: number = SECTOR_BYTES *
  (AREAS_AT + areaSectors(TOP_ROLES) + areaSectors(IMAGE_ROLES));
