/**
 * Which campaign a vehicle is in, and what its ECUs are to run. Pure.
 *
 * The rules, in order:
 * 1. A campaign in which the vehicle has committed itself (`installing` or later) stays, whatever
 *    the publisher does meanwhile: the way is forward or back, never sideways.
 * 2. A withdrawn campaign ends for the vehicle as `canceled`, with failure `withdrawn`.
 * 3. A running campaign has work on an ECU when its release is for that hardware and has a higher
 *    counter than what runs; an empty ECU is below every counter, and so is one on trial, which
 *    may go back: a bundle that was made up without it would be half a bundle then.
 *    It waits, `assigned` with failure `needsUnmet`, while a release that one of these needs would
 *    not run beside it (shared/needs.ts); all of it, since a bundle is installed together.
 * 4. A campaign is superseded when a newer one, running or halted, that does not wait so, has a higher counter for each ECU
 *    it has work on: it ends as `canceled`, with failure `replaced`. While a campaign is halted,
 *    vehicles are not sent to an older one instead.
 * 5. Of those that are left, the newest is the vehicle's; the others wait in the queue.
 * 6. What ended on a vehicle stays ended there: a new offer is a new campaign.
 *
 * @module
 */
import { FAILURES } from "shared/failure.ts";
import { type Need, unmetNeed } from "shared/needs.ts";
import {
  COMMITTED_STATES,
  type EcuState,
  type FailureReport,
  isFinal,
} from "shared/protocol/common.ts";

/** What runs on one ECU. */
export interface RunningEcu {
  readonly serial: string;
  readonly hardware: string;
  /** `null`: it is empty, or in recovery. */
  readonly counter: number | null;
  readonly sha256: string | null;
  /** What runs was confirmed; otherwise it runs on borrowed tries and proves nothing. */
  readonly successful: boolean;
}

/** A release of a campaign. */
export interface OfferedRelease {
  readonly release: string;
  readonly hardware: string;
  readonly counter: number;
  readonly sha256: string;
  /** What must run beside it. */
  readonly needs: readonly Need[];
}

/** A campaign, as far as it matters to one vehicle. */
export interface Offer {
  readonly campaign: string;
  readonly state: "running" | "halted" | "withdrawn";
  readonly releases: readonly OfferedRelease[];
}

/** Where the vehicle stands in one campaign. */
export interface Standing {
  readonly campaign: string;
  readonly state: EcuState;
  readonly failure: FailureReport | null;
  /** ECU serial to release id. */
  readonly targets: Readonly<Record<string, string>>;
}

/** What follows for the vehicle. */
export interface Decision {
  readonly current: string | null;
  /** ECU serial to release id, of the current campaign. */
  readonly targets: Readonly<Record<string, string>>;
  /** Campaigns that wait, newest first. */
  readonly queue: readonly string[];
  /** Standings that are new or differ from before. */
  readonly changed: readonly Standing[];
}

/**
 * Decides.
 *
 * @param ecus What runs on the vehicle.
 * @param offers All campaigns that matter, newest first.
 * @param standings Where the vehicle stands in campaigns so far.
 * @returns What follows; deciding again on the outcome changes nothing.
 */
export function decide(
  ecus: readonly RunningEcu[],
  offers: readonly Offer[],
  standings: readonly Standing[],
): Decision {
  const before = new Map(standings.map((standing) => [standing.campaign, standing]));
  const changed: Standing[] = [];
  const committed = offers.find(({ campaign }) => isCommitted(before.get(campaign)));
  let current = committed?.campaign ?? null;
  const queue: string[] = [];
  const works = offers.map((offer) => {
    const targets = workOf(offer, ecus);
    return { offer, targets, unmet: unmetOf(offer, targets, ecus) };
  });

  for (const [index, work] of works.entries()) {
    const { offer } = work;
    const standing = before.get(offer.campaign);
    if (offer === committed || (standing !== undefined && isFinal(standing.state))) continue;
    const next = outcome(work, standing, {
      ecus,
      superseded: isSuperseded(work, works.slice(0, index), ecus),
    });
    if (next === undefined) continue;
    if (isFinal(next.state) || offer.state !== "running") {
      if (standing !== undefined && differs(standing, next)) changed.push(next);
      continue;
    }
    if (next.failure === null) current ??= offer.campaign;
    const waited = standing?.state === "assigned" && standing.failure?.name === "needsUnmet";
    const kept = current === offer.campaign && standing !== undefined && !waited
      ? { ...next, state: standing.state, failure: standing.failure }
      : next;
    if (current !== offer.campaign) queue.push(offer.campaign);
    if (standing === undefined || differs(standing, kept)) changed.push(kept);
  }
  const stands = changed.find(({ campaign }) => campaign === current) ??
    (current === null ? undefined : before.get(current));
  return { current, targets: stands?.targets ?? {}, queue, changed };
}

/**
 * Whether a vehicle may no longer be taken out of a campaign.
 *
 * @param standing Where it stands, if at all.
 * @returns Whether it has committed itself.
 */
export function isCommitted(standing: Pick<Standing, "state"> | undefined): boolean {
  return standing !== undefined && COMMITTED_STATES.includes(standing.state);
}

/** What an offer would do on the vehicle. */
interface Work {
  readonly offer: Offer;
  /** ECU serial to release id, for each ECU that it has work on. */
  readonly targets: Readonly<Record<string, string>>;
  /** Why it must wait, in words. */
  readonly unmet: string | undefined;
}

/** Where the vehicle stands after this look, or `undefined` if the offer is none of its business. */
function outcome(
  { offer, targets, unmet }: Work,
  standing: Standing | undefined,
  look: { readonly ecus: readonly RunningEcu[]; readonly superseded: boolean },
): Standing | undefined {
  const { campaign } = offer;
  if (offer.state === "withdrawn") {
    return standing && { ...standing, ...canceled("withdrawn", campaign) };
  }
  if (Object.keys(targets).length === 0) {
    if (standing === undefined) return undefined;
    if (runsAll(offer, standing, look.ecus)) {
      return { ...standing, state: "confirmed", failure: null };
    }
    return { ...standing, ...canceled("replaced", campaign) };
  }
  if (look.superseded) return standing && { ...standing, ...canceled("replaced", campaign) };
  if (offer.state === "halted") {
    return standing && { ...standing, state: "assigned", failure: null };
  }
  if (unmet !== undefined) {
    const { code, stage } = FAILURES.needsUnmet;
    const failure = { code, name: "needsUnmet", stage, message: unmet } as const;
    return { campaign, state: "assigned", failure, targets };
  }
  return { campaign, state: "assigned", failure: null, targets };
}

/** ECU serial to release id, for each ECU that a campaign has work on. */
function workOf(offer: Offer, ecus: readonly RunningEcu[]): Record<string, string> {
  const targets: Record<string, string> = {};
  for (const ecu of ecus) {
    const release = offer.releases.find(({ hardware }) => hardware === ecu.hardware);
    if (release === undefined) continue;
    if (ecu.counter === null || ecu.counter < release.counter || !ecu.successful) {
      targets[ecu.serial] = release.release;
    }
  }
  return targets;
}

/** Why a release of the work may not run yet: what it needs would not run beside it. */
function unmetOf(
  offer: Offer,
  targets: Readonly<Record<string, string>>,
  ecus: readonly RunningEcu[],
): string | undefined {
  const chosen = (serial: string) =>
    offer.releases.find(({ release }) => release === targets[serial]);
  const future = ecus.map(({ serial, hardware, counter, successful }) => {
    const target = chosen(serial);
    return {
      hardware,
      release: target?.release ?? null,
      counter: target?.counter ?? (successful ? counter : null),
    };
  });
  for (const serial of Object.keys(targets)) {
    const target = chosen(serial)!;
    const why = unmetNeed(target.needs, future);
    if (why !== undefined) return `Cannot offer ${target.release} to ECU "${serial}": ${why}`;
  }
  return undefined;
}

/** Whether one newer campaign has something higher for every ECU. */
function isSuperseded(
  { offer, targets }: Work,
  newer: readonly Work[],
  ecus: readonly RunningEcu[],
): boolean {
  const hardware = ecus.filter(({ serial }) => serial in targets).map((ecu) => ecu.hardware);
  const counterOf = (from: Offer, id: string) =>
    from.releases.find((release) => release.hardware === id)?.counter ?? 0;
  return newer.some(({ offer: other, unmet }) =>
    other.state !== "withdrawn" && unmet === undefined &&
    hardware.every((id) => counterOf(other, id) > counterOf(offer, id))
  );
}

/** Whether each target runs exactly what it was to run. */
function runsAll(offer: Offer, standing: Standing, ecus: readonly RunningEcu[]): boolean {
  return Object.entries(standing.targets).every(([serial, id]) => {
    const release = offer.releases.find((each) => each.release === id);
    const ecu = ecus.find((each) => each.serial === serial);
    return release !== undefined && ecu?.sha256 === release.sha256 &&
      ecu.counter === release.counter && ecu.successful;
  });
}

function canceled(name: "withdrawn" | "replaced", campaign: string): Pick<
  Standing,
  "state" | "failure"
> {
  const { code, stage } = FAILURES[name];
  const message = name === "withdrawn"
    ? `Cannot go on with campaign ${campaign}: its publisher withdrew it`
    : `Cannot go on with campaign ${campaign}: a newer release took its place`;
  return { state: "canceled", failure: { code, name, stage, message } };
}

function differs(a: Standing, b: Standing): boolean {
  return JSON.stringify([a.state, a.failure, sorted(a.targets)]) !==
    JSON.stringify([b.state, b.failure, sorted(b.targets)]);
}

function sorted(targets: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(targets).sort(([a], [b]) => a < b ? -1 : 1);
}
