/**
 * The server's program: `deno run -A server/main.ts --help`.
 *
 * Exit codes (system.md): 0 stopped when asked, 1 a fault, 2 wrong usage, 5 a precondition does
 * not hold.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { UpdateFailure } from "shared/failure.ts";
import { dieOfUncaught, ownCommand, runSupervised, sayFatal } from "./adapters/supervisor.ts";
import { DELTA_CHILD } from "./adapters/delta_task.ts";
import { readArgs } from "./config.ts";

/** A second signal within this is the first one, forwarded: terminals signal the whole group. */
const SAME_SIGNAL_MS = 1000;

/** What only a person can put right: the message says how. */
const FOR_A_PERSON: readonly string[] = ["preconditionFailed", "storeFull"];

function log(line: string): void {
  console.error(line);
}

async function run(args: readonly string[]): Promise<number> {
  const read = readArgs(args, {
    adminPassword: Deno.env.get("OTA_ADMIN_PASSWORD"),
    brokerUser: Deno.env.get("OTA_BROKER_USER"),
    brokerPassword: Deno.env.get("OTA_BROKER_PASSWORD"),
    board: new URL("../dist/board", import.meta.url).pathname,
  });
  if ("exitCode" in read) {
    if (read.exitCode === 0) console.log(read.text.trimEnd());
    else log(read.text.trimEnd());
    return read.exitCode;
  }
  const { config, json, lifeline } = read;
  const ending = ended(lifeline);
  if (read.supervise) {
    const stop = new AbortController();
    void ending.then(() => stop.abort());
    return await runSupervised(ownCommand(args), stop.signal);
  }
  // Not loaded by a supervisor, which needs a fraction of the memory without it.
  const { startServer } = await import("./compose.ts");
  if (!await Deno.stat(`${config.board}/index.html`).then((info) => info.isFile, () => false)) {
    log(`The notice board has no pages in "${config.board}": run deno task build`);
  }
  const server = await startServer(config, log);
  const { http, device, mqtt } = server.urls;
  if (json) console.log(JSON.stringify({ http, device, mqtt }));
  else console.log(`listening http=${http} device=${device} mqtt=${mqtt}`);
  await ending;
  await server.stop();
  return 0;
}

/** Resolves when the program is to stop: by a signal, or because its supervisor is gone. */
function ended(lifeline: boolean): Promise<void> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => {
        const now = performance.now();
        if (firstAt !== undefined && now - firstAt > SAME_SIGNAL_MS) Deno.exit(1); // Impatient.
        firstAt ??= now;
        resolve();
      });
    }
    if (lifeline) void Deno.stdin.readable.pipeTo(new WritableStream()).finally(resolve);
  });
}

/**
 * The program, to its end.
 *
 * @param args Its arguments.
 */
export async function main(args: readonly string[]): Promise<never> {
  dieOfUncaught();
  try {
    if (args[0] === DELTA_CHILD) {
      const { deltaChild } = await import("./adapters/delta_child.ts");
      Deno.exit(deltaChild(args[1] ?? ""));
    }
    if (args.includes("--self-test")) {
      const { selfTest } = await import("./self_test.ts");
      Deno.exit(await selfTest());
    }
    Deno.exit(await run(args));
  } catch (error) {
    if (error instanceof UpdateFailure && FOR_A_PERSON.includes(error.failure)) {
      log(error.message);
      Deno.exit(5);
    }
    sayFatal(error);
    Deno.exit(1);
  }
}

if (import.meta.main) await main(Deno.args);
