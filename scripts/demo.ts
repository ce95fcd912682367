/**
 * `deno task demo`: a server with its broker and one vehicle with three ECUs, ready to be
 * tried by hand. Data lies in `.demo/` and is kept. `--scenario` runs the scripted tour instead.
 *
 * @module
 */
import { Command, CommanderError } from "commander";
import { build } from "./build.ts";
import { DEMO_VIN, DemoWorld, ProgramEnded } from "./demo_world.ts";
import { ROOT } from "./process.ts";
import { scenario, stepInWords } from "./scenario.ts";

interface DemoOptions {
  readonly data: string;
  readonly http?: string;
  readonly hmi?: string;
  readonly json?: boolean;
  readonly scenario?: boolean;
}

const USAGE = 2;

function command(): Command {
  return new Command("demo")
    .description("A server, its broker and one vehicle with three ECUs, to be tried by hand.")
    .option("--data <dir>", "where everything is kept between runs", `${ROOT}.demo`)
    .option("--http <host:port>", "the notice board (default: 127.0.0.1:8080, or a free port)")
    .option("--hmi <host:port>", "the head unit (default: 127.0.0.1:8090, or a free port)")
    .option("--scenario", "the scripted tour instead: four updates, observed and judged")
    .option("--json", "print JSON lines on stdout")
    .allowExcessArguments(false)
    .exitOverride();
}

const encoder = new TextEncoder();

/** Writes all of a text; a pipe may take it in parts. */
function write(stream: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  let bytes = encoder.encode(`${text}\n`);
  while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
}

const say = (text: string) => write(Deno.stdout, text);
const note = (text: string) => write(Deno.stderr, text);

/** Aborts at the first Ctrl-C. A task runner hands the same one on once more: that changes nothing. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(name, () => stop.abort(new DOMException(name, "AbortError")));
  }
  return stop.signal;
}

async function runScenario(options: DemoOptions, signal: AbortSignal): Promise<number> {
  const ok = await scenario({
    onStep: (step) => say(options.json ? JSON.stringify(step) : stepInWords(step)),
    onNote: note,
    signal,
  });
  return ok ? 0 : 1;
}

async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<number> {
  note("Building the pages and the sample firmware (only what changed)");
  await build();
  signal.throwIfAborted();
  const world = new DemoWorld({ ...options, note, signal });
  const stopped = new Promise<number>((done) => {
    signal.addEventListener("abort", () => done(0));
  });
  try {
    await Promise.race([world.begin(), stopped, world.died]);
    if (signal.aborted) return 0;
    const facts = world.facts();
    say(options.json ? JSON.stringify(facts) : inWords(facts));
    return await Promise.race([stopped, world.died]);
  } catch (error) {
    // What fails because all of it is being stopped has not failed.
    if (signal.aborted) return 0;
    throw error;
  } finally {
    if (signal.aborted) note("\nStopping");
    await world.end();
  }
}

function inWords(facts: ReturnType<DemoWorld["facts"]>): string {
  const { board, user, password, hmi, data } = facts;
  return `
Notice board  ${board}      user ${user}, password ${password}
Head unit     ${hmi}      vehicle ${DEMO_VIN}

Try this:
  1. Open both pages side by side and log in on the notice board.
  2. New release: choose dist/firmware/ivi-1.1.0.bin, hardware ivi-rpi4, version 1.1.0, publish.
     The head unit offers it: read the notes, accept, and watch download, slot, restart and trial.
  3. Publish dist/firmware/faulty-hang.bin as ivi-rpi4 1.2.0 and accept it: it hangs in its trial,
     and the head unit goes back to 1.1.0 by itself. Other faults: dist/firmware/faulty-*.bin.
  4. The same by command: deno task ota login --server ${board}, then deno task ota publish …

Data and logs lie in ${data}. Ctrl-C stops everything; the next run goes on from there.`;
}

async function main(): Promise<number> {
  let options: DemoOptions;
  try {
    options = command().parse(Deno.args, { from: "user" }).opts<DemoOptions>();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    throw error;
  }
  const signal = stopSignal();
  try {
    return options.scenario ? await runScenario(options, signal) : await runDemo(options, signal);
  } catch (error) {
    if (signal.aborted) {
      note("Stopped");
      return options.scenario ? 1 : 0;
    }
    note(`error: ${(error as Error).message}`);
    // Its code says what: a precondition that does not hold, say.
    return error instanceof ProgramEnded && error.code !== 0 ? error.code : 1;
  }
}

if (import.meta.main) Deno.exit(await main());
