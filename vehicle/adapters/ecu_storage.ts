/**
 * The disk files of an ECU and of the gateway, under the data folder.
 *
 * @module
 */
import { MIB, SYNC_BYTES } from "shared/limits.ts";
import type { EcuProfile } from "shared/protocol/ecu.ts";
import { BootRecordStore } from "vehicle/bootloader/boot_record.ts";
import type { EcuSlots } from "vehicle/ecu/slot_update.ts";
import { GATEWAY_DISK_BYTES } from "vehicle/gateway/journal.ts";
import { TRUST_DISK_BYTES } from "vehicle/storage/metadata_area.ts";
import { FileDisk } from "./disk_file.ts";

/** The boot partition: far more than its two records, so that their copies lie far apart. */
const BOOT_BYTES = MIB;

/**
 * Opens the disks of one ECU; makes them, sparse, when they are new.
 *
 * @param dataDir The vehicle's data folder.
 * @param profile The ECU.
 * @param opened Takes each disk, for closing.
 * @returns The ECU's slots.
 * @throws {UpdateFailure} `storageFailed` if a disk cannot be opened or has another size.
 */
export function openEcu(dataDir: string, profile: EcuProfile, opened: FileDisk[]): EcuSlots {
  const folder = `${dataDir}/ecus/${profile.serial}`;
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const open = (name: string, bytes: number, reservedBytes = 0) => {
    const disk = new FileDisk(`${folder}/${name}.disk`, bytes, reservedBytes);
    opened.push(disk);
    return disk;
  };
  const boot = open("boot", BOOT_BYTES, BOOT_BYTES);
  const slots = { A: open("slotA", profile.slotBytes), B: open("slotB", profile.slotBytes) };
  return {
    storage: { boot, slots },
    records: new BootRecordStore(boot),
    paths: { A: slots.A.path, B: slots.B.path },
    syncBytes: SYNC_BYTES,
  };
}

/**
 * Opens the gateway's disk: journal and targets.
 *
 * @param dataDir The vehicle's data folder.
 * @param opened Takes the disk, for closing.
 * @returns The disk.
 */
export function openGatewayDisk(dataDir: string, opened: FileDisk[]): FileDisk {
  const path = `${dataDir}/gateway.disk`;
  // The disk of an earlier version is longer. All of it is reserved: a full medium must not keep
  // the vehicle from writing down that it is full.
  const sizeBytes = Math.max(GATEWAY_DISK_BYTES, sizeOf(path));
  const disk = new FileDisk(path, sizeBytes, GATEWAY_DISK_BYTES);
  opened.push(disk);
  return disk;
}

/**
 * Opens the trust disk: metadata of both repositories, and the time below which it cannot be.
 *
 * @param dataDir The vehicle's data folder.
 * @param opened Takes the disk, for closing.
 * @returns The disk.
 */
export function openTrustDisk(dataDir: string, opened: FileDisk[]): FileDisk {
  const disk = new FileDisk(`${dataDir}/trust.disk`, TRUST_DISK_BYTES);
  opened.push(disk);
  return disk;
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
