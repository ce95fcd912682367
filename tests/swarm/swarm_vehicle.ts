/**
 * The vehicle of a world: the real gateway, ECUs, boot loaders and HTTP adapter on simulated disks.
 * All that joins them is in {@linkcode SwarmVehicle.powerOn}; the rest is its power and its truth.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { nodeCodecs } from "shared/node/codecs.ts";
import { nodeHash, sha256Digest } from "shared/node/digest.ts";
import type { EcuProfile } from "shared/protocol/ecu.ts";
import type { HmiCommand, HmiSnapshot } from "shared/protocol/hmi.ts";
import { HttpBackend } from "vehicle/adapters/backend_http.ts";
import { type BootRecord, BootRecordStore } from "vehicle/bootloader/boot_record.ts";
import { joinBus, type localWire } from "vehicle/bus/bus_local.ts";
import { Ecu } from "vehicle/ecu/ecu.ts";
import { Gateway } from "vehicle/gateway/gateway.ts";
import { Journal, type JournalState } from "vehicle/gateway/journal.ts";
import { PARKED } from "vehicle/gateway/signals.ts";
import type { Backend, Disk, HmiPort, Link, Runner } from "vehicle/ports.ts";
import type { LifeClock, SimClock } from "../sim/sim_clock.ts";
import { type CutChoice, PowerCut, type SimDisk } from "../sim/sim_disk.ts";
import { SimPower } from "../sim/sim_power.ts";
import { type Behaviour, SimRunner } from "../sim/sim_runner.ts";
import type { EcuPlan } from "./plan.ts";
import { type RunsNow, watchedRunner } from "./running.ts";
import type { Story } from "./story.ts";
import type { SwarmBroker } from "./swarm_broker.ts";
import type { SwarmNetwork } from "./swarm_network.ts";

/** What a mutant puts between the vehicle and one of its ports. */
export interface Wrappers {
  readonly disk?: (disk: Disk, name: string) => Disk;
  readonly runner?: (runner: Runner) => Runner;
  readonly backend?: (backend: Backend) => Backend;
  readonly link?: (link: Link) => Link;
  readonly hmi?: (hmi: HmiPort) => HmiPort;
  readonly ecu?: (ecu: Ecu) => Ecu;
}

/** What a vehicle of a world works with. */
export interface VehicleParts {
  readonly vin: string;
  readonly secret: () => string;
  readonly ecus: readonly EcuPlan[];
  readonly slotBytes: number;
  readonly clock: SimClock;
  readonly broker: SwarmBroker;
  readonly network: SwarmNetwork;
  /** The wire to each ECU. */
  readonly wire: typeof localWire;
  readonly story: Story;
  readonly wrap: () => Wrappers;
  /** Told before each start of an image, with its bytes. */
  readonly onStart: (start: RunsNow, bytes: Uint8Array) => void;
  /** A disk whose writes are counted. */
  readonly count: (disk: Disk, name: string) => Disk;
  /** A disk as its troubles leave it. */
  readonly trouble: (disk: Disk, name: string) => Disk;
  /** Told when something became durable; the power may go here. */
  readonly onSync: () => void;
}

interface Life {
  readonly clock: LifeClock;
  readonly gateway: Gateway;
  command?: (command: HmiCommand) => void;
  draw?: () => HmiSnapshot;
}

/** The pause of a supervisor before it starts a program again that could not start. */
const RESTART_MS = 2000;

/** The vehicle. */
export class SwarmVehicle {
  readonly #parts: VehicleParts;
  readonly power: SimPower;
  readonly disks = new Map<string, SimDisk>();
  readonly runs = new Map<string, RunsNow>();
  /** The same, and those that ended by themselves and are about to be started again. */
  readonly booted = new Map<string, RunsNow>();
  readonly habits = new Map<string, Behaviour>();
  consent: "ask" | "auto" = "auto";
  /** Its wall clock is so far from the world's, in milliseconds. */
  skewMs = 0;
  /** Since when it has power; the time of the world, in milliseconds. */
  onSinceMs = 0;
  #life: Life | undefined;
  #ids = 0;
  /** The screen has something new to draw. */
  touched = false;
  /** Something became durable since this was last asked. */
  stored = false;
  /** What ended it that nothing may end. */
  bug: unknown;

  constructor(parts: VehicleParts) {
    this.#parts = parts;
    this.power = new SimPower(parts.ecus.map(({ serial }) => serial), parts.slotBytes);
    this.disks.set("gateway", this.power.gateway);
    for (const [serial, { boot, A, B }] of Object.entries(this.power.ecus)) {
      for (const [name, disk] of Object.entries({ boot, A, B })) {
        this.disks.set(`${serial}.${name}`, disk);
      }
    }
  }

  /** What an exact wall clock would say, in milliseconds since the epoch. */
  wallMs(): number {
    return this.#parts.clock.epochMs + this.#parts.clock.elapsedMs;
  }

  /** Whether it has power. */
  get on(): boolean {
    return this.#life !== undefined && !this.#life.clock.ended;
  }

  /** Gives it power. */
  powerOn(): void {
    const { clock: world, story } = this.#parts;
    const clock = world.life();
    this.onSinceMs = world.elapsedMs;
    story.tell("vehicle", "has power");
    try {
      const life = this.#join(clock);
      this.#life = life;
      void this.#connect(life);
    } catch (error) {
      clock.end();
      this.#nothingRuns();
      if (error instanceof PowerCut) return;
      if (!(error instanceof UpdateFailure)) throw error;
      story.tell("vehicle", `cannot start: ${error.failure}: ${error.message}`);
      this.#life = undefined;
      void this.#restartLater();
    }
  }

  /** Its supervisor starts the program again. */
  async #restartLater(): Promise<void> {
    const since = this.onSinceMs;
    await this.#parts.clock.life().sleep(RESTART_MS);
    if (!this.on && this.onSinceMs === since && !this.off) this.powerOn();
  }

  /** Somebody else took its power, and gives it back. */
  off = false;

  #join(life: LifeClock): Life {
    const { broker, network, story, ecus: plans, vin } = this.#parts;
    const wrap = this.#parts.wrap();
    const clock: Clock = {
      now: () => life.now() + this.skewMs,
      monotonic: () => life.monotonic(),
      sleep: (ms, signal) => life.sleep(ms, signal),
    };
    const joined = { clock: life } as { -readonly [K in keyof Life]: Life[K] };
    const hmi: HmiPort = {
      show: (draw) => {
        if (life.ended) return;
        joined.draw = draw;
        this.touched = true;
      },
      onCommand: (take) => joined.command = take,
    };
    const line = {
      fetch: (url: URL, init: RequestInit) => network.fetch(url, init, life),
      timeout: (ms: number) => timeoutOf(life, ms),
    };
    const endpoints = { v: 1, device: "http://device.invalid", broker: broker.url } as const;
    const places = { endpoints: () => Promise.resolve(endpoints), forget: () => {} };
    const backend = new HttpBackend(
      { ...endpoints, vin, secret: this.#parts.secret() },
      places,
      line,
    );
    const link = broker.link(life);
    const log = (text: string) => {
      if (life.ended) return;
      story.tell("gateway", text);
      const failure = /: ([a-z][A-Za-z]+): Cannot /.exec(text)?.[1];
      if (failure !== undefined) story.mark(`failure ${failure}`);
      if (failure === "slotDigestDiffers") story.mark("wornSectors");
    };
    const ecus = plans.map((plan) => this.#ecu(plan, life, clock, () => gateway));
    const gateway: Gateway = new Gateway({
      ecus: joinBus(ecus, clock, this.#parts.wire),
      ...{ vin, clock, log, codecs: nodeCodecs, hash: nodeHash, signals: PARKED },
      hmi: wrap.hmi?.(hmi) ?? hmi,
      journal: new Journal(this.#disk("gateway", life)),
      link: wrap.link?.(link) ?? link,
      backend: wrap.backend?.(backend) ?? backend,
      newDigest: sha256Digest,
      newId: () => this.#id("8000"),
      consent: this.consent,
    });
    joined.gateway = gateway;
    const run = async () => {
      await Promise.all(ecus.map((ecu) => ecu.start()));
      await gateway.run(new AbortController().signal);
    };
    run().catch((error) => this.#uncaught(life, error));
    return joined;
  }

  #ecu(plan: EcuPlan, life: LifeClock, clock: Clock, gateway: () => Gateway): Ecu {
    const { serial, hardware, restartRank, trialSeconds } = plan;
    const { slotBytes, onStart } = this.#parts;
    const wrap = this.#parts.wrap();
    const storage = {
      boot: this.#disk(`${serial}.boot`, life),
      slots: { A: this.#disk(`${serial}.A`, life), B: this.#disk(`${serial}.B`, life) },
    };
    const profile: EcuProfile = {
      ...{ serial, hardware, restartRank, trialSeconds, slotBytes, runner: "worker" },
    };
    const bare = new SimRunner(life, () => {}, this.habits);
    const watched = watchedRunner(bare, { runs: this.runs, booted: this.booted, life, onStart });
    const ecu = new Ecu({
      ...{ profile, clock, newDigest: sha256Digest },
      slots: { storage, records: new BootRecordStore(storage.boot), paths: { A: "A", B: "B" } },
      runner: wrap.runner?.(watched) ?? watched,
      listener: {
        changed: (one) => gateway().changed(one),
        display: (one, message) => gateway().display(one, message),
      },
    });
    return wrap.ecu?.(ecu) ?? ecu;
  }

  #disk(name: string, life: LifeClock): Disk {
    const { trouble, onSync, count } = this.#parts;
    const synced = () => {
      this.stored = true;
      onSync();
    };
    const disk = count(this.power.powered(this.disks.get(name)!, life, synced), name);
    return trouble(this.#parts.wrap().disk?.(disk, name) ?? disk, name);
  }

  async #connect({ clock, gateway }: Life): Promise<void> {
    const { broker, story } = this.#parts;
    let pauseMs = 300;
    const session = {
      life: clock,
      onHint: () => this.#outside(clock, () => gateway.hint()),
      onLink: (connected: boolean) => {
        story.tell("vehicle", connected ? "is connected" : "lost the broker");
        this.#outside(clock, () => gateway.linked(connected));
      },
    };
    for (;;) { // Until the clock ends, and its sleep with it.
      await clock.sleep(pauseMs);
      if (broker.connected(clock)) pauseMs = 500;
      else if (!broker.connect(session)) pauseMs = Math.min(pauseMs * 2, 20_000);
    }
  }

  /** Takes the power; of each unsynced sector the choice survives. Without one, caches stay. */
  cut(choose: CutChoice | undefined): void {
    const life = this.#life;
    life?.clock.end();
    this.#life = undefined;
    this.#nothingRuns();
    this.touched = false;
    if (choose !== undefined) this.power.cut(choose);
    this.power.cutAt = Infinity;
    if (life !== undefined) void this.#parts.broker.vanish(life.clock);
  }

  #nothingRuns(): void {
    this.runs.clear();
    this.booted.clear();
  }

  /** A callback of the outside into the gateway: what it throws, nobody would catch. */
  #outside(life: LifeClock, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#uncaught(life, error);
    }
  }

  #uncaught(life: LifeClock, error: unknown): void {
    if (error instanceof PowerCut || life.ended) return;
    this.bug = error;
    this.touched = true;
  }

  /** What the screen shows, or `undefined` before it shows anything. */
  screen(): HmiSnapshot | undefined {
    return this.on ? this.#life!.draw?.() : undefined;
  }

  /** A person asks for something at the head unit. */
  command(what: Record<string, unknown>, commandId = this.#id("9000")): string {
    try {
      if (this.on) this.#life!.command!({ v: 1, commandId, ...what } as HmiCommand);
    } catch (error) {
      // The page is told of it.
      if (!(error instanceof UpdateFailure || error instanceof PowerCut)) throw error;
    }
    return commandId;
  }

  /** What the gateway's disk remembers. */
  journal(): JournalState {
    return new Journal(this.power.gateway).read();
  }

  /** What the boot loader of an ECU remembers. */
  record(serial: string): BootRecord {
    return new BootRecordStore(this.power.ecus[serial]!.boot).read();
  }

  #id(kind: string): string {
    return `00000000-0000-4000-${kind}-${String(++this.#ids).padStart(12, "0")}`;
  }
}

function timeoutOf(life: LifeClock, ms: number): AbortSignal {
  const late = new AbortController();
  const reason = new DOMException("simulated: the time is over", "TimeoutError");
  void life.sleep(ms).then(() => late.abort(reason));
  return late.signal;
}
