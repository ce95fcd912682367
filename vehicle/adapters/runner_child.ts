/**
 * Child processes of runners: what they write is kept in bounds, and they end when told.
 *
 * @module
 */

/** How much of a child's output is kept: an error and its stack, or a short report. */
const TAIL_BYTES = 4 * 1024;
/**
 * Rest after each piece of it, at most 64 KiB: a child that prints without end waits for
 * its reader at 13 MB a second, and the event loop of this process stays free.
 */
const REST_MS = 5;

/** This very program, wherever it was moved to: the name by which a compiled one may start itself. */
export const SELF = "/proc/self/exe";
/** The shell: a compiled program may start it, and by it what a profile names. */
export const SHELL = "/bin/sh";

/** Drains a stream and keeps its end, so that a child never waits for a reader. */
export class Tail {
  /** Resolves when the stream has ended, or was cancelled. */
  readonly done: Promise<void>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #kept: Uint8Array = new Uint8Array(0);

  /** @param stream What to drain. */
  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
    this.done = this.#drain();
  }

  /** The last bytes so far, as text; a character cut in two is replaced. */
  get text(): string {
    return new TextDecoder().decode(this.#kept);
  }

  /** Stops draining, for a stream that somebody else keeps open. */
  async cancel(): Promise<void> {
    await this.#reader.cancel();
    await this.done;
  }

  async #drain(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      const joined = new Uint8Array(this.#kept.length + Math.min(value.length, TAIL_BYTES));
      joined.set(this.#kept);
      joined.set(value.subarray(-TAIL_BYTES), this.#kept.length);
      this.#kept = joined.slice(-TAIL_BYTES);
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
    }
  }
}

/**
 * Kills a child and everything it started, unless it is gone already.
 *
 * @param child A child that was spawned with `detached`, which makes it lead a group.
 */
export function killGroup(child: Deno.ChildProcess): void {
  try {
    Deno.kill(-child.pid, "SIGKILL");
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return killGroupByShell(child);
    // ESRCH: nobody of the group is left.
    if (!(error instanceof Deno.errors.NotFound) && !isGone(error)) throw error;
  }
}

/** `Deno.kill()` asks for the right to run everything, which a compiled program has not. */
function killGroupByShell(child: Deno.ChildProcess): void {
  // The shell's `kill` says no more than that nobody is left, which is as good.
  const args = ["-c", `kill -KILL -${child.pid}`];
  new Deno.Command(SHELL, { args, clearEnv: true, stdout: "null", stderr: "null" }).outputSync();
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ESRCH";
}

/**
 * Where a program lies, by the search path of this process.
 *
 * @param name The program.
 * @returns Its absolute path, or `undefined` if there is none, or none may be looked for.
 */
export function findProgram(name: string): string | undefined {
  for (const folder of searchPath().split(":")) {
    const path = `${folder}/${name}`;
    try {
      if (folder.startsWith("/") && Deno.statSync(path).isFile) return path;
    } catch (error) {
      if (
        !(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory ||
          error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied)
      ) {
        throw error;
      }
    }
  }
  return undefined;
}

/** The search path that commands get; a usual one where the environment must not be read. */
export function searchPath(): string {
  const usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const { state } = Deno.permissions.querySync({ name: "env", variable: "PATH" });
  return state === "granted" ? Deno.env.get("PATH") ?? usual : usual;
}
