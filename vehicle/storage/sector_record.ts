/**
 * A durable record of one sector, in two copies in two sectors far apart. A write
 * replaces the older copy whole, so a cut at any moment leaves the old or the new.
 *
 *   0   4  magic, chosen by the owner
 *   4   1  schema version, 1
 *   5   3  zero
 *   8   8  sequence, u64 little-endian; the higher whole copy wins
 *   16  2  length of the payload
 *   18  n  payload
 *   508 4  CRC-32 of bytes 0..507
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import { crc32 } from "shared/bytes.ts";
import { UpdateFailure } from "shared/failure.ts";
import type { Disk } from "vehicle/ports.ts";

const SECTOR_BYTES = 512;
const HEADER_BYTES = 18;
const CRC_AT = SECTOR_BYTES - 4;
/** What fits into one record. */
export const RECORD_PAYLOAD_BYTES: number = CRC_AT - HEADER_BYTES;
const VERSION = 1;

/** Where the two copies lie. */
export interface RecordPlace {
  /** Four ASCII characters that name the kind of record. */
  readonly magic: string;
  readonly sectors: readonly [number, number];
}

interface Copy {
  readonly version: number;
  readonly sequence: bigint;
  readonly payload: Uint8Array;
}

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
    const copies = this.#copies().filter((copy) => copy !== undefined)
      .sort((a, b) => a.sequence < b.sequence ? 1 : -1);
    const [newest] = copies;
    if (newest && newest.version !== VERSION && !options.replacing) {
      throw new UpdateFailure(
        "schemaUnknown",
        this.#place.magic,
        `Cannot read record ${this.#place.magic}: schema version ${newest.version} is unknown, ` +
          `this version reads ${VERSION}`,
      );
    }
    return copies.filter(({ version }) => version === VERSION).map(({ payload }) => payload);
  }

  /**
   * Replaces the older copy and syncs: durable when this returns, old or new after a cut.
   *
   * @param payload At most {@linkcode RECORD_PAYLOAD_BYTES}.
   */
  write(payload: Uint8Array): void {
    invariant(payload.length <= RECORD_PAYLOAD_BYTES, `record of ${payload.length} bytes`);
    const [first, second] = this.#copies();
    const newest = first && (!second || first.sequence > second.sequence) ? 0 : 1;
    const sequence = ((newest === 0 ? first : second)?.sequence ?? 0n) + 1n;
    const sector = new Uint8Array(SECTOR_BYTES);
    const view = new DataView(sector.buffer);
    sector.set(new TextEncoder().encode(this.#place.magic), 0);
    view.setUint8(4, VERSION);
    view.setBigUint64(8, sequence, true);
    view.setUint16(16, payload.length, true);
    sector.set(payload, HEADER_BYTES);
    view.setUint32(CRC_AT, crc32(sector.subarray(0, CRC_AT)), true);
    const target = newest === 0 ? 1 : 0;
    this.#doubtful = target;
    this.#disk.write(this.#place.sectors[target], sector);
    this.#disk.sync();
    this.#doubtful = undefined;
  }

  #copies(): [Copy | undefined, Copy | undefined] {
    const [first, second] = this.#place.sectors;
    const failures: UpdateFailure[] = [];
    const copy = (which: 0 | 1, sector: number) => {
      if (this.#doubtful === which) return undefined;
      try {
        return this.#decode(sector);
      } catch (error) { // A sector that cannot be read is as good as one that has rotted.
        if (!(error instanceof UpdateFailure)) throw error;
        failures.push(error);
        return undefined;
      }
    };
    const copies: [Copy | undefined, Copy | undefined] = [copy(0, first), copy(1, second)];
    // But no copy at all must not look like a disk that never held one.
    if (failures.length > 0 && !copies.some((each) => each !== undefined)) throw failures[0];
    return copies;
  }

  #decode(at: number): Copy | undefined {
    const sector = this.#disk.read(at, 1);
    const view = new DataView(sector.buffer, sector.byteOffset, SECTOR_BYTES);
    if (view.getUint32(CRC_AT, true) !== crc32(sector.subarray(0, CRC_AT))) return undefined;
    if (new TextDecoder().decode(sector.subarray(0, 4)) !== this.#place.magic) return undefined;
    const length = Math.min(view.getUint16(16, true), RECORD_PAYLOAD_BYTES);
    return {
      version: view.getUint8(4),
      sequence: view.getBigUint64(8, true),
      payload: sector.slice(HEADER_BYTES, HEADER_BYTES + length),
    };
  }
}
