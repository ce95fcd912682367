/**
 * The broker of a world: retained messages, quality of service 1 with doubles, delays and messages
 * that overtake each other, connections that break. Where the vehicle's MQTT adapter reads topics
 * and payloads, this does it by the same schemas.
 *
 * @module
 */
import { parseTopic, SERVER_STATUS_TOPIC, vehicleTopic } from "shared/protocol/topics.ts";
import { Announcement, Desired, ServerStatus } from "shared/protocol/messages.ts";
import type { Conn, VehicleEvent, VehicleReport } from "shared/protocol/messages.ts";
import type { Announcer, Inbox } from "server/ports.ts";
import type { Link } from "vehicle/ports.ts";
import type { LifeClock } from "../sim/sim_clock.ts";
import type { Dice } from "./dice.ts";
import type { Fault } from "./plan.ts";
import type { Story } from "./story.ts";

/** What a broker works with. */
export interface BrokerParts {
  readonly vin: string;
  /** Never ends. */
  readonly clock: LifeClock;
  readonly dice: Dice;
  readonly story: Story;
  /** Whether a kind of fault may happen now. */
  readonly may: (fault: Fault) => boolean;
}

/** The vehicle's side of one connection. */
export interface Session {
  readonly life: LifeClock;
  readonly onLink: (connected: boolean) => void;
  readonly onHint: () => void;
}

const TRIP_MS = 8;
/** How long a broker takes to notice that a client is gone without a goodbye. */
const KEEPALIVE_MS = 45_000;

/** The broker, and both ends' clients of it. */
export class SwarmBroker implements Announcer {
  readonly url = "mqtt://broker.invalid:1883";
  readonly #parts: BrokerParts;
  readonly retained = new Map<string, string>();
  readonly #older = new Map<string, string[]>();
  #inbox: Inbox | undefined;
  #session: Session | undefined;
  #connections = 0;
  /** Nobody gets through. */
  down = false;

  constructor(parts: BrokerParts) {
    this.#parts = parts;
  }

  ready(): boolean {
    return this.#inbox !== undefined;
  }

  publish(topic: string, body: unknown): Promise<void> {
    this.#retain(topic, JSON.stringify(body));
    if (this.#session !== undefined) this.#toVehicle(topic, this.retained.get(topic)!);
    return Promise.resolve();
  }

  clear(topic: string): Promise<void> {
    this.retained.delete(topic);
    return Promise.resolve();
  }

  cut(): void {
    this.break();
  }

  /** The server listens; `undefined`: it is gone. */
  serve(inbox: Inbox | undefined): void {
    this.#inbox = inbox;
    if (inbox === undefined) return;
    inbox.connections(this.#parts.vin, this.#connections);
    for (const leaf of ["status", "conn"] as const) {
      const payload = this.retained.get(vehicleTopic(this.#parts.vin, leaf));
      if (payload !== undefined) this.#toServer(leaf, payload);
    }
  }

  /** The broker ends with its server, and forgets all. */
  forget(): void {
    this.retained.clear();
    this.#older.clear();
    this.break();
  }

  /** Whether the vehicle of this power-on is connected. */
  connected(life: LifeClock): boolean {
    return this.#session?.life === life;
  }

  /** The vehicle connects, if the broker is there. */
  connect(session: Session): boolean {
    if (this.down || session.life.ended) return false;
    if (this.#session !== undefined) this.break();
    this.#session = session;
    this.#count(1);
    for (const topic of this.retained.keys()) {
      const stale = this.#parts.may("mqttStale") && this.#parts.dice.chance(0.5);
      const older = this.#older.get(topic) ?? [];
      if (stale && older.length > 0) {
        this.#parts.story.mark("mqttStale");
        this.#toVehicle(topic, this.#parts.dice.pick(older));
      } else this.#toVehicle(topic, this.retained.get(topic)!);
    }
    session.onLink(true);
    return true;
  }

  /** The connection breaks; the vehicle hears of it, if it lives. */
  break(): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    this.#will();
    if (!session.life.ended) session.onLink(false);
  }

  /** The vehicle lost its power: nobody says goodbye. */
  async vanish(life: LifeClock): Promise<void> {
    if (this.#session?.life !== life) return;
    this.#session = undefined;
    await this.#parts.clock.sleep(KEEPALIVE_MS);
    if (this.#session === undefined) this.#will();
  }

  /** The vehicle's end, for one power-on. */
  link(life: LifeClock): Link {
    const { vin } = this.#parts;
    const send = (leaf: "status" | "event" | "conn", payload: string, retain: boolean) => {
      if (life.ended || !this.connected(life)) return;
      if (retain) this.#retain(vehicleTopic(vin, leaf), payload);
      this.#toServer(leaf, payload);
    };
    const connected = () => this.connected(life);
    return {
      get connected() {
        return connected();
      },
      status: (report: VehicleReport) => send("status", JSON.stringify(report), true),
      event: (event: VehicleEvent) => send("event", JSON.stringify(event), false),
      conn: (word: Conn) => send("conn", word, true),
    };
  }

  #will(): void {
    this.#count(-1);
    this.#retain(vehicleTopic(this.#parts.vin, "conn"), "offline");
    this.#toServer("conn", "offline");
  }

  #count(change: number): void {
    this.#connections = Math.max(0, this.#connections + change);
    this.#inbox?.connections(this.#parts.vin, this.#connections);
  }

  #retain(topic: string, payload: string): void {
    const before = this.retained.get(topic);
    if (before === payload) return;
    if (before !== undefined) {
      this.#older.set(topic, [...this.#older.get(topic) ?? [], before].slice(-3));
    }
    this.retained.set(topic, payload);
  }

  /** When each copy of a message arrives. */
  #arrivals(): number[] {
    const { dice, may, story } = this.#parts;
    const late = () => {
      if (!may("mqttReorder") || !dice.chance(0.3)) return TRIP_MS;
      story.mark("mqttReorder");
      return TRIP_MS + dice.between(0, 8000);
    };
    if (!may("mqttDuplicate") || !dice.chance(0.3)) return [late()];
    story.mark("mqttDuplicate");
    return [late(), late() + dice.between(0, 500)];
  }

  #toServer(leaf: "status" | "event" | "conn", payload: string): void {
    const bytes = new TextEncoder().encode(payload);
    for (const ms of this.#arrivals()) {
      const inbox = this.#inbox;
      void this.#parts.clock.sleep(ms).then(() => {
        if (inbox === this.#inbox) inbox?.message(this.#parts.vin, leaf, bytes);
      });
    }
  }

  #toVehicle(topic: string, payload: string): void {
    const { dice, may, story, clock, vin } = this.#parts;
    if (!isForVehicle(topic, payload, vin)) return;
    if (may("mqttLoss") && dice.chance(0.5)) return story.mark("mqttLoss");
    const session = this.#session;
    for (const ms of this.#arrivals()) {
      void clock.sleep(ms).then(() => {
        if (session !== undefined && session === this.#session && !session.life.ended) {
          session.onHint();
        }
      });
    }
  }
}

function isForVehicle(topic: string, payload: string, vin: string): boolean {
  const parsed = parseTopic(topic);
  if (parsed?.kind === "announce") return Announcement.parse(JSON.parse(payload)) !== null;
  if (parsed?.kind === "desired") {
    return parsed.vin === vin && Desired.parse(JSON.parse(payload)) !== null;
  }
  return topic === SERVER_STATUS_TOPIC &&
    ServerStatus.parse(JSON.parse(payload)).state === "running";
}
