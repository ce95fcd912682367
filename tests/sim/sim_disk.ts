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

/**
 * What a cut leaves of a sector that was not synced: what was there before; the newest write; its
 * head before the old tail (`torn`); its tail behind the old head (`tornTail`); neither, nor does
 * anything else in its page survive (`garbage`); or, as a number, what so many of its writes had
 * made of it.
 */
export type SectorFate = "old" | "new" | "torn" | "tornTail" | "garbage" | number;

/** What a cut leaves of each cached sector, which was written so many times since the last sync. */
export type CutChoice = (sector: number, writes: number) => SectorFate;

/**
 * Where a torn sector changes from one content to the other: behind the sequence and the flags of
 * a boot record, within the digest that it names. Nothing but its checksum tells.
 */
const TEAR_AT = 60;

/** What a fate makes of a sector that holds `old` and was then written with these contents. */
export function survivor(
  fate: SectorFate,
  old: Uint8Array,
  writes: readonly Uint8Array[],
): Uint8Array {
  if (typeof fate === "number") return fate === 0 ? old : writes[fate - 1]!;
  const newest = writes.at(-1)!;
  if (fate === "old") return old;
  if (fate === "new") return newest;
  if (fate === "garbage") return rubbish(newest.map((byte, i) => byte ^ old[i]!));
  const [head, tail] = fate === "torn" ? [newest, old] : [old, newest];
  const bytes = tail.slice();
  bytes.set(head.subarray(0, TEAR_AT));
  return bytes;
}

const rubbishOf = new WeakMap<Uint8Array, Uint8Array>();

/** What is left of a sector in a page that was not written to its end; the same for the same one. */
export function rubbish(held: Uint8Array): Uint8Array {
  const left = rubbishOf.get(held) ?? held.map((byte, i) => (byte ^ 0xA5 ^ i) & 0xFF);
  rubbishOf.set(held, left);
  return left;
}

const EMPTY = new Uint8Array(512);

/** A disk that can lose power before a chosen operation. */
export class SimDisk implements Disk {
  readonly sectorBytes = 512;
  /** Sparse: a gateway's disk is large and nearly empty. What is in it is never changed, only replaced. */
  #durable = new Map<number, Uint8Array>();
  /** Every content since the last sync, oldest first. */
  #cache = new Map<number, Uint8Array[]>();
  /** Writes and syncs so far. */
  operations = 0;
  /** Changes with everything that is durable. */
  version = 0;
  /** The power goes before the operation with this number. */
  cutAt = Infinity;
  /** Sectors that keep something else than what is written, so many times. */
  readonly worn = new Map<number, number>();

  /**
   * @param sectors How many.
   * @param pageSectors So many the medium writes at once: what is never finished takes them all.
   */
  constructor(readonly sectors: number, readonly pageSectors: number = 1) {}

  read(sector: number, count: number): Uint8Array {
    this.#bounds(sector, count);
    const bytes = new Uint8Array(count * 512);
    for (let i = 0; i < count; i++) {
      const held = this.#cache.get(sector + i)?.at(-1) ?? this.#durable.get(sector + i);
      if (held) bytes.set(held, i * 512);
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
      const content = data.slice(i * 512, (i + 1) * 512);
      const earlier = this.#cache.get(sector + i);
      if (earlier) earlier.push(content);
      else this.#cache.set(sector + i, [content]);
    }
  }

  sync(): void {
    this.#operate();
    this.version++;
    for (const [sector, writes] of this.#cache) {
      this.#durable.set(sector, writes.at(-1)!);
      const times = this.worn.get(sector) ?? 0;
      if (times > 0) this.flip(sector, 5);
      if (times > 0) this.worn.set(sector, times - 1);
    }
    this.#cache.clear();
  }

  /** Ends the power: of each cached sector the choice survives. The disk can be used again. */
  cut(choose: CutChoice): void {
    this.version++;
    const lost = new Set<number>();
    for (const [sector, writes] of this.#cache) {
      const fate = choose(sector, writes.length);
      if (fate === "garbage") lost.add(sector);
      this.#durable.set(sector, survivor(fate, this.held(sector), writes));
    }
    const beside = new Set(
      [...lost].flatMap((sector) => this.pageOf(sector)).filter((one) => !lost.has(one)),
    );
    for (const sector of beside) this.#durable.set(sector, rubbish(this.held(sector)));
    this.#cache.clear();
    this.cutAt = Infinity;
  }

  /** The sectors that the medium writes together with one. */
  pageOf(sector: number): number[] {
    const first = sector - sector % this.pageSectors;
    return Array.from({ length: this.pageSectors }, (_, i) => first + i);
  }

  /** Flips one durable bit: rot. */
  flip(sector: number, bit: number): void {
    this.version++;
    const bytes = this.held(sector).slice();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    this.#durable.set(sector, bytes);
  }

  /** Sectors that a cut could lose now. */
  get unsynced(): readonly number[] {
    return [...this.#cache.keys()];
  }

  /** What a cut could leave of each of them, oldest first, besides what was there before. */
  get pending(): ReadonlyMap<number, readonly Uint8Array[]> {
    return this.#cache;
  }

  /** What a sector durably holds; not to be changed. */
  held(sector: number): Uint8Array {
    return this.#durable.get(sector) ?? EMPTY;
  }

  /** Everything that is durable, by sector. The contents may be shared: nobody changes them. */
  snapshot(): ReadonlyMap<number, Uint8Array> {
    return new Map(this.#durable);
  }

  /** Puts everything back to what a snapshot holds; the cache is lost. */
  restore(snapshot: ReadonlyMap<number, Uint8Array>): void {
    this.version++;
    this.#durable = new Map(snapshot);
    this.#cache.clear();
    this.cutAt = Infinity;
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
