/**
 * Deliberate breakages, each put between the vehicle and one of its ports: a swarm whose laws no
 * breakage breaks would prove nothing.
 *
 * @module
 */
import type { Ecu } from "vehicle/ecu/ecu.ts";
import type { VehicleReport } from "shared/protocol/messages.ts";
import type { HmiSnapshot } from "shared/protocol/hmi.ts";
import { UpdateFailure } from "shared/failure.ts";
import type { Disk, Runner } from "vehicle/ports.ts";
import type { Law } from "./checkers.ts";
import type { Wrappers } from "./swarm_vehicle.ts";
import type { World } from "./world.ts";

/** A breakage and the laws of which it must break one. */
export interface Mutant {
  readonly name: string;
  readonly laws: readonly Law[];
  /** A world in which it shows; those after it follow, in case this one has changed. */
  readonly from?: number;
  readonly make: (world: World) => Wrappers;
}

/** A runner whose images have another byte than those that were proved. */
function otherBytes(runner: Runner): Runner {
  return {
    start: (image, boot, listener) => {
      const read = (offset: number, length: number) => {
        const bytes = image.read(offset, length).slice();
        if (offset + length > 500 && offset <= 500) bytes[500 - offset]! ^= 1;
        return bytes;
      };
      return runner.start({ ...image, read }, boot, listener);
    },
  };
}

/** A runner whose images always say that their self-test passed, whatever they are. */
function alwaysWell(runner: Runner): Runner {
  const bytes = new TextEncoder().encode("good\n");
  return {
    start: (image, boot, listener) =>
      runner.start(
        boot.version === "1.0.0" ? image : {
          ...image,
          // Its proved bytes go to the law, its first line is read again by the simulated processor.
          read: (offset, length) => length === 64 ? bytes : image.read(offset, length),
        },
        boot,
        listener,
      ),
  };
}

function syncsNothing(disk: Disk): Disk {
  return {
    sectorBytes: disk.sectorBytes,
    sectors: disk.sectors,
    read: (sector, count) => disk.read(sector, count),
    readInto: (sector, target) => disk.readInto(sector, target),
    write: (sector, data) => disk.write(sector, data),
    sync: () => {},
  };
}

function writesOften(disk: Disk): Disk {
  return {
    ...syncsNothing(disk),
    write: (sector, data) => {
      for (let i = 0; i < 100; i++) disk.write(sector, data);
    },
    sync: () => disk.sync(),
  };
}

function patched(serial: string, change: Partial<Ecu>): Wrappers {
  return { ecu: (ecu) => ecu.serial === serial ? Object.assign(ecu, change) : ecu };
}

function reporting(change: (report: VehicleReport) => VehicleReport): Wrappers {
  return {
    backend: (backend) => ({
      targets: (signal) => backend.targets(signal),
      carrier: (sha256, range, signal) => backend.carrier(sha256, range, signal),
      leafHashes: (tree, signal) => backend.leafHashes(tree, signal),
      leaf: (root, index, signal) => backend.leaf(root, index, signal),
      manifest: (report, signal) => backend.manifest(change(report), signal),
    }),
  };
}

function drawing(change: (screen: HmiSnapshot) => unknown): Wrappers {
  return {
    hmi: (hmi) => ({
      show: (draw) => hmi.show(() => change(draw()) as HmiSnapshot),
      onCommand: (take) => hmi.onCommand(take),
    }),
  };
}

/** The ECU that restarts first; in a bundle of several the others go on without it. */
function first({ plan }: World): string {
  return plan.ecus[0]!.serial;
}

/** Every breakage. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "the slot changes between proof and start",
    laws: ["neverUnverified"],
    make: () => ({ runner: otherBytes }),
  },
  {
    name: "an ECU never writes down that it was confirmed",
    from: 10,
    laws: ["neverMixed", "driveLock", "boundedTime"],
    make: (world) => patched(first(world), { confirm: () => {} }),
  },
  {
    name: "an ECU does not go back",
    laws: ["boundedTime", "neverMixed", "driveLock"],
    make: (world) => patched(first(world), { revert: () => Promise.resolve() }),
  },
  {
    name: "a slot says that it is durable before it is",
    from: 6,
    laws: ["neverUnbootable", "neverMixed", "reasonsAreTrue", "boundedTime"],
    make: () => ({ disk: (disk, name) => /\.[AB]$/.test(name) ? syncsNothing(disk) : disk }),
  },
  {
    name: "a boot record says that it is durable before it is",
    from: 2,
    laws: ["neverUnbootable", "neverMixed", "reasonsAreTrue", "boundedTime", "driveLock"],
    make: () => ({ disk: (disk, name) => name.endsWith(".boot") ? syncsNothing(disk) : disk }),
  },
  {
    name: "the journal says that it is durable before it is",
    from: 2,
    laws: ["neverMixed", "boundedTime", "driveLock", "reasonsAreTrue"],
    make: () => ({ disk: (disk, name) => name === "gateway" ? syncsNothing(disk) : disk }),
  },
  {
    name: "every sector is written a hundred times",
    laws: ["boundedWrites"],
    make: () => ({ disk: writesOften }),
  },
  {
    name: "the server never hears the outcome",
    laws: ["boundedTime"],
    make: () =>
      reporting(() => {
        throw new UpdateFailure("serverUnreachable", "manifest", "Cannot report: simulated");
      }),
  },
  {
    name: "the report names another image than the one that runs",
    laws: ["reportsAreTrue", "reasonsAreTrue", "boundedTime"],
    make: () =>
      reporting((report) => ({
        ...report,
        ecus: report.ecus.map((ecu) => ({ ...ecu, version: "9.9.9" })),
      })),
  },
  {
    name: "the retained status is never renewed",
    from: 2,
    laws: ["reportsAreTrue"],
    make: () => ({
      link: (link) => ({
        get connected() {
          return link.connected;
        },
        status: () => {},
        event: (event) => link.event(event),
        conn: (word) => link.conn(word),
      }),
    }),
  },
  {
    name: "a callback throws what nobody foresaw",
    laws: ["noBug"],
    make: () => ({
      link: (link) => ({
        get connected() {
          return link.connected;
        },
        status: (report) => link.status(report),
        event: () => {
          throw new TypeError("simulated bug");
        },
        conn: (word) => link.conn(word),
      }),
    }),
  },
  {
    name: "the screen lets the driver go while an ECU is tried",
    from: 2,
    laws: ["driveLock"],
    make: () => drawing((screen) => ({ ...screen, driveLock: false })),
  },
  {
    name: "the screen shows a phase that there is not",
    laws: ["validScreen"],
    make: () => drawing((screen) => ({ ...screen, phase: "thinking" })),
  },
  {
    name: "a failure has another number than the catalogue says",
    laws: ["knownFailures"],
    make: () =>
      drawing((screen) => ({
        ...screen,
        ecus: screen.ecus.map((ecu) => ({
          ...ecu,
          failure: ecu.failure && { ...ecu.failure, code: ecu.failure.code + 1 },
        })),
      })),
  },
  {
    name: "bad images pass their trials",
    from: 3,
    laws: ["reasonsAreTrue"],
    make: () => ({ runner: alwaysWell }),
  },
];
