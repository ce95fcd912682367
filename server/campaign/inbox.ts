/**
 * What arrives by MQTT. Callbacks of the broker only put things here; one loop takes them out,
 * so that no rule runs inside a socket's callback. Of live reports that wait, a vehicle's newest
 * replaces its older ones; the rest is bounded.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { MAX_MQTT_BYTES } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import { Conn, VehicleEvent, VehicleReport } from "shared/protocol/messages.ts";
import type { Metrics } from "../metrics.ts";
import type { Inbox, Log } from "../ports.ts";
import type { Fleet } from "./fleet.ts";

/** Jobs that may wait; beyond it messages are dropped, and the vehicles' manifests still count. */
const MAX_WAITING = 10_000;

type Leaf = "status" | "event" | "conn";

/** The inbox of one server. */
export class FleetInbox implements Inbox {
  readonly #jobs = new Map<string, () => Promise<void> | void>();
  #loop: Promise<void> | undefined;
  #made = 0;
  #stopped = false;

  constructor(
    readonly fleet: Fleet,
    readonly metrics: Metrics,
    readonly log: Log,
    readonly admit: (vin: string, secret: string) => Promise<boolean>,
  ) {}

  message(vin: string, leaf: Leaf, payload: Uint8Array): void {
    this.metrics.add("ota_mqtt_messages_total", 1, ["leaf", leaf]);
    // A Map keeps the place of a key that is set again: a waiting status is only renewed.
    const key = leaf === "status" ? `status ${vin}` : `${++this.#made}`;
    this.#put(key, () => this.#take(vin, leaf, payload));
  }

  connections(vin: string, count: number): void {
    this.#put(`${++this.#made}`, () => this.fleet.connections(vin, count));
  }

  lineLost(): void {
    this.#put("lineLost", () => this.fleet.lineLost());
  }

  dropped(reason: string): void {
    this.metrics.add("ota_mqtt_dropped_total", 1, ["reason", reason]);
  }

  /** Takes nothing more, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
  }

  #put(key: string, job: () => Promise<void> | void): void {
    if (this.#stopped) return;
    if (this.#jobs.size >= MAX_WAITING && !this.#jobs.has(key)) return this.dropped("flood");
    this.#jobs.set(key, job);
    this.#loop ??= this.#work().finally(() => this.#loop = undefined);
  }

  async #work(): Promise<void> {
    for (const [key, job] of this.#jobs) {
      this.#jobs.delete(key);
      if (this.#stopped) return;
      try {
        await job();
      } catch (error) {
        if (error instanceof UpdateFailure) {
          this.dropped(error.failure === "forbidden" ? "foreign" : "malformed");
        } else {
          this.log(`Cannot take a message from a vehicle: ${(error as Error).stack}`);
        }
      }
    }
  }

  async #take(vin: string, leaf: Leaf, payload: Uint8Array): Promise<void> {
    if (leaf === "conn") {
      if (payload.length === 0) return; // Clears the retained word.
      const word = Conn.safeParse(new TextDecoder().decode(payload.subarray(0, 64)));
      return word.success ? this.fleet.conn(vin, word.data) : this.dropped("malformed");
    }
    const what = { what: leaf, maxBytes: MAX_MQTT_BYTES };
    if (leaf === "event") {
      return await this.fleet.event(vin, parseJsonAs(VehicleEvent, payload, what));
    }
    const report = parseJsonAs(VehicleReport, payload, what);
    if (report.vin !== vin) {
      throw new UpdateFailure(
        "forbidden",
        vin,
        `Cannot take a status of ${report.vin}: it came on the topic of ${vin}`,
      );
    }
    await this.fleet.status(report);
  }
}
