/**
 * The runner of ECUs whose images are any bytes: the loader's digest vouches for them,
 * and an optional command of the profile decides whether they are good.
 *
 * @module
 */
import type { BootMessage, ImageMessage } from "shared/protocol/ecu.ts";
import type { ImageListener, ProvedImage, Runner, RunningImage } from "vehicle/ports.ts";
import { killGroup, searchPath, SHELL, Tail } from "./runner_child.ts";

/** An opaque image has no heartbeat of its own; while it is installed the runner gives one. */
const HEARTBEAT_MS = 1000;
/** How long output is waited for that a process left behind still holds open. */
const LEFTOVER_MS = 1000;
/** The bound of `detail` in the contract. */
const MAX_DETAIL_CHARS = 2000;

/**
 * Runs a command that ends, with all it started, when this process does, even by SIGKILL: standard
 * input is a pipe that only this process holds, and a shell beside the command, in its group, waits
 * for its end. The command itself sees an empty input and the environment it was given.
 */
const LEASH = 'exec 3<&0 0</dev/null; "$0" -c "while read -r _; do :; done; kill -KILL 0" ' +
  '<&3 >/dev/null 2>&1 3<&- & exec 3<&-; unset PWD OLDPWD; exec "$@"';

/** How opaque images are judged. */
export interface OpaqueRunnerOptions {
  /** A command that exits 0 when the image is good; a string goes to `/bin/sh -c`. */
  readonly selfTest?: string | readonly string[];
}

/**
 * Boots any bytes. Without a self-test they are good once the loader has proved their
 * digest. A self-test finds in its environment `OTA_SERIAL`, `OTA_SLOT`, `OTA_VERSION`,
 * `OTA_IMAGE_FILE` (the slot, which may be longer than the image), `OTA_IMAGE_BYTES`,
 * `OTA_SHA256` and `PATH`. What it starts is ended with it.
 */
export class OpaqueRunner implements Runner {
  readonly #argv: readonly string[] | undefined;

  /** @param options How images are judged. */
  constructor(options: OpaqueRunnerOptions = {}) {
    const { selfTest } = options;
    this.#argv = selfTest === undefined ? undefined : [SHELL, "-c", LEASH, SHELL].concat(
      typeof selfTest === "string" ? [SHELL, "-c", selfTest] : selfTest,
    );
  }

  /** {@inheritDoc Runner.start} */
  start(image: ProvedImage, boot: BootMessage, listener: ImageListener): RunningImage {
    return new OpaqueRun(this.#argv, image, boot, listener);
  }
}

/** One booted image. */
class OpaqueRun implements RunningImage {
  readonly #listener: ImageListener;
  readonly #tested: Promise<void>;
  readonly #heart: ReturnType<typeof setInterval>;
  #killed = false;
  #child: Deno.ChildProcess | undefined;

  constructor(
    argv: readonly string[] | undefined,
    image: ProvedImage,
    boot: BootMessage,
    listener: ImageListener,
  ) {
    this.#listener = listener;
    this.#heart = setInterval(() => this.#say({ type: "heartbeat" }), HEARTBEAT_MS);
    this.#tested = this.#run(argv, image, boot);
  }

  kill(): Promise<void> {
    this.#killed = true;
    clearInterval(this.#heart);
    if (this.#child !== undefined) killGroup(this.#child);
    return this.#tested;
  }

  #say(message: ImageMessage): void {
    if (!this.#killed) this.#listener.message(message);
  }

  async #run(
    argv: readonly string[] | undefined,
    image: ProvedImage,
    boot: BootMessage,
  ): Promise<void> {
    await Promise.resolve(); // No callback before start() has returned.
    this.#say({ type: "heartbeat" });
    const result = argv === undefined
      ? { ok: true, detail: "The digest holds" }
      : await this.#selfTest(argv, image, boot);
    this.#say({
      type: "selfTest",
      ok: result.ok,
      detail: result.detail.slice(0, MAX_DETAIL_CHARS),
    });
  }

  async #selfTest(
    argv: readonly string[],
    image: ProvedImage,
    boot: BootMessage,
  ): Promise<{ ok: boolean; detail: string }> {
    const [program = "", ...args] = argv;
    if (this.#killed) return { ok: false, detail: "Stopped before it ran" };
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(program, {
        args,
        clearEnv: true,
        env: {
          PATH: searchPath(),
          OTA_SERIAL: boot.serial,
          OTA_SLOT: boot.slot,
          OTA_VERSION: boot.version,
          OTA_IMAGE_FILE: image.slotPath,
          OTA_IMAGE_BYTES: String(image.lengthBytes),
          OTA_SHA256: image.sha256,
        },
        stdin: "piped", // The leash.
        stdout: "piped",
        stderr: "piped",
        detached: true, // Leads a group, so that what it starts can be ended with it.
      }).spawn();
    } catch (error) {
      return { ok: false, detail: `Cannot run the self-test: ${(error as Error).message}` };
    }
    this.#child = child;
    const outputs = [new Tail(child.stdout), new Tail(child.stderr)];
    const status = await child.status;
    this.#child = undefined;
    await settle(child, outputs);
    await child.stdin.abort().catch(() => {}); // Broken since its reader is gone.
    const said = outputs.map((output) => output.text.trim()).filter((text) => text !== "");
    const how = status.signal === null ? `exit code ${status.code}` : `ended by ${status.signal}`;
    return { ok: status.success, detail: [`Self-test: ${how}`, ...said].join("\n") };
  }
}

/** Ends what a self-test left behind, and its output with it. */
async function settle(child: Deno.ChildProcess, outputs: readonly Tail[]): Promise<void> {
  killGroup(child);
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => resolve("late"), LEFTOVER_MS);
  const ended = Promise.all(outputs.map((output) => output.done));
  // A process that left the group may hold the pipes for ever.
  if (await Promise.race([ended, late]) === "late") {
    await Promise.all(outputs.map((output) => output.cancel()));
  }
  clearTimeout(timer);
}
