/**
 * The time below which it cannot be, kept across power cuts. It only rises.
 *
 * Payload: milliseconds since the Unix epoch (u64 little-endian).
 *
 * @module
 */
import type { Millis } from "shared/clock.ts";
import type { TimeFloorStore } from "shared/trust/time_floor.ts";
import type { Disk } from "vehicle/ports.ts";
import { FLOOR_SECTORS } from "./metadata_area.ts";
import { type RecordHealth, SectorRecord } from "./sector_record.ts";

/** The floor on the trust disk. */
export class TimeFloorRecord implements TimeFloorStore {
  readonly #record: SectorRecord;

  /** @param disk The trust disk. */
  constructor(disk: Disk) {
    this.#record = new SectorRecord(disk, { magic: "TIME", sectors: FLOOR_SECTORS });
  }

  read(): Millis {
    const payload = this.#record.read();
    if (payload === undefined || payload.length !== 8) return 0;
    return Number(new DataView(payload.buffer, payload.byteOffset, 8).getBigUint64(0, true));
  }

  write(floorAt: Millis): void {
    if (floorAt <= this.read()) return;
    const payload = new Uint8Array(8);
    new DataView(payload.buffer).setBigUint64(0, BigInt(Math.floor(floorAt)), true);
    this.#record.write(payload);
    this.#record.even(); // Damage to the newer copy must not take time back.
  }

  /** Looks at both copies; changes nothing. */
  health(): RecordHealth {
    return this.#record.health();
  }

  /** Makes both copies say the same. Returns how it was before. */
  even(): RecordHealth {
    return this.#record.even();
  }
}
