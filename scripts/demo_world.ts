/**
 * What the demo runs: one server, one vehicle, and the way from an empty folder to three
 * ECUs with their first releases. Every step may have been done in an earlier run, or have
 * been cut in its middle, so each asks the server first.
 *
 * @module
 */
import { z } from "zod";
import { Campaign, Release } from "shared/protocol/api.ts";
import { type EcuState, isFinal } from "shared/protocol/common.ts";
import { playOwners } from "./demo_owners.ts";
import {
  madeUpPassword,
  otaJson,
  ROOT,
  type Running,
  type ServerProcess,
  startServerProcess,
  startVehicleProcess,
  type VehicleProcess,
} from "./process.ts";

/** The vehicle of the demo. */
export const DEMO_VIN = "DEMOVEHCLE0000001";

/** The first releases: firmware and hardware id. */
const FIRST = [
  ["body", "body-sim"],
  ["cluster", "cluster-sim"],
  ["ivi", "ivi-rpi4"],
] as const;
const FIRST_VERSION = "1.0.0";
const FIRST_RELEASES = FIRST.map(([, hardware]) => `${hardware}/${FIRST_VERSION}`);
const FIRST_NOTES = "First software of this control unit; needed before the first drive";
/** Installing three small images takes ten seconds of trial each; a small machine may be slow. */
const FIRST_INSTALL_S = 300;

/** What matters here of a line of `ota vehicles --json`. */
const VehicleLine = z.object({
  vin: z.string(),
  ecus: z.array(z.unknown()),
});

/** Where to listen unless told otherwise. */
const DEFAULTS = {
  http: "127.0.0.1:8080",
  device: "127.0.0.1:8081",
  mqtt: "127.0.0.1:1883",
  hmi: "127.0.0.1:8090",
};

/** Options of {@linkcode DemoWorld}. */
export interface DemoWorldOptions {
  /** Where everything is kept. */
  readonly data: string;
  /** `HOST:PORT` of the notice board. */
  readonly http?: string;
  /** `HOST:PORT` of the head unit. */
  readonly hmi?: string;
  /** Told of what is being done. */
  readonly note: (text: string) => void;
  /** Ends a beginning that is under way, between two steps. */
  readonly signal: AbortSignal;
}

/** What a person needs to know, and what `--json` prints. */
export interface DemoFacts {
  readonly board: string;
  readonly user: string;
  readonly password: string;
  readonly hmi: string;
  readonly vin: string;
  readonly data: string;
}

/** Server or vehicle ended by itself. */
export class ProgramEnded extends Error {
  override readonly name = "ProgramEnded";

  /**
   * @param code Its exit code.
   * @param message Which one, and its last lines.
   */
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

/** One server and one vehicle. */
export class DemoWorld {
  /** Rejects with {@linkcode ProgramEnded} when server or vehicle ends without being asked to. */
  readonly died: Promise<never>;
  readonly #options: DemoWorldOptions;
  readonly #die: (error: ProgramEnded) => void;
  readonly #running = new Set<Running>();
  #ending = false;
  #password = "";
  #server: ServerProcess | undefined;
  #vehicle: VehicleProcess | undefined;
  #owners: Promise<void> = Promise.resolve();
  readonly #leaving = new AbortController();

  /** @param options Where, and whom to tell. */
  constructor(options: DemoWorldOptions) {
    this.#options = options;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {}); // It may die while nobody waits: of the stop itself.
    this.died = promise;
    this.#die = reject;
  }

  /**
   * Starts everything; in a new folder, installs the first releases as well.
   *
   * @throws {Error} If a program does not start, a step is refused, or the signal ends it.
   */
  async begin(): Promise<void> {
    const { data, note, signal } = this.#options;
    await Deno.mkdir(data, { recursive: true, mode: 0o700 });
    this.#password = await keptPassword(`${data}/admin-password`);
    this.#server = await this.#startServer();
    signal.throwIfAborted();
    await this.#ota(["login", "--server", this.#server.urls.http], {
      OTA_PASSWORD: this.#password,
    });
    signal.throwIfAborted();
    // Keys of its own, as their owners would have them on a machine away from the server.
    const sign = () => this.#ota(["keys", "setup", `${data}/keys`]);
    await sign();
    this.#owners = playOwners({
      ...{ server: this.#server.urls.http, password: this.#password, sign, note },
      signal: this.#leaving.signal,
    });
    signal.throwIfAborted();

    const first = await this.#firstCampaigns();
    if (!first.some(({ state }) => state === "confirmed")) {
      note("First run: publishing the first releases as one bundle");
      const campaign = await this.#offerFirst();
      signal.throwIfAborted();
      note("First run: the vehicle enrols and installs them; here it agrees by itself");
      const vehicle = await this.#startVehicle("auto");
      signal.throwIfAborted();
      await this.#ota([
        ...["watch", "--vin", DEMO_VIN, "--campaign", campaign],
        ...["--timeout", String(FIRST_INSTALL_S)],
      ]);
      note("First run: all three are confirmed; from here on the head unit asks");
      await this.#stop(vehicle);
    }
    signal.throwIfAborted();
    this.#vehicle = await this.#startVehicle("ask");
  }

  /** What a person needs to know, once everything runs. */
  facts(): DemoFacts {
    return {
      board: this.#server!.urls.http,
      user: "admin",
      password: this.#password,
      hmi: this.#vehicle!.hmi,
      vin: DEMO_VIN,
      data: this.#options.data,
    };
  }

  /** Stops everything, the vehicle first, so that it can say goodbye. */
  async end(): Promise<void> {
    this.#ending = true;
    this.#leaving.abort();
    await this.#owners;
    for (const running of [...this.#running].reverse()) await this.#stop(running);
  }

  async #ota(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const { data, signal } = this.#options;
    const keys = { OTA_KEYS: `${data}/keys` };
    return await otaJson(args, { home: `${data}/ota`, env: { ...keys, ...env }, signal });
  }

  async #startServer(): Promise<ServerProcess> {
    const { data, http } = this.#options;
    const log = await openLog(`${data}/server.log`);
    return await startServerProcess({
      data: `${data}/server`,
      password: this.#password,
      http: http ?? this.#freeAddress("http", "notice board"),
      device: this.#freeAddress("device", "device listener"),
      mqtt: this.#freeAddress("mqtt", "broker"),
      supervise: true,
      onLog: (line) => (log.line(line), this.#tellRestart(line, "Server")),
      onSpawn: (running) => this.#keep(running, log.file, "the server"),
    });
  }

  async #startVehicle(consent: "ask" | "auto"): Promise<VehicleProcess> {
    const { data, hmi } = this.#options;
    const [known] = await this.#vehicles();
    // A token is made only for a vehicle that never got through: its identity is its own.
    const token = known === undefined || known.ecus.length === 0 ? await this.#token() : undefined;
    const log = await openLog(`${data}/vehicle.log`);
    return await startVehicleProcess({
      data: `${data}/vehicle`,
      server: this.#server!.urls.http,
      vin: DEMO_VIN,
      hmi: hmi ?? this.#freeAddress("hmi", "head unit"),
      consent,
      supervise: true,
      onLog: (line) => (log.line(line), this.#tellRestart(line, "Vehicle")),
      onSpawn: (running) => this.#keep(running, log.file, "the vehicle"),
      ...(token === undefined ? {} : { enrol: token }),
    });
  }

  async #token(): Promise<string> {
    const [answer] = await this.#ota(["enrol", "--vin", DEMO_VIN]);
    return z.object({ token: z.string() }).parse(answer).token;
  }

  async #vehicles(): Promise<z.infer<typeof VehicleLine>[]> {
    const lines = z.array(VehicleLine).parse(await this.#ota(["vehicles"]));
    return lines.filter(({ vin }) => vin === DEMO_VIN);
  }

  /** Where the vehicle stands in the campaigns that brought the first releases, newest first. */
  async #firstCampaigns(): Promise<{ campaign: string; running: boolean; state: EcuState }[]> {
    const campaigns = z.array(Campaign).parse(await this.#ota(["campaigns"]));
    return campaigns
      .filter((row) => FIRST_RELEASES.every((release) => row.releases.includes(release)))
      .map(({ campaign, state, vehicles }) => ({
        campaign,
        running: state === "running",
        state: vehicles.find(({ vin }) => vin === DEMO_VIN)?.state ?? "assigned",
      }));
  }

  /** Publishes what is not published yet; offers it unless it is still offered. */
  async #offerFirst(): Promise<string> {
    const releases = z.array(Release).parse(await this.#ota(["releases"]));
    for (const [name, hardware] of FIRST) {
      if (releases.some(({ release }) => release === `${hardware}/${FIRST_VERSION}`)) continue;
      await this.#ota([
        ...["publish", `${ROOT}dist/firmware/${name}-${FIRST_VERSION}.bin`, "--draft"],
        ...["--hardware", hardware, "--version", FIRST_VERSION, "--notes", FIRST_NOTES],
      ]);
    }
    const open = (await this.#firstCampaigns())
      .find(({ running, state }) => running && !isFinal(state));
    if (open !== undefined) return open.campaign;
    const [offered] = await this.#ota(["offer", ...FIRST_RELEASES]);
    return z.object({ campaign: z.string() }).parse(offered).campaign;
  }

  /** The usual address, or a free port if it is taken. */
  #freeAddress(what: keyof typeof DEFAULTS, words: string): string {
    const usual = DEFAULTS[what];
    const [hostname, port] = usual.split(":") as [string, string];
    try {
      Deno.listen({ hostname, port: Number(port) }).close();
      return usual;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      this.#options.note(`Port ${port} is taken: the ${words} takes a free one`);
      return `${hostname}:0`;
    }
  }

  #tellRestart(line: string, what: string): void {
    const crash = /^supervisor: the program (crashed .*)/.exec(line)?.[1];
    if (crash !== undefined) this.#options.note(`${what}: ${crash}`);
  }

  #keep(running: Running, log: Deno.FsFile, what: string): void {
    this.#running.add(running);
    running.ended.then((code) => {
      log.close();
      const asked = this.#ending || !this.#running.has(running);
      if (asked) return;
      const last = running.logs.slice(-3).join("\n");
      const message = `Cannot go on: ${what} ended with code ${code}\n${last}`;
      this.#die(new ProgramEnded(code, message));
    });
  }

  async #stop(running: Running): Promise<void> {
    this.#running.delete(running);
    await running.stop();
  }
}

/** The password of the first start: made up once, readable by its owner only. */
async function keptPassword(path: string): Promise<string> {
  try {
    return (await Deno.readTextFile(path)).trim();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const password = madeUpPassword();
  await Deno.writeTextFile(path, `${password}\n`, { mode: 0o600, createNew: true });
  return password;
}

async function openLog(
  path: string,
): Promise<{ file: Deno.FsFile; line: (text: string) => void }> {
  const file = await Deno.open(path, { create: true, append: true });
  const encoder = new TextEncoder();
  return { file, line: (text) => void file.writeSync(encoder.encode(`${text}\n`)) };
}
