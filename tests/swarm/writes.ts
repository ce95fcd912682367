/**
 * Counts what a vehicle writes, and bounds it: a loop that writes for ever wears a medium out long
 * before anybody notices that it never ends.
 *
 * @module
 */
import type { Disk } from "vehicle/ports.ts";
import type { Checkers } from "./checkers.ts";
import type { World } from "./world.ts";

/**
 * Bounds for each time that an update is begun: by a campaign, or again after the power went. The
 * most that some 500 worlds needed were 15, 3.3 and 0.7; a loop without an end passes any bound.
 */
const MAX_JOURNAL_WRITES = 40;
/** Writes of boot records and checkpoints, of each ECU. */
const MAX_BOOT_WRITES = 12;
/** Sectors of slots for each sector of the images. */
const MAX_SLOT_SHARE = 2.5;

/** Writes and sectors of one world's vehicle. */
export class Writes {
  #journalStores = 0;
  #bootStores = 0;
  #slotSectors = 0;

  /** From now on. */
  begin(): void {
    [this.#journalStores, this.#bootStores, this.#slotSectors] = [0, 0, 0];
  }

  /** A disk whose writes are counted. */
  count(disk: Disk, name: string): Disk {
    return {
      sectorBytes: disk.sectorBytes,
      sectors: disk.sectors,
      read: (sector, count) => disk.read(sector, count),
      readInto: (sector, target) => disk.readInto(sector, target),
      write: (sector, data) => {
        disk.write(sector, data);
        if (name === "gateway") this.#journalStores++;
        else if (name.endsWith(".boot")) this.#bootStores++;
        else this.#slotSectors += data.length / disk.sectorBytes;
      },
      sync: () => disk.sync(),
    };
  }

  /** Holds the counts against their bounds. */
  check({ plan, troubles, campaigns, story }: World, checkers: Checkers): void {
    const begins = campaigns.size + troubles.cuts + 1;
    const ecus = plan.ecus.length;
    const counts = [
      ["writes of the journal", this.#journalStores, MAX_JOURNAL_WRITES * begins],
      ["writes of boot records", this.#bootStores, MAX_BOOT_WRITES * begins * ecus],
      [
        "sectors of slots",
        this.#slotSectors,
        MAX_SLOT_SHARE * begins * ecus * Math.ceil(plan.imageBytes / 512),
      ],
    ] as const;
    for (const [what, count, most] of counts) {
      story.tell("end", `${count} ${what}, at most ${most}`);
      if (count > most) checkers.violate("boundedWrites", `${count} ${what}, at most ${most}`);
    }
  }
}
