/**
 * Tells vehicles by MQTT that there is something to fetch. What is told comes from the records,
 * so it can be told again at any time: at the start, all of it is.
 *
 * @module
 */
import { isoTime, type Millis } from "shared/clock.ts";
import type { Announcement, Desired, ServerStatus } from "shared/protocol/messages.ts";
import {
  announceTopic,
  parseTopic,
  SERVER_STATUS_TOPIC,
  vehicleTopic,
} from "shared/protocol/topics.ts";
import type { Metrics } from "../metrics.ts";
import type { Announcer, Log, RecordStore, VehicleRow } from "../ports.ts";
import { announcementOf } from "./director.ts";
import { loadRelease } from "./settle.ts";

/** What the server's status tells: why it was restarted and when, or what is wrong now. */
export interface Trouble {
  readonly message: string;
  /** Only of a restart. */
  readonly at?: string;
}

/** Signs what is announced. */
export interface Signer {
  /** Brings the Image repository in line. @returns Whether there is a new timestamp. */
  refreshImage(): Promise<boolean>;
  /** The newest timestamp: the Image repository's, or the Director's for a vehicle. */
  timestamp(vin?: string): Promise<string | undefined>;
}

/** Sends what vehicles are to hear. */
export class Bulletins {
  constructor(
    readonly records: RecordStore,
    readonly announcer: Announcer,
    readonly signer: Signer,
    readonly metrics: Metrics,
    readonly log: Log,
  ) {}

  /**
   * Announces the highest published release of a hardware id, if there is one. Where that brings
   * a new timestamp, the others are announced with it as well.
   */
  async announce(hardware: string): Promise<void> {
    if (await this.signer.refreshImage()) await this.announceAll();
    else await this.#announce(hardware);
  }

  async #announce(hardware: string): Promise<void> {
    const announcement = await this.#announcement(hardware);
    if (announcement !== undefined) await this.#send(announceTopic(hardware), announcement);
  }

  async #announcement(hardware: string): Promise<Announcement | undefined> {
    const announcement = await this.records.read(async (tables) => {
      for (const { release, state } of await tables.releasesOf(hardware)) {
        if (state !== "published" || !await tables.isSigned(release)) continue;
        return announcementOf(await loadRelease(tables, release));
      }
      return undefined;
    });
    return announcement && { ...announcement, ...stamped(await this.signer.timestamp()) };
  }

  /** Announces every hardware id. */
  async announceAll(): Promise<void> {
    const all = await this.records.read((tables) => tables.hardware());
    for (const { hardware } of all) await this.#announce(hardware);
  }

  /** Tells one vehicle that its targets have changed. */
  async desire(row: VehicleRow): Promise<void> {
    const { version = 0, campaign = null } = row.director ?? {}; // One that is held is not told.
    const timestamp = stamped(await this.signer.timestamp(row.vin));
    const desired: Desired = { v: 1, campaign, version, ...timestamp };
    await this.#send(vehicleTopic(row.vin, "desired"), desired);
  }

  /**
   * Another broker keeps a message that a server sent, perhaps long ago: takes it back if the
   * records do not say it, as after they were restored from a backup.
   *
   * @param topic Where it is kept.
   */
  async retained(topic: string): Promise<void> {
    const parsed = parseTopic(topic);
    if (parsed?.kind === "announce") {
      if (await this.#announcement(parsed.hardware) !== undefined) return;
      await this.#clear(topic);
      await this.announce(parsed.hardware); // It may have been published between the two.
    } else if (parsed?.kind === "desired") {
      const row = () => this.records.read((tables) => tables.vehicle(parsed.vin));
      if ((await row())?.director) return;
      await this.#clear(topic);
      const now = await row();
      if (now?.director) await this.desire(now);
    }
  }

  async #clear(topic: string): Promise<void> {
    try {
      await this.announcer.clear(topic);
      this.log(`Took back what the broker kept on ${topic}: the records do not say it`);
    } catch (error) {
      this.log(`Cannot take back what the broker keeps on ${topic}: ${(error as Error).message}`);
    }
  }

  /** Tells everybody how the server is. */
  async status(
    state: ServerStatus["state"],
    sinceMs: Millis,
    lastError: Trouble | undefined,
  ): Promise<void> {
    const status: ServerStatus = {
      v: 1,
      state,
      since: isoTime(sinceMs),
      ...errorFields(lastError),
    };
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

function stamped(timestamp: string | undefined): { timestamp?: string } {
  return timestamp === undefined ? {} : { timestamp };
}

/**
 * Why the server was restarted, as its status and the board carry it.
 *
 * @param lastError The crash, if one is to be told.
 * @returns The fields.
 */
export function errorFields(
  lastError: Trouble | undefined,
): { lastError?: string; lastErrorAt?: string } {
  return lastError === undefined ? {} : {
    lastError: lastError.message,
    ...(lastError.at === undefined ? {} : { lastErrorAt: lastError.at }),
  };
}
