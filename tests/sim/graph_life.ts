/**
 * One power-on in the power-cut graph: a vehicle is built on the media of a node, lives without
 * another cut until its update has ended, and is watched at every step.
 *
 * @module
 */
import { equalBytes } from "shared/bytes.ts";
import type { VehicleReport } from "shared/protocol/messages.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import { BootRecordStore, type SlotRecord } from "vehicle/bootloader/boot_record.ts";
import { Journal, type JournalState } from "vehicle/gateway/journal.ts";
import { journalText } from "./graph_state.ts";
import type { SimDisk } from "./sim_disk.ts";
import type { Serial } from "./sim_bundle.ts";
import type { SimOptions, SimParts } from "./sim_options.ts";
import type { Start } from "./sim_runner.ts";
import { SimVehicle } from "./sim_vehicle.ts";

/** What all disks durably hold: the gateway's, then boot, A and B of each ECU. */
export type Media = readonly ReadonlyMap<number, Uint8Array>[];

/** What the world outside the disks remembers over a cut. */
export interface Outside {
  /** Which of the scenario's answers the server gives. */
  readonly stage: number;
  /** The highest number of a report that the server knows. */
  readonly knownSeq: number;
  readonly elapsedMs: number;
}

/** How a life without another cut ended. */
export interface LifeEnd {
  /** What runs on all ECUs. */
  readonly version: string;
  readonly journal: JournalState;
  readonly operations: number;
}

/** One answer of the server. */
export interface Stage {
  readonly answer: DirectorTargets;
  /** Says what is wrong with an end under this answer, if anything is. */
  readonly wrong: (end: LifeEnd) => string | undefined;
}

/** What is explored. */
export interface Scenario {
  readonly name: string;
  readonly serials: readonly Serial[];
  readonly options: SimOptions;
  /** Deliberate faults, new for each power-on. */
  readonly parts?: () => SimParts;
  /** A slot that runs has rotted at the root: what its record says of it is not so. */
  readonly rotten: boolean;
  readonly root: Media;
  readonly outside: Outside;
  /** The server goes from one to the next at any time; most scenarios have one. */
  readonly stages: readonly Stage[];
  readonly carriers: ReadonlyMap<string, Uint8Array>;
  /** Every image of the scenario, by serial and version. */
  readonly images: Readonly<Record<string, Readonly<Record<string, Uint8Array>>>>;
  /** What a person does, once in a life, when the head unit shows a phase. */
  readonly driver?: readonly {
    readonly at: string;
    readonly says: "accept" | "decline" | "cancel";
  }[];
}

interface Tried {
  readonly slot: "A" | "B";
  readonly version: string;
}

/** A promise of the product that does not hold. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** An update of three ECUs takes some 120 operations; what is far above is a loop. */
const MAX_OPERATIONS = 1500;
/** An update takes 3 s of virtual time; a pause of a download at most a minute. */
const LIMIT_MS = 600_000;

/** One power-on. */
export class Life {
  readonly vehicle: SimVehicle;
  readonly disks: readonly SimDisk[];
  readonly #scenario: Scenario;
  /** What each ECU is trying. */
  readonly #trying = new Map<string, Tried>();
  #stage: number;
  #started = 0;
  #watchedAt = -1;
  #ended = false;
  #read: { version: number; journal: JournalState } | undefined;
  #said = 0;
  /** An image was started that is not confirmed. */
  tried = false;
  /** What is wrong, found where nothing may be thrown: in the middle of the product. */
  failed: string | undefined;

  /**
   * @param scenario What is explored.
   * @param media What the disks hold.
   * @param outside What the world remembers.
   */
  constructor(scenario: Scenario, media: Media, outside: Outside) {
    this.#scenario = scenario;
    this.#stage = outside.stage;
    const faults = scenario.parts === undefined ? {} : { parts: scenario.parts() };
    const vehicle = this.vehicle = new SimVehicle({ ...scenario.options, ...faults });
    // What the broker hears is held against the contract elsewhere; here it would cost a third.
    vehicle.broker.status = vehicle.broker.event = () => {};
    vehicle.starts.push = (...starts: Start[]) => {
      for (const start of starts) this.#checkFallen(start);
      return Array.prototype.push.apply(vehicle.starts, starts);
    };
    this.disks = disksOf(vehicle, scenario.serials);
    for (const [i, disk] of this.disks.entries()) disk.restore(media[i]!);
    vehicle.clock.elapsedMs = outside.elapsedMs;
    for (const [sha256, bytes] of scenario.carriers) vehicle.backend.carriers.set(sha256, bytes);
    // Of what it heard before, the server needs the number only.
    vehicle.backend.manifests.push({ seq: outside.knownSeq } as VehicleReport);
    vehicle.backend.offer = scenario.stages[outside.stage]!.answer;
  }

  /** What the world would remember if the power went now. */
  get outside(): Outside {
    const { backend, clock } = this.vehicle;
    const { seq } = backend.manifests.at(-1)!;
    return { stage: this.#stage, knownSeq: seq, elapsedMs: clock.elapsedMs };
  }

  /** The server gives its next answer, and hints at it. */
  advance(): void {
    this.vehicle.answer(this.#scenario.stages[++this.#stage]!.answer);
  }

  /**
   * Gives power and lives to the end of the update.
   *
   * @param onCut Called before every durable operation, and at the end: the power may go there.
   * @returns How it ended.
   * @throws {Violation} If a promise does not hold.
   */
  async run(onCut: () => void): Promise<LifeEnd> {
    this.#readable();
    const { vehicle } = this;
    vehicle.power.onOperation = onCut;
    vehicle.powerOn();
    await vehicle.clock.drive(() => this.#watch(), LIMIT_MS);
    await vehicle.pass(1000); // Throws what the product threw.
    this.#watch();
    if (!this.#over()) throw this.#violation("the update does not end");
    onCut();
    const versions = new Set(Object.values(vehicle.runs()));
    const [version] = versions;
    if (versions.size !== 1 || !version) throw this.#violation("the ECUs differ at the end");
    const claims = vehicle.log.find((line) => line.includes("slotDigestDiffers"));
    if (claims !== undefined && !this.#scenario.rotten) {
      throw this.#violation(`a checkpoint claimed what is not there: ${claims}`);
    }
    const { operations } = vehicle.power;
    const end = { version, journal: vehicle.journal(), operations };
    const heard = vehicle.backend.manifests.at(-1)!.ecus;
    if (!heard?.every((ecu) => ecu.version === version)) {
      throw this.#violation(`the server heard ${JSON.stringify(heard)}`);
    }
    const wrong = this.#scenario.stages[this.#stage]!.wrong(end);
    if (wrong !== undefined) throw this.#violation(wrong);
    vehicle.crash();
    return end;
  }

  /** Before anything is repaired: the journal says where the update stood, the slots are whole. */
  #readable(): void {
    if (!this.#scenario.rotten) this.#checkNamed();
    try {
      const journal = new Journal(this.vehicle.power.gateway);
      const { starts, phase, campaign } = journal.read();
      if (starts === 0) throw new Error("it is empty");
      const targets = journal.readTargets();
      const needed = phase !== "idle" && phase !== "reporting";
      if (needed && targets?.campaign !== campaign) throw new Error("its targets are not there");
    } catch (error) {
      throw this.#violation(`the journal does not read: ${(error as Error).message}`);
    }
  }

  /** Looks at everything that may have changed; tells whether the update has ended. */
  #watch(): boolean {
    const { vehicle } = this;
    if (this.failed !== undefined) throw this.#violation(this.failed);
    this.#checkStarts();
    this.#act();
    const { operations } = vehicle.power;
    const changes = operations + vehicle.starts.length + vehicle.backend.looks;
    if (operations > MAX_OPERATIONS) throw this.#violation(`${operations} operations`);
    if (changes === this.#watchedAt) return this.#ended;
    this.#watchedAt = changes;
    const { driveLock } = vehicle.drawn();
    const versions = Object.values(vehicle.runs());
    if (!driveLock && new Set(versions).size !== 1) throw this.#violation("mixed and not locked");
    if (!driveLock && (versions[0] ?? "trial").startsWith("trial")) {
      throw this.#violation("not confirmed and not locked");
    }
    return this.#ended = this.#over();
  }

  /** What a boot record would boot lies in its slot, whole: the loader's own check is the second. */
  #checkNamed(): void {
    for (const serial of this.#scenario.serials) {
      for (const slot of ["A", "B"] as const) {
        const { image, unbootable, successful, triesRemaining } = this.#durable(serial, slot);
        if (image === null || unbootable || !(successful || triesRemaining > 0)) continue;
        const what = `${serial} names ${image.version} in slot ${slot} bootable`;
        this.#checkLies(serial, slot, image.version, what);
      }
    }
  }

  /** One slot's record as it durably is, whatever the product holds in memory. */
  #durable(serial: string, slot: "A" | "B"): SlotRecord {
    const { boot } = this.vehicle.power.ecus[serial]!;
    const disk = {
      ...{ sectorBytes: 512, sectors: boot.sectors, readInto() {}, write() {}, sync() {} },
      read: (sector: number, _count: number) => boot.held(sector).slice(),
    };
    return new BootRecordStore(disk).read()[slot];
  }

  #checkLies(serial: string, slot: "A" | "B", version: string, what: string): void {
    const image = this.#scenario.images[serial]![version];
    if (image === undefined) throw this.#violation(`${what}, which is no release`);
    const disk = this.vehicle.power.ecus[serial]![slot];
    const lies = disk.read(0, Math.ceil(image.length / 512)).subarray(0, image.length);
    if (!equalBytes(lies, image)) throw this.#violation(`${what}, unsound`);
  }

  /** Every image that starts is read back from its slot, whole and as released. */
  #checkStarts(): void {
    const { vehicle } = this;
    const { starts } = vehicle;
    // By the time the first step is over, every ECU has booted something.
    if (this.#started === 0 && starts.length < this.#scenario.serials.length) {
      throw this.#violation("an ECU boots nothing");
    }
    for (; this.#started < starts.length; this.#started++) {
      const { serial, slot, version } = starts[this.#started]! as { serial: string } & Tried;
      this.#checkLies(serial, slot, version, `${serial} starts ${version} from slot ${slot}`);
      if (vehicle.runs()[serial] !== `trial${version}`) continue;
      this.tried = true;
      this.#trying.set(serial, { slot, version });
    }
  }

  /**
   * An ECU that leaves a trial has written down why before, so that a cut does not bring the trial
   * back. To be asked at the start itself: a moment later the slot may be armed for the next try.
   */
  #checkFallen({ serial, version }: Start): void {
    const before = this.#trying.get(serial);
    if (before === undefined || before.version === version) return;
    this.#trying.delete(serial);
    const { image, unbootable, triesRemaining } = this.#durable(serial, before.slot);
    if (image?.version !== before.version || unbootable || triesRemaining === 0) return;
    this.failed ??= `${serial} left ${before.version} before its record says so`;
  }

  #act(): void {
    const step = this.#scenario.driver?.[this.#said];
    if (step === undefined || this.vehicle.drawn().phase !== step.at) return;
    this.#said++;
    this.vehicle.say(step.says, this.vehicle.journal().campaign ?? "");
  }

  #over(): boolean {
    const { vehicle } = this;
    if (vehicle.backend.looks === 0) return false;
    const { phase, concluded } = this.#journal();
    const { campaign } = this.#scenario.stages[this.#stage]!.answer;
    if (phase !== "idle" || (campaign !== null && concluded !== campaign)) return false;
    return Object.values(vehicle.runs()).every((one) => one !== null && !one.startsWith("trial"));
  }

  #journal(): Pick<JournalState, "phase" | "concluded"> {
    const { gateway } = this.vehicle.power;
    if (this.#read?.version === gateway.version) return this.#read.journal;
    const text = journalText((sector) => gateway.held(sector));
    if (text === undefined) throw this.#violation("the journal is gone");
    const journal = JSON.parse(text);
    this.#read = { version: gateway.version, journal };
    return journal;
  }

  #violation(what: string): Violation {
    const { vehicle } = this;
    const state = vehicle.on ? JSON.stringify([vehicle.runs(), vehicle.journal()]) : "before power";
    return new Violation(`${what}: ${state}\n${vehicle.log.slice(-8).join("\n")}`);
  }
}

/** The disks of a vehicle in the order of {@linkcode Media}. */
export function disksOf(vehicle: SimVehicle, serials: readonly Serial[]): SimDisk[] {
  const ecus = serials.flatMap((serial) => {
    const { boot, A, B } = vehicle.power.ecus[serial]!;
    return [boot, A, B];
  });
  return [vehicle.power.gateway, ...ecus];
}
