/**
 * A durable record larger than a sector: two areas and a one-sector head that names
 * the valid one. A write fills the other area, syncs, then replaces the head.
 *
 * Head payload: area (1 byte), length (u32 little-endian), CRC-32 of the content.
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import { crc32, equalBytes } from "shared/bytes.ts";
import type { Disk } from "vehicle/ports.ts";
import { type RecordHealth, SectorRecord } from "./sector_record.ts";

/** Where an area record lies. */
export interface AreaPlace {
  readonly magic: string;
  /** The two sectors of the head. */
  readonly heads: readonly [number, number];
  /** First sector of each area. */
  readonly areas: readonly [number, number];
  /** Sectors of one area. */
  readonly areaSectors: number;
}

/** Reads and replaces one larger record. */
export class DurableArea {
  readonly #disk: Disk;
  readonly #place: AreaPlace;
  readonly #head: SectorRecord;

  /**
   * @param disk Where it lies.
   * @param place Its head and its areas.
   */
  constructor(disk: Disk, place: AreaPlace) {
    this.#disk = disk;
    this.#place = place;
    this.#head = new SectorRecord(disk, { magic: place.magic, sectors: place.heads });
  }

  /**
   * The newest whole content.
   *
   * @returns The bytes, or `undefined` if nothing whole was ever written.
   */
  read(): Uint8Array | undefined {
    for (const head of this.#head.readAll()) {
      const found = this.#content(head);
      if (found !== undefined) return found.bytes;
    }
    return undefined;
  }

  /**
   * Replaces the content: the old or the new after a cut.
   *
   * @param bytes The content; it must fit one area.
   */
  write(bytes: Uint8Array): void {
    const { sectorBytes } = this.#disk;
    const sectors = Math.ceil(bytes.length / sectorBytes);
    invariant(sectors <= this.#place.areaSectors, `content of ${bytes.length} bytes`);
    // The valid content may be in the area of the older head, if the newer one's has rotted.
    const heads = this.#head.copies({ replacing: true });
    const valid = heads.map((head) => ({ head, content: this.#content(head.payload) }))
      .find(({ content }) => content !== undefined);
    const area = valid?.content?.area === 0 ? 1 : 0;
    const padded = new Uint8Array(Math.max(1, sectors) * sectorBytes);
    padded.set(bytes);
    this.#disk.write(this.#place.areas[area], padded);
    this.#disk.sync();
    const head = new Uint8Array(9);
    const view = new DataView(head.buffer);
    view.setUint8(0, area);
    view.setUint32(1, bytes.length, true);
    view.setUint32(5, crc32(bytes), true);
    // A newest head without content is worth nothing; the one that names the content must stay.
    const over = valid === undefined || valid.head === heads[0] ? undefined : heads[0]!.which;
    this.#head.write(head, over);
  }

  /** Looks at both heads and areas; changes nothing. */
  health(): RecordHealth {
    const health = this.#head.health();
    if (health === "blank" || health === "lost") return health;
    const heads = this.#head.copies();
    const contents = heads.map(({ payload }) => this.#content(payload));
    const whole = contents.filter((content) => content !== undefined);
    if (whole.length === 0) return "lost";
    if (health === "rotten" || whole.length < contents.length) return "rotten";
    const [newest, twin] = whole;
    return twin !== undefined && newest!.area !== twin.area && equalBytes(newest!.bytes, twin.bytes)
      ? "even"
      : "behind";
  }

  /**
   * Makes both areas hold the same content, so that no single damage takes it back in time.
   *
   * @returns How it was before.
   */
  even(): RecordHealth {
    const health = this.health();
    const content = health === "even" ? undefined : this.read();
    if (content !== undefined) this.write(content);
    return health;
  }

  #content(head: Uint8Array): { area: 0 | 1; bytes: Uint8Array } | undefined {
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    const area = view.getUint8(0) === 0 ? 0 : 1;
    const length = view.getUint32(1, true);
    const sectors = Math.max(1, Math.ceil(length / this.#disk.sectorBytes));
    if (sectors > this.#place.areaSectors) return undefined;
    const bytes = this.#disk.read(this.#place.areas[area], sectors).slice(0, length);
    return crc32(bytes) === view.getUint32(5, true) ? { area, bytes } : undefined;
  }
}
