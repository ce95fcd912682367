/**
 * A durable record of one sector, in two copies in two sectors far apart. A write
 * replaces the older copy whole, so a cut at any moment leaves the old or the new.
 *
 *   0   4  magic, chosen by the owner
 *   4   1  schema version of the payload, 1 unless the owner says another
 *   5   3  zero
 *   8   8  sequence, u64 little-endian; the higher whole copy wins
 *   16  2  length of the payload
 *   18  n  payload
 *   508 4  CRC-32 of bytes 0..507
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import { crc32, equalBytes } from "shared/bytes.ts";
import { UpdateFailure } from "shared/failure.ts";
import type { Disk } from "vehicle/ports.ts";

const SECTOR_BYTES = 512;
const HEADER_BYTES = 18;
const CRC_AT = SECTOR_BYTES - 4;
/** What fits into one record. */
export const RECORD_PAYLOAD_BYTES: number = CRC_AT - HEADER_BYTES;

/** Where the two copies lie. */
export interface RecordPlace {
  /** Four ASCII characters that name the kind of record. */
  readonly magic: string;
  readonly sectors: readonly [number, number];
  /** The schema version that is written; it and all before it can be read. 1 by itself. */
  readonly version?: number;
}

/** One whole copy. */
export interface RecordCopy {
  readonly which: 0 | 1;
  readonly version: number;
  readonly sequence: bigint;
  readonly payload: Uint8Array;
}

/**
 * What a look at both copies came to. `blank`: never written. `even`: both say the same. `behind`:
 * the twin is older, or was never written. `rotten`: one copy is damaged, the other is whole.
 * `lost`: something was written, and no copy of it is whole.
 */
export type RecordHealth = "blank" | "even" | "behind" | "rotten" | "lost";

/** Reads and replaces one record. */
export class SectorRecord {
  readonly #disk: Disk;
  readonly #place: RecordPlace;
  /**
   * The copy whose write failed: what is read there may lie in a cache only and be gone after a
   * cut. It counts as not written, and the next write replaces it, not the good one.
   */
  #doubtful: 0 | 1 | undefined;

  /**
   * @param disk Where it lies; its sectors have 512 bytes.
   * @param place Its kind and its two sectors.
   */
  constructor(disk: Disk, place: RecordPlace) {
    invariant(disk.sectorBytes === SECTOR_BYTES, `sector of ${disk.sectorBytes} bytes`);
    invariant(place.magic.length === 4, `magic "${place.magic}"`);
    this.#disk = disk;
    this.#place = place;
  }

  /**
   * The newest whole copy.
   *
   * @returns Its payload, or `undefined` if no copy is whole.
   * @throws {UpdateFailure} `schemaUnknown` if it was made by another version, `storageFailed`
   * if no copy is whole and one cannot be read.
   */
  read(): Uint8Array | undefined {
    return this.readAll()[0];
  }

  /**
   * Every whole copy, newest first: for owners that can tell more about a payload's worth.
   *
   * @param options `replacing` passes over what another version made, for owners that are
   * about to replace it.
   * @returns None, one or two payloads.
   * @throws {UpdateFailure} `schemaUnknown` if the newest was made by another version.
   */
  readAll(options: { readonly replacing?: boolean } = {}): Uint8Array[] {
    return this.copies(options).map(({ payload }) => payload);
  }

  /** The same with all that is known of each copy. */
  copies(options: { readonly replacing?: boolean } = {}): RecordCopy[] {
    const copies = this.#whole();
    const [newest] = copies;
    if (newest && !this.#known(newest) && !options.replacing) {
      throw new UpdateFailure(
        "schemaUnknown",
        this.#place.magic,
        `Cannot read record ${this.#place.magic}: schema version ${newest.version} is unknown, ` +
          `this version reads ${this.#version}`,
      );
    }
    return copies.filter((copy) => this.#known(copy));
  }

  /**
   * Replaces the older copy and syncs: durable when this returns, old or new after a cut.
   *
   * @param payload At most {@linkcode RECORD_PAYLOAD_BYTES}.
   * @param over The copy to replace, for owners who know that the newer one is worth nothing.
   */
  write(payload: Uint8Array, over?: 0 | 1): void {
    this.#put(payload, this.#version, over);
  }

  /** Makes it say nothing. */
  empty(): void {
    this.write(new Uint8Array(0));
  }

  /** Looks at both copies; changes nothing. */
  health(): RecordHealth {
    const [newest, twin] = this.#whole();
    if (newest === undefined) {
      return [0, 1].every((which) => this.#isBlank(which as 0 | 1)) ? "blank" : "lost";
    }
    if (twin === undefined) return this.#isBlank(newest.which === 0 ? 1 : 0) ? "behind" : "rotten";
    return twin.version === newest.version && equalBytes(twin.payload, newest.payload)
      ? "even"
      : "behind";
  }

  /**
   * Makes both copies say the same, so that no single damage can take the record back in time.
   *
   * @returns How it was before.
   */
  even(): RecordHealth {
    const health = this.health();
    const [newest] = this.#whole();
    if (newest !== undefined && health !== "even") this.#put(newest.payload, newest.version);
    return health;
  }

  #put(payload: Uint8Array, version: number, over?: 0 | 1): void {
    invariant(payload.length <= RECORD_PAYLOAD_BYTES, `record of ${payload.length} bytes`);
    const [newest] = this.#whole();
    const sector = new Uint8Array(SECTOR_BYTES);
    const view = new DataView(sector.buffer);
    sector.set(new TextEncoder().encode(this.#place.magic), 0);
    view.setUint8(4, version);
    view.setBigUint64(8, (newest?.sequence ?? 0n) + 1n, true);
    view.setUint16(16, payload.length, true);
    sector.set(payload, HEADER_BYTES);
    view.setUint32(CRC_AT, crc32(sector.subarray(0, CRC_AT)), true);
    const target = over ?? (newest?.which === 0 ? 1 : 0);
    this.#doubtful = target;
    this.#disk.write(this.#place.sectors[target], sector);
    this.#disk.sync();
    this.#doubtful = undefined;
  }

  get #version(): number {
    return this.#place.version ?? 1;
  }

  #known({ version }: RecordCopy): boolean {
    return version >= 1 && version <= this.#version;
  }

  /** The whole copies, newest first. */
  #whole(): RecordCopy[] {
    return this.#copies().filter((copy) => copy !== undefined)
      .sort((a, b) => a.sequence < b.sequence ? 1 : -1);
  }

  /** A sector that cannot be read holds something, for all that is known. */
  #isBlank(which: 0 | 1): boolean {
    try {
      return this.#disk.read(this.#place.sectors[which], 1).every((byte) => byte === 0);
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      return false;
    }
  }

  #copies(): (RecordCopy | undefined)[] {
    const failures: UpdateFailure[] = [];
    const copy = (which: 0 | 1) => {
      if (this.#doubtful === which) return undefined;
      try {
        return this.#decode(which);
      } catch (error) { // A sector that cannot be read is as good as one that has rotted.
        if (!(error instanceof UpdateFailure)) throw error;
        failures.push(error);
        return undefined;
      }
    };
    const copies = [copy(0), copy(1)];
    // But no copy at all must not look like a disk that never held one.
    if (failures.length > 0 && !copies.some((each) => each !== undefined)) throw failures[0];
    return copies;
  }

  #decode(which: 0 | 1): RecordCopy | undefined {
    const sector = this.#disk.read(this.#place.sectors[which], 1);
    const view = new DataView(sector.buffer, sector.byteOffset, SECTOR_BYTES);
    if (view.getUint32(CRC_AT, true) !== crc32(sector.subarray(0, CRC_AT))) return undefined;
    if (new TextDecoder().decode(sector.subarray(0, 4)) !== this.#place.magic) return undefined;
    const length = Math.min(view.getUint16(16, true), RECORD_PAYLOAD_BYTES);
    return {
      which,
      version: view.getUint8(4),
      sequence: view.getBigUint64(8, true),
      payload: sector.slice(HEADER_BYTES, HEADER_BYTES + length),
    };
  }
}
