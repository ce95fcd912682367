/**
 * What a vehicle's disks say of it from outside its process: where its update stands, even when
 * the process was killed, and what its ECUs would boot. Reads only.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { MIB } from "shared/limits.ts";
import { sha256Digest } from "shared/node/digest.ts";
import type { Carrier } from "shared/protocol/common.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { EcuProfile } from "shared/protocol/ecu.ts";
import { FileDisk } from "vehicle/adapters/disk_file.ts";
import { bootLayout } from "vehicle/bootloader/boot_layout.ts";
import { chooseSlot } from "vehicle/bootloader/boot_choice.ts";
import { BootRecordStore } from "vehicle/bootloader/boot_record.ts";
import {
  GATEWAY_DISK_BYTES,
  Journal,
  JOURNAL_HEADS,
  type JournalState,
} from "vehicle/gateway/journal.ts";
import { SectorRecord } from "vehicle/storage/sector_record.ts";
import { digestFile, readPartition, StagedFile } from "vehicle/storage/staged_file.ts";

/** Where an update stands, as the disks tell it; `preparing` is told apart by the checkpoints. */
export const PHASES = [
  "idle",
  "downloading",
  "verifying",
  "waiting",
  "installing",
  "trial",
  "confirming",
  "rollingBack",
  "reporting",
] as const;
/** Where an update stands. */
export type DiskPhase = typeof PHASES[number];

/** The proved image of an ECU. */
export interface Booted {
  readonly sha256: string;
  readonly counter: number;
  /** Confirmed: no trial is pending, neither of it nor of the other slot. */
  readonly settled: boolean;
}

/** The disks of one vehicle; may be kept open while its process comes and goes. */
export class VehicleDisks implements Disposable {
  readonly #gateway: FileDisk;
  readonly #ecus = new Map<string, { boot: FileDisk; slots: { A: FileDisk; B: FileDisk } }>();

  /** Sequence and checksum of all records that tell the phase, when it was looked at. */
  #heads = "";
  #phase: DiskPhase | undefined;

  /**
   * @param data The vehicle's data folder, in which it was started once.
   * @param profile Its ECUs.
   */
  constructor(readonly data: string, readonly profile: readonly EcuProfile[]) {
    const open = (path: string, bytes: number) => {
      // FileDisk makes what is missing, and the vehicle alone may do that.
      if (!existsSync(path)) throw new Error(`Cannot look at ${path}: it is not there`);
      return new FileDisk(path, bytes);
    };
    this.#gateway = open(`${data}/gateway.disk`, GATEWAY_DISK_BYTES);
    for (const { serial, slotBytes } of profile) {
      const folder = `${data}/ecus/${serial}`;
      const slots = {
        A: open(`${folder}/slotA.disk`, slotBytes),
        B: open(`${folder}/slotB.disk`, slotBytes),
      };
      this.#ecus.set(serial, { boot: open(`${folder}/boot.disk`, MIB), slots });
    }
  }

  /** The campaign that came to an end here last. */
  get concluded(): string | null {
    return this.journal()?.state.concluded ?? null;
  }

  /** The journal; `undefined` while the vehicle is just replacing it. */
  journal(): { state: JournalState; targets: DirectorTargets | undefined } | undefined {
    try {
      const journal = new Journal(this.#gateway);
      return { state: journal.read(), targets: journal.readTargets() };
    } catch {
      return undefined; // Read in the middle of a write, which only the vehicle itself never does.
    }
  }

  /** Where the update stands. Cheap, as long as nothing was written since it was last asked. */
  phase(): DiskPhase | undefined {
    const boots = [...this.#ecus.values()].flatMap(({ boot }) =>
      bootLayout(boot).checkpoint.map((sector) => boot.read(sector, 1))
    );
    const heads = [...JOURNAL_HEADS.map((sector) => this.#gateway.read(sector, 1)), ...boots]
      .map((sector) => sector.subarray(8, 16).toHex() + sector.subarray(508).toHex()).join();
    if (heads === this.#heads && this.#phase !== undefined) return this.#phase;
    this.#heads = heads;
    return this.#phase = this.#look();
  }

  /** The carrier that a path names, of those that the vehicle was told of. */
  carrierAt(path: string): Carrier | undefined {
    return Object.values(this.journal()?.targets?.ecus ?? {})
      .flatMap((target) => target.carriers)
      .find(({ carrierSha256 }) => path === `/carriers/${carrierSha256}`);
  }

  #look(): DiskPhase | undefined {
    const journal = this.journal();
    if (journal === undefined) return undefined;
    switch (journal.state.phase) {
      case "idle":
      case "installing":
      case "reporting":
        return journal.state.phase;
      case "trialAll":
        return "trial";
      case "confirmAll":
        return "confirming";
      case "rollBackAll":
        return "rollingBack";
      case "preparing":
        return this.#preparing(journal.state.members, journal.targets);
      default:
        return "waiting";
    }
  }

  /** ECUs are filled one after the other; one that is full and has no successor yet is read back. */
  #preparing(members: readonly string[], targets: DirectorTargets | undefined): DiskPhase {
    const shares = members.map((serial) => {
      const { boot } = this.#ecus.get(serial)!;
      const sectors = bootLayout(boot).checkpoint;
      const record = new SectorRecord(boot, { magic: "CKPT", sectors });
      const saved = new StagedFile(boot, record).saved();
      const wanted = targets?.ecus[serial]?.release.sha256;
      return saved === undefined || saved.sha256 !== wanted
        ? null
        : saved.doneBytes / saved.lengthBytes;
    });
    const begun = shares.filter((share) => share !== null);
    return begun.length > 0 && begun.every((share) => share === 1) ? "verifying" : "downloading";
  }

  /**
   * What an ECU would boot, read back as its loader does.
   *
   * @throws {Error} If no slot may boot, or the one that may does not hold.
   */
  booted(serial: string): Booted {
    const { boot, slots } = this.#ecus.get(serial)!;
    const record = new BootRecordStore(boot).read();
    const slot = chooseSlot(record);
    const image = slot === null ? null : record[slot].image;
    if (slot === null || image === null) throw new Error(`Cannot boot ${serial}: no slot may`);
    const steps = digestFile(readPartition(slots[slot], image.lengthBytes), sha256Digest());
    let step = steps.next();
    while (!step.done) step = steps.next();
    if (step.value !== image.sha256) throw new Error(`Cannot boot ${serial}: reads ${step.value}`);
    const other = record[slot === "A" ? "B" : "A"];
    const pending = !other.successful && !other.unbootable && other.triesRemaining > 0;
    return {
      sha256: image.sha256,
      counter: image.counter,
      settled: record[slot].successful && !pending,
    };
  }

  [Symbol.dispose](): void {
    this.#gateway[Symbol.dispose]();
    for (const { boot, slots } of this.#ecus.values()) {
      for (const disk of [boot, slots.A, slots.B]) disk[Symbol.dispose]();
    }
  }
}
