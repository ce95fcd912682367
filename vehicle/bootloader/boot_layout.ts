/**
 * Where the records of an ECU lie on its boot partition. Each copy has a page of its own, since a
 * medium may write 4 KiB at once, and a cut may then take all of them: a checkpoint that is torn
 * takes nothing but itself.
 *
 *   page    0            1           2                       3 ...
 *   first   boot record  checkpoint  head of the trial log   trial log
 *   second  the same, from the middle of the partition on
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import { PAGE_BYTES } from "shared/limits.ts";
import type { Disk } from "vehicle/ports.ts";

/** First sectors of the two copies. */
type Twin = readonly [number, number];

/** Where everything lies, in sectors. */
export interface BootLayout {
  readonly record: Twin;
  readonly checkpoint: Twin;
  readonly trialLogHeads: Twin;
  readonly trialLogAreas: Twin;
  /** Sectors that there are for one area. */
  readonly trialLogSectors: number;
}

/**
 * The layout of a boot partition.
 *
 * @param disk The partition: whole pages, eight of them at least.
 * @returns Where everything lies.
 */
export function bootLayout(
  { sectors, sectorBytes }: Pick<Disk, "sectors" | "sectorBytes">,
): BootLayout {
  const [half, page] = [sectors >> 1, PAGE_BYTES / sectorBytes];
  invariant(half % page === 0 && half >= 4 * page, `boot partition of ${sectors} sectors`);
  const twin = (index: number): Twin => [index * page, half + index * page];
  return {
    record: twin(0),
    checkpoint: twin(1),
    trialLogHeads: twin(2),
    trialLogAreas: twin(3),
    trialLogSectors: half - 3 * page,
  };
}
