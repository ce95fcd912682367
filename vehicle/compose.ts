/**
 * Joins the vehicle: opens its disks, gives its ECUs power, connects, listens.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { systemClock } from "shared/host/clock_system.ts";
import { lockFolder } from "shared/host/folder_lock.ts";
import { portTaken } from "shared/host/port_taken.ts";
import { nodeCodecs } from "shared/node/codecs.ts";
import { nodeHash, sha256Digest } from "shared/node/digest.ts";
import { checkClock } from "shared/self_check.ts";
import { HttpBackend, REAL_LINE } from "vehicle/adapters/backend_http.ts";
import type { FileDisk } from "vehicle/adapters/disk_file.ts";
import { openEcu, openGatewayDisk, openTrustDisk } from "vehicle/adapters/ecu_storage.ts";
import { HmiHttp } from "vehicle/adapters/hmi_http.ts";
import { enrol, type Identity, readIdentity } from "vehicle/adapters/identity_file.ts";
import { MqttLink } from "vehicle/adapters/link_mqtt.ts";
import { keepPort, keptPort } from "vehicle/adapters/kept_port.ts";
import { runnerFactory } from "vehicle/adapters/runner_factory.ts";
import { ServerPlaces } from "vehicle/adapters/server_places.ts";
import type { VehicleConfig } from "vehicle/config.ts";
import { joinBus } from "vehicle/bus/bus_local.ts";
import { Ecu } from "vehicle/ecu/ecu.ts";
import { Gateway } from "vehicle/gateway/gateway.ts";
import { TrustingBackend } from "vehicle/adapters/trust_http.ts";
import { Journal } from "vehicle/gateway/journal.ts";
import { PARKED } from "vehicle/gateway/signals.ts";

/** A vehicle that runs. */
export interface Vehicle {
  /** The head unit's page. */
  readonly hmi: string;
  /** Resolves when it was stopped; rejects when something broke that it can't live with. */
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a vehicle.
 *
 * @param config How.
 * @param log Takes a line for people.
 * @returns The vehicle, when its screen listens.
 * @throws {UpdateFailure} If a self-check fails, with the remedy, or if enrolment is refused.
 */
export async function startVehicle(
  config: VehicleConfig,
  log: (line: string) => void,
): Promise<Vehicle> {
  const { dataDir, vin } = config;
  checkClock(systemClock.now());
  const cleanup: (() => void | Promise<void>)[] = [];
  const undo = async () => {
    for (const step of cleanup.splice(0).reverse()) await step();
  };
  try {
    const lock = await lockFolder(dataDir);
    cleanup.push(() => lock.close());
    const identity = await identify(config, log);
    const places = new ServerPlaces(config.server, identity);
    const disks: FileDisk[] = [];
    cleanup.push(() => disks.forEach((disk) => disk[Symbol.dispose]()));

    const { ecus: profiles } = config.profile;
    const makeRunner = runnerFactory({ runDir: `${dataDir}/run`, log });
    const ecus = profiles.map((profile) =>
      new Ecu({
        profile,
        slots: openEcu(dataDir, profile, disks),
        runner: makeRunner(profile),
        clock: systemClock,
        newDigest: sha256Digest,
        listener: {
          changed: (serial) => gateway.changed(serial),
          display: (serial, message) => gateway.display(serial, message),
        },
      })
    );
    const journal = new Journal(openGatewayDisk(dataDir, disks));
    const backend = new TrustingBackend({
      disk: openTrustDisk(dataDir, disks),
      ...{ identity, places, log },
      line: REAL_LINE,
      clock: systemClock,
      plain: new HttpBackend(identity, places),
      // Counters are judged by the plan, which asks each ECU anew.
      ecus: new Map(
        profiles.map(({ serial, hardware }) => [
          serial,
          { hardware, counterFloor: 0, runningCounter: null },
        ]),
      ),
    });
    const hmi = new HmiHttp(config.pagesDir);
    const link = new MqttLink({
      identity,
      places,
      hardware: profiles.map((profile) => profile.hardware),
      onLink: (connected) => gateway.linked(connected),
      onHint: () => gateway.hint(),
      log,
    });
    const gateway: Gateway = new Gateway({
      vin,
      ecus: joinBus(ecus, systemClock),
      journal,
      link,
      hmi,
      log,
      codecs: nodeCodecs,
      hash: nodeHash,
      clock: systemClock,
      backend,
      prove: (releases, startAt) => backend.prove(releases, startAt),
      newDigest: sha256Digest,
      newId: () => crypto.randomUUID(),
      consent: config.consent,
      signals: PARKED,
      ...(config.lastError === undefined ? {} : { lastError: config.lastError }),
    });

    cleanup.push(async () => void await Promise.all(ecus.map((ecu) => ecu.powerOff())));
    await Promise.all(ecus.map((ecu) => ecu.start()));
    const stopping = new AbortController();
    const running = gateway.run(stopping.signal).catch((error) => {
      if (!stopping.signal.aborted) throw error;
    });
    running.catch(() => {}); // Whoever started it awaits `done`.
    cleanup.push(async () => {
      stopping.abort(new Error("the vehicle stops"));
      await running.catch(() => {});
    });
    const port = listen(hmi, config);
    cleanup.push(() => hmi.close());
    // In the background: the screen must not wait for a network that may be gone.
    const linking = link.open(stopping.signal).catch((error) => {
      if (!stopping.signal.aborted) throw error;
    });
    cleanup.push(async () => {
      await link.close();
      stopping.abort(new Error("the vehicle stops"));
      await linking;
    });
    const { hostname } = config.hmi;
    const shown = hostname.includes(":") ? `[${hostname}]` : hostname;
    return {
      hmi: `http://${shown}:${port}`,
      done: Promise.all([running, linking]).then(() => {}),
      stop: undo,
    };
  } catch (error) {
    await undo();
    if (!/os error (28|122)\b|ENOSPC|EDQUOT/.test(String(error))) throw error;
    throw new UpdateFailure(
      "storageFull",
      dataDir,
      `Cannot start ${vin}: the medium of "${dataDir}" is full; free space on it`,
      { cause: error },
    );
  }
}

async function identify(
  { dataDir, vin, server, enrolToken }: VehicleConfig,
  log: (line: string) => void,
): Promise<Identity> {
  const path = `${dataDir}/identity.json`;
  const found = readIdentity(path, log);
  if (found !== undefined) {
    if (found.vin === vin) return found;
    throw new UpdateFailure(
      "preconditionFailed",
      path,
      `Cannot start ${vin}: the data folder belongs to ${found.vin}; use another --data`,
    );
  }
  if (enrolToken === undefined) {
    throw new UpdateFailure(
      "preconditionFailed",
      "--enrol",
      `Cannot start ${vin}: it is not enrolled; run ota enrol --vin ${vin} and start it once ` +
        "with --enrol TOKEN",
    );
  }
  for (let pauseMs = 500;; pauseMs = Math.min(pauseMs * 2, 10_000)) {
    try {
      return await enrol(path, { server, vin, token: enrolToken });
    } catch (error) {
      if (!(error instanceof UpdateFailure) || error.failure !== "serverUnreachable") throw error;
      log(error.message);
      await systemClock.sleep(pauseMs);
    }
  }
}

/** Takes the wanted port; for port 0 the one that was free last time. */
function listen(hmi: HmiHttp, { dataDir, hmi: { hostname, port } }: VehicleConfig): number {
  const wanted = port === 0 ? keptPort(dataDir) ?? 0 : port;
  const place = { host: hostname, port: wanted };
  const taken = portTaken(place, "--hmi", () => hmi.listen(hostname, wanted));
  if (port === 0) keepPort(dataDir, taken);
  return taken;
}
