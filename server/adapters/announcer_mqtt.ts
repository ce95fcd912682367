/**
 * Another program's broker, reached as a client. That broker must know each vehicle's VIN and
 * secret, and keep vehicles to the topics of `shared/protocol/topics.ts`: here nobody can.
 *
 * @module
 */
import mqtt from "mqtt";
import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, MAX_MQTT_BYTES } from "shared/limits.ts";
import { isoTime } from "shared/clock.ts";
import { parseTopic, ROOT, SERVER_STATUS_TOPIC } from "shared/protocol/topics.ts";
import type { Announcer, Inbox, Log } from "../ports.ts";

/** A message that was not acknowledged by then counts as not sent. */
const PUBLISH_TIMEOUT_MS = 10_000;
/** A clean end takes a moment; a broker that does not answer is left. */
const END_MS = 1000;

/** A client of another broker. */
export interface RemoteBroker extends Announcer {
  stop(): Promise<void>;
}

/**
 * Connects to a broker, and again whenever the line breaks. Does not wait for it.
 *
 * @param url Where it is; user and password in it are the server's own and go no further.
 * @param inbox Who takes what vehicles send.
 * @param options Quality of service, the log, and what to do each time the line is there.
 * @returns The client.
 */
export function connectBroker(
  url: string,
  inbox: Inbox,
  options: { readonly qos: 1 | 2; readonly log: Log; readonly onConnect: () => void },
): RemoteBroker {
  const { qos, log, onConnect } = options;
  const gone = { v: 1, state: "gone", since: isoTime(Date.now()) };
  const client = mqtt.connect(url, {
    clean: true,
    clientId: `headunit-ota-${crypto.randomUUID()}`,
    protocolVersion: 4,
    queueQoSZero: false,
    reconnectOnConnackError: true,
    reconnectPeriod: BACKOFF_MIN_MS,
    will: { topic: SERVER_STATUS_TOPIC, payload: JSON.stringify(gone) as never, qos, retain: true },
  });
  const filters = ["status", "event", "conn"].map((leaf) => `${ROOT}/vehicle/+/${leaf}`);
  client.on("connect", () => {
    client.options.reconnectPeriod = BACKOFF_MIN_MS;
    client.subscribe(filters, { qos: 1 }, (error) => {
      if (error) log(`Cannot hear vehicles through the broker: ${error.message}`);
    });
    onConnect();
  });
  client.on("close", () => {
    const next = Math.min((client.options.reconnectPeriod ?? BACKOFF_MIN_MS) * 2, BACKOFF_MAX_MS);
    client.options.reconnectPeriod = next;
  });
  client.on("error", (error) => log(`Cannot use the broker: ${error.message}`));
  client.on("message", (topic, payload) => {
    const parsed = parseTopic(topic);
    if (parsed === undefined || !("vin" in parsed) || parsed.kind === "desired") return;
    if (payload.length > MAX_MQTT_BYTES) return inbox.dropped("size");
    inbox.message(parsed.vin, parsed.kind, payload);
  });
  const shown = new URL(url);
  shown.username = shown.password = "";
  return {
    url: shown.href.replace(/\/$/, ""),
    ready: () => client.connected,
    async publish(topic, body) {
      if (!client.connected) throw new Error("the broker is not connected; told when it is");
      const sent = client.publishAsync(topic, JSON.stringify(body), { qos, retain: true });
      await within(sent, PUBLISH_TIMEOUT_MS, "the broker did not acknowledge");
    },
    cut() {}, // Only the broker itself can cut a vehicle; its old secret is refused over HTTP.
    async stop() {
      try {
        await within(client.endAsync(), END_MS, "the broker did not answer");
      } catch (error) {
        log(`Cannot end the line to the broker cleanly: ${(error as Error).message}`);
        await client.endAsync(true);
      }
    },
  };
}

function within<T>(work: Promise<T>, ms: number, otherwise: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
