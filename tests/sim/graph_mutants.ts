/**
 * Deliberate breakages of the order of writes, each between two sound parts of the product: a
 * disk that syncs too little or writes elsewhere, a boot record that forgets, an ECU that acts
 * too early. The power-cut graph must find every one, or it proves nothing.
 *
 * @module
 */
import {
  type BootRecord,
  BootRecordStore,
  type SlotRecord,
} from "vehicle/bootloader/boot_record.ts";
import type { Slot } from "shared/protocol/common.ts";
import type { EcuService } from "vehicle/bus/ecu_port.ts";
import type { Disk } from "vehicle/ports.ts";
import type { ScenarioWish } from "./graph_scenarios.ts";
import type { SimParts } from "./sim_options.ts";
import { BOOT_SECTORS } from "./sim_power.ts";

/** A breakage, and where it is looked for. */
export interface Mutant {
  readonly name: string;
  /** What of the product it stands for being wrong. */
  readonly breaks: string;
  readonly wish: ScenarioWish;
  /** New parts for one power-on. */
  readonly parts: () => SimParts;
}

const ONE: ScenarioWish = { ecus: 1, way: "full", course: "good" };
const ONE_BAD: ScenarioWish = { ecus: 1, way: "full", course: "bad" };
const THREE_BAD: ScenarioWish = { ecus: 3, way: "delta", course: "bad" };

/** What a write puts down: the name of a one-sector record, or `data`. */
function kindOf(data: Uint8Array): string {
  if (data.length !== 512) return "data";
  const magic = String.fromCharCode(...data.subarray(0, 4));
  return /^[A-Z]{4}$/.test(magic) ? magic : "data";
}

function over(disk: Disk, changes: Partial<Disk>): Disk {
  return {
    sectorBytes: disk.sectorBytes,
    sectors: disk.sectors,
    read: (sector, count) => disk.read(sector, count),
    readInto: (sector, target) => disk.readInto(sector, target),
    write: (sector, data) => disk.write(sector, data),
    sync: () => disk.sync(),
    ...changes,
  };
}

/** Forgets to sync behind one kind of write; the next sync of that disk takes it along. */
function unsynced(kind: string, ofBoot?: boolean): () => SimParts {
  return () => ({
    disk: (disk) => {
      if (ofBoot !== undefined && isGateway(disk) === ofBoot) return disk;
      let last = "";
      return over(disk, {
        write: (sector, data) => {
          last = kindOf(data);
          disk.write(sector, data);
        },
        sync: () => {
          if (last !== kind) disk.sync();
        },
      });
    },
  });
}

/** The gateway's disk is by far the largest; a slot has no records, a boot disk has. */
function isGateway(disk: Disk): boolean {
  return disk.sectors > 1000;
}

/** The sector of a record's other copy. */
function twinOf(disk: Disk, sector: number): number {
  const half = isGateway(disk) ? 32 : disk.sectors >> 1;
  return sector < half ? sector + half : sector - half;
}

/** Writes one kind of record over its newest copy. */
function inPlace(kind: string): () => SimParts {
  return () => ({
    disk: (disk) =>
      over(disk, {
        write: (sector, data) =>
          disk.write(kindOf(data) === kind ? twinOf(disk, sector) : sector, data),
      }),
  });
}

/** Writes both copies of one kind of record before one sync. */
function bothAtOnce(kind: string): () => SimParts {
  return () => ({
    disk: (disk) =>
      over(disk, {
        write: (sector, data) => {
          disk.write(sector, data);
          if (kindOf(data) === kind) disk.write(twinOf(disk, sector), data);
        },
      }),
  });
}

/** A disk that holds back what it is given, until it is told to let go. */
class Late {
  #held: (() => void)[] = [];
  #writes = new Map<number, Uint8Array>();

  of(disk: Disk, holds: () => boolean): Disk {
    const read = (sector: number, count: number) => {
      const bytes = disk.read(sector, count);
      for (let i = 0; i < count; i++) {
        const held = this.#writes.get(sector + i);
        if (held) bytes.set(held, i * 512);
      }
      return bytes;
    };
    return over(disk, {
      read,
      readInto: (sector, target) => target.set(read(sector, target.length / 512)),
      write: (sector, data) => {
        if (!holds()) return disk.write(sector, data);
        const bytes = data.slice();
        for (let i = 0; i * 512 < bytes.length; i++) {
          this.#writes.set(sector + i, bytes.subarray(i * 512, (i + 1) * 512));
        }
        this.#held.push(() => disk.write(sector, bytes));
      },
      sync: () => {
        if (this.#held.length === 0) return disk.sync();
        if (holds()) this.#held.push(() => disk.sync());
      },
    });
  }

  letGo(): void {
    const held = this.#held.splice(0);
    this.#writes.clear();
    for (const one of held) one();
  }
}

/** The bytes of a segment reach the slot only when the checkpoint already names them. */
function checkpointFirst(): SimParts {
  const late = new Late();
  return {
    disk: (disk, medium) => {
      if (isGateway(disk)) return disk;
      if (medium.sectors !== BOOT_SECTORS) return late.of(disk, () => true);
      let last = "";
      return over(disk, {
        write: (sector, data) => {
          last = kindOf(data);
          if (last === "BOOT") late.letGo();
          disk.write(sector, data);
        },
        sync: () => {
          disk.sync();
          if (last === "CKPT") late.letGo();
        },
      });
    },
  };
}

/** The journal follows the deed: what it says of a commit reaches the disk behind the boot record. */
function journalLast(): SimParts {
  const late = new Late();
  let committing = false;
  return {
    disk: (disk, medium) => {
      if (isGateway(disk)) {
        const held = late.of(disk, () => committing);
        return over(held, {
          write: (sector, data) => {
            const text = kindOf(data) === "data" ? new TextDecoder().decode(data) : "";
            if (text !== "") committing = /"phase":"(installing|trialAll|confirmAll)"/.test(text);
            if (!committing) late.letGo();
            held.write(sector, data);
          },
        });
      }
      if (medium.sectors !== BOOT_SECTORS) return disk;
      return over(disk, {
        sync: () => {
          disk.sync();
          late.letGo();
        },
      });
    },
  };
}

/** A boot record that keeps some changes to itself until the next one. */
class Forgetful extends BootRecordStore {
  #known: BootRecord | undefined;
  readonly #forgets: (change: Partial<SlotRecord>, before: SlotRecord) => boolean;

  constructor(disk: Disk, forgets: (change: Partial<SlotRecord>, before: SlotRecord) => boolean) {
    super(disk);
    this.#forgets = forgets;
  }

  override read(): BootRecord {
    return this.#known ?? super.read();
  }

  override change(slot: Slot, change: Partial<SlotRecord>): BootRecord {
    const record = this.read();
    const next: BootRecord = { ...record, [slot]: { ...record[slot], ...change } };
    if (this.#forgets(change, record[slot])) return this.#known = next;
    this.write(next);
    return next;
  }

  override write(record: BootRecord): void {
    super.write(record);
    this.#known = undefined;
  }
}

function forgets(
  what: (change: Partial<SlotRecord>, before: SlotRecord) => boolean,
): () => SimParts {
  return () => ({ records: (boot) => new Forgetful(boot, what) });
}

/** An ECU with some of its answers changed. */
function port(change: (ecu: EcuService) => Partial<EcuService>): () => SimParts {
  return () => ({
    port: (ecu) => {
      const changes = change(ecu);
      return new Proxy(ecu, {
        get: (target, name) => {
          const value = Reflect.get(changes, name) ?? Reflect.get(target, name);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  });
}

/**
 * Breakages that the graph shows to be harmless, and why: what they break is a second line of
 * defence, or no line at all.
 */
export const HARMLESS: readonly (Mutant & { readonly because: string })[] = [{
  name: "journal's content is not synced before its head",
  breaks: "content before the head that names it",
  because: "a head whose content does not hold counts for nothing, and is what the next write " +
    "replaces; the content that the older head names is never written over (durable_area.ts)",
  wish: ONE,
  parts: unsynced("data", false),
}, {
  name: "targets' head is not synced",
  breaks: "every record is durable before what follows",
  because: "the content of the journal that names them is synced on the same disk before its head",
  wish: ONE,
  parts: unsynced("TRGT"),
}, {
  name: "journal is written after the deed",
  breaks: "intent before deed",
  because:
    "the gateway decides about slots that are armed or half confirmed from the boot records " +
    "alone (strays.ts), as after a lost journal",
  wish: ONE,
  parts: journalLast,
}, {
  name: "slot is armed as soon as it is verified",
  breaks: "journal before the boot record",
  because:
    "an armed slot that the journal does not know of is taken back or gone on with from the " +
    "boot records alone (strays.ts)",
  wish: ONE,
  parts: port((ecu) => ({
    verify: async (image, signal) => {
      await ecu.verify(image, signal);
      await ecu.arm(image);
    },
  })),
}];

// deno-fmt-ignore
/** All of them. */
export const MUTANTS: readonly Mutant[] = [
  { name: "boot record is not synced", breaks: "a deed before its record is durable", wish: ONE, parts: unsynced("BOOT") },
  { name: "both copies of the boot record are written before one sync", breaks: "two copies, one at a time", wish: ONE, parts: bothAtOnce("BOOT") },
  { name: "boot record is rewritten in place", breaks: "the only good copy is never written", wish: ONE, parts: inPlace("BOOT") },
  { name: "journal's head is rewritten in place", breaks: "the only good copy is never written", wish: ONE, parts: inPlace("JRNL") },
  { name: "both copies of the journal's head are written before one sync", breaks: "two copies, one at a time", wish: ONE, parts: bothAtOnce("JRNL") },
  { name: "journal is not synced", breaks: "intent before deed", wish: ONE, parts: unsynced("JRNL") },
  // At power-on a torn copy of the targets is made whole again while the journal names them.
  { name: "targets' head is rewritten in place", breaks: "the only good copy is never written", wish: ONE, parts: inPlace("TRGT") },
  { name: "segment is not synced before its checkpoint", breaks: "data before the checkpoint that counts it", wish: ONE, parts: unsynced("data", true) },
  { name: "checkpoint is written before the segment", breaks: "data before the checkpoint that counts it", wish: ONE, parts: checkpointFirst },
  { name: "try is not written down before the attempt", breaks: "tries decremented first", wish: ONE,
    parts: forgets((change, before) => change.triesRemaining === before.triesRemaining - 1) },
  { name: "verdict is acted on before it is written down", breaks: "verdict before the act", wish: ONE_BAD,
    parts: forgets((change) => change.unbootable === true && change.verdict != null) },
  { name: "slot is not marked bad before the first byte", breaks: "bad before the first byte", wish: ONE,
    parts: forgets((change) => change.image === null) },
  { name: "confirmation is not written down", breaks: "confirmed before it is told", wish: ONE, parts: forgets((change) => change.successful === true) },
  { name: "trial is confirmed before the commit point", breaks: "confirm all or none", wish: THREE_BAD,
    parts: port((ecu) => ({
      inventory: () => {
        const { running } = ecu.inventory();
        if (running?.trial && running.passed) ecu.confirm(running.image);
        return ecu.inventory();
      },
    })) },
];
