/**
 * A simulated vehicle: gateway and three ECUs on simulated disks, under virtual time.
 * Its power can be cut at any moment or before any disk operation, and come back.
 *
 * @module
 */
import { assertEquals, fail } from "@std/assert/mod.js";
import { nodeCodecs } from "shared/node/codecs.ts";
import { nodeHash, sha256Digest } from "shared/node/digest.ts";
import type { EcuState, Precondition } from "shared/protocol/common.ts";
import { type HmiCommand, HmiSnapshot, type Signals } from "shared/protocol/hmi.ts";
import { BootRecordStore } from "vehicle/bootloader/boot_record.ts";
import { joinBus } from "vehicle/bus/bus_local.ts";
import { Ecu } from "vehicle/ecu/ecu.ts";
import { Gateway } from "vehicle/gateway/gateway.ts";
import { Journal, type JournalState } from "vehicle/gateway/journal.ts";
import { PARKED } from "vehicle/gateway/signals.ts";
import type { HmiPort } from "vehicle/ports.ts";
import { SimBackend } from "./sim_backend.ts";
import { type LifeClock, SimClock } from "./sim_clock.ts";
import { type CutChoice, PowerCut, type SimDisk } from "./sim_disk.ts";
import { type EcuDisks, SimPower } from "./sim_power.ts";
import { ECUS, everyEcu, type Serial } from "./sim_bundle.ts";
import { SMALL } from "./sim_container.ts";
import { SimLink } from "./sim_link.ts";
import type { SimOptions } from "./sim_options.ts";
import { type SimRelease, targets, VIN } from "./sim_release.ts";
import { type Behaviour, SimRunner, type Start } from "./sim_runner.ts";

/** One power-on: it ends by a cut only. */
interface Life {
  readonly clock: LifeClock;
  readonly ecus: readonly Ecu[];
  readonly gateway: Gateway;
  readonly command: (command: HmiCommand) => void;
  readonly draw: () => HmiSnapshot;
}

/** A simulated vehicle with its server. */
export class SimVehicle {
  readonly clock = new SimClock();
  readonly backend = new SimBackend();
  #options: SimOptions;
  /** Its disks; `cutAt` there takes the power before an operation. */
  readonly power: SimPower;
  #life: Life | undefined;
  #trouble: unknown;
  #ids = 0;
  readonly #ecus: typeof ECUS[number][];
  readonly #habits = new Map<string, Behaviour>();
  #version = 0;
  #touched = true;
  #cutIn: { readonly phase: JournalState["phase"]; readonly operations: number } | undefined;
  readonly broker = new SimLink();
  readonly log: string[] = [];
  readonly starts: Start[] = [];

  constructor(options: SimOptions = {}) {
    this.#options = options;
    this.#ecus = ECUS.filter(([serial]) => options.serials?.includes(serial) ?? true);
    this.power = new SimPower(this.#ecus.map(([serial]) => serial), options.slotBytes ?? 16 * 1024);
  }

  /** Makes a vehicle whose ECUs run release 1 of their hardware, all confirmed. */
  static async running(options: SimOptions = {}): Promise<SimVehicle> {
    const vehicle = new SimVehicle({ ...options, consent: "auto" });
    vehicle.powerOn();
    vehicle.offer("c1", everyEcu(1));
    await vehicle.settled("c1");
    vehicle.cut(() => "new");
    const { broker: { events, conns }, log, starts, backend } = vehicle;
    for (const list of [events, conns, log, starts, backend.requests]) list.length = 0;
    vehicle.#options = options;
    vehicle.powerOn();
    await vehicle.until(() => vehicle.allRun("1.0.0"), "release 1 runs");
    vehicle.broker.events.length = 0;
    return vehicle;
  }

  /** Gives power: builds everything anew on the same disks. It may go again at once. */
  powerOn(): void {
    try {
      this.#build();
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
  }

  #build(): void {
    const clock = this.clock.life();
    const { parts } = this.#options;
    const powered = (disk: SimDisk) => {
      const power = this.power.powered(disk, clock, () => this.#synced());
      return parts?.disk?.(power, disk) ?? power;
    };
    let draw: (() => HmiSnapshot) | undefined;
    let command: ((command: HmiCommand) => void) | undefined;
    const hmi: HmiPort = {
      show: (next) => {
        draw = next;
        this.#touched = true;
      },
      onCommand: (take) => command = take,
    };
    const runner = new SimRunner(clock, (start) => this.starts.push(start), this.#habits);
    const ecus = this.#ecus.map(([serial, hardware, restartRank]) => {
      const { boot, A, B } = this.power.ecus[serial]!;
      const storage = { boot: powered(boot), slots: { A: powered(A), B: powered(B) } };
      const records = parts?.records?.(storage.boot) ?? new BootRecordStore(storage.boot);
      const slotBytes = A.sectors * 512;
      const profile = { serial, hardware, restartRank, slotBytes, runner: "worker" } as const;
      return new Ecu({
        profile: this.#options.profile?.(profile) ?? profile,
        slots: { storage, records, paths: { A: "A", B: "B" } },
        runner,
        clock,
        newDigest: sha256Digest,
        listener: {
          changed: (one) => gateway.changed(one),
          display: (one, message) => gateway.display(one, message),
        },
      });
    });
    const gateway = new Gateway({
      vin: VIN,
      ecus: joinBus(ecus.map((ecu) => parts?.port?.(ecu) ?? ecu), clock, this.#options.wire),
      hmi,
      clock,
      ...{ codecs: nodeCodecs, hash: nodeHash, leafBytes: SMALL.leafBytes },
      journal: new Journal(powered(this.power.gateway)),
      link: this.broker,
      backend: this.backend.port(clock),
      newDigest: sha256Digest,
      newId: () => `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, "0")}`,
      consent: this.#options.consent ?? "auto",
      signals: this.#options.signals ?? PARKED,
      log: (line) => this.log.push(line),
      prove: this.#options.prove,
    });
    this.#life = { clock, ecus, gateway, command: command!, draw: () => draw!() };
    this.#run(this.#life).catch((error) => {
      if (!(error instanceof PowerCut)) this.#trouble = error;
      this.#touched = true;
    });
  }

  async #run({ ecus, gateway }: Life): Promise<void> {
    await Promise.all(ecus.map((ecu) => ecu.start()));
    await gateway.run(new AbortController().signal);
  }

  /** Takes the power away now; of each unsynced sector the choice survives. */
  cut(choose: CutChoice): void {
    this.crash();
    this.power.cut(choose);
  }

  /** Ends the process alone: what its disks have in their caches stays there. */
  crash(): void {
    this.#life?.clock.end();
    this.#life = undefined;
  }

  /** The power goes by itself, so many disk operations after a phase was written down. */
  cutIn(phase: JournalState["phase"], operations: number): void {
    this.#cutIn = { phase, operations };
  }

  #synced(): void {
    this.#touched = true;
    if (this.#cutIn === undefined || this.journal().phase !== this.#cutIn.phase) return;
    this.power.cutAt = this.power.operations + this.#cutIn.operations;
    this.#cutIn = undefined;
  }

  /** Waits until the power has gone by itself. */
  async dies(): Promise<void> {
    await this.until(() => !this.on, "the power goes");
  }

  /** Whether it has power. */
  get on(): boolean {
    return this.#life !== undefined && !this.#life.clock.ended;
  }

  /** The disks of one ECU. */
  disksOf(serial: Serial): EcuDisks {
    return this.power.ecus[serial]!;
  }

  /** The server offers releases to this vehicle, and hints at it. */
  offer(
    campaign: string | null,
    releases: Readonly<Record<string, SimRelease>>,
    preconditions: readonly Precondition[] = [],
  ): void {
    for (const { full, deltas, bytes, geometry } of Object.values(releases)) {
      this.backend.leaves.add(bytes, geometry.leafBytes);
      for (const { carrier, bytes } of [full, ...deltas]) {
        this.backend.carriers.set(carrier.carrierSha256, bytes);
      }
    }
    this.answer(targets(++this.#version, campaign, releases, preconditions));
  }

  /** The server answers this, and hints at it. */
  answer(answer: unknown): void {
    this.backend.offer = answer;
    this.#life?.gateway.hint();
  }

  /** Something hints that there is news. */
  hint(): void {
    this.#life?.gateway.hint();
  }

  /** The broker is lost, or comes back. */
  link(connected: boolean): void {
    this.broker.connected = connected;
    this.#life?.gateway.linked(connected);
  }

  /** A person at the head unit asks for something; the id of the command, for doubles. */
  say(
    command: Exclude<HmiCommand["command"], "signals">,
    campaign = "",
    id?: string,
  ): string {
    const commandId = id ?? `00000000-0000-4000-9000-${String(++this.#ids).padStart(12, "0")}`;
    const what = { v: 1, commandId, command, ...(campaign === "" ? {} : { campaign }) };
    this.#life!.command(what as HmiCommand);
    return commandId;
  }

  /** The vehicle's signals change. */
  signals(change: Partial<Signals>): void {
    const commandId = `00000000-0000-4000-9000-${String(++this.#ids).padStart(12, "0")}`;
    const signals = { ...PARKED, ...change };
    this.#life!.command({ v: 1, commandId, command: "signals", signals });
  }

  /** What the head unit shows. */
  screen(): HmiSnapshot {
    return HmiSnapshot.parse(this.#life!.draw());
  }

  /** The same, unchecked: for worlds that look at every step. */
  drawn(): HmiSnapshot {
    return this.#life!.draw();
  }

  /** What the gateway's journal holds. */
  journal(): JournalState {
    return new Journal(this.power.gateway).read();
  }

  /** The ECUs, while they have power. */
  ecu(serial: Serial): Ecu {
    return this.#life!.ecus.find((ecu) => ecu.serial === serial)!;
  }

  /** From the next start on, images of one ECU do this, whatever they are. */
  misbehave(serial: Serial, behaviour: Behaviour): void {
    this.#habits.set(serial, behaviour);
  }

  /** The version that runs on each ECU; `trial` where it is not confirmed. */
  runs(): Record<string, string | null> {
    return Object.fromEntries(
      this.#life!.ecus.map((ecu) => {
        const { running } = ecu.inventory();
        return [ecu.serial, running && (running.trial ? "trial" : "") + running.image.version];
      }),
    );
  }

  /** Whether every ECU runs a version, confirmed. */
  allRun(version: string): boolean {
    return Object.values(this.runs()).every((one) => one === version);
  }

  /** The reported state of each ECU. */
  states(): Record<string, EcuState> {
    return Object.fromEntries(this.screen().ecus.map((ecu) => [ecu.serial, ecu.state]));
  }

  /** The failure each ECU carries. */
  failures(): Record<string, string | null> {
    return Object.fromEntries(
      this.screen().ecus.map((ecu) => [ecu.serial, ecu.failure?.name ?? null]),
    );
  }

  /** The words that one ECU's events said, in order. */
  told(serial: Serial): EcuState[] {
    return this.broker.events.filter((event) => event.ecu === serial).map((event) => event.state);
  }

  /**
   * Lets time pass until something holds.
   *
   * @param condition Asked after every change that the vehicle tells of.
   * @param what It, in words, for the failure.
   * @param limitMs The longest virtual time; the default is ten minutes.
   */
  async until(condition: () => boolean, what: string, limitMs = 600_000): Promise<void> {
    this.#touched = true;
    let heard = -1;
    const held = await this.clock.drive(() => {
      if (this.#trouble !== undefined) throw this.#trouble;
      const { requests, manifests, looks } = this.backend;
      const hears = requests.length + manifests.length + looks + this.log.length + Number(this.on);
      if (!this.#touched && hears === heard) return false;
      [this.#touched, heard] = [false, hears];
      return condition();
    }, limitMs);
    if (held || condition()) return;
    const now = this.on
      ? JSON.stringify([this.journal().phase, this.runs(), this.states()])
      : "off";
    fail(`"${what}" did not come to hold in ${limitMs} ms: ${now}\n${this.log.join("\n")}`);
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.clock.drive(() => {
      if (this.#trouble !== undefined) throw this.#trouble;
      return false;
    }, ms);
  }

  /** Waits until a phase of the gateway's table was written down. */
  async phase(phase: JournalState["phase"], limitMs?: number): Promise<void> {
    await this.until(() => this.journal().phase === phase, `phase ${phase}`, limitMs);
  }

  /** Waits until a campaign is concluded and the server has the result. */
  async settled(campaign: string, limitMs?: number): Promise<void> {
    await this.until(
      () => {
        const { phase, concluded } = this.journal();
        return phase === "idle" && concluded === campaign;
      },
      `${campaign} is concluded`,
      limitMs,
    );
    await this.pass(1000);
    assertEquals(this.backend.manifests.at(-1)?.campaign, campaign);
  }
}
