/**
 * A disk in memory with a volatile write cache: what was not synced may be lost, in
 * any subset, and the sector being written may be torn.
 *
 * @module
 */
import type { Disk } from "vehicle/ports.ts";

/** Thrown where the power goes. Only the simulated world catches it. */
export class PowerCut extends Error {
  override readonly name = "PowerCut";
}

/** What a cut leaves of each cached sector. */
export type CutChoice = (sector: number) => "old" | "new" | "torn";

/** A disk that can lose power before a chosen operation. */
export class SimDisk implements Disk {
  readonly sectorBytes = 512;
  #durable: Uint8Array;
  #cache = new Map<number, Uint8Array>();
  /** Writes and syncs so far. */
  operations = 0;
  /** The power goes before the operation with this number. */
  cutAt = Infinity;
  /** Sectors that keep something else than what is written, so many times. */
  readonly worn = new Map<number, number>();

  constructor(readonly sectors: number) {
    this.#durable = new Uint8Array(sectors * 512);
  }

  read(sector: number, count: number): Uint8Array {
    this.#bounds(sector, count);
    const bytes = this.#durable.slice(sector * 512, (sector + count) * 512);
    for (let i = 0; i < count; i++) {
      const cached = this.#cache.get(sector + i);
      if (cached) bytes.set(cached, i * 512);
    }
    return bytes;
  }

  readInto(sector: number, target: Uint8Array): void {
    target.set(this.read(sector, target.length / 512));
  }

  write(sector: number, data: Uint8Array): void {
    this.#bounds(sector, data.length / 512);
    this.#operate();
    for (let i = 0; i < data.length / 512; i++) {
      this.#cache.set(sector + i, data.slice(i * 512, (i + 1) * 512));
    }
  }

  sync(): void {
    this.#operate();
    for (const [sector, data] of this.#cache) {
      this.#durable.set(data, sector * 512);
      const times = this.worn.get(sector) ?? 0;
      if (times > 0) this.flip(sector, 5);
      if (times > 0) this.worn.set(sector, times - 1);
    }
    this.#cache.clear();
  }

  /** Ends the power: of each cached sector the choice survives. The disk can be used again. */
  cut(choose: CutChoice): void {
    for (const [sector, data] of this.#cache) {
      const choice = choose(sector);
      if (choice === "new") this.#durable.set(data, sector * 512);
      if (choice === "torn") this.#durable.set(data.subarray(0, 200), sector * 512);
    }
    this.#cache.clear();
    this.cutAt = Infinity;
  }

  /** Flips one durable bit: rot. */
  flip(sector: number, bit: number): void {
    this.#durable[sector * 512 + (bit >> 3)]! ^= 1 << (bit & 7);
  }

  /** Sectors that a cut could lose now. */
  get unsynced(): readonly number[] {
    return [...this.#cache.keys()];
  }

  #operate(): void {
    if (this.operations >= this.cutAt) throw new PowerCut();
    this.operations++;
  }

  #bounds(sector: number, count: number): void {
    if (
      !Number.isInteger(sector) || !Number.isInteger(count) || sector < 0 ||
      sector + count > this.sectors
    ) {
      throw new RangeError(`Cannot reach sector ${sector}+${count}: ${this.sectors} are there`);
    }
  }
}
