/**
 * How a simulated vehicle is made.
 *
 * @module
 */
import type { EcuProfile } from "shared/protocol/ecu.ts";
import type { Signals } from "shared/protocol/hmi.ts";
import type { BootRecordStore } from "vehicle/bootloader/boot_record.ts";
import type { localWire } from "vehicle/bus/bus_local.ts";
import type { EcuService } from "vehicle/bus/ecu_port.ts";
import type { GatewayParts } from "vehicle/gateway/gateway.ts";
import type { Disk } from "vehicle/ports.ts";
import type { Serial } from "./sim_bundle.ts";
import type { SimDisk } from "./sim_disk.ts";

/** How a vehicle is made. */
export interface SimOptions {
  readonly slotBytes?: number;
  readonly consent?: "ask" | "auto";
  readonly profile?: (profile: EcuProfile) => EcuProfile;
  readonly signals?: Signals;
  /** The ECUs it has; all three without this. */
  readonly serials?: readonly Serial[];
  readonly parts?: SimParts;
  /** The wire to each ECU; without length by default. */
  readonly wire?: typeof localWire;
  /** The last look at the signatures; without it there are none. */
  readonly prove?: NonNullable<GatewayParts["prove"]>;
}

/** Parts that stand between those of the product: for deliberate faults. */
export interface SimParts {
  /** The disk that the product gets, given the sound one, and the medium below it. */
  readonly disk?: (disk: Disk, medium: SimDisk) => Disk;
  /** The boot record on a boot disk. */
  readonly records?: (boot: Disk) => BootRecordStore;
  /** The ECU as the gateway reaches it. */
  readonly port?: (ecu: EcuService) => EcuService;
}
