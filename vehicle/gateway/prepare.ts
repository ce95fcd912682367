/**
 * Fills the inactive slot of one ECU, by the cheapest way that holds, and proves it
 * against the release by reading the slot back. What boots is untouched.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { SEGMENT_BYTES } from "shared/limits.ts";
import type { EcuPort } from "vehicle/bus/ecu_port.ts";
import { activeOf, ContainerFill, type FillJob, type FillParts, type FillWatch } from "./fill.ts";
import type { PlanStep, Way } from "./plan.ts";

/** What preparing needs. */
export type PrepareParts = FillParts;

/** What preparing tells. */
export interface PrepareWatch extends FillWatch {
  readonly verifying: () => void;
}

/**
 * Prepares one ECU. May be called again after any cut: it goes on where it stood.
 *
 * @param step The ECU's part of the plan.
 * @param ecu The ECU.
 * @param parts What it works with.
 * @param watch Whom it tells, and the signal that ends it.
 * @returns The way that brought the last of it.
 * @throws {UpdateFailure} If no way holds.
 */
export async function prepareEcu(
  step: PlanStep,
  ecu: EcuPort,
  parts: PrepareParts,
  watch: PrepareWatch,
): Promise<Way> {
  const trip = { begun: false, travelledBytes: 0, repairs: 0, provedBytes: 0 };
  const job: FillJob = { ...parts, step, ecu, trip, watch };
  let ways = [...step.ways];
  let [anew, last]: [boolean, UpdateFailure | undefined] = [false, undefined];
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    try {
      if (way.kind === "local") await copyActive(job);
      else await new ContainerFill(way.carrier, job).run();
      watch.verifying();
      await ecu.verify(step.image, watch.signal);
      return way;
    } catch (error) {
      watch.signal.throwIfAborted();
      if (!(error instanceof UpdateFailure)) throw error;
      last = error;
      if (error.failure === "slotDigestDiffers") {
        // Every leaf was proved before it was written, so the slot is at fault; a copy proves none.
        if (anew) throw error;
        if (way.kind === "carrier") [anew, ways] = [true, fullFirst(step)];
      } else if (error.kind.retry !== "full") throw error;
      watch.trouble(error);
    }
  }
  throw last ??
    new UpdateFailure("metadataInvalid", step.serial, "Cannot prepare: no way is named");
}

/** The carriers, those that need no old image first. */
function fullFirst({ ways }: PlanStep): Way[] {
  const based = (way: Way) => way.kind === "carrier" && way.carrier.baseSha256 !== undefined;
  return ways.filter(({ kind }) => kind === "carrier")
    .toSorted((a, b) => Number(based(a)) - Number(based(b)));
}

/** The same bytes under another version: nothing travels. */
async function copyActive({ step, ecu, clock, watch }: FillJob): Promise<void> {
  const active = activeOf(ecu);
  watch.progress(0, 0, "local");
  for (let at = await ecu.begin(step.image); at < active.lengthBytes; at += SEGMENT_BYTES) {
    await ecu.write(active.read(at, Math.min(SEGMENT_BYTES, active.lengthBytes - at)));
    await clock.sleep(0, watch.signal);
  }
}
