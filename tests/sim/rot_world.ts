/**
 * What the tests of rot do again and again: damage a slot, read it, and see what was told.
 *
 * @module
 */
import { nodeHash, sha256Hex } from "shared/node/digest.ts";
import { toHex } from "shared/bytes.ts";
import type { FailureName } from "shared/failure.ts";
import type { Slot } from "shared/protocol/common.ts";
import { otherSlot } from "vehicle/bootloader/boot_record.ts";
import { JOURNAL_HEADS } from "vehicle/gateway/journal.ts";
import { everyEcu, type Serial } from "./sim_bundle.ts";
import type { SimDisk } from "./sim_disk.ts";
import { SimVehicle } from "./sim_vehicle.ts";

/** All ECUs of the simulated vehicle. */
export const SERIALS = ["body", "cluster", "ivi"] as const;

/** A vehicle that was updated from release 1 to 2: both slots of each ECU hold a confirmed image. */
export async function updated(
  options: ConstructorParameters<typeof SimVehicle>[0] = {},
): Promise<SimVehicle> {
  const vehicle = await SimVehicle.running({ ...options, consent: "auto" });
  vehicle.offer("c2", everyEcu(2));
  await vehicle.settled("c2");
  await vehicle.pass(1000);
  vehicle.broker.events.length = 0;
  vehicle.starts.length = 0;
  vehicle.log.length = 0;
  return vehicle;
}

/** The slot whose image runs, and the one that is the way back. */
export function slotsOf(vehicle: SimVehicle, serial: Serial): { running: Slot; fallback: Slot } {
  const { slot } = vehicle.ecu(serial).inventory().running!;
  return { running: slot, fallback: otherSlot(slot) };
}

/** Switches off, lets something rot, and switches on again. */
export function rotWhileOff(vehicle: SimVehicle, rot: () => void): void {
  vehicle.cut(() => "new");
  rot();
  vehicle.powerOn();
}

/** Whether a slot holds the image that its boot record names, on the medium. */
export function isSound(vehicle: SimVehicle, serial: Serial, slot: Slot): boolean {
  const image = vehicle.ecu(serial).inventory().record[slot].image!;
  const disk = vehicle.disksOf(serial)[slot];
  const bytes = disk.read(0, Math.ceil(image.lengthBytes / 512)).subarray(0, image.lengthBytes);
  return sha256Hex(bytes) === image.sha256;
}

/** The failures that events told of an ECU, in order. */
export function toldFailures(vehicle: SimVehicle, ecu: string): FailureName[] {
  return vehicle.broker.events.filter((event) => event.ecu === ecu)
    .flatMap(({ failure }) => failure?.name ?? []);
}

/** The notes that events told of an ECU. */
export function toldNotes(vehicle: SimVehicle, ecu: string): string[] {
  return vehicle.broker.events.filter((event) => event.ecu === ecu).flatMap(({ note }) =>
    note ?? []
  );
}

/** A digest of everything on a disk. */
export function mediumOf(disk: SimDisk): string {
  return toHex(nodeHash(disk.read(0, disk.sectors)));
}

/** Counts the bytes that are read from a disk from now on. */
export function countReads(disk: SimDisk): () => number {
  let bytes = 0;
  const [read, readInto] = [disk.read.bind(disk), disk.readInto.bind(disk)];
  disk.read = (sector, count) => {
    bytes += count * disk.sectorBytes;
    return read(sector, count);
  };
  disk.readInto = (sector, target) => {
    const before = bytes;
    readInto(sector, target);
    bytes = before + target.length; // It may read by read().
  };
  return () => bytes;
}

/** Takes both copies of the gateway's journal. */
export function loseJournal(vehicle: SimVehicle): void {
  for (const sector of JOURNAL_HEADS) vehicle.power.gateway.write(sector, new Uint8Array(512));
  vehicle.power.gateway.sync();
}
