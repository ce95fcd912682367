/**
 * Entities as people see them, put together from records and from what is live.
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import { isoTime, type Millis } from "shared/clock.ts";
import { MAX_PAGE_ROWS } from "shared/limits.ts";
import type { BoardSnapshot, Campaign, DeltaJob, Release, Vehicle } from "shared/protocol/api.ts";
import { errorFields, type Trouble } from "../campaign/bulletins.ts";
import { believed } from "../campaign/fold.ts";
import type { Ledger } from "../campaign/ledger.ts";
import { shownState } from "../campaign/verbs.ts";
import type { CampaignRow, Page, Records, RecordStore, ReleaseRow, VehicleRow } from "../ports.ts";
import type { DeltaJobRow } from "../ports_delta.ts";
import type { ChangeName, FeedSource } from "./feed.ts";

/** Jobs that are over and still shown: those of the last few releases. */
const RECENT_JOBS = 200;

/** How the server is. */
export interface ServerState {
  readonly state: string;
  readonly sinceMs: Millis;
  /** Why it was restarted, while that is to be told, or what is wrong now. */
  readonly lastError: Trouble | undefined;
}

/** Makes entities. */
export class View implements FeedSource {
  /**
   * @param records What is kept.
   * @param ledger What is live.
   * @param server How the server is now.
   * @param doneBytes How far a job is that makes a carrier.
   */
  constructor(
    readonly records: RecordStore,
    readonly ledger: Ledger,
    readonly server: () => ServerState,
    readonly doneBytes: (job: string) => number,
  ) {}

  /** Releases, newest first. */
  releases(page: Page): Promise<Release[]> {
    return this.records.read(async (tables) => {
      const rows = await tables.releases(page);
      return await Promise.all(rows.map((row) => fullRelease(tables, row)));
    });
  }

  /** One release, or `undefined`. */
  release(id: string): Promise<Release | undefined> {
    return this.records.read(async (tables) => {
      const row = await tables.release(id);
      return row && await fullRelease(tables, row);
    });
  }

  /** Campaigns, newest first. */
  campaigns(page: Page): Promise<Campaign[]> {
    return this.records.read(async (tables) => {
      const rows = await tables.campaigns(page);
      return await Promise.all(rows.map((row) => fullCampaign(tables, row)));
    });
  }

  /** One campaign, or `undefined`. */
  campaign(id: string): Promise<Campaign | undefined> {
    return this.records.read(async (tables) => {
      const row = await tables.campaign(id);
      return row && await fullCampaign(tables, row);
    });
  }

  /** Vehicles, by VIN. */
  async vehicles(page: Page): Promise<Vehicle[]> {
    return await this.records.read(async (tables) => {
      const rows = await tables.vehicles(page);
      return await Promise.all(rows.map((row) => this.#vehicle(tables, row)));
    });
  }

  /** One vehicle, or `undefined`. */
  vehicle(vin: string): Promise<Vehicle | undefined> {
    return this.records.read(async (tables) => {
      const row = await tables.vehicle(vin);
      return row && await this.#vehicle(tables, row);
    });
  }

  /** Jobs that make carriers: all that are not over, and the last others; newest first. */
  deltas(): Promise<DeltaJob[]> {
    return this.records.read(async (tables) => {
      const rows = await tables.recentDeltaJobs(RECENT_JOBS);
      return await Promise.all(rows.map((row) => this.#delta(tables, row)));
    });
  }

  /** One job, or `undefined`. */
  delta(id: string): Promise<DeltaJob | undefined> {
    return this.records.read(async (tables) => {
      const row = await tables.deltaJob(id);
      return row && await this.#delta(tables, row);
    });
  }

  /** Everything the board shows: of a large fleet the first, and how many there are. */
  async snapshot(): Promise<BoardSnapshot> {
    const { state, sinceMs, lastError } = this.server();
    const first = { limit: MAX_PAGE_ROWS, after: undefined };
    const { releases, campaigns, vehicles } = await this.records.read((tables) => tables.counts());
    return {
      v: 1,
      releases: await this.releases(first),
      campaigns: await this.campaigns(first),
      vehicles: await this.vehicles(first),
      hardware: await this.records.read((tables) => tables.hardware()),
      deltas: await this.deltas(),
      totals: { releases, campaigns, vehicles },
      server: { state, since: isoTime(sinceMs), ...errorFields(lastError) },
    };
  }

  /** One entity for the feed. */
  async load(name: ChangeName, key: string): Promise<unknown> {
    if (name === "release") return await this.release(key);
    if (name === "campaign") return await this.campaign(key);
    if (name === "vehicle") return await this.vehicle(key);
    if (name === "delta") return await this.delta(key);
    const all = await this.records.read((tables) => tables.hardware());
    return all.find(({ hardware }) => hardware === key);
  }

  async #delta(tables: Records, row: DeltaJobRow): Promise<DeltaJob> {
    const { rank: _rank, attempts: _attempts, ...job } = row;
    const totalBytes = (await tables.blob(row.sha256))?.lengthBytes ?? 0;
    const doneBytes = row.state === "kept" ? totalBytes : this.doneBytes(row.job);
    return { v: 1, ...job, doneBytes, totalBytes };
  }

  async #vehicle(tables: Records, row: VehicleRow): Promise<Vehicle> {
    const failedTrials = (await tables.trials(row.vin)).map(({ lines: _lines, ...trial }) => trial);
    const live = this.ledger.get(row.vin);
    const wanted = Object.fromEntries(
      Object.entries(row.director?.ecus ?? {}).map(([serial, { release }]) => [
        serial,
        release.sha256,
      ]),
    );
    const newest = (live.report?.seq ?? 0) > (row.report?.seq ?? 0) ? live.report : row.report;
    const conn = live.conn === "never" && row.lastSeenAt !== null ? "offline" : live.conn;
    return {
      v: 1,
      vin: row.vin,
      online: conn === "online",
      conn,
      lastSeenAt: live.seenAtMs === null ? row.lastSeenAt : isoTime(live.seenAtMs),
      campaign: row.current,
      queue: [...row.queue],
      ecus: believed(row.report, live.report, wanted),
      ...(newest?.lastError === undefined ? {} : { lastError: newest.lastError }),
      ...(newest?.rot === undefined ? {} : { rot: newest.rot }),
      ...(failedTrials.length === 0 ? {} : { failedTrials }),
    };
  }
}

async function fullRelease(tables: Records, row: ReleaseRow): Promise<Release> {
  const blob = await tables.blob(row.sha256);
  invariant(blob !== undefined, `release ${row.release} has an image`);
  return {
    v: 1,
    ...row,
    lengthBytes: blob.lengthBytes,
    merkleRoot: blob.merkleRoot,
    rxswin: [...row.rxswin],
    needs: [...row.needs],
    carriers: await tables.carriersOf(row.sha256),
  };
}

async function fullCampaign(tables: Records, row: CampaignRow): Promise<Campaign> {
  const assignments = await tables.assignmentsOfCampaign(row.campaign);
  return {
    v: 1,
    campaign: row.campaign,
    state: shownState(row.state, assignments),
    releases: [...row.releases],
    vehicles: assignments.map(({ vin, state, failure, updatedAt, heldUntil }) => ({
      ...{ vin, state, failure, updatedAt },
      ...(heldUntil === null ? {} : { heldUntil }),
    })),
    createdAt: row.createdAt,
    createdBy: row.createdBy,
  };
}
