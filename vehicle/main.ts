/**
 * The vehicle process: gateway, ECUs and head-unit screen.
 *
 * Usage: deno task vehicle --data DIR --server URL --hmi HOST:PORT --vin VIN [--enrol TOKEN]
 *          [--profile FILE] [--consent ask|auto]
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { Command, CommanderError, Option } from "commander";
import { UpdateFailure } from "shared/failure.ts";
import { askedToEnd } from "shared/host/asked_to_end.ts";
import { dieOfUncaught, ownCommand, runSupervised, sayFatal } from "shared/host/supervisor.ts";
import { MAX_JSON_BYTES } from "shared/limits.ts";
import { parseAs, parseJsonAs } from "shared/parse.ts";
import { Vin } from "shared/protocol/common.ts";
import { LastError } from "shared/protocol/messages.ts";
import { DEFAULT_PROFILE, parseHmi, parseProfile, type VehicleConfig } from "./config.ts";

interface Options {
  readonly data: string;
  readonly server: string;
  readonly hmi: string;
  readonly vin: string;
  readonly enrol?: string;
  readonly profile?: string;
  readonly consent: "ask" | "auto";
  readonly pages: string;
  readonly json: boolean;
  readonly lifeline: boolean;
  readonly supervise: boolean;
  readonly lastError?: string;
}

/**
 * As in deno.json. What applying a container in little memory needs: collections when leaves were
 * hashed, and no optimising compiler (3 MiB at the peak, its own code included).
 * docs/decisions/0002.
 */
const V8_FLAGS = ["--expose-gc", "--no-turbofan"];

const log = (line: string) => console.error(`vehicle: ${line}`);

function parseOptions(args: readonly string[]): Options {
  const command = new Command("vehicle")
    .description("A vehicle: central gateway, ECUs with slots A and B, head-unit screen.")
    .requiredOption("--data <dir>", "data folder: disks, identity, lock")
    .requiredOption("--server <url>", "the server's address for people, http://HOST:PORT")
    .requiredOption("--vin <vin>", "vehicle identification number, 17 characters")
    .option(
      "--hmi <host:port>",
      "where the head-unit screen listens; port 0: a free one, kept",
      "127.0.0.1:0",
    )
    .option("--enrol <token>", "one-time token of `ota enrol`, for the first start")
    .option("--profile <file>", "the ECUs; without it ivi, cluster and body")
    .addOption(
      new Option("--consent <policy>", "auto also takes every precondition as met")
        .choices(["ask", "auto"]).default("ask"),
    )
    .option(
      "--pages <dir>",
      "the built head-unit pages",
      new URL("../dist/hmi", import.meta.url).pathname,
    )
    .option("--json", "print the ready line as JSON", false)
    .option("--lifeline", "stop when standard input ends", false)
    .option("--supervise", "start it again when it crashes, with growing pauses and a limit", false)
    .option(
      "--self-test",
      "boot a sample image, show the screen, say whether that went well; alone",
    )
    .addOption(new Option("--last-error <json>").hideHelp())
    .exitOverride();
  return command.parse([...args], { from: "user" }).opts<Options>();
}

function configOf(options: Options): VehicleConfig {
  const server = URL.parse(options.server);
  if (server === null || !/^https?:$/.test(server.protocol)) {
    throw new SyntaxError(
      `Cannot read --server: found "${options.server}", wanted http://HOST:PORT`,
    );
  }
  return {
    dataDir: options.data.replace(/\/+$/, "") || "/",
    server: server.href,
    hmi: parseHmi(options.hmi),
    vin: parseAs(Vin, options.vin, { what: "--vin" }),
    enrolToken: options.enrol,
    profile: options.profile === undefined
      ? DEFAULT_PROFILE
      : parseProfile(readProfile(options.profile)),
    consent: options.consent,
    pagesDir: options.pages,
    ...(options.lastError === undefined ? {} : {
      lastError: parseJsonAs(LastError, options.lastError, {
        what: "--last-error",
        maxBytes: MAX_JSON_BYTES,
      }),
    }),
  };
}

/** A profile that cannot be read is wrong usage, whatever the reason. */
function readProfile(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    throw new SyntaxError(`Cannot read --profile "${path}": ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** Runs until a signal, the end of the lifeline, or a fault of the vehicle. */
async function run(options: Options, config: VehicleConfig): Promise<number> {
  const ending = askedToEnd(options);
  if (options.supervise) {
    const stop = new AbortController();
    void ending.then(() => stop.abort());
    return await runSupervised(ownCommand(Deno.args, V8_FLAGS), stop.signal);
  }
  // Before it listens there is nothing to say goodbye to, and it may be waiting for its server.
  let started = false;
  void ending.then(() => started || Deno.exit(0));
  // Not loaded by a supervisor, which needs a fraction of the memory without it.
  const { startVehicle } = await import("./compose.ts");
  const vehicle = await startVehicle(config, log);
  started = true;
  const ready = { hmi: vehicle.hmi, vin: config.vin };
  console.log(options.json ? JSON.stringify(ready) : `listening hmi=${vehicle.hmi}`);
  const broken = vehicle.done.then(() => 0, (error) => (sayFatal(error), 1));
  const code = await Promise.race([ending.then(() => 0), broken]);
  await vehicle.stop();
  return code;
}

/** The exit code of a failure that ends the process (system.md). */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof SyntaxError || error instanceof Deno.errors.NotFound) return 2;
  if (!(error instanceof UpdateFailure)) return 1;
  if (error.failure === "badRequest" || error.failure === "schemaUnknown") return 2;
  if (error.failure === "storageFailed") return 1; // It may come back: a supervisor tries again.
  return error.failure === "tokenInvalid" ? 4 : 5;
}

/**
 * The program, to its end.
 *
 * @param args Its arguments.
 */
export async function main(args: readonly string[]): Promise<never> {
  dieOfUncaught();
  try {
    if (args.includes("--self-test")) {
      const { selfTest } = await import("./self_proof.ts");
      Deno.exit(await selfTest(args[args.indexOf("--self-test") + 1]));
    }
    const options = parseOptions(args);
    Deno.exit(await run(options, configOf(options)));
  } catch (error) {
    const code = exitCodeOf(error);
    if (error instanceof UpdateFailure) {
      log(`${error.message} (${error.failure}, ${error.code}). ${error.kind.remedy}`);
    } else if (code !== 1 && !(error instanceof CommanderError)) log((error as Error).message);
    if (code === 1) sayFatal(error);
    Deno.exit(code);
  }
}

if (import.meta.main) await main(Deno.args);
