/**
 * The command line and the environment, as a typed configuration. Pure.
 *
 * @module
 */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { UpdateFailure } from "shared/failure.ts";

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
  /** The embedded broker's address, or the URL of another broker. */
  readonly broker: { readonly embedded: Address } | { readonly url: string };
  readonly qos: 1 | 2;
  readonly behindProxy: boolean;
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** Folder of the notice board's files. */
  readonly board: string;
  readonly adminPassword?: string;
}

/** What only the process is concerned with. */
export interface Invocation {
  readonly config: Config;
  /** The ready line is JSON. */
  readonly json: boolean;
  /** End when stdin ends. */
  readonly lifeline: boolean;
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
 * @param env `OTA_ADMIN_PASSWORD` from the environment, and the folder of the board's files.
 * @returns What to run, or what to print instead.
 * @throws {UpdateFailure} `preconditionFailed` If the settings would expose what must not be.
 */
export function readArgs(
  args: readonly string[],
  env: { readonly adminPassword: string | undefined; readonly board: string },
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
  readonly qos: 1 | 2;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly behindProxy?: boolean;
  readonly board?: string;
  readonly json?: boolean;
  readonly lifeline?: boolean;
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
    .option("--broker <URL>", "another broker instead: mqtt:// or mqtts://", readBrokerUrl)
    .option("--qos <1|2>", "quality of service of what the server publishes", readQos, 1)
    .option("--tls-cert <FILE>", "certificate of the people's listener, PEM")
    .option("--tls-key <FILE>", "its key, PEM")
    .option("--behind-proxy", "a proxy in front does TLS; its X-Forwarded fields are believed")
    .option("--board <DIR>", "files of the notice board (default: dist/board)")
    .option("--json", "print the ready line as JSON")
    .option("--lifeline", "end when stdin ends, for supervisors")
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
  env: { readonly adminPassword: string | undefined; readonly board: string },
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
    config: {
      data: options.data,
      http,
      device,
      broker: broker === undefined ? { embedded: mqtt } : { url: broker },
      qos: options.qos,
      behindProxy,
      ...(tlsCert !== undefined && tlsKey !== undefined
        ? { tls: { certFile: tlsCert, keyFile: tlsKey } }
        : {}),
      board: options.board ?? env.board,
      ...(env.adminPassword ? { adminPassword: env.adminPassword } : {}),
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

function readBrokerUrl(value: string): string {
  if (URL.canParse(value) && /^mqtts?:$/.test(new URL(value).protocol)) return value;
  throw new InvalidArgumentError("It must be a URL, such as mqtts://broker.example:8883.");
}

function readQos(value: string): 1 | 2 {
  if (value === "1" || value === "2") return value === "1" ? 1 : 2;
  throw new InvalidArgumentError("It must be 1 or 2.");
}
