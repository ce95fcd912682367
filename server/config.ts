/**
 * The command line and the environment, as a typed configuration. Pure.
 *
 * @module
 */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_JSON_BYTES } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import { LastError } from "shared/protocol/messages.ts";
import {
  type BrokerEnvironment,
  isBrokerUrl,
  type OutsideBroker,
  readOutsideBroker,
} from "./config_broker.ts";

/** Where to listen. */
export interface Address {
  /** A name or an IP address, IPv6 without brackets. */
  readonly host: string;
  /** 0: any free one, which is kept in the data folder. */
  readonly port: number;
}

/** Everything that can be set. */
export interface Config {
  readonly data: string;
  readonly http: Address;
  readonly device: Address;
  /** The embedded broker's address, or another broker. */
  readonly broker: { readonly embedded: Address } | OutsideBroker;
  readonly qos: 1 | 2;
  readonly behindProxy: boolean;
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** Folder of the notice board's files. */
  readonly board: string;
  readonly adminPassword?: string;
  /** Make new keys in the place of lost ones. */
  readonly newKeys?: boolean;
  /** Why the run before this one ended, if a supervisor says so. */
  readonly lastError?: LastError;
}

/** What only the process is concerned with. */
export interface Invocation {
  readonly config: Config;
  /** The ready line is JSON. */
  readonly json: boolean;
  /** End when stdin ends. */
  readonly lifeline: boolean;
  /** Run the program as a child, and start it again when it crashes. */
  readonly supervise: boolean;
}

/** What to print instead of starting. */
export interface Usage {
  readonly text: string;
  readonly exitCode: 0 | 2;
}

const LOOPBACK = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|localhost)$/i;

/**
 * Whether an address can only be reached from this machine.
 *
 * @param address The address.
 * @returns Whether it is loopback.
 */
export function isLoopback(address: Address): boolean {
  return LOOPBACK.test(address.host);
}

/**
 * An address as URLs write it.
 *
 * @param address The host.
 * @param port The port that was really opened.
 * @returns `host:port`.
 */
export function hostPort({ host }: Address, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Reads the command line.
 *
 * @param args Its arguments.
 * @param env `OTA_ADMIN_PASSWORD`, `OTA_BROKER_USER` and `OTA_BROKER_PASSWORD` from the
 * environment, and the folder of the board's files.
 * @returns What to run, or what to print instead.
 * @throws {UpdateFailure} `preconditionFailed` If the settings would expose what must not be.
 */
export function readArgs(
  args: readonly string[],
  env: BrokerEnvironment & { readonly adminPassword: string | undefined; readonly board: string },
): Invocation | Usage {
  let text = "";
  const command = makeCommand((line) => text += line);
  try {
    command.parse([...args], { from: "user" });
    if (command.args.length > 0) {
      command.error(`error: unexpected argument "${command.args[0]}"`);
    }
    const options = command.opts<Options>();
    if (options.broker !== undefined && command.getOptionValueSource("mqtt") === "cli") {
      command.error(
        "error: --mqtt (embedded broker) and --broker (another one) exclude each other",
      );
    }
    if (options.broker !== undefined && !isBrokerUrl(options.broker)) {
      command.error("error: --broker must be a URL, such as mqtts://broker.example:8883");
    }
    if (options.brokerPid !== undefined && options.brokerPasswords === undefined) {
      command.error("error: --broker-pid goes with --broker-passwords");
    }
    if (options.brokerPasswords !== undefined && options.broker === undefined) {
      command.error("error: --broker-passwords goes with --broker");
    }
    if ((options.tlsCert === undefined) !== (options.tlsKey === undefined)) {
      command.error("error: --tls-cert and --tls-key go together");
    }
    return toInvocation(options, env);
  } catch (error) {
    if (error instanceof CommanderError) return { text, exitCode: error.exitCode === 0 ? 0 : 2 };
    throw error;
  }
}

interface Options {
  readonly data: string;
  readonly http: Address;
  readonly device: Address;
  readonly mqtt: Address;
  readonly broker?: string;
  readonly brokerPasswords?: string;
  readonly brokerPid?: string;
  readonly qos: 1 | 2;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly behindProxy?: boolean;
  readonly board?: string;
  readonly json?: boolean;
  readonly lifeline?: boolean;
  readonly supervise?: boolean;
  readonly newKeys?: boolean;
  readonly lastError?: LastError;
}

function makeCommand(write: (line: string) => void): Command {
  const address = (name: string, text: string, port: number) =>
    new Option(`--${name} <HOST:PORT>`, text).argParser((value) => readAddress(value))
      .default({ host: "127.0.0.1", port }, `127.0.0.1:${port}`);
  return new Command("server")
    .description("Stores and publishes releases, and tells vehicles of them.")
    .requiredOption("--data <DIR>", "data folder; made if it is not there")
    .addOption(address("http", "people: notice board and API; port 0 takes a free one", 8080))
    .addOption(address("device", "vehicles: metadata and carriers", 8081))
    .addOption(address("mqtt", "vehicles: embedded MQTT broker", 1883))
    .option("--broker <URL>", "another broker instead: mqtt:// or mqtts://")
    .option("--broker-passwords <FILE>", "Mosquitto's password file, to be kept up to date")
    .option("--broker-pid <FILE>", "Mosquitto's pid file, to have it read the passwords again")
    .option("--qos <1|2>", "quality of service of what the server publishes", readQos, 1)
    .option("--tls-cert <FILE>", "certificate of the people's listener, PEM")
    .option("--tls-key <FILE>", "its key, PEM")
    .option("--behind-proxy", "a proxy in front does TLS; its X-Forwarded fields are believed")
    .option("--board <DIR>", "files of the notice board (default: dist/board)")
    .option("--json", "print the ready line as JSON")
    .option("--lifeline", "end when stdin ends, for supervisors")
    .option("--supervise", "start it again when it crashes, with growing pauses and a limit")
    .option("--new-keys", "make new signing keys in the place of lost ones; a new root is due then")
    .option("--self-test", "try every listener on free ports, say whether that went well; alone")
    .addOption(new Option("--last-error <JSON>").argParser(readLastError).hideHelp())
    .addHelpText(
      "after",
      "\nThe first start makes the operator admin; OTA_ADMIN_PASSWORD sets the password.",
    )
    .allowExcessArguments(true)
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: write });
}

function toInvocation(
  options: Options,
  env: BrokerEnvironment & { readonly adminPassword: string | undefined; readonly board: string },
): Invocation {
  const { http, device, mqtt, broker, tlsCert, tlsKey } = options;
  const behindProxy = options.behindProxy ?? false;
  if (!isLoopback(http) && tlsCert === undefined && !behindProxy) {
    throw new UpdateFailure(
      "preconditionFailed",
      "--http",
      `Cannot listen for people on ${http.host}: passwords would travel in the clear; give ` +
        `--tls-cert and --tls-key, or --behind-proxy if a proxy in front does TLS`,
    );
  }
  const inside = { "--device": device, ...(broker === undefined ? { "--mqtt": mqtt } : {}) };
  for (const [flag, address] of Object.entries(inside)) {
    if (isLoopback(address)) continue;
    throw new UpdateFailure(
      "preconditionFailed",
      flag,
      `Cannot listen for vehicles on ${address.host} (${flag}): this line is not encrypted yet, so ` +
        `only loopback is allowed`,
    );
  }
  return {
    json: options.json ?? false,
    lifeline: options.lifeline ?? false,
    supervise: options.supervise ?? false,
    config: {
      data: options.data,
      http,
      device,
      broker: broker === undefined
        ? { embedded: mqtt }
        : readOutsideBroker({ ...options, broker }, env, (host) => isLoopback({ host, port: 0 })),
      qos: options.qos,
      behindProxy,
      ...(tlsCert !== undefined && tlsKey !== undefined
        ? { tls: { certFile: tlsCert, keyFile: tlsKey } }
        : {}),
      board: options.board ?? env.board,
      ...(env.adminPassword ? { adminPassword: env.adminPassword } : {}),
      ...(options.newKeys ? { newKeys: true } : {}),
      ...(options.lastError ? { lastError: options.lastError } : {}),
    },
  };
}

function readAddress(value: string): Address {
  const match = /^(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/i.exec(value);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new InvalidArgumentError(`It must be HOST:PORT, such as 127.0.0.1:8080.`);
  }
  return { host: match[1] ?? match[2]!, port };
}

function readQos(value: string): 1 | 2 {
  if (value === "1" || value === "2") return value === "1" ? 1 : 2;
  throw new InvalidArgumentError("It must be 1 or 2.");
}

/** What a supervisor tells of the crash before this start. */
function readLastError(value: string): LastError {
  try {
    return parseJsonAs(LastError, value, { what: "--last-error", maxBytes: MAX_JSON_BYTES });
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
