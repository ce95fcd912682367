/**
 * Tells vehicles by MQTT that there is something to fetch. What is told comes from the records,
 * so it can be told again at any time: at the start, all of it is.
 *
 * @module
 */
import { isoTime, type Millis } from "shared/clock.ts";
import type { Desired, ServerStatus } from "shared/protocol/messages.ts";
import { announceTopic, SERVER_STATUS_TOPIC, vehicleTopic } from "shared/protocol/topics.ts";
import type { Metrics } from "../metrics.ts";
import type { Announcer, Log, RecordStore, VehicleRow } from "../ports.ts";
import { announcementOf } from "./director.ts";
import { loadRelease } from "./settle.ts";

/** Sends what vehicles are to hear. */
export class Bulletins {
  constructor(
    readonly records: RecordStore,
    readonly announcer: Announcer,
    readonly metrics: Metrics,
    readonly log: Log,
  ) {}

  /** Announces the highest published release of a hardware id, if there is one. */
  async announce(hardware: string): Promise<void> {
    const announcement = await this.records.read(async (tables) => {
      const rows = await tables.releasesOf(hardware);
      const highest = rows.find(({ state }) => state === "published");
      return highest && announcementOf(await loadRelease(tables, highest.release));
    });
    if (announcement !== undefined) await this.#send(announceTopic(hardware), announcement);
  }

  /** Announces every hardware id. */
  async announceAll(): Promise<void> {
    const all = await this.records.read((tables) => tables.hardware());
    for (const { hardware } of all) await this.announce(hardware);
  }

  /** Tells one vehicle that its targets have changed. */
  async desire(row: VehicleRow): Promise<void> {
    const version = row.director?.version ?? 0;
    const desired: Desired = { v: 1, campaign: row.current, version };
    await this.#send(vehicleTopic(row.vin, "desired"), desired);
  }

  /** Tells everybody how the server is. */
  async status(state: ServerStatus["state"], sinceMs: Millis): Promise<void> {
    const status: ServerStatus = { v: 1, state, since: isoTime(sinceMs) };
    await this.#send(SERVER_STATUS_TOPIC, status);
  }

  /** A message that cannot be sent delays a vehicle until it asks by itself, so it is only logged. */
  async #send(topic: string, body: unknown): Promise<void> {
    try {
      await this.announcer.publish(topic, body);
      this.metrics.add("ota_announcements_total");
    } catch (error) {
      this.log(`Cannot publish to ${topic}: ${(error as Error).message}`);
    }
  }
}
