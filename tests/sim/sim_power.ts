/**
 * The disks of a simulated vehicle and the power they hang on: it can go before any
 * disk operation, and then nothing of that power-on reaches a disk again.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { PAGE_BYTES } from "shared/limits.ts";
import { GATEWAY_DISK_BYTES } from "vehicle/gateway/journal.ts";
import type { Disk } from "vehicle/ports.ts";
import type { LifeClock } from "./sim_clock.ts";
import { type CutChoice, PowerCut, SimDisk } from "./sim_disk.ts";

/** Sectors of a boot partition: the smallest that there may be. */
export const BOOT_SECTORS = 64;
/** Where records lie, a cut may take a whole page; a slot's segments are pages anyway. */
const PAGE_SECTORS = PAGE_BYTES / 512;

/** The disks of one ECU. */
export interface EcuDisks {
  readonly boot: SimDisk;
  readonly A: SimDisk;
  readonly B: SimDisk;
}

/** All disks of one vehicle. */
export class SimPower {
  readonly ecus: Readonly<Record<string, EcuDisks>>;
  readonly gateway: SimDisk;
  /** Writes and syncs of all disks and power-ons together. */
  operations = 0;
  /** The power goes before the operation with this number. */
  cutAt = Infinity;
  /** Told before every write and sync: what a cut there would meet. */
  onOperation: ((disk: SimDisk, kind: "write" | "sync") => void) | undefined;
  /** Disks that take no writes for now. */
  readonly failing = new Set<SimDisk>();
  /** Disks that take writes, but make none of them durable. */
  readonly failingSync = new Set<SimDisk>();
  /** Disks that cannot be read. */
  readonly failingRead = new Set<SimDisk>();

  /**
   * @param serials The ECUs.
   * @param slotBytes The size of every slot.
   */
  constructor(serials: readonly string[], slotBytes: number) {
    const slot = () => new SimDisk(slotBytes / 512);
    this.ecus = Object.fromEntries(
      serials.map((
        serial,
      ) => [serial, { boot: new SimDisk(BOOT_SECTORS, PAGE_SECTORS), A: slot(), B: slot() }]),
    );
    this.gateway = new SimDisk(GATEWAY_DISK_BYTES / 512, PAGE_SECTORS);
  }

  /**
   * A disk as one power-on reaches it.
   *
   * @param disk The disk.
   * @param clock The power-on's clock; it ends when the power goes.
   * @param onSync Told when something became durable.
   */
  powered(disk: SimDisk, clock: LifeClock, onSync: () => void): Disk {
    const operate = (kind: "write" | "sync") => {
      if (this.operations >= this.cutAt) clock.end();
      if (clock.ended) throw new PowerCut();
      this.onOperation?.(disk, kind);
      this.operations++;
    };
    const refuse = (failing: ReadonlySet<SimDisk>, action: string) => {
      if (!failing.has(disk)) return;
      throw new UpdateFailure("storageFailed", "disk", `Cannot ${action}: simulated fault`);
    };
    return {
      sectorBytes: disk.sectorBytes,
      sectors: disk.sectors,
      read: (sector, count) => {
        refuse(this.failingRead, "read");
        return disk.read(sector, count);
      },
      readInto: (sector, target) => {
        refuse(this.failingRead, "read");
        disk.readInto(sector, target);
      },
      write: (sector, data) => {
        operate("write");
        refuse(this.failing, "write");
        disk.write(sector, data);
      },
      sync: () => {
        operate("sync");
        refuse(this.failingSync, "sync");
        disk.sync();
        onSync();
      },
    };
  }

  /** Every disk loses its cache; of each sector in it the choice survives. */
  cut(choose: CutChoice): void {
    this.cutAt = Infinity;
    for (const { boot, A, B } of Object.values(this.ecus)) {
      for (const disk of [boot, A, B]) disk.cut(choose);
    }
    this.gateway.cut(choose);
  }
}
