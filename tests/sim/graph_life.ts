/**
 * One power-on in the power-cut graph: a vehicle is built on the media of a node, lives without
 * another cut until its update has ended, and is watched at every step.
 *
 * @module
 */
import { sha256Hex } from "shared/node/digest.ts";
import type { VehicleReport } from "shared/protocol/messages.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import { Journal, type JournalState } from "vehicle/gateway/journal.ts";
import { journalText } from "./graph_state.ts";
import type { SimDisk } from "./sim_disk.ts";
import type { Serial } from "./sim_bundle.ts";
import type { SimOptions } from "./sim_options.ts";
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
  #stage: number;
  #started = 0;
  #watchedAt = -1;
  #ended = false;
  #read: { version: number; journal: JournalState } | undefined;
  #said = 0;

  /**
   * @param scenario What is explored.
   * @param media What the disks hold.
   * @param outside What the world remembers.
   */
  constructor(scenario: Scenario, media: Media, outside: Outside) {
    this.#scenario = scenario;
    this.#stage = outside.stage;
    const vehicle = this.vehicle = new SimVehicle(scenario.options);
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

  /** Before anything is repaired, the journal says where the update stood. */
  #readable(): void {
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

  /** Every image that starts is read back from its slot, whole and as released. */
  #checkStarts(): void {
    const { vehicle } = this;
    const { starts } = vehicle;
    // By the time the first step is over, every ECU has booted something.
    if (this.#started === 0 && starts.length < this.#scenario.serials.length) {
      throw this.#violation("an ECU boots nothing");
    }
    for (; this.#started < starts.length; this.#started++) {
      const { serial, slot, version } = starts[this.#started]!;
      const image = this.#scenario.images[serial]![version];
      if (image === undefined) throw this.#violation(`${serial} starts ${version}, which is none`);
      const disk = vehicle.power.ecus[serial]![slot as "A" | "B"];
      const lies = disk.read(0, Math.ceil(image.length / 512)).subarray(0, image.length);
      const sound = sha256Hex(lies) === sha256Hex(image);
      if (!sound) throw this.#violation(`${serial} starts ${version} from slot ${slot}: unsound`);
    }
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
