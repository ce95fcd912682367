/**
 * Answers to the roll call, for tests of the pure parts of the gateway.
 *
 * @module
 */
import { EMPTY_SLOT, type SlotRecord } from "vehicle/bootloader/boot_record.ts";
import type { EcuImage, EcuInventory, Running } from "vehicle/bus/ecu_port.ts";

/** An image by its counter; its digest is the counter again and again. */
export function image(counter: number): EcuImage {
  const sha256 = counter.toString(16).padStart(2, "0").repeat(32).slice(0, 64);
  return { sha256, lengthBytes: 3000, counter, version: `${counter}.0.0` };
}

/** What runs. */
export function running(counter: number, changes: Partial<Running> = {}): Running {
  return {
    slot: "A",
    image: image(counter),
    trial: false,
    triesRemaining: 0,
    selfTested: true,
    passed: true,
    trialLeftMs: 0,
    ...changes,
  };
}

/** A slot that holds an image. */
export function slot(counter: number, changes: Partial<SlotRecord> = {}): SlotRecord {
  return { ...EMPTY_SLOT, unbootable: false, image: image(counter), ...changes };
}

/** One ECU's answer; by default it runs nothing. */
export function inventory(serial: string, changes: Partial<EcuInventory> = {}): EcuInventory {
  return {
    serial,
    hardware: `${serial}-sim`,
    slotBytes: 16_384,
    restartRank: 1,
    trialMs: 10_000,
    running: null,
    record: { A: EMPTY_SLOT, B: EMPTY_SLOT },
    verdictDetail: null,
    ...changes,
  };
}
