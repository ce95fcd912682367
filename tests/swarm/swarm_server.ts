/**
 * The server of a world: the real core with its real routes, called as functions, over ports in
 * memory. It can be stopped, crash and come back; what it had written down stays.
 *
 * @module
 */
import type { Hono } from "hono";
import type { Clock } from "shared/clock.ts";
import type { KeyVault } from "server/ports_metadata.ts";
import { createApp } from "server/app.ts";
import { Core } from "server/core.ts";
import { createDeviceApp, type DeviceEnv } from "server/device_app.ts";
import type { Env } from "server/routes/route.ts";
import type { VehicleRow } from "server/ports.ts";
import type { LifeClock, SimClock } from "../sim/sim_clock.ts";
import type { Dice } from "./dice.ts";
import {
  MemoryBlobs,
  memoryMaker,
  MemoryRecords,
  memoryVault,
  seededSecrets,
} from "./server_memory.ts";
import type { Story } from "./story.ts";
import type { SwarmBroker } from "./swarm_broker.ts";

/** What a server of a world works with. */
export interface ServerParts {
  readonly clock: SimClock;
  readonly broker: SwarmBroker;
  readonly outside: boolean;
  readonly dice: Dice;
  readonly story: Story;
  readonly spoils: () => boolean;
}

interface Run {
  readonly life: LifeClock;
  readonly core: Core;
  readonly people: Hono<Env>;
  readonly device: Hono<DeviceEnv>;
}

/** Where the people's listener is. */
export const PEOPLE = "http://server.invalid";
/** The admin's password. */
export const PASSWORD = "swarm";

/** The server. */
export class SwarmServer {
  readonly #parts: ServerParts;
  readonly records = new MemoryRecords();
  readonly blobs: MemoryBlobs;
  #run: Run | undefined;
  /** Its wall clock is so far from the world's, in milliseconds. */
  skewMs = 0;
  /** Lines that tell of a fault of the server itself. */
  readonly faults: string[] = [];

  constructor(parts: ServerParts) {
    this.#parts = parts;
    const { clock } = parts;
    this.blobs = new MemoryBlobs(() => clock.epochMs + clock.elapsedMs + this.skewMs);
  }

  get up(): boolean {
    return this.#run !== undefined;
  }

  /** The core that runs. */
  get core(): Core {
    return this.#run!.core;
  }

  readonly #vault: KeyVault = memoryVault();

  /** Starts it on what it had written down. */
  async start(): Promise<void> {
    const { clock: world, broker, dice, story, spoils } = this.#parts;
    const life = world.life();
    const clock: Clock = {
      now: () => life.now() + this.skewMs,
      monotonic: () => life.monotonic(),
      sleep: (ms, signal) => life.sleep(ms, signal),
    };
    const { records, blobs } = this;
    const log = (line: string) => {
      story.tell("server", line.split("\n")[0]!);
      if (/^Cannot answer a request|stack|\n\s+at /.test(line)) this.faults.push(line);
    };
    const core = new Core({
      ...{ records, blobs, clock, log },
      maker: memoryMaker(blobs, dice, { clock, spoils }),
      secrets: seededSecrets(dice),
      vault: this.#vault,
      board: { read: () => Promise.resolve(null) },
    });
    await core.prepare(PASSWORD);
    this.#run = {
      ...{ life, core },
      people: createApp(core, { loopback: false }),
      device: createDeviceApp(core),
    };
    story.tell("server", "runs");
    broker.down = false;
    broker.serve(core.inbox);
    await core.open(broker, "http://device.invalid");
    if (!this.#parts.outside) return;
    await core.brokerCame();
    for (const topic of broker.retained.keys()) core.brokerKeeps(topic);
  }

  /** Stops it with a goodbye, or lets it crash. */
  async end(crash: boolean): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    this.#parts.story.tell("server", crash ? "crashes" : "stops");
    this.#run = undefined;
    const { broker, outside } = this.#parts;
    if (!crash) await run.core.close();
    run.life.end();
    broker.serve(undefined);
    if (outside) return;
    broker.down = true;
    broker.forget();
  }

  /** A request of a person. */
  async people(request: Request): Promise<Response> {
    const env = { remote: "127.0.0.1", host: "server.invalid", secure: false };
    return await this.#run!.people.fetch(request, env);
  }

  /** A request of a vehicle. */
  async device(request: Request): Promise<Response> {
    return await this.#run!.device.fetch(request, {
      identified: () => {},
      send: ({ file, start, end, sent }, status, headers) => {
        const bytes = new Uint8Array(file.read(start, end - start));
        file.close();
        sent(bytes.length);
        return new Response(bytes, { status, headers });
      },
    });
  }

  /** What it knows of a vehicle. */
  vehicle(vin: string): Promise<VehicleRow | undefined> {
    return this.records.read((tables) => tables.vehicle(vin));
  }
}
