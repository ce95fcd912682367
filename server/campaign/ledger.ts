/**
 * What vehicles do now: connections and the last live report. In memory only: after a restart
 * of the server the vehicles say it again, and what counts is in the records.
 *
 * @module
 */
import type { Millis } from "shared/clock.ts";
import type { Conn, VehicleReport } from "shared/protocol/messages.ts";
import type { ConnState } from "../ports.ts";

/** What one vehicle does now. */
export interface Live {
  readonly conn: ConnState;
  readonly connections: number;
  readonly seenAtMs: Millis | null;
  /** The newest report that came by MQTT. */
  readonly report: VehicleReport | null;
}

const NOTHING: Live = { conn: "never", connections: 0, seenAtMs: null, report: null };

/** What all vehicles do now. */
export class Ledger {
  readonly #live = new Map<string, Live>();

  /** What one vehicle does now. */
  get(vin: string): Live {
    return this.#live.get(vin) ?? NOTHING;
  }

  /** How many vehicles are online. */
  get online(): number {
    return [...this.#live.values()].filter(({ conn }) => conn === "online").length;
  }

  /** Any sign of life. */
  seen(vin: string, atMs: Millis): void {
    this.#live.set(vin, { ...this.get(vin), seenAtMs: atMs });
  }

  /**
   * Takes a live report.
   *
   * @returns Whether it is newer than the last one.
   */
  take(report: VehicleReport): boolean {
    const live = this.get(report.vin);
    if (live.report !== null && report.seq <= live.report.seq) return false;
    this.#live.set(report.vin, { ...live, report });
    return true;
  }

  /** The vehicle has a new secret: what was said with the old one proves nothing any more. */
  forgetReport(vin: string): void {
    const live = this.#live.get(vin);
    if (live !== undefined) this.#live.set(vin, { ...live, report: null });
  }

  /**
   * A vehicle says how it is connected, by its own word or by its will.
   *
   * @returns Whether that is new.
   */
  say(vin: string, word: Conn): boolean {
    const live = this.get(vin);
    // The will of a broken connection may arrive after the next one has been opened.
    const conn = word === "offline" && live.connections > 1 ? live.conn : word;
    this.#live.set(vin, { ...live, conn });
    return conn !== live.conn;
  }

  /**
   * Nothing is heard any more, so nobody is known to be online.
   *
   * @returns Those whose state is another one now.
   */
  lineLost(): string[] {
    const online = [...this.#live].filter(([, { conn }]) => conn === "online");
    for (const [vin, live] of online) this.#live.set(vin, { ...live, conn: "offline" });
    return online.map(([vin]) => vin);
  }

  /**
   * The broker says how many connections a vehicle has.
   *
   * @returns Whether the vehicle's state is another one now.
   */
  count(vin: string, connections: number): boolean {
    const live = this.get(vin);
    let { conn } = live;
    // A vehicle that left without a will: only "rebooting" may outlive the connection.
    if (connections === 0 && conn === "online") conn = "offline";
    if (connections > 0 && live.connections === 0) conn = "online";
    this.#live.set(vin, { ...live, conn, connections });
    return conn !== live.conn;
  }
}
