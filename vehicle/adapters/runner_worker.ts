/**
 * The runner of simulated ECUs: the image is an ES module without imports, run in a
 * child process with nothing but the right to be read (see `vehicle/runner/host.ts`).
 *
 * @module
 */
import { builtinModules } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { UpdateFailure } from "shared/failure.ts";
import {
  HEARTBEAT_TIMEOUT_MS,
  MAX_RUNNER_LINE_BYTES,
  MAX_WORKER_IMAGE_BYTES,
  RUNNER_DATA_BYTES,
  WORKER_HEAP_MIB,
} from "shared/limits.ts";
import { type BootMessage, ImageMessage } from "shared/protocol/ecu.ts";
import type { ImageEnd, ImageListener, ProvedImage, Runner, RunningImage } from "vehicle/ports.ts";
import { Allowance } from "vehicle/runner/allowance.ts";
import type { HostLine, HostOrder } from "vehicle/runner/host.ts";
import { LineSplitter } from "vehicle/runner/line_splitter.ts";
import { judgeProcessEnd } from "vehicle/runner/verdict.ts";
import { findProgram, killGroup, SELF, Tail } from "./runner_child.ts";
import { loadImage, prepareRuntime, ramFile } from "./runner_ram.ts";

/** An image owes one heartbeat a second; a lively display adds ten. Twenty times that is a fault. */
const MAX_MESSAGES_PER_SECOND = 200;
/** Lines that are no message: an image that prints its debug output must not fail for it. */
const MAX_NOISE_LINES = 1000;
/** How fast that allowance comes back. */
const NOISE_LINES_PER_SECOND = 100;
/** Each line of the host begins with a line feed; more empty lines than that are the image's. */
const EMPTY_LINES_PER_SECOND = 2 * MAX_MESSAGES_PER_SECOND;
/** What nonce and wrapping add to a message's line. */
const LINE_FRAME_BYTES = 128;

/** Where and how images run. */
export interface WorkerRunnerOptions {
  /** A folder for the copies that images run from; volatile, may be shared by runners. */
  readonly runDir: string;
  /** Takes what an operator should know, a line each time. */
  readonly log?: (line: string) => void;
  /**
   * Program and arguments of the host process for an image file. Without it: `deno run` of
   * `vehicle/runner/host.ts`, and in a compiled program the program itself with
   * `runner-host FILE`, which must then call `runHost(FILE)`.
   */
  readonly hostCommand?: (file: string) => readonly string[];
  /** The program `prlimit`; searched for if not given, none if `null`. */
  readonly prlimit?: string | null;
}

/** The logs that were told that prlimit is missing: once is enough for all ECUs. */
const toldLogs = new WeakSet<(line: string) => void>();

/** Runs images in isolated child processes, one each. */
export class WorkerRunner implements Runner {
  readonly #runDir: string;
  readonly #cacheDir: string;
  readonly #command: (file: string) => readonly string[];

  /** @param options Where and how images run. */
  constructor(options: WorkerRunnerOptions) {
    this.#runDir = Deno.realPathSync(ensured(options.runDir));
    const { cacheDir, importMap } = prepareRuntime(this.#runDir, builtinModules);
    this.#cacheDir = cacheDir;
    const prlimit = options.prlimit === undefined ? findProgram("prlimit") : options.prlimit;
    const host = options.hostCommand ??
      (Deno.build.standalone
        ? (file: string) => [prlimit ? Deno.execPath() : SELF, "runner-host", file]
        : (file: string) => denoRun(file, importMap));
    const limits = prlimit ? [prlimit, `--data=${RUNNER_DATA_BYTES}`, "--core=0"] : [];
    if (!prlimit && options.log !== undefined && !toldLogs.has(options.log)) {
      toldLogs.add(options.log);
      options.log("Images run without a bound on their buffers: prlimit (util-linux) is missing");
    }
    this.#command = (file) => [...limits, ...host(file)];
  }

  /** {@inheritDoc Runner.start} */
  start(image: ProvedImage, boot: BootMessage, listener: ImageListener): RunningImage {
    return new WorkerRun({
      image,
      boot,
      listener,
      file: ramFile(this.#runDir, boot.serial),
      command: this.#command,
      cacheDir: this.#cacheDir,
    });
  }
}

function ensured(folder: string): string {
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** The host under `deno run`: no configuration, no network, no prompt, one file to read. */
function denoRun(file: string, importMap: string): string[] {
  return [
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--no-config",
    "--no-lock",
    "--no-remote",
    "--no-npm",
    "--no-code-cache",
    "--quiet",
    "--deny-import",
    `--import-map=${importMap}`,
    "--unstable-worker-options",
    `--allow-read=${file.replaceAll(",", ",,")}`,
    `--v8-flags=--max-old-space-size=${WORKER_HEAP_MIB}`,
    fileURLToPath(new URL("../runner/host.ts", import.meta.url)),
    file,
  ];
}

/** What one start needs. */
interface RunSpec {
  readonly image: ProvedImage;
  readonly boot: BootMessage;
  readonly listener: ImageListener;
  readonly file: string;
  readonly command: (file: string) => readonly string[];
  readonly cacheDir: string;
}

/** One started image, from the copy of its bytes to the end of its process. */
class WorkerRun implements RunningImage {
  readonly #spec: RunSpec;
  readonly #gone: Promise<void>;
  #killed = false;
  #started = false;
  #child: Deno.ChildProcess | undefined;

  constructor(spec: RunSpec) {
    this.#spec = spec;
    this.#gone = this.#run();
  }

  get loading(): boolean {
    return !this.#started;
  }

  kill(): Promise<void> {
    this.#killed = true;
    if (this.#child !== undefined) killGroup(this.#child);
    return this.#gone;
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // No callback before start() has returned.
    const end = await this.#live();
    if (!this.#killed) this.#spec.listener.ended(end);
  }

  async #live(): Promise<ImageEnd> {
    const { image, file } = this.#spec;
    if (image.lengthBytes > MAX_WORKER_IMAGE_BYTES) {
      const detail =
        `Cannot load an image of ${image.lengthBytes} bytes: memory for ${MAX_WORKER_IMAGE_BYTES}`;
      return { kind: "memory", detail };
    }
    try {
      const nonce = crypto.randomUUID();
      const started = await this.#start(nonce);
      return "kind" in started ? started : await this.#watch(started, nonce);
    } finally {
      await Deno.remove(file).catch(() => {}); // Never made, or left for the next start to remove.
    }
  }

  /** Loads the image and starts its process. What goes wrong here is no fault of the image. */
  async #start(nonce: string): Promise<Deno.ChildProcess | ImageEnd> {
    const { image, boot, file, command, cacheDir } = this.#spec;
    try {
      await loadImage(file, image, () => this.#killed);
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      return { kind: "unloaded", failure: error.failure, detail: error.message };
    }
    if (this.#killed) return { kind: "exit", detail: "Stopped before it ran" };
    try {
      const [program = "", ...args] = command(file);
      const child = new Deno.Command(program, {
        args,
        clearEnv: true,
        env: { DENO_DIR: cacheDir, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
        cwd: dirname(file), // What a compiled program may read is named from here.
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
        detached: true, // Ctrl-C at a terminal is for the vehicle, which then ends its images.
      }).spawn();
      this.#child = child;
      this.#started = true;
      const order: HostOrder = {
        nonce,
        boot,
        maxLineBytes: MAX_RUNNER_LINE_BYTES - LINE_FRAME_BYTES,
        maxMessagesPerSecond: MAX_MESSAGES_PER_SECOND,
      };
      const stdin = child.stdin.getWriter();
      // A process that is gone already cannot read; how it ended is told by its status.
      stdin.write(new TextEncoder().encode(`${JSON.stringify(order)}\n`)).catch(() => {});
      stdin.releaseLock();
      return child;
    } catch (error) {
      const detail = `Cannot start the image: ${(error as Error).message}`;
      return { kind: "unloaded", failure: "internal", detail };
    }
  }

  /** Follows the process to its end. */
  async #watch(child: Deno.ChildProcess, nonce: string): Promise<ImageEnd> {
    const stderr = new Tail(child.stderr);
    let told: ImageEnd | undefined;
    try {
      told = await this.#listen(child.stdout, nonce);
    } finally {
      // Its last word was said, or its pipe has ended: nothing more is expected of it. One
      // that is ending by itself is given the time to, for the sake of its exit code.
      if (told !== undefined || this.#killed) killGroup(child);
      else await this.#graceful(child);
    }
    const status = await child.status;
    this.#child = undefined; // Its number may soon be another's.
    await stderr.done;
    await child.stdin.abort().catch(() => {}); // Broken since its reader is gone.
    const said = stderr.text.replaceAll(`file://${this.#spec.file}`, "image");
    return told ?? judgeProcessEnd(status, said);
  }

  /** Waits for a process whose output has ended, but not for ever: it may have closed it. */
  async #graceful(child: Deno.ChildProcess): Promise<void> {
    const timer = setTimeout(() => killGroup(child), HEARTBEAT_TIMEOUT_MS);
    await child.status;
    clearTimeout(timer);
  }

  /** Takes lines until the host says the end, the image misbehaves, or the stream ends. */
  async #listen(
    stdout: ReadableStream<Uint8Array>,
    nonce: string,
  ): Promise<ImageEnd | undefined> {
    const lines = new LineSplitter(MAX_RUNNER_LINE_BYTES);
    const nowMs = performance.now();
    const noise = new Allowance(MAX_NOISE_LINES, NOISE_LINES_PER_SECOND, nowMs);
    // A burst twice as large: what queued up while this process was busy comes at once.
    const empty = new Allowance(2 * MAX_NOISE_LINES, EMPTY_LINES_PER_SECOND, nowMs);
    for await (const bytes of stdout) {
      const batch = lines.push(bytes);
      for (;;) {
        const { done, value } = batch.next();
        if (this.#killed) return undefined;
        if (done && value === "ok") break;
        if (done) {
          return { kind: "crash", detail: `Line of more than ${MAX_RUNNER_LINE_BYTES} bytes` };
        }
        const end = value === "" ? "empty" : this.#take(value, nonce);
        if (typeof end === "object") return end;
        if (end === undefined) continue;
        if (!(end === "empty" ? empty : noise).take(performance.now())) {
          return { kind: "crash", detail: "Output flood: too many lines that are no messages" };
        }
      }
    }
    return undefined;
  }

  /** Passes a message on, or says what the line is instead. */
  #take(line: string, nonce: string): ImageEnd | "noise" | undefined {
    if (!line.startsWith(nonce)) return "noise"; // Printed by the image itself.
    const said = parseHostLine(line.slice(nonce.length));
    if (said === undefined) return "noise"; // Torn by what the image wrote into the same pipe.
    if ("end" in said) return said.end;
    const message = ImageMessage.safeParse(said.message);
    if (!message.success) return "noise";
    this.#spec.listener.message(message.data);
    return undefined;
  }
}

function parseHostLine(text: string): HostLine | undefined {
  try {
    return JSON.parse(text) as HostLine;
  } catch {
    return undefined;
  }
}
