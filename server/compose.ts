/**
 * Joins core and adapters: checks what must hold, opens everything, and closes it again.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { openBlobs } from "./adapters/blobs_fs.ts";
import { startBroker } from "./adapters/broker_aedes.ts";
import { systemClock } from "./adapters/clock_system.ts";
import { takeDataFolder } from "./adapters/data_folder.ts";
import { listenDevice } from "./adapters/http_device.ts";
import { listenPeople } from "./adapters/http_people.ts";
import { openRecords } from "./adapters/records_sqlite.ts";
import { nodeSecrets } from "./adapters/secrets_node.ts";
import { openStatic } from "./adapters/static_fs.ts";
import { readPem } from "./adapters/pem_fs.ts";
import { createApp } from "./app.ts";
import { type Address, type Config, hostPort, isLoopback } from "./config.ts";
import { Core } from "./core.ts";
import { createDeviceApp } from "./device_app.ts";
import type { Announcer, Log } from "./ports.ts";

/** The day this version was made. A clock before it would make every date in the records a lie. */
const BUILT_AT = Date.UTC(2026, 0, 1);

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
 * @returns The running server.
 * @throws {UpdateFailure} `preconditionFailed` If a self-check fails; then nothing is left open.
 */
export async function startServer(config: Config, log: Log): Promise<RunningServer> {
  if (systemClock.now() < BUILT_AT) {
    throw new UpdateFailure(
      "preconditionFailed",
      "clock",
      `Cannot start: the clock says ${new Date(systemClock.now()).toISOString()}, before this ` +
        `version was made; set the clock`,
    );
  }
  const tls = config.tls && await readPem(config.tls);
  await using opened = new AsyncDisposableStack();
  const folder = await takeDataFolder(config.data);
  opened.defer(() => folder.release());
  const records = openRecords(`${folder.path}/records.sqlite`);
  opened.defer(() => records.close());
  const blobs = await openBlobs(folder.path, systemClock.now());
  const core = new Core({
    ...{ records, blobs, log },
    board: openStatic(config.board),
    clock: systemClock,
    secrets: nodeSecrets,
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
    const onConnect = () => void core.announceAgain();
    const remote = connectBroker(wanted.url, core.inbox, { qos, log, onConnect });
    return { announcer: remote, stop: () => remote.stop() };
  }
  const broker = await startBroker(kept(wanted.embedded, folder.ports.mqtt), core.inbox, qos);
  const mqttPort = wanted.embedded.port === 0 ? { mqttPort: broker.port } : {};
  return { announcer: broker, ...mqttPort, stop: () => broker.stop() };
}

/** Port 0 means: the one that was free last time, if there was a last time. */
function kept(address: Address, port: number | undefined): Address {
  return address.port === 0 && port !== undefined ? { ...address, port } : address;
}
