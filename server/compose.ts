/**
 * Joins core and adapters: checks what must hold, opens everything, and closes it again.
 *
 * @module
 */
import { systemClock } from "shared/host/clock_system.ts";
import { checkClock } from "shared/self_check.ts";
import type { BrokerEntry } from "shared/protocol/mosquitto.ts";
import { openBlobs } from "./adapters/blobs_fs.ts";
import { startBroker } from "./adapters/broker_aedes.ts";
import { takeDataFolder } from "./adapters/data_folder.ts";
import { childDeltaMaker } from "./adapters/delta_maker.ts";
import { listenDevice } from "./adapters/http_device.ts";
import { listenPeople } from "./adapters/http_people.ts";
import { openRecords } from "./adapters/records_sqlite.ts";
import { openKeys } from "./adapters/keys_fs.ts";
import { orStoreFailure } from "./adapters/medium_full.ts";
import { mosquittoEntry, nodeSecrets } from "./adapters/secrets_node.ts";
import { mosquittoPasswordFile } from "./adapters/broker_passwords.ts";
import { openStatic } from "./adapters/static_fs.ts";
import { readPem } from "./adapters/pem_fs.ts";
import { createApp } from "./app.ts";
import { type Address, type Config, hostPort, isLoopback } from "./config.ts";
import { loginOf } from "./config_broker.ts";
import { Core } from "./core.ts";
import { createDeviceApp } from "./device_app.ts";
import type { Announcer, Log, PasswordFile } from "./ports.ts";
import type { DeltaMaker } from "./ports_delta.ts";
import { activeKeys } from "./repository/signing_desk.ts";

/** PBKDF2 of the server's own password at another broker: a person may have chosen it. */
const OWN_ITERATIONS = 20_000;

/** A server that runs. */
export interface RunningServer {
  /** Where it listens, as the ready line prints it. */
  readonly urls: { readonly http: string; readonly device: string; readonly mqtt: string };
  readonly core: Core;
  /** Stops it and waits until everything is closed. */
  stop(): Promise<void>;
}

/**
 * Starts a server in this process.
 *
 * @param config Its settings.
 * @param log Takes lines for the person who runs it; one of them may hold the first password.
 * @param maker Makes carriers; by default in a process of its own.
 * @returns The running server.
 * @throws {UpdateFailure} `preconditionFailed` If a self-check fails; then nothing is left open.
 */
export async function startServer(
  config: Config,
  log: Log,
  maker?: (folder: string) => DeltaMaker,
): Promise<RunningServer> {
  return await open(config, log, maker ?? childDeltaMaker).catch((error) => {
    throw orStoreFailure(`start with the data folder "${config.data}"`, error);
  });
}

async function open(
  config: Config,
  log: Log,
  maker: (folder: string) => DeltaMaker,
): Promise<RunningServer> {
  checkClock(systemClock.now());
  const tls = config.tls && await readPem(config.tls);
  await using opened = new AsyncDisposableStack();
  const folder = await takeDataFolder(config.data);
  opened.defer(() => folder.release());
  const records = openRecords(`${folder.path}/records.sqlite`);
  opened.defer(() => records.close());
  const blobs = await openBlobs(folder.path, systemClock.now());
  const board = openStatic(config.board);
  const vault = await openKeys(`${folder.path}/keys`, {
    now: () => systemClock.now(),
    wanted: await records.read(activeKeys),
    newKeys: config.newKeys ?? false,
  });
  const core = new Core({
    ...{ records, blobs, log, board, vault, maker: maker(folder.path) },
    clock: systemClock,
    secrets: nodeSecrets,
    lastError: config.lastError,
    ...outsideDoor(config, log),
  });
  await core.prepare(config.adminPassword);

  const { announcer, mqttPort, stop: stopAnnouncer } = await openBroker(core, config, folder, log);
  opened.defer(stopAnnouncer);
  const device = await listenDevice(
    createDeviceApp(core),
    kept(config.device, folder.ports.device),
  );
  opened.defer(() => device.stop());
  const loopback = isLoopback(config.http) && !config.behindProxy;
  const people = listenPeople(createApp(core, { loopback }), kept(config.http, folder.ports.http), {
    behindProxy: config.behindProxy,
    ...(tls === undefined ? {} : { tls }),
  });
  // Feeds never end by themselves: the core closes them before the listener waits for requests.
  opened.defer(() => people.stop());
  opened.defer(() => core.close());
  await folder.keepPorts({
    ...(config.http.port === 0 ? { http: people.port } : {}),
    ...(config.device.port === 0 ? { device: device.port } : {}),
    ...(mqttPort === undefined ? {} : { mqtt: mqttPort }),
  });
  const deviceUrl = `http://${hostPort(config.device, device.port)}`;
  await core.open(announcer, deviceUrl);
  const scheme = tls === undefined ? "http" : "https";
  const http = `${scheme}://${hostPort(config.http, people.port)}`;
  const closers = opened.move();
  let stopping: Promise<void> | undefined;
  return {
    urls: { http, device: deviceUrl, mqtt: announcer.url },
    core,
    stop: () => stopping ??= closers.disposeAsync(),
  };
}

/** The embedded broker, or a client of another one. */
async function openBroker(
  core: Core,
  config: Config,
  folder: { readonly ports: { readonly mqtt?: number | undefined } },
  log: Log,
): Promise<{
  readonly announcer: Announcer;
  readonly mqttPort?: number;
  readonly stop: () => Promise<void>;
}> {
  const { broker: wanted, qos } = config;
  if ("url" in wanted) {
    // Loaded only here: the client costs 10 MB that the embedded broker does not need.
    const { connectBroker } = await import("./adapters/announcer_mqtt.ts");
    await core.door.update(); // A self-check as well: it must be possible.
    const remote = connectBroker(wanted.url, core.inbox, {
      ...{ qos, log, login: loginOf(wanted) },
      onConnect: () => void core.brokerCame(),
      onRetained: (topic) => core.brokerKeeps(topic),
      onTrouble: (trouble) => core.brokerTrouble(trouble),
    });
    return { announcer: remote, stop: () => remote.stop() };
  }
  const broker = await startBroker(kept(wanted.embedded, folder.ports.mqtt), core.inbox, qos);
  const mqttPort = wanted.embedded.port === 0 ? { mqttPort: broker.port } : {};
  return { announcer: broker, ...mqttPort, stop: () => broker.stop() };
}

/** What the core must know to say who may use another broker. */
function outsideDoor(
  { broker }: Config,
  log: Log,
): { readonly ownEntry?: BrokerEntry; readonly passwordFile?: PasswordFile } {
  if (!("url" in broker)) return {};
  const login = loginOf(broker);
  const { passwords, pidFile } = broker;
  return {
    ...(login === undefined ? {} : {
      ownEntry: { user: login.user, entry: mosquittoEntry(login.password, OWN_ITERATIONS) },
    }),
    ...(passwords === undefined
      ? {}
      : { passwordFile: mosquittoPasswordFile(passwords, { pidFile, log }) }),
  };
}

/** Port 0 means: the one that was free last time, if there was a last time. */
function kept(address: Address, port: number | undefined): Address {
  return address.port === 0 && port !== undefined ? { ...address, port } : address;
}
