/**
 * The broker over MQTT 3.1.1: hints in, status and events out. Best effort: whatever
 * must arrive goes by HTTP.
 *
 * @module
 */
import mqtt from "mqtt";
import { brokerPlace, brokerTrouble } from "shared/broker_line.ts";
import { UpdateFailure } from "shared/failure.ts";
import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, MAX_MQTT_BYTES } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import {
  Announcement,
  type Conn,
  Desired,
  ServerStatus,
  type VehicleEvent,
  type VehicleReport,
} from "shared/protocol/messages.ts";
import {
  announceTopic,
  parseTopic,
  SERVER_STATUS_TOPIC,
  vehicleTopic,
} from "shared/protocol/topics.ts";
import type { Link } from "vehicle/ports.ts";
import type { Identity } from "./identity_file.ts";
import type { ServerPlaces } from "./server_places.ts";

/** How long a clean goodbye may take. */
const GOODBYE_MS = 1000;

/** What the link needs. */
export interface LinkParts {
  readonly identity: Identity;
  readonly places: ServerPlaces;
  /** Whose announcements are heard. */
  readonly hardware: readonly string[];
  readonly onLink: (connected: boolean) => void;
  /** Something said "look". */
  readonly onHint: () => void;
  readonly log: (line: string) => void;
}

/** The broker. */
export class MqttLink implements Link {
  readonly #parts: LinkParts;
  #client: mqtt.MqttClient | undefined;
  #pauseMs = BACKOFF_MIN_MS;
  #lastTrouble = "";
  /** Messages that were no message of ours, since the start. */
  refused = 0;

  /** @param parts What it needs. */
  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  get connected(): boolean {
    return this.#client?.connected ?? false;
  }

  /**
   * Connects, and keeps connecting.
   *
   * @param signal Ends the question where the broker is.
   */
  async open(signal: AbortSignal): Promise<void> {
    const { vin, secret } = this.#parts.identity;
    const { broker } = await this.#parts.places.endpoints(signal);
    signal.throwIfAborted();
    if (!/^mqtts?:\/\/[^/]/.test(broker)) {
      return this.#trouble(`Cannot connect: the server names the broker "${broker.slice(0, 200)}"`);
    }
    const client = mqtt.connect(broker, {
      protocolVersion: 4,
      clientId: vin,
      username: vin,
      password: secret,
      clean: true,
      keepalive: 30,
      connectTimeout: 10_000,
      reconnectPeriod: BACKOFF_MIN_MS,
      reconnectOnConnackError: true, // Otherwise a refusal would be the last attempt.
      queueQoSZero: false,
      will: {
        topic: vehicleTopic(vin, "conn"),
        payload: new TextEncoder().encode("offline") as never,
        qos: 1,
        retain: true,
      },
    });
    this.#client = client;
    client.on("connect", () => this.#connected(client));
    client.on("message", (topic, payload) => this.#heard(topic, payload));
    client.on("error", (error) => this.#trouble(brokerTrouble(error)));
    client.on("close", () => this.#closed(client, signal));
  }

  status(report: VehicleReport): void {
    this.#publish(vehicleTopic(report.vin, "status"), JSON.stringify(report), true);
  }

  event(event: VehicleEvent): void {
    this.#publish(vehicleTopic(this.#parts.identity.vin, "event"), JSON.stringify(event), false);
  }

  conn(word: Conn): void {
    this.#publish(vehicleTopic(this.#parts.identity.vin, "conn"), word, true);
  }

  /** Says goodbye and ends. */
  async close(): Promise<void> {
    const client = this.#client;
    if (client === undefined) return;
    this.conn("offline");
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, GOODBYE_MS));
    await Promise.race([client.endAsync(), late]); // It hangs while an answer is missing.
    clearTimeout(timer);
    await client.endAsync(true);
  }

  #connected(client: mqtt.MqttClient): void {
    this.#pauseMs = BACKOFF_MIN_MS;
    this.#lastTrouble = "";
    const { identity, hardware } = this.#parts;
    const topics = [
      vehicleTopic(identity.vin, "desired"),
      SERVER_STATUS_TOPIC,
      ...new Set(hardware.map(announceTopic)),
    ];
    // QoS 2 at most: what arrives has the sender's.
    client.subscribe(topics, { qos: 2 }, (error) => error && this.#trouble(error.message));
    this.#parts.onLink(true);
  }

  #closed(client: mqtt.MqttClient, signal: AbortSignal): void {
    // Growing, with jitter, so that a fleet does not come back at one moment.
    this.#pauseMs = Math.min(this.#pauseMs * 2, BACKOFF_MAX_MS);
    client.options.reconnectPeriod = this.#pauseMs * (0.5 + Math.random() / 2);
    this.#parts.onLink(false);
    this.#parts.places.endpoints(signal).then(({ broker }) => {
      // The broker may have moved with its server.
      const { host, port } = brokerPlace(broker);
      Object.assign(client.options, { host, hostname: host, port });
    }).catch(() => {}); // Stopping: nothing is to be moved any more.
  }

  #heard(topic: string, payload: Uint8Array): void {
    const { vin } = this.#parts.identity;
    try {
      const parsed = parseTopic(topic);
      const options = { what: topic, maxBytes: MAX_MQTT_BYTES };
      if (parsed?.kind === "announce") {
        const { hardware } = parseJsonAs(Announcement, payload, options);
        if (hardware !== parsed.hardware) throw foreign(topic, hardware);
      } else if (parsed?.kind === "desired" && parsed.vin === vin) {
        parseJsonAs(Desired, payload, options);
      } else if (parsed?.kind === "server") {
        if (parseJsonAs(ServerStatus, payload, options).state !== "running") return;
      } else throw foreign(topic, "nothing of this vehicle");
    } catch (error) {
      if (!(error instanceof UpdateFailure)) throw error;
      this.refused++;
      return this.#trouble(error.message);
    }
    this.#parts.onHint();
  }

  #publish(topic: string, payload: string, retain: boolean): void {
    // Not queued: the newest state follows when the link is back.
    if (!this.connected) return;
    this.#client!.publish(topic, payload, { qos: 1, retain }, (error) => {
      if (error) this.#trouble(error.message);
    });
  }

  #trouble(message: string): void {
    if (message !== this.#lastTrouble) this.#parts.log(`mqtt: ${message}`);
    this.#lastTrouble = message;
  }
}

function foreign(topic: string, found: string): UpdateFailure {
  return new UpdateFailure(
    "metadataForeign",
    topic,
    `Cannot use message on ${topic}: it is about ${found}`,
  );
}
