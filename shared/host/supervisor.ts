/**
 * Runs this very program as a child, for `--supervise`. The child's stdin is its lifeline: it
 * ends when the supervisor does, also by SIGKILL. What the supervisor writes there the child's
 * event loop has to answer; see `watchdog.ts`.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import type { LastError } from "shared/protocol/messages.ts";
import {
  type Ending,
  FATAL_PREFIX,
  fatalLine,
  RESTART_POLICY,
  type RestartPolicy,
} from "shared/restart_policy.ts";
import { supervise, type SupervisedChild } from "shared/supervise.ts";
import { systemClock } from "./clock_system.ts";
import { isSignOfLife, Watchdog } from "./watchdog.ts";

/** A clean stop says goodbye and closes what is open; after this it is no longer waited for. */
const STOP_MS = 15_000;
/** How long output may lag behind the end: grandchildren may hold the pipe. */
const DRAIN_MS = 500;
/** As in deno.json: the young space that keeps streaming within bounds. */
const YOUNG_SPACE = "--max-semi-space-size=1";

/** This very program, wherever it was moved to: what a compiled one has the right to run. */
const SELF = "/proc/self/exe";

/** How the program is run again. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/**
 * This program: the compiled binary, or its main module under Deno.
 *
 * @param args Its arguments, without what makes it a supervisor.
 * @param v8Flags What deno.json sets for it beside the young space; a compiled one has them baked in.
 * @returns The command.
 */
export function ownCommand(args: readonly string[], v8Flags: readonly string[] = []): Command {
  const own = args.filter((arg) => arg !== "--supervise");
  if (Deno.build.standalone) return { program: SELF, args: own };
  const flags = `--v8-flags=${[YOUNG_SPACE, ...v8Flags].join(",")}`;
  return {
    program: Deno.execPath(),
    args: ["run", "-A", "--quiet", flags, Deno.mainModule, ...own],
  };
}

/**
 * Supervises a program until it ends for good.
 *
 * @param command The program.
 * @param stop Ends it, and the supervision.
 * @param policy How patient to be.
 * @returns The exit code.
 */
export function runSupervised(
  command: Command,
  stop: AbortSignal,
  policy: RestartPolicy = RESTART_POLICY,
): Promise<number> {
  const log = (line: string) => write(`supervisor: ${line}\n`);
  const spawn = (lastError: LastError | undefined) => start(command, lastError, policy);
  return supervise({ clock: systemClock, log, spawn, stop, policy });
}

/**
 * Ends the process for every error that nobody caught: said once with its stack, with code 1,
 * so that a supervisor acts. A state that nobody foresaw is not gone on with.
 */
export function dieOfUncaught(): void {
  globalThis.addEventListener("error", (event) => die(event, event.error));
  globalThis.addEventListener("unhandledrejection", (event) => die(event, event.reason));
}

/**
 * Says why the process ends, in the line that supervisors look for. A failure of the catalogue
 * says all in its message; anything else comes with its stack.
 */
export function sayFatal(error: unknown): void {
  const first = String(error).split("\n")[0]!;
  const known = error instanceof UpdateFailure || !(error instanceof Error);
  const stack = known ? "" : `${Deno.inspect(error, { colors: false })}\n`;
  write(`${FATAL_PREFIX}${first}\n${stack}`);
}

function die(event: Event, error: unknown): void {
  event.preventDefault();
  sayFatal(error);
  Deno.exit(1);
}

function start(
  { program, args }: Command,
  lastError: LastError | undefined,
  { silenceMs }: RestartPolicy,
): SupervisedChild {
  const told = lastError === undefined ? [] : ["--last-error", JSON.stringify(lastError)];
  const lifeline = args.includes("--lifeline") ? [] : ["--lifeline"];
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args: [...args, ...lifeline, ...told],
      stdin: "piped",
      stdout: "inherit",
      stderr: "piped",
    }).spawn();
  } catch (error) { // No process or no memory left: that may pass.
    const ending = { code: 1, signal: null, error: `Cannot start: ${(error as Error).message}` };
    return { pid: 0, ended: Promise.resolve(ending), stop() {} };
  }
  let late: ReturnType<typeof setTimeout> | undefined;
  return {
    pid: child.pid,
    ended: endOf(child, silenceMs).finally(() => clearTimeout(late)),
    stop() {
      signal(child, "SIGTERM");
      late ??= setTimeout(() => signal(child, "SIGKILL"), STOP_MS);
    },
  };
}

/** Passes on what the child says, and remembers what it says of its own end. */
async function endOf(child: Deno.ChildProcess, silenceMs: number): Promise<Ending> {
  let error: string | null = null;
  const watchdog = new Watchdog(child.stdin, silenceMs, () => {
    error = `hung: its event loop stood still for ${silenceMs / 1000} s`;
    signal(child, "SIGKILL"); // One that listens to nothing hears no other.
  });
  const stop = new AbortController();
  const said = eachLine(child.stderr, stop.signal, (line) => {
    if (isSignOfLife(line)) return watchdog.alive();
    write(`${line}\n`);
    error = fatalLine(line) ?? error;
  });
  const status = await child.status;
  const drained = setTimeout(() => stop.abort(), DRAIN_MS);
  await said;
  clearTimeout(drained);
  await watchdog.end();
  return { code: status.code, signal: status.signal, error };
}

async function eachLine(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal,
  take: (line: string) => void,
): Promise<void> {
  let rest = "";
  const texts = new TransformStream<string, string>();
  const piped = stream.pipeThrough(new TextDecoderStream()).pipeTo(texts.writable, { signal });
  try {
    for await (const text of texts.readable) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      lines.forEach(take);
    }
    await piped;
  } catch (error) {
    if (!signal.aborted) throw error;
    await piped.catch(() => {});
  }
  if (rest !== "") take(rest);
}

function signal(child: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    child.kill(name);
  } catch (error) { // It has ended by itself.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** All of it, whatever a pipe takes at once. A reader that is gone must not end the supervisor. */
function write(text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
