/**
 * Starts the real programs as child processes, waits until they listen, and ends
 * them by their own handle: for the demo, the scenario and the journeys in `tests/`.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { deadline } from "@std/async/deadline.js";
import { z } from "zod";

/** The repository. */
export const ROOT: string = fileURLToPath(new URL("../", import.meta.url));

/** A first start compiles the sources; on a small machine that takes a while. */
const READY_MS = 120_000;
/** A clean stop flushes records and says goodbye to the broker. */
const STOP_MS = 15_000;
const MAX_LOG_LINES = 5_000;

/** A running program. */
export interface Running {
  readonly pid: number;
  /** What it printed, stdout and stderr, the latest 5,000 lines. */
  readonly logs: readonly string[];
  /** Resolves with the exit code when it has ended, however that came about. */
  readonly ended: Promise<number>;
  /** Asks it to stop (SIGTERM), ends it after a bound; resolves with its exit code. */
  stop(): Promise<number>;
  /** Ends it at once (SIGKILL), as a power cut does. */
  kill(): Promise<void>;
}

/** A running server. */
export interface ServerProcess extends Running {
  readonly urls: { readonly http: string; readonly device: string; readonly mqtt: string };
  /** Of the operator `admin`, if the data folder was new. */
  readonly password: string;
}

/** A running vehicle. */
export interface VehicleProcess extends Running {
  /** The address of its head unit. */
  readonly hmi: string;
}

/** Options of both. */
export interface ProcessOptions {
  /** Its data folder. */
  readonly data: string;
  /** Arguments beside those that the options here stand for. */
  readonly args?: readonly string[];
  /** Options of the runtime itself, before the program. */
  readonly runtime?: readonly string[];
  /** Environment beside the inherited one. */
  readonly env?: Readonly<Record<string, string>>;
  /** Start it again when it crashes; `pid` and `kill` are then those of its supervisor. */
  readonly supervise?: boolean;
  /** Told of every line it prints. */
  readonly onLog?: (line: string) => void;
  /** Handed the program as soon as it was started, long before it listens. */
  readonly onSpawn?: (running: Running) => void;
}

/** Options of {@linkcode startServerProcess}. */
export interface ServerProcessOptions extends ProcessOptions {
  /** `HOST:PORT`; by default a free port of 127.0.0.1, as for the two others. */
  readonly http?: string;
  readonly device?: string;
  readonly mqtt?: string;
  /** The URL of another broker, instead of `mqtt`. */
  readonly broker?: string;
  /** Of the operator `admin`; made up if left out. */
  readonly password?: string;
}

/** Options of {@linkcode startVehicleProcess}. */
export interface VehicleProcessOptions extends ProcessOptions {
  /** The people's URL of the server. */
  readonly server: string;
  readonly vin: string;
  /** `HOST:PORT`; by default a free port of 127.0.0.1. */
  readonly hmi?: string;
  /** One-time token for the first start. */
  readonly enrol?: string;
  /** Profile file. */
  readonly profile?: string;
  readonly consent?: "ask" | "auto";
}

/**
 * As in deno.json. Streaming makes short-lived buffers; with V8's default of 16 MB of young space
 * they pile up to some 100 MB before anybody looks (measured: tests/bench/memory.ts).
 */
const YOUNG_SPACE = "--v8-flags=--max-semi-space-size=1";
const VEHICLE_FLAGS = `${YOUNG_SPACE},--expose-gc,--no-turbofan`;
const VEHICLE = "vehicle/main.ts";

const ANY_PORT = "127.0.0.1:0";
const ServerReady = z.object({ http: z.url(), device: z.url(), mqtt: z.string() });
const VehicleReady = z.object({ hmi: z.url() });

/**
 * Starts the server and waits until it listens.
 *
 * @param options Data folder, addresses, password.
 * @returns The running server.
 * @throws {Error} If it ends or says nothing before it listens; the message carries its last lines.
 */
export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const password = options.password ?? madeUpPassword();
  const { running, ready } = await start("server/main.ts", [
    ...["--data", options.data, "--http", options.http ?? ANY_PORT],
    ...["--device", options.device ?? ANY_PORT],
    ...(options.broker === undefined
      ? ["--mqtt", options.mqtt ?? ANY_PORT]
      : ["--broker", options.broker]),
  ], { ...options, env: { OTA_ADMIN_PASSWORD: password, ...options.env }, ready: ServerReady });
  return Object.assign(running, { urls: ready, password });
}

/**
 * Starts a vehicle and waits until its head unit listens.
 *
 * @param options Data folder, server, identity.
 * @returns The running vehicle.
 * @throws {Error} If it ends or says nothing before it listens; the message carries its last lines.
 */
export async function startVehicleProcess(options: VehicleProcessOptions): Promise<VehicleProcess> {
  const { running, ready } = await start(VEHICLE, [
    ...["--data", options.data, "--server", options.server, "--vin", options.vin],
    ...["--hmi", options.hmi ?? ANY_PORT],
    ...(options.enrol === undefined ? [] : ["--enrol", options.enrol]),
    ...(options.profile === undefined ? [] : ["--profile", options.profile]),
    ...(options.consent === undefined ? [] : ["--consent", options.consent]),
  ], { ...options, ready: VehicleReady });
  return Object.assign(running, { hmi: ready.hmi });
}

/** What a command printed, and how it ended. */
export interface OtaResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the publisher's tool to its end, without a terminal.
 *
 * @param args What is typed after `ota`.
 * @param options Its `OTA_HOME`, other environment, and the signal that ends it.
 * @returns Exit code and both streams.
 */
export async function ota(
  args: readonly string[],
  options: {
    readonly home: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
  },
): Promise<OtaResult> {
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "server/cli/main.ts", ...args],
    cwd: ROOT,
    clearEnv: true, // Lest a token of the person who runs this decides anything.
    env: { ...cleanEnvironment(), OTA_HOME: options.home, ...options.env },
    stdin: "null",
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code: output.code, stdout: decode(output.stdout), stderr: decode(output.stderr) };
}

/**
 * Runs the publisher's tool with `--json` and expects success.
 *
 * @param args What is typed after `ota`.
 * @param options As {@linkcode ota}.
 * @returns The objects it printed.
 * @throws {Error} If it ended with another code than 0; the message carries what it said.
 */
export async function otaJson(
  args: readonly string[],
  options: Parameters<typeof ota>[1],
): Promise<unknown[]> {
  const { code, stdout, stderr } = await ota([...args, "--json"], options);
  if (code !== 0) {
    throw new Error(`Cannot run ota ${args.join(" ")}: exit code ${code}\n${stderr.trimEnd()}`);
  }
  return stdout.trim().split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/**
 * A password nobody can guess.
 *
 * @returns 24 hex digits.
 */
export function madeUpPassword(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function cleanEnvironment(): Record<string, string> {
  const kept = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("OTA_"));
  return { ...Object.fromEntries(kept), NO_COLOR: "1" };
}

async function start<T>(
  entry: string,
  args: readonly string[],
  options: ProcessOptions & { readonly ready: z.ZodType<T> },
): Promise<{ running: Running; ready: T }> {
  const flags = entry === VEHICLE ? VEHICLE_FLAGS : YOUNG_SPACE;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", flags, ...options.runtime ?? []],
      ...[entry, "--json", "--lifeline"],
      ...(options.supervise === true ? ["--supervise"] : []),
      ...args,
      ...options.args ?? [],
    ],
    cwd: ROOT,
    clearEnv: true,
    env: { ...cleanEnvironment(), ...options.env },
    stdin: "piped", // The lifeline: it ends when this process does, even by SIGKILL.
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const program = new Program(child, options.onLog);
  options.onSpawn?.(program);
  try {
    const line = await deadline(program.firstLine, READY_MS);
    return { running: program, ready: options.ready.parse(JSON.parse(line)) };
  } catch (cause) {
    await program.kill();
    const last = program.logs.slice(-20).join("\n");
    throw new Error(`Cannot start ${entry}: ${(cause as Error).message}\n${last}`, { cause });
  }
}

class Program implements Running {
  readonly pid: number;
  readonly logs: string[] = [];
  readonly ended: Promise<number>;
  /** The first line of stdout. */
  readonly firstLine: Promise<string>;
  readonly #child: Deno.ChildProcess;

  constructor(child: Deno.ChildProcess, onLog?: (line: string) => void) {
    this.#child = child;
    this.pid = child.pid;
    const first = Promise.withResolvers<string>();
    this.firstLine = first.promise;
    this.firstLine.catch(() => {}); // Whoever waits hears of it; nobody need wait.
    const keep = (line: string) => {
      this.logs.push(line);
      if (this.logs.length > MAX_LOG_LINES) this.logs.shift();
      onLog?.(line);
    };
    const read = Promise.all([
      eachLine(child.stdout, (line) => (first.resolve(line), keep(line))),
      eachLine(child.stderr, keep),
    ]);
    this.ended = child.status.then(async ({ code }) => {
      first.reject(new Error(`it ended with code ${code}`));
      await read;
      await child.stdin.close().catch(() => {}); // Its other end is gone already.
      return code;
    });
  }

  async stop(): Promise<number> {
    this.#signal("SIGTERM");
    try {
      return await deadline(this.ended, STOP_MS);
    } catch {
      this.#signal("SIGKILL");
      return await this.ended;
    }
  }

  async kill(): Promise<void> {
    this.#signal("SIGKILL");
    await this.ended;
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      const gone = error instanceof TypeError || error instanceof Deno.errors.NotFound;
      if (!gone) throw error;
    }
  }
}

async function eachLine(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  take: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    lines.forEach(take);
  }
  if (rest !== "") take(rest);
}
