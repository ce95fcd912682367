/**
 * The world of the kill test: one server, and vehicles that are updated independently of each
 * other since each has hardware of its own.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import { sha256Hex } from "shared/node/digest.ts";
import type { EcuProfile } from "shared/protocol/ecu.ts";
import { ApiClient } from "server/cli/client.ts";
import { ota, otaJson, type ServerProcess, startServerProcess } from "../scripts/process.ts";
import { ecu } from "./journey_world.ts";
import { type KillImage, KillImages } from "./kill_images.ts";
import { KillLane } from "./kill_lane.ts";
import type { KillTally } from "./kill_tally.ts";
import { seeded } from "./sim/sim_release.ts";

/** Of each vehicle: its ECUs. More vehicles at once than cores only wait for each other. */
const FLEET = [["ivi"], ["body", "ivi"], ["body", "cluster", "ivi"]];
const PASSWORD = "kill-test-password";
/** A sync as an SD card takes it, ms: on a fast disk the steps between two of them are too short to be hit. */
const SYNC_MS = 6;
const SLOW_SYNC = `import fs from "node:fs";
const real = fs.fdatasyncSync;
fs.fdatasyncSync = (fd) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${SYNC_MS});
  return real(fd);
};
`;
const NOTES = {
  purpose: "For the kill test",
  changes: "None",
  minutes: 1,
  unavailable: "Nothing",
  instructions: "None",
};

/** Server and vehicles. */
export class KillWorld implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync({ prefix: "headunit-ota-kill-" });
  readonly images = new KillImages();
  readonly lanes: KillLane[] = [];
  api!: ApiClient;
  #server!: ServerProcess;

  /** @param tally Counts what happens. */
  constructor(readonly tally: KillTally) {}

  /** The server's address for people. */
  get http(): string {
    return this.#server.urls.http;
  }

  /** Starts the server and all vehicles; each has installed two images when this returns. */
  async start(seed: number): Promise<this> {
    try {
      await this.#start(seed);
      return this;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(seed: number): Promise<void> {
    this.#server = await startServerProcess({ data: `${this.folder}/server`, password: PASSWORD });
    const { token } = await new ApiClient(this.http).login({ user: "admin", password: PASSWORD });
    this.api = new ApiClient(this.http, token);
    for (const image of this.images.all) await this.#upload(image);
    await Deno.writeTextFile(`${this.folder}/slow_sync.mjs`, SLOW_SYNC);
    for (const [i, serials] of FLEET.entries()) {
      const profile = serials.map((serial): EcuProfile =>
        ecu(serial, `${serial}-k${i}`, { slotBytes: 4 * 2 ** 20 })
      );
      this.lanes.push(
        new KillLane({
          world: this,
          vin: `KILLTESTVEHCLE0${String(i).padStart(2, "0")}`,
          profile,
          random: seeded(seed * 31 + i),
          // The first has the disk as it is.
          runtime: i === 0 ? [] : [`--preload=${this.folder}/slow_sync.mjs`],
        }),
      );
    }
    await Promise.all(this.lanes.map((lane) => lane.begin()));
  }

  async #upload({ sha256, bytes }: KillImage): Promise<void> {
    const path = `/api/v1/uploads/${sha256}`;
    const signal = AbortSignal.timeout(60_000);
    const answer = await this.api.send(path, { method: "PUT", body: bytes, signal });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Cannot upload ${sha256Hex(bytes)}: ${text}`);
  }

  /** A release that is not offered yet. */
  async draft(hardware: string, version: string, { sha256 }: KillImage): Promise<string> {
    const body = { hardware, version, sha256, notes: NOTES, draft: true };
    return (await this.api.publish(body)).release;
  }

  /** Whether every vehicle of a campaign has come to its end. */
  async isOver(campaign: string): Promise<boolean> {
    return (await this.api.campaign(campaign)).state === "complete";
  }

  /** What `ota vehicles --json` says: of each vehicle the images that run, without repetition. */
  async listed(): Promise<Record<string, string[]>> {
    const home = `${this.folder}/home`;
    const login = await ota(["login", "--server", this.http], {
      home,
      env: { OTA_PASSWORD: PASSWORD },
    });
    assertEquals(login.code, 0, login.stderr);
    interface Row {
      readonly vin: string;
      readonly ecus: readonly { readonly sha256: string }[];
    }
    const rows = await otaJson(["vehicles"], { home }) as Row[];
    return Object.fromEntries(
      rows.map(({ vin, ecus }) => [vin, [...new Set(ecus.map(({ sha256 }) => sha256))]]),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane[Symbol.asyncDispose]()));
    await this.#server?.stop();
    await Deno.remove(this.folder, { recursive: true });
  }
}
