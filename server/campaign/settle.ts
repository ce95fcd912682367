/**
 * Brings one vehicle's records in line with campaigns and with what it reported: standings,
 * current campaign, queue, and what it is told. Inside one transaction.
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import { isoTime, type Millis } from "shared/clock.ts";
import { type Need, needOf } from "shared/needs.ts";
import { isFinal } from "shared/protocol/common.ts";
import type { VehicleReport } from "shared/protocol/messages.ts";
import type { AssignmentRow, CampaignRow, Records, VehicleRow } from "../ports.ts";
import { decide, isCommitted, type Offer, type OfferedRelease, type Standing } from "./decide.ts";
import { type Assigned, canTell, type FullRelease, isNews, tell } from "./director.ts";
import { type Channel, fold } from "./fold.ts";
import { heldUntil } from "./hold.ts";

/** What changed for others to hear of. */
export interface Settled {
  readonly row: VehicleRow;
  /** Campaigns in which the vehicle stands elsewhere now. */
  readonly campaigns: readonly string[];
  /** The vehicle is told something new. */
  readonly news: boolean;
  /** Anything at all was written. */
  readonly changed: boolean;
  /** It is to be settled again then, if nothing happens before. */
  readonly heldUntil: string | null;
}

/** A report that is to be folded in first. */
export interface Incoming {
  readonly report: VehicleReport;
  readonly channel: Channel;
}

/**
 * Settles one vehicle.
 *
 * @param tables The records, in a transaction for writing.
 * @param row The vehicle as it is to be written; its report is already the newest.
 * @param options The time, and a report to be folded in.
 * @returns What changed.
 */
export async function settle(
  tables: Records,
  row: VehicleRow,
  options: { readonly nowMs: Millis; readonly incoming?: Incoming },
): Promise<Settled> {
  const before = await tables.vehicle(row.vin);
  const rows = await tables.assignmentsOfVehicle(row.vin);
  const standings = new Map(rows.map((each) => [each.campaign, standingOf(each)]));
  const holds = new Map(rows.map((each) => [each.campaign, each.heldUntil]));
  const offers = await loadOffers(tables, standings);
  const written = new Map<string, Standing>();
  const write = (standing: Standing) => {
    standings.set(standing.campaign, standing);
    written.set(standing.campaign, standing);
  };

  const about = options.incoming && aboutOf(options.incoming.report, row, standings);
  if (options.incoming !== undefined && about !== undefined) {
    const { report, channel } = options.incoming;
    const releases = await releasesOf(tables, about.campaign);
    const { state, failure } = fold(about, report, { channel, releases });
    if (state !== about.state || JSON.stringify(failure) !== JSON.stringify(about.failure)) {
      write({ ...about, state, failure });
    }
  }

  const ecus = (row.report?.ecus ?? []).map((ecu) => ({
    ...ecu,
    successful: ecu.slot !== null && ecu.slots[ecu.slot].successful,
  }));
  const decision = decide(ecus, offers, [...standings.values()]);
  for (const standing of decision.changed) write(standing);
  const targets = await loadTargets(tables, decision.targets);
  const { current } = decision;
  const held = current === null
    ? null
    : await heldUntil(tables, row, { campaign: current, targets, nowMs: options.nowMs });
  const stands = current === null ? undefined : standings.get(current);
  if (stands !== undefined && (holds.get(stands.campaign) ?? null) !== held) write(stands);
  const updatedAt = isoTime(options.nowMs);
  for (const standing of written.values()) {
    const heldUntil = standing.campaign === current ? held : null;
    const assignment: AssignmentRow = { ...standing, vin: row.vin, updatedAt, heldUntil };
    await tables.putAssignment(assignment);
  }
  const silent = held !== null || [...targets.values()].some((release) => !canTell(release));
  const told = tell(row.vin, silent ? null : current, assigned(row, targets));
  const news = isNews(row.director, told);
  const after: VehicleRow = {
    ...row,
    current: decision.current,
    queue: decision.queue,
    director: news ? { ...told, version: (row.director?.version ?? 0) + 1 } : row.director,
  };
  const changed = JSON.stringify(before) !== JSON.stringify(after);
  if (changed) await tables.putVehicle(after);
  const campaigns = [...written.keys()];
  return {
    ...{ row: after, campaigns, news, changed: changed || campaigns.length > 0 },
    heldUntil: held,
  };
}

function standingOf({ campaign, state, failure, targets }: AssignmentRow): Standing {
  return { campaign, state, failure, targets };
}

/** Each release with what its ECU runs. */
function assigned(
  row: VehicleRow,
  targets: ReadonlyMap<string, FullRelease>,
): Map<string, Assigned> {
  const runs = new Map(row.report?.ecus.map((ecu) => [ecu.serial, ecu.sha256]));
  return new Map(
    [...targets].map(([serial, release]) => [
      serial,
      { release, runs: runs.get(serial) ?? null },
    ]),
  );
}

/** The standing that a report is about: the campaign it names, else the one the vehicle is in. */
function aboutOf(
  report: VehicleReport,
  row: VehicleRow,
  standings: ReadonlyMap<string, Standing>,
): Standing | undefined {
  const id = report.campaign ?? row.current;
  return id === null ? undefined : standings.get(id);
}

/** Campaigns that may matter to a vehicle, newest first. */
async function loadOffers(
  tables: Records,
  standings: ReadonlyMap<string, Standing>,
): Promise<Offer[]> {
  const matters = (row: CampaignRow) => {
    const standing = standings.get(row.campaign);
    if (standing !== undefined && isCommitted(standing)) return true;
    if (row.state === "withdrawn") return standing !== undefined && !isFinal(standing.state);
    return true; // What ended here may still supersede older ones.
  };
  const offers: Offer[] = [];
  for (const row of (await tables.campaigns()).filter(matters)) {
    const releases = await offeredReleases(tables, row);
    offers.push({ campaign: row.campaign, state: row.state, releases });
  }
  return offers;
}

/**
 * The releases of a campaign, as decisions need them.
 *
 * @param tables The records.
 * @param campaign Its id.
 * @returns Its releases; none if there is no such campaign.
 */
export async function releasesOf(tables: Records, campaign: string): Promise<OfferedRelease[]> {
  const row = await tables.campaign(campaign);
  return row === undefined ? [] : await offeredReleases(tables, row);
}

async function offeredReleases(tables: Records, row: CampaignRow): Promise<OfferedRelease[]> {
  const releases: OfferedRelease[] = [];
  for (const id of row.releases) {
    const release = await tables.release(id);
    invariant(release !== undefined, `campaign ${row.campaign} offers release ${id}, which exists`);
    const { hardware, counter, sha256 } = release;
    const needs = await loadNeeds(tables, release.needs);
    releases.push({ release: id, hardware, counter, sha256, needs });
  }
  return releases;
}

async function loadNeeds(tables: Records, ids: readonly string[]): Promise<Need[]> {
  const needs: Need[] = [];
  for (const id of ids) needs.push(needOf(id, (await tables.release(id))?.counter));
  return needs;
}

async function loadTargets(
  tables: Records,
  targets: Readonly<Record<string, string>>,
): Promise<Map<string, FullRelease>> {
  const loaded = new Map<string, FullRelease>();
  for (const [serial, id] of Object.entries(targets)) {
    loaded.set(serial, await loadRelease(tables, id));
  }
  return loaded;
}

/**
 * A release with its image and carriers.
 *
 * @param tables The records.
 * @param id Its id; it exists.
 * @returns All of it.
 */
export async function loadRelease(tables: Records, id: string): Promise<FullRelease> {
  const row = await tables.release(id);
  invariant(row !== undefined, `release ${id} exists`);
  const blob = await tables.blob(row.sha256);
  invariant(blob !== undefined, `release ${id} has an image`);
  const needs = await loadNeeds(tables, row.needs);
  const signed = await tables.isSigned(id);
  return { row, blob, carriers: await tables.carriersOf(row.sha256), needs, signed };
}
