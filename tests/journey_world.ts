/**
 * Real processes on loopback for the journeys: one server, one vehicle, the publisher's
 * tool, all in a temporary folder that is gone afterwards.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import type { EcuProfile } from "shared/protocol/ecu.ts";
import type { HmiCommand, HmiSnapshot } from "shared/protocol/hmi.ts";
import type { EcuReport } from "shared/protocol/messages.ts";
import {
  ota,
  otaJson,
  type OtaResult,
  type ServerProcess,
  startServerProcess,
  startVehicleProcess,
  type VehicleProcess,
} from "../scripts/process.ts";
import type { Mosquitto } from "./mosquitto_world.ts";
import type { TroubleProxy } from "./trouble_proxy.ts";

/** The vehicle of the journeys. */
export const VIN = "WVWZZZ1JZXW000001";
/** Waits of a journey end with a failure after this. */
const PATIENCE_SECONDS = 60;

/** An ECU of a test profile, with small slots and short trials. */
export function ecu(
  serial: string,
  hardware: string,
  change: Partial<EcuProfile> = {},
): EcuProfile {
  const rank = { body: 1, cluster: 2, ivi: 3 }[serial] ?? 0;
  const defaults = { runner: "worker", slotBytes: 16 * 2 ** 20, trialSeconds: 1 } as const;
  return { serial, hardware, restartRank: rank, ...defaults, ...change };
}

/** The built-in three with short trials. */
export const THREE: readonly EcuProfile[] = [
  ecu("body", "body-sim"),
  ecu("cluster", "cluster-sim"),
  ecu("ivi", "ivi-rpi4"),
];

/** A sample firmware image. */
export function firmware(name: string): string {
  return new URL(`../dist/firmware/${name}.bin`, import.meta.url).pathname;
}

/** What `ota publish --json` prints. */
export interface PublishedLine {
  readonly release: string;
  readonly campaign: string;
  readonly counter: number;
  readonly sha256: string;
}

/** Server, vehicle and publisher of one test. */
export class JourneyWorld implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync({ prefix: "headunit-ota-" });
  server!: ServerProcess;
  vehicle!: VehicleProcess;
  /** Started with `--supervise`. */
  supervise = false;
  /** The vehicle's data folder. */
  vehicleData: string = `${this.folder}/vehicle`;
  /** Options of the runtime, for trouble that no flag of ours makes. */
  runtime: readonly string[] = [];
  /** Between vehicle and server, if there is one. */
  proxy: TroubleProxy | undefined;
  readonly #profile: readonly EcuProfile[];
  consent: "ask" | "auto";
  /** In place of the server's own broker, if there is one. */
  broker: Mosquitto | undefined;
  /** More arguments of the server. */
  serverArgs: readonly string[] = [];

  constructor(profile: readonly EcuProfile[], consent: "ask" | "auto" = "auto") {
    this.#profile = profile;
    this.consent = consent;
  }

  /** Starts server and vehicle, and enrols it. */
  async start(): Promise<this> {
    const profile = JSON.stringify({ v: 1, ecus: this.#profile });
    await Deno.writeTextFile(`${this.folder}/profile.json`, profile);
    await this.startServer();
    const login = await this.ota("login", "--server", this.server.urls.http);
    assertEquals(login.code, 0, login.stderr);
    if (this.broker !== undefined) {
      await this.json(...this.broker.otaArgs);
      await this.broker.start();
      await this.#serverReady(); // Mosquitto 2.0 forgets max_qos when it reads passwords again.
    }
    const [enrolment] = await this.json("enrol", "--vin", VIN) as [{ token: string }];
    await this.startVehicle(enrolment.token);
    return this;
  }

  /** Starts the server, again on its kept ports. */
  async startServer(): Promise<void> {
    const password = "journey-password";
    const outside = this.broker?.serverArgs;
    this.server = await startServerProcess({
      data: `${this.folder}/server`,
      runtime: this.runtime,
      supervise: this.supervise,
      password,
      args: [...outside?.args ?? [], ...this.serverArgs],
      ...(outside === undefined ? {} : { broker: outside.broker, env: this.broker!.serverEnv }),
    });
    if (this.proxy !== undefined) this.proxy.server = this.server.urls.http;
  }

  /** Waits until the server has found its broker. */
  async #serverReady(): Promise<void> {
    for (const end = Date.now() + PATIENCE_SECONDS * 1000; Date.now() < end;) {
      const answer = await fetch(`${this.server.urls.http}/readyz`);
      await answer.body?.cancel();
      if (answer.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`the server does not find its broker\n${this.server.logs.join("\n")}`);
  }

  /** Starts the vehicle, again on its kept port. */
  async startVehicle(enrol?: string): Promise<void> {
    this.vehicle = await startVehicleProcess({
      data: this.vehicleData,
      runtime: this.runtime,
      server: this.proxy?.url ?? this.server.urls.http,
      supervise: this.supervise,
      vin: VIN,
      profile: `${this.folder}/profile.json`,
      consent: this.consent,
      ...(this.broker === undefined ? {} : { env: this.broker.trust }),
      ...(enrol === undefined ? {} : { enrol }),
    });
  }

  /** Runs the publisher's tool. */
  ota(...args: string[]): Promise<OtaResult> {
    return ota(args, {
      home: `${this.folder}/home`,
      env: { OTA_PASSWORD: "journey-password" },
    });
  }

  /** Runs it and expects success. */
  json(...args: string[]): Promise<unknown[]> {
    return otaJson(args, { home: `${this.folder}/home` });
  }

  /** Publishes an image with the default notes. */
  async publish(
    path: string,
    hardware: string,
    version: string,
    ...more: string[]
  ): Promise<PublishedLine> {
    const notes = ["--notes", "For the journey test"];
    const args = ["publish", path, "--hardware", hardware, "--version", version];
    const [line] = await this.json(...args, ...notes, ...more);
    return line as PublishedLine;
  }

  /** Waits for a campaign's end as `ota watch` sees it. */
  async watch(campaign: string, code: 0 | 6): Promise<void> {
    const timeout = String(PATIENCE_SECONDS);
    const watched = await this.ota("watch", "--campaign", campaign, "--timeout", timeout);
    const logs = this.vehicle.logs.slice(-20).join("\n");
    assertEquals(watched.code, code, `${watched.stderr}\n${logs}`);
  }

  /** The ECUs as `ota vehicles` prints them, by serial. */
  async ecus(): Promise<Record<string, EcuReport>> {
    const [vehicle] = await this.json("vehicles") as [{ ecus: EcuReport[] }];
    return Object.fromEntries(vehicle.ecus.map((one) => [one.serial, one]));
  }

  /** The head unit's snapshots, until one fits. */
  async hmi(fits: (snapshot: HmiSnapshot) => boolean): Promise<HmiSnapshot> {
    const stop = AbortSignal.timeout(PATIENCE_SECONDS * 1000);
    const answer = await fetch(`${this.vehicle.hmi}/api/events`, { signal: stop });
    let rest = "";
    for await (const text of answer.body!.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (!line.startsWith("data:")) continue;
        const snapshot: HmiSnapshot = JSON.parse(line.slice(5));
        if (fits(snapshot)) return snapshot;
      }
    }
    throw new Error("the head unit's stream ended");
  }

  /** Presses a button at the head unit. */
  async press(command: "accept" | "decline" | "postpone" | "cancel", campaign: string) {
    await this.command({ v: 1, commandId: crypto.randomUUID(), command, campaign });
  }

  /** Sends a command to the head unit. */
  async command(command: HmiCommand): Promise<void> {
    const answer = await fetch(`${this.vehicle.hmi}/api/commands`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(command),
    });
    assertEquals(answer.status, 202, await answer.text());
  }

  /** The vehicle's MQTT password. */
  secret(): string {
    const text = Deno.readTextFileSync(`${this.vehicleData}/identity.json`);
    const { secret } = JSON.parse(text) as { secret: string };
    assert(secret.length >= 32);
    return secret;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.vehicle?.stop();
    await this.server?.stop();
    await this.broker?.stop();
    await this.proxy?.[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}
