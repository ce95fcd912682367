/**
 * Another program's broker, reached as a client. That broker must know each vehicle's VIN and
 * secret, and keep vehicles to the topics of `shared/protocol/topics.ts`: `ota broker mosquitto`
 * writes the files that make Mosquitto do so.
 *
 * @module
 */
import mqtt, { type MqttClient } from "mqtt";
import { brokerTrouble } from "shared/broker_line.ts";
import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, MAX_MQTT_BYTES } from "shared/limits.ts";
import { isoTime } from "shared/clock.ts";
import { parseTopic, ROOT, SERVER_STATUS_TOPIC, TOPICS } from "shared/protocol/topics.ts";
import type { BrokerLogin } from "../config_broker.ts";
import type { Announcer, Inbox, Log } from "../ports.ts";
import { Outgoing, within } from "./announcer_mqtt_outgoing.ts";
import { probeQos2 } from "./announcer_mqtt_probe.ts";

/** A clean end takes a moment; a broker that does not answer is left. */
const END_MS = 1000;

/** What vehicles say, as filters. */
const FROM_VEHICLES = ["status", "event", "conn"].map((leaf) => `${ROOT}/vehicle/+/${leaf}`);
/** What servers said: a broker may have kept what is no longer so. */
const FROM_SERVERS = [`${ROOT}/announce/+`, `${ROOT}/vehicle/+/desired`];

/** A client of another broker. */
export interface RemoteBroker extends Announcer {
  stop(): Promise<void>;
}

/** What the line reports. */
export interface RemoteBrokerOptions {
  /** Quality of service wanted; 1 is taken where 2 cannot be had. */
  readonly qos: 1 | 2;
  readonly log: Log;
  /** The server's own user; not taken from the URL. */
  readonly login: BrokerLogin | undefined;
  /** Each time the line is there. */
  readonly onConnect: () => void;
  /** The broker keeps a message of a server, perhaps of another time. */
  readonly onRetained: (topic: string) => void;
  /** What is wrong with the broker while the line stands; `undefined`: nothing any more. */
  readonly onTrouble: (trouble: string | undefined) => void;
}

/**
 * Connects to a broker, and again whenever the line breaks. Does not wait for it.
 *
 * @param url Where it is; user and password in it go no further.
 * @param inbox Who takes what vehicles send.
 * @param options Quality of service, the log, and whom to tell of the line.
 * @returns The client.
 */
export function connectBroker(
  url: string,
  inbox: Inbox,
  options: RemoteBrokerOptions,
): RemoteBroker {
  const shown = new URL(url);
  shown.username = shown.password = "";
  const client = openLine(shown.href, options);
  const line = new Line(client, inbox, options);
  return {
    url: shown.href.replace(/\/$/, ""),
    ready: () => line.ready,
    publish: (topic, body) => line.retain(topic, JSON.stringify(body)),
    clear: (topic) => line.retain(topic, ""),
    cut() {}, // Mosquitto cuts it: it checks everybody again when its passwords have changed.
    async stop() {
      line.stop();
      try {
        await within(client.endAsync(), END_MS, "the broker did not answer");
      } catch (error) {
        options.log(`Cannot end the line to the broker cleanly: ${(error as Error).message}`);
        await client.endAsync(true);
      }
    },
  };
}

function openLine(url: string, { login }: RemoteBrokerOptions): MqttClient {
  const gone = JSON.stringify({ v: 1, state: "gone", since: isoTime(Date.now()) });
  return mqtt.connect(url, {
    clean: true,
    clientId: `headunit-ota-${crypto.randomUUID()}`,
    protocolVersion: 4,
    queueQoSZero: false,
    reconnectOnConnackError: true,
    reconnectPeriod: BACKOFF_MIN_MS,
    resubscribe: false, // Done at each connect; twice would bring all that is retained twice.
    // QoS 1: a broker without QoS 2 would refuse the connection because of its will.
    will: { topic: SERVER_STATUS_TOPIC, payload: gone as never, qos: 1, retain: true },
    ...(login === undefined ? {} : { username: login.user, password: login.password }),
  });
}

/** The line as it breaks and comes back. */
class Line {
  readonly #client: MqttClient;
  readonly #inbox: Inbox;
  readonly #options: RemoteBrokerOptions;
  readonly #outgoing: Outgoing;
  /** What can be had on this line; `undefined` while there is none, or it is being tried. */
  #qos: 1 | 2 | undefined;
  /** Why QoS 2 is not even to be tried on the next line. */
  #refusal: string | undefined;
  #lastTrouble = "";
  #stopped = false;

  constructor(client: MqttClient, inbox: Inbox, options: RemoteBrokerOptions) {
    this.#client = client;
    this.#inbox = inbox;
    this.#options = options;
    this.#outgoing = new Outgoing(client);
    client.on("connect", () => void this.#connected());
    client.on("close", () => this.#closed());
    client.on("error", (error) => this.#trouble(`Cannot use the broker: ${brokerTrouble(error)}`));
    client.on("message", (topic, payload, { retain }) => this.#heard(topic, payload, retain));
  }

  get ready(): boolean {
    return this.#client.connected && this.#qos !== undefined;
  }

  stop(): void {
    this.#stopped = true;
  }

  async retain(topic: string, payload: string): Promise<void> {
    if (!this.#client.connected || this.#qos === undefined) {
      throw new Error("the broker is not connected; told when it is");
    }
    await this.#outgoing.send(topic, payload, { qos: this.#qos, retain: true });
  }

  async #connected(): Promise<void> {
    const client = this.#client;
    client.options.reconnectPeriod = BACKOFF_MIN_MS;
    this.#lastTrouble = "";
    try {
      const lacking = this.#options.qos === 2 ? await this.#lacksQos2() : undefined;
      this.#options.onTrouble(lacking);
      const granted = await client.subscribeAsync([...FROM_VEHICLES, ...FROM_SERVERS], { qos: 1 });
      const refused = granted.filter(({ qos }) => qos > 2).map(({ topic }) => topic);
      if (refused.length > 0) throw new Error(`it refuses ${refused.join(", ")}`);
      this.#qos = this.#options.qos === 2 && lacking === undefined ? 2 : 1;
    } catch (error) {
      if (this.#stopped || !client.connected) return; // The next line begins anew.
      this.#trouble(`Cannot hear vehicles through the broker: ${(error as Error).message}`);
      this.#qos = 1;
    }
    this.#options.onConnect();
  }

  /** Tries QoS 2, unless trying it ended the line before this one. */
  async #lacksQos2(): Promise<string | undefined> {
    let reason = this.#refusal;
    this.#refusal = undefined; // The line after this one tries again: brokers are mended.
    if (reason === undefined) {
      reason = await probeQos2(this.#client, this.#outgoing);
      if (!this.#client.connected) {
        this.#refusal = reason;
        throw new Error("the line broke");
      }
    }
    if (reason === undefined) return undefined;
    const text = `the broker does without QoS 2: ${reason}; the server goes on with QoS 1`;
    this.#options.log(`Cannot publish with QoS 2: ${text}`);
    return text;
  }

  #closed(): void {
    const { options } = this.#client;
    this.#qos = undefined;
    const next = Math.min((options.reconnectPeriod ?? BACKOFF_MIN_MS) * 2, BACKOFF_MAX_MS);
    options.reconnectPeriod = next;
    this.#outgoing.forget();
    if (!this.#stopped) this.#inbox.lineLost();
  }

  #heard(topic: string, payload: Uint8Array, retained: boolean): void {
    const parsed = parseTopic(topic);
    if (parsed === undefined || parsed.kind === "server") return;
    if (TOPICS[parsed.kind].from === "server") {
      if (retained && payload.length > 0) this.#options.onRetained(topic);
      return;
    }
    if (!("vin" in parsed) || parsed.kind === "desired") return;
    if (payload.length > MAX_MQTT_BYTES) return this.#inbox.dropped("size");
    this.#inbox.message(parsed.vin, parsed.kind, payload);
  }

  /** Said once, not at each of the attempts that follow. */
  #trouble(text: string): void {
    if (text !== this.#lastTrouble) this.#options.log(text);
    this.#lastTrouble = text;
  }
}
