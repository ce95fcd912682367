/**
 * The world of the scenario: real server and vehicle processes in a temporary folder,
 * and an observer who sees only what the server's API tells.
 *
 * @module
 */
import { z } from "zod";
import type { Vehicle } from "shared/protocol/api.ts";
import { type EcuState, isFinal } from "shared/protocol/common.ts";
import { VehicleEvent } from "shared/protocol/messages.ts";
import { MIB } from "shared/limits.ts";
import { ApiClient } from "server/cli/client.ts";
import { boardFeed, type BoardUpdate } from "server/cli/board_feed.ts";
import { type Verdict, WatchLedger } from "server/cli/watch_ledger.ts";
import {
  otaJson,
  type ServerProcess,
  startServerProcess,
  startVehicleProcess,
  type VehicleProcess,
} from "./process.ts";

/** The vehicle of the scenario. */
export const VIN = "SCENARI0000000001";

type Ecu = Vehicle["ecus"][number];

/** How often the last event of a campaign is looked for, a tenth of a second apart. */
const EVENT_LOOKS = 30;

/** Three simulated ECUs with short trials, and one that takes any bytes: map data. */
const PROFILE = {
  v: 1,
  ecus: [
    {
      serial: "body",
      hardware: "body-sim",
      runner: "worker",
      slotBytes: 16 * MIB,
      restartRank: 1,
      trialSeconds: 1,
    },
    {
      serial: "cluster",
      hardware: "cluster-sim",
      runner: "worker",
      slotBytes: 16 * MIB,
      restartRank: 2,
      trialSeconds: 1,
    },
    {
      serial: "maps",
      hardware: "maps-store",
      runner: "opaque",
      slotBytes: 1024 * MIB,
      restartRank: 3,
    },
    {
      serial: "ivi",
      hardware: "ivi-rpi4",
      runner: "worker",
      slotBytes: 128 * MIB,
      restartRank: 4,
      trialSeconds: 1,
    },
  ],
};

/** What was seen of one ECU while a campaign went on. */
export interface Watched {
  readonly verdict: Verdict;
  /** Its states in the order seen. */
  readonly states: readonly EcuState[];
  /** How its bytes came, as far as that was seen. */
  readonly ways: ReadonlySet<string>;
}

/** What to wait for. */
export interface FollowOptions {
  readonly campaign: string;
  readonly serial: string;
  readonly until: "confirmed" | "rolledBack";
}

/** Everything that runs. */
export class World {
  readonly folder: string;
  readonly #server: ServerProcess;
  readonly #client: ApiClient;
  readonly #feed = new AbortController();
  readonly #watching: Promise<void>;
  #vehicle: VehicleProcess | undefined;
  /** All that was seen, in order. */
  readonly #seen: BoardUpdate[] = [];
  #waiters: (() => void)[] = [];
  #broken: unknown;

  private constructor(folder: string, server: ServerProcess, client: ApiClient) {
    this.folder = folder;
    this.#server = server;
    this.#client = client;
    this.#watching = this.#watch().catch((error) => this.#broken = error).finally(() =>
      this.#wake()
    );
  }

  /**
   * Starts a server, logs in and begins to observe. No vehicle runs yet.
   *
   * @returns The world; must be closed.
   */
  static async open(): Promise<World> {
    const folder = await Deno.makeTempDir({ prefix: "ota-scenario-" });
    let server: ServerProcess | undefined;
    try {
      await Deno.writeTextFile(`${folder}/profile.json`, JSON.stringify(PROFILE));
      server = await startServerProcess({ data: `${folder}/server` });
      const { http } = server.urls;
      await otaJson(["login", "--server", http], {
        home: `${folder}/ota`,
        env: { OTA_PASSWORD: server.password },
      });
      await otaJson(["keys", "setup", `${folder}/keys`], { home: `${folder}/ota` });
      const { token } = await new ApiClient(http)
        .login({ user: "admin", password: server.password });
      return new World(folder, server, new ApiClient(http, token));
    } catch (error) {
      await server?.stop();
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  /** Runs `ota … --json`. @returns What it printed. @throws {Error} If it did not end with 0. */
  async ota(...args: readonly string[]): Promise<unknown[]> {
    const env = { OTA_KEYS: `${this.folder}/keys` };
    return await otaJson(args, { home: `${this.folder}/ota`, env });
  }

  /** Starts the vehicle, or starts it again where it was cut. */
  async startVehicle(enrol?: string): Promise<void> {
    this.#vehicle = await startVehicleProcess({
      data: `${this.folder}/vehicle`,
      server: this.#server.urls.http,
      vin: VIN,
      profile: `${this.folder}/profile.json`,
      consent: "auto",
      ...(enrol === undefined ? {} : { enrol }),
    });
  }

  /** Cuts the vehicle's power. */
  async cutPower(): Promise<void> {
    await this.#vehicle?.kill();
    this.#vehicle = undefined;
  }

  /** Whether the vehicle process that was started last still runs. */
  async vehicleRuns(): Promise<boolean> {
    if (this.#vehicle === undefined) return false;
    const ended = this.#vehicle.ended.then(() => false);
    return await Promise.race([ended, new Promise<true>((now) => setTimeout(() => now(true)))]);
  }

  /** The ECUs as the server knows them now. */
  async ecus(): Promise<Ecu[]> {
    const vehicles = await this.#client.vehicles();
    return vehicles.find(({ vin }) => vin === VIN)?.ecus ?? [];
  }

  /** One ECU as the server knows it now. @throws {Error} If the vehicle never reported it. */
  async ecu(serial: string): Promise<Ecu> {
    const ecu = (await this.ecus()).find((each) => each.serial === serial);
    if (ecu === undefined) throw new Error(`Cannot observe ECU ${serial}: it never reported`);
    return ecu;
  }

  /**
   * Lengths of the containers that bring a release.
   *
   * @param release `HARDWARE/VERSION`.
   * @param based Those from an older image, else those that need none.
   * @returns In bytes.
   */
  async containerBytes(release: string, based: boolean): Promise<number[]> {
    const found = (await this.#client.releases()).find((one) => one.release === release);
    const carriers = (found?.carriers ?? []).filter(({ format, baseSha256 }) =>
      format === "container" && (baseSha256 !== undefined) === based
    );
    return carriers.map(({ lengthBytes }) => lengthBytes);
  }

  /** Bytes of carriers that the server sent so far, to this only vehicle. */
  async sentBytes(): Promise<number> {
    const signal = AbortSignal.timeout(15_000);
    const response = await this.#client.send("/metrics", { method: "GET", signal });
    const text = await response.text();
    const values = [...text.matchAll(/^ota_carrier_bytes_total(?:\{[^}]*\})? (\d+)$/gm)];
    if (!response.ok || values.length === 0) {
      throw new Error(`Cannot observe the bytes sent: /metrics answered ${response.status}`);
    }
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  /**
   * Waits until a campaign is over, from whatever was seen since it began.
   *
   * @param options Campaign, the ECU of interest, and the end that is wanted.
   * @param timeoutMs Longest wait.
   * @returns What was seen.
   * @throws {Error} If it takes longer, or the server cannot be observed any more.
   */
  async follow(options: FollowOptions, timeoutMs: number): Promise<Watched> {
    const { campaign, serial, until } = options;
    const ledger = new WatchLedger({ campaign, vin: VIN, until });
    const states: EcuState[] = [];
    const ways = new Set<string>();
    const take = (update: BoardUpdate) => {
      for (const line of ledger.take(update)) if (line.serial === serial) states.push(line.state);
      const ecu = ecuOf(update, campaign, serial);
      if (ecu?.progress) ways.add(ecu.progress.via);
    };
    await this.#eachUpdate(
      (update) => {
        take(update);
        return ledger.verdict() !== undefined;
      },
      `campaign ${campaign} over`,
      timeoutMs,
    );
    take({ campaigns: [], vehicles: await this.#client.vehicles() });
    const told = await this.#toldStates(campaign, serial);
    return { verdict: ledger.verdict()!, states: told ?? states, ways };
  }

  /**
   * The states that the vehicle told one by one. The board's stream gathers changes of a tenth
   * of a second, so that it shows fewer.
   */
  async #toldStates(campaign: string, serial: string): Promise<EcuState[] | undefined> {
    for (let look = 0; look < EVENT_LOOKS; look++) {
      const signal = AbortSignal.timeout(15_000);
      const path = `/api/v1/vehicles/${VIN}/events`;
      const response = await this.#client.send(path, { method: "GET", signal });
      const states = z.array(VehicleEvent).parse(await response.json())
        .filter((event) => event.ecu === serial && event.campaign === campaign)
        .toSorted((a, b) => a.seq - b.seq)
        .map(({ state }) => state);
      if (states.length > 0 && isFinal(states.at(-1)!)) return states;
      await new Promise((done) => setTimeout(done, 100)); // Events come by another way.
    }
    return undefined;
  }

  /**
   * Waits until some of an ECU's bytes have come, and some are still to come.
   *
   * @param options Campaign and ECU, and the share that must have come.
   * @param timeoutMs Longest wait.
   * @returns Bytes done; `undefined` if the download was over before it was seen under way.
   */
  async midDownload(
    options: { readonly campaign: string; readonly serial: string; readonly share: number },
    timeoutMs: number,
  ): Promise<number | undefined> {
    const { campaign, serial, share } = options;
    let doneBytes: number | undefined;
    await this.#eachUpdate(
      (update) => {
        const ecu = ecuOf(update, campaign, serial);
        if (!ecu?.progress || ecu.state === "assigned") return false;
        const { doneBytes: done, totalBytes: total } = ecu.progress;
        if (ecu.state === "downloading" && done < total * share) return false;
        if (ecu.state === "downloading" && done < total) doneBytes = done;
        return true;
      },
      `${serial} downloading`,
      timeoutMs,
    );
    return doneBytes;
  }

  /** Ends everything and removes the folder. */
  async close(): Promise<void> {
    this.#feed.abort();
    await this.#watching;
    await this.#vehicle?.stop();
    await this.#server.stop();
    await Deno.remove(this.folder, { recursive: true });
  }

  /** The last lines that server and vehicle printed, for a scenario that went wrong. */
  logs(): string[] {
    return [
      ...this.#server.logs.slice(-15).map((line) => `server: ${line}`),
      ...(this.#vehicle?.logs.slice(-15) ?? []).map((line) => `vehicle: ${line}`),
    ];
  }

  async #watch(): Promise<void> {
    const options = { signal: this.#feed.signal, note: () => {} };
    for await (const update of boardFeed(this.#client, options)) {
      this.#seen.push(update);
      this.#wake();
    }
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** Hands over all updates, those of the past first, until `take` has enough. */
  async #eachUpdate(
    take: (update: BoardUpdate) => boolean,
    what: string,
    timeoutMs: number,
  ): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, timeoutMs);
    try {
      for (let next = 0;;) {
        while (next < this.#seen.length) if (take(this.#seen[next++]!)) return;
        if (this.#broken !== undefined) throw this.#broken;
        if (late) throw new Error(`Cannot see ${what}: not within ${timeoutMs / 1000} s`);
        await new Promise<void>((wake) => this.#waiters.push(wake));
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

function ecuOf(update: BoardUpdate, campaign: string, serial: string): Ecu | undefined {
  return update.vehicles
    .find((vehicle) => vehicle.vin === VIN && vehicle.campaign === campaign)
    ?.ecus.find((ecu) => ecu.serial === serial);
}
