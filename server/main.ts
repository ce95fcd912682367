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
import { askedToEnd } from "shared/host/asked_to_end.ts";
import { dieOfUncaught, ownCommand, runSupervised, sayFatal } from "shared/host/supervisor.ts";
import { SERVER_SILENCE_MS } from "shared/limits.ts";
import { RESTART_POLICY } from "shared/restart_policy.ts";
import { DELTA_CHILD } from "./adapters/delta_task.ts";
import { readArgs } from "./config.ts";

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
  const ending = askedToEnd({ lifeline });
  if (read.supervise) {
    const stop = new AbortController();
    void ending.then(() => stop.abort());
    return await runSupervised(ownCommand(args), stop.signal, {
      ...RESTART_POLICY,
      silenceMs: SERVER_SILENCE_MS,
    });
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
      const { selfTest } = await import("./self_proof.ts");
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
