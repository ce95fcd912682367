/**
 * The embedded MQTT broker: aedes in this process, MQTT 3.1.1.
 *
 * A vehicle's user name is its VIN and its password its secret. Every client id gets the VIN in
 * front, so that nobody can take over another vehicle's connection by using its id.
 *
 * @module
 */
import { Aedes, type AuthenticateError, type Client } from "aedes";
import { Buffer } from "node:buffer";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { cannotListen } from "shared/host/port_taken.ts";
import { MAX_MQTT_BYTES, MAX_MQTT_PACKET_BYTES } from "shared/limits.ts";
import { Vin } from "shared/protocol/common.ts";
import { mayPublish, maySubscribe, parseTopic, TOPICS } from "shared/protocol/topics.ts";
import { type Address, hostPort } from "../config.ts";
import type { Announcer, Inbox } from "../ports.ts";

/** Connections of one vehicle: its gateway, a spare while it reconnects, and a few for tests. */
const MAX_PER_VEHICLE = 8;
/** Filters of one connection; a gateway needs five. */
const MAX_FILTERS = 64;
const MAX_CONNECTIONS = 4000;
/** Bytes waiting for one reader; beyond it that reader is cut, so that it cannot stall others. */
const MAX_WAITING_BYTES = 4_000_000;

const OPTIONS = {
  concurrency: 100_000, // Low values let one slow reader stall everybody.
  connectTimeout: 5000,
  drainTimeout: 5000,
  keepaliveLimit: 300, // Seconds; 0, which means never, is refused as well.
  // Messages of QoS 2 that wait for their release are kept whole; vehicles send QoS 1.
  maxInflightInbound: 16,
  maxClientsIdLength: 200, // Ids grow by the VIN; the limit of MQTT 3.1 is 23.
};

/** An embedded broker that runs. */
export interface Broker extends Announcer {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Starts the broker.
 *
 * @param address Where to listen; port 0 takes a free one.
 * @param inbox Who takes what vehicles send, and says who they are.
 * @param qos Quality of service of what the server publishes.
 * @returns The broker.
 * @throws {UpdateFailure} `preconditionFailed` If the port is taken.
 */
export async function startBroker(address: Address, inbox: Inbox, qos: 1 | 2): Promise<Broker> {
  const broker = await Aedes.createBroker(OPTIONS);
  const gate = new Gate(broker, inbox);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.setNoDelay(true); // Acknowledgements are small and must not wait for more.
    gate.admit(socket);
  });
  server.maxConnections = MAX_CONNECTIONS;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(cannotListen(address, "--mqtt", error)));
      server.listen(address.port, address.host, resolve);
    });
  } catch (error) {
    await new Promise<void>((resolve) => broker.close(resolve));
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `mqtt://${hostPort(address, port)}`,
    ready: () => !broker.closed,
    publish: (topic, body) => publish(broker, topic, JSON.stringify(body), qos),
    clear: (topic) => publish(broker, topic, "", qos),
    cut: (vin) => gate.cut(vin),
    stop: () => stop(broker, server, sockets),
  };
}

function publish(broker: Aedes, topic: string, text: string, qos: 1 | 2): Promise<void> {
  const payload = Buffer.from(text);
  return new Promise((resolve, reject) => {
    broker.publish(
      { cmd: "publish", topic, payload, qos, retain: true, dup: false },
      (error) => error ? reject(error) : resolve(),
    );
  });
}

async function stop(broker: Aedes, server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  await new Promise<void>((resolve) => broker.close(resolve));
  let timer: ReturnType<typeof setTimeout> | undefined;
  await new Promise<void>((resolve) => {
    // Deno 2.6 never calls back when all clients have left before.
    timer = setTimeout(resolve, CLOSE_MS);
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy(); // Silent ones would keep the server open.
  });
  clearTimeout(timer);
}

/** How long the listener's end is waited for; its port is free at once. */
const CLOSE_MS = 500;

/** Who comes in, and what each may do. */
class Gate {
  readonly #vins = new WeakMap<Client, string>();
  readonly #refusals = new WeakMap<Client, string>();
  readonly #filters = new WeakMap<Client, number>();
  readonly #clients = new Map<string, Set<Client>>();
  #named = 0;

  constructor(readonly broker: Aedes, readonly inbox: Inbox) {
    this.#onConnect();
    this.#onMessages();
  }

  admit(socket: Socket): void {
    readAll(socket);
    const client = this.broker.handle(socket);
    boundPackets(client, () => this.inbox.dropped("size"));
  }

  cut(vin: string): void {
    for (const client of this.#clients.get(vin) ?? []) client.conn.destroy();
  }

  #onConnect(): void {
    const { broker, inbox } = this;
    broker.preConnect = (client, packet, done) => {
      const vin = packet.username ?? "";
      const { will } = packet;
      if (!Vin.safeParse(vin).success) this.#refusals.set(client, "user");
      else if (will && !mayPublish(vin, will.topic)) this.#refusals.set(client, "will");
      else if (will && will.payload.length > MAX_MQTT_BYTES) this.#refusals.set(client, "will");
      else if (this.#count(vin) >= MAX_PER_VEHICLE) this.#refusals.set(client, "connections");
      packet.clientId = `${vin}/${packet.clientId.slice(0, 64) || ++this.#named}`;
      // Offline queues have no bound. What matters is retained, so no session needs to last.
      packet.clean = true;
      if (will) will.retain = retains(will.topic);
      done(null, true);
    };
    broker.authenticate = (client, username, password, done) => {
      const refused = (reason: string, returnCode: number) => {
        inbox.dropped(reason);
        const error = Object.assign(new Error(`Cannot let client in: ${reason}`), { returnCode });
        done(error as AuthenticateError, false);
      };
      const refusal = this.#refusals.get(client);
      if (refusal !== undefined) return refused(refusal, 5);
      const vin = username ?? "";
      const secret = password?.length ? password.subarray(0, 257).toString() : "";
      inbox.admit(vin, secret).then((known) => {
        if (!known) return refused("password", 4);
        this.#vins.set(client, vin);
        done(null, true);
      }, () => refused("fault", 3));
    };
    broker.on("client", (client) => this.#comesOrGoes(client, true));
    broker.on("clientDisconnect", (client) => this.#comesOrGoes(client, false));
    // A broken line and a broken packet both end the connection; there is nobody to answer.
    broker.on("clientError", () => {});
    broker.on("connectionError", () => {});
  }

  #comesOrGoes(client: Client, comes: boolean): void {
    const vin = this.#vins.get(client);
    if (vin === undefined) return;
    const clients = this.#clients.get(vin) ?? new Set();
    if (comes) clients.add(client);
    else clients.delete(client);
    if (clients.size > 0) this.#clients.set(vin, clients);
    else this.#clients.delete(vin);
    this.inbox.connections(vin, clients.size);
    if (!comes || clients.size <= MAX_PER_VEHICLE) return;
    this.inbox.dropped("connections"); // Many came at once, and none was counted at the door.
    setImmediate(() => client.conn.destroy());
  }

  #count(vin: string): number {
    return this.#clients.get(vin)?.size ?? 0;
  }

  #onMessages(): void {
    const { broker, inbox } = this;
    broker.authorizePublish = (client, packet, done) => {
      if (client === null) return done(null); // The broker's own.
      const vin = this.#vins.get(client);
      const allowed = vin !== undefined && mayPublish(vin, packet.topic);
      if (allowed && packet.payload.length <= MAX_MQTT_BYTES) {
        packet.retain = retains(packet.topic);
        return done(null);
      }
      // An error would close the connection, and the client would send the same again for ever.
      inbox.dropped(allowed ? "size" : "publish");
      Object.assign(packet, { topic: "$void", retain: false, payload: Buffer.alloc(0) });
      done(null);
    };
    broker.authorizeSubscribe = (client, subscription, done) => {
      const vin = this.#vins.get(client);
      const count = (this.#filters.get(client) ?? 0) + 1;
      if (vin === undefined || !maySubscribe(vin, subscription.topic) || count > MAX_FILTERS) {
        inbox.dropped("subscribe");
        return done(null, null);
      }
      this.#filters.set(client, count);
      done(null, subscription);
    };
    broker.authorizeForward = (client, packet) => {
      const vin = this.#vins.get(client);
      if (vin === undefined || !maySubscribe(vin, packet.topic)) return null;
      if ((client.conn as Socket).writableLength > MAX_WAITING_BYTES) {
        inbox.dropped("slow");
        setImmediate(() => client.conn.destroy());
        return null;
      }
      return packet;
    };
    broker.published = (packet, _client, done) => {
      const topic = parseTopic(packet.topic);
      if (topic && (topic.kind === "status" || topic.kind === "event" || topic.kind === "conn")) {
        inbox.message(topic.vin, topic.kind, Buffer.from(packet.payload));
      }
      done(null);
    };
  }
}

/** Retention is the topic's affair, not the sender's (shared/protocol/topics.ts). */
function retains(topic: string): boolean {
  const parsed = parseTopic(topic);
  return parsed !== undefined && TOPICS[parsed.kind].retain;
}

/**
 * aedes reads once for each `readable` and takes it that `read()` gives all there is. On Deno it
 * gives one chunk, so that packets above 64 KiB would hang: give all chunks joined.
 */
function readAll(socket: Socket): void {
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
  socket.read = (size?: number) => {
    const parts: Buffer[] = [];
    for (let part = read(size); part !== null; part = read(size)) parts.push(part);
    return parts.length === 0 ? null : parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  };
}

/** The part of mqtt-packet's parser that learns a packet's length before its bytes come. */
interface LengthParser {
  packet: { length: number };
  _parseLength(): boolean;
  emit(event: "error", error: Error): void;
}

/** aedes takes packets of any size, also before CONNECT: refuse as soon as the length is known. */
function boundPackets(client: Client, onRefused: () => void): void {
  const parser = (client as unknown as { _parser: LengthParser })._parser;
  const parseLength = parser._parseLength;
  parser._parseLength = function (this: LengthParser) {
    const known = parseLength.call(this);
    if (!known || this.packet.length <= MAX_MQTT_PACKET_BYTES) return known;
    onRefused();
    this.emit("error", new Error(`Cannot take packet: it has ${this.packet.length} bytes`));
    return false;
  };
}
