/**
 * The vehicles: takes their reports, settles them against campaigns, and tells them what is new.
 *
 * @module
 */
import { type Clock, isoTime } from "shared/clock.ts";
import { FAILURES, UpdateFailure } from "shared/failure.ts";
import { rotNews } from "shared/care.ts";
import { MAX_HARDWARE_PER_VEHICLE } from "shared/limits.ts";
import type { Conn, VehicleEvent, VehicleReport } from "shared/protocol/messages.ts";
import { newVehicle } from "../access/enrolment.ts";
import type { Feed } from "../board/feed.ts";
import type { Metrics } from "../metrics.ts";
import type { Log, Records, RecordStore, VehicleRow } from "../ports.ts";
import type { Bulletins } from "./bulletins.ts";
import { falselyConfirmed, fold } from "./fold.ts";
import type { Ledger } from "./ledger.ts";
import { type Incoming, releasesOf, settle, type Settled } from "./settle.ts";

/** Events kept of one vehicle: some fifty updates. */
const KEEP_EVENTS = 1000;

/** What the fleet needs. */
export interface FleetPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly feed: Feed;
  readonly bulletins: Bulletins;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Signs what a vehicle is told. @returns Whether it is to be told of a new timestamp. */
  readonly sign: (tables: Records, row: VehicleRow) => Promise<boolean>;
}

/** All vehicles of one server. */
export class Fleet {
  #settling: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  /** When vehicles that are held go on at the latest: one timer for each campaign. */
  readonly #holds = new Set<string>();

  constructor(readonly ports: FleetPorts) {}

  /**
   * Settles one vehicle now.
   *
   * @param vin The vehicle.
   * @param change What to do with its row in the same transaction.
   * @returns Its row afterwards.
   */
  async settle(
    vin: string,
    change: (tables: Records, row: VehicleRow) => Promise<VehicleRow> = (_, row) =>
      Promise.resolve(row),
  ): Promise<VehicleRow> {
    const settled = await this.ports.records.write(async (tables) => {
      const row = await change(tables, await tables.vehicle(vin) ?? newVehicle(vin));
      return await this.#settle(tables, row);
    });
    await this.#tell(settled);
    return settled.row;
  }

  /**
   * Settles every vehicle, one after the other, in the background: a campaign may concern
   * thousands. A vehicle that asks meanwhile is settled when it asks.
   */
  settleAll(): void {
    this.#settling = this.#settling.then(async () => {
      for (const vin of await this.ports.records.read((tables) => tables.vins())) {
        if (this.#stopping.signal.aborted) return;
        await this.settle(vin);
        await this.ports.clock.sleep(0); // Requests come first.
      }
    }).catch((error) => this.ports.log(`Cannot settle all vehicles: ${(error as Error).stack}`));
  }

  /** Waits for what {@linkcode Fleet.settleAll} began. */
  async settled(): Promise<void> {
    await this.#settling;
  }

  /** Ends the work in the background. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#settling;
  }

  /**
   * Takes the body of `PUT /manifest`: the only report that can confirm an update.
   *
   * @param report The report; whose it is has been checked.
   * @throws {UpdateFailure} `wrongState` If a newer one, or another one with its number, is there.
   */
  async manifest(report: VehicleReport): Promise<void> {
    const { records, clock, metrics, feed, ledger } = this.ports;
    const nowMs = clock.now();
    ledger.seen(report.vin, nowMs);
    const { settled, hardware, before } = await records.write(async (tables) => {
      const row = await tables.vehicle(report.vin) ?? newVehicle(report.vin);
      if (isRepeated(row.report, report)) return { settled: undefined, hardware: [] };
      const lies = await this.#lies(tables, row, report);
      metrics.add("ota_false_confirmed_total", lies.length);
      await keepTrialLogs(tables, report);
      const fresh = await this.#meet(tables, report);
      const settled = await this.#settle(
        tables,
        { ...row, report, lastSeenAt: isoTime(nowMs) },
        { report, channel: "manifest" },
      );
      return { settled, hardware: fresh, before: row.report };
    });
    for (const id of hardware) feed.changed("hardware", id);
    if (settled === undefined) return;
    metrics.add("ota_manifests_total");
    countCare(metrics, before ?? null, report);
    await this.#tell(settled);
  }

  /** Takes a live report. It is kept in memory; only a change of state reaches the records. */
  async status(report: VehicleReport): Promise<void> {
    const { records, clock, ledger, metrics, feed } = this.ports;
    ledger.seen(report.vin, clock.now());
    if (!ledger.take(report)) return metrics.add("ota_mqtt_dropped_total", 1, ["reason", "stale"]);
    feed.changed("vehicle", report.vin);
    if (!await records.read((tables) => this.#moves(tables, report))) return;
    const settled = await records.write(async (tables) => {
      const row = await tables.vehicle(report.vin);
      if (row === undefined || isOvertaken(row, report)) return undefined;
      return await this.#settle(tables, row, { report, channel: "mqtt" });
    });
    if (settled !== undefined) await this.#tell(settled);
  }

  /** Keeps an event, once. */
  async event(vin: string, event: VehicleEvent): Promise<void> {
    this.ports.ledger.seen(vin, this.ports.clock.now());
    await this.ports.records.write((tables) => tables.addEvent(vin, event, KEEP_EVENTS));
  }

  /** A vehicle says how it is connected. */
  conn(vin: string, word: Conn): void {
    this.ports.ledger.seen(vin, this.ports.clock.now());
    if (this.ports.ledger.say(vin, word)) this.ports.feed.changed("vehicle", vin);
  }

  /** The broker says how many connections a vehicle has. */
  async connections(vin: string, count: number): Promise<void> {
    const { ledger, clock, feed, records } = this.ports;
    const nowMs = clock.now();
    ledger.seen(vin, nowMs);
    if (!ledger.count(vin, count)) return;
    await records.write(async (tables) => {
      const row = await tables.vehicle(vin);
      if (row !== undefined) await tables.putVehicle({ ...row, lastSeenAt: isoTime(nowMs) });
    });
    feed.changed("vehicle", vin);
  }

  /** The line to the broker broke: who is connected will be heard when it is back. */
  lineLost(): void {
    for (const vin of this.ports.ledger.lineLost()) this.ports.feed.changed("vehicle", vin);
  }

  /** Whether a live report would change where the vehicle stands. */
  async #moves(tables: Records, report: VehicleReport): Promise<boolean> {
    const row = await tables.vehicle(report.vin);
    const id = report.campaign ?? row?.current;
    if (row === undefined || !id || isOvertaken(row, report)) return false;
    const standing = (await tables.assignmentsOfVehicle(report.vin))
      .find(({ campaign }) => campaign === id);
    if (standing === undefined) return false;
    const releases = await releasesOf(tables, id);
    const { state, failure } = fold(standing, report, { channel: "mqtt", releases });
    return state !== standing.state || JSON.stringify(failure) !== JSON.stringify(standing.failure);
  }

  /** Makes the hardware ids of a report known; those of a vehicle that told too many are not. */
  async #meet(tables: Records, { vin, ecus }: VehicleReport): Promise<string[]> {
    let left = MAX_HARDWARE_PER_VEHICLE - await tables.hardwareCountOf(vin);
    const fresh: string[] = [];
    for (const { hardware } of ecus) {
      if (left <= 0) {
        this.ports.metrics.add("ota_hardware_ignored_total");
        break;
      }
      if (!await tables.putHardware({ hardware, origin: "reported" }, vin)) continue;
      fresh.push(hardware);
      left--;
    }
    return fresh;
  }

  /** ECUs that claim to be confirmed while another image runs. They are logged, not believed. */
  async #lies(tables: Records, row: VehicleRow, report: VehicleReport): Promise<string[]> {
    const standing = (await tables.assignmentsOfVehicle(row.vin))
      .find(({ campaign }) => campaign === report.campaign);
    if (standing === undefined) return [];
    const serials = falselyConfirmed(standing, report, await releasesOf(tables, standing.campaign));
    for (const serial of serials) {
      this.ports.log(
        `Cannot believe ECU "${serial}" of ${row.vin}: it claims to be confirmed in ` +
          `${standing.campaign} while another image runs`,
      );
    }
    return serials;
  }

  /** Settles all when the vehicles of a campaign need not wait any longer. */
  #release(until: string): void {
    if (this.#holds.has(until)) return;
    this.#holds.add(until);
    const { clock } = this.ports;
    const leftMs = Math.max(0, Date.parse(until) - clock.now());
    void clock.sleep(leftMs, this.#stopping.signal).then(() => {
      this.#holds.delete(until);
      this.settleAll();
    }, () => undefined);
  }

  /** What it is told and its signature come in one transaction. */
  async #settle(tables: Records, row: VehicleRow, incoming?: Incoming): Promise<Settled> {
    const nowMs = this.ports.clock.now();
    const settled = await settle(tables, row, {
      nowMs,
      ...(incoming === undefined ? {} : { incoming }),
    });
    const fresh = await this.ports.sign(tables, settled.row);
    return { ...settled, news: settled.news || fresh };
  }

  async #tell({ row, campaigns, news, changed, heldUntil }: Settled): Promise<void> {
    if (heldUntil !== null) this.#release(heldUntil);
    if (changed) this.ports.feed.changed("vehicle", row.vin);
    for (const campaign of campaigns) this.ports.feed.changed("campaign", campaign);
    if (news) await this.ports.bulletins.desire(row);
  }
}

/** Counts what a manifest tells of rot and failed trials: each once, by manifests only. */
function countCare(metrics: Metrics, before: VehicleReport | null, now: VehicleReport): void {
  const { found, healed } = rotNews(before?.rot ?? [], now.rot ?? []);
  for (const { failure } of found) {
    metrics.add("ota_rot_found_total", 1, ["failure", failure.name]);
  }
  for (const { failure } of healed) {
    metrics.add("ota_rot_healed_total", 1, ["failure", failure.name]);
  }
  for (const { failure } of now.trialLogs ?? []) {
    metrics.add("ota_failed_trials_total", 1, ["failure", failure]);
  }
}

/** A manifest tells the log of a failed trial once; as an event it is kept, and beside its ECU. */
async function keepTrialLogs(tables: Records, report: VehicleReport): Promise<void> {
  for (const log of report.trialLogs ?? []) {
    const { code, stage } = FAILURES[log.failure];
    await tables.addEvent(report.vin, {
      v: 1,
      id: log.id,
      seq: report.seq,
      at: log.at,
      ecu: log.ecu,
      state: report.ecus.find((ecu) => ecu.serial === log.ecu)?.state ?? "rolledBack",
      campaign: report.campaign,
      failure: { code, name: log.failure, stage, message: log.detail },
      log,
    }, KEEP_EVENTS);
    await tables.putTrial(report.vin, log);
  }
}

/**
 * Whether a manifest has told more already: both ways count with the same number, and MQTT may be
 * the slower one. An old word that is taken for a new one would undo what the manifest said.
 */
function isOvertaken(row: VehicleRow, report: VehicleReport): boolean {
  return row.report !== null && report.seq <= row.report.seq;
}

/**
 * A vehicle whose answer got lost sends the same report again: that is no mistake.
 *
 * @throws {UpdateFailure} `wrongState` If the report is old, or its number is taken by another.
 */
function isRepeated(last: VehicleReport | null, report: VehicleReport): boolean {
  if (last === null || report.seq > last.seq) return false;
  if (report.seq === last.seq && JSON.stringify(report) === JSON.stringify(last)) return true;
  throw new UpdateFailure(
    "wrongState",
    "seq",
    `Cannot take the report of ${report.vin}: its seq is ${report.seq}, and ${last.seq} is known`,
  );
}
