/**
 * Folds what a vehicle reports into where it stands. Pure.
 *
 * MQTT shows progress; only `PUT /manifest` makes an ECU `confirmed`, and only if the image
 * that runs is the one that was assigned. `canceled` is the server's word: a vehicle that is
 * told to stop says it too, and says nothing new by it.
 *
 * @module
 */
import {
  COMMITTED_STATES,
  type EcuState,
  type FailureReport,
  isFinal,
} from "shared/protocol/common.ts";
import type { EcuReport, VehicleReport } from "shared/protocol/messages.ts";
import type { OfferedRelease, Standing } from "./decide.ts";

/** How a report came. */
export type Channel = "mqtt" | "manifest";

/** While one ECU is under way, the vehicle is where the first of these is. */
const UNDER_WAY: readonly EcuState[] = [
  "rollingBack",
  "trial",
  "activating",
  "installed",
  "installing",
  "downloading",
  "verifying",
  "waiting",
  "postponed",
  "ready",
  "assigned",
];

/** When every ECU has ended, the vehicle ended as the worst of them. */
const ENDED: readonly EcuState[] = ["failed", "rolledBack", "declined", "confirmed"];

/** What came of a report. */
export interface Folded {
  readonly state: EcuState;
  readonly failure: FailureReport | null;
}

/**
 * Folds a report into a standing.
 *
 * @param standing Where the vehicle stands in the campaign that the report is about.
 * @param report What it says.
 * @param options How it came, and the releases of the campaign.
 * @returns Where it stands now; the same as before if the report does not tell.
 */
export function fold(
  standing: Standing,
  report: VehicleReport,
  options: { readonly channel: Channel; readonly releases: readonly OfferedRelease[] },
): Folded {
  const same = { state: standing.state, failure: standing.failure };
  if (report.campaign !== null && report.campaign !== standing.campaign) return same;
  const ecus: { readonly state: EcuState; readonly failure: FailureReport | null }[] = [];
  for (const [serial, id] of Object.entries(standing.targets)) {
    const ecu = report.ecus.find((each) => each.serial === serial);
    const release = options.releases.find((each) => each.release === id);
    if (ecu === undefined || release === undefined) return same;
    const about = report.campaign !== null || ecu.desired?.sha256 === release.sha256 ||
      runs(ecu, release);
    ecus.push({
      state: about ? stateOf(ecu, release, options.channel) : "assigned",
      failure: ecu.failure,
    });
  }
  if (ecus.length === 0) return same;
  const state = UNDER_WAY.find((each) => ecus.some((ecu) => ecu.state === each)) ??
    ENDED.find((each) => ecus.some((ecu) => ecu.state === each)) ?? "assigned";
  // What the server ended stays ended, unless the vehicle was past the point of no return.
  const overtakes = COMMITTED_STATES.includes(state) || isFinal(state);
  if (isFinal(standing.state) && !(standing.state === "canceled" && overtakes)) return same;
  const guilty = ecus.filter((ecu) => ecu.failure !== null && state !== "confirmed");
  const failure = guilty.find((ecu) => ecu.failure?.name !== "partnerFailed")?.failure ??
    guilty[0]?.failure ?? null;
  return { state, failure };
}

/** The state of one target, as far as it is believed. */
function stateOf(ecu: EcuReport, release: OfferedRelease, channel: Channel): EcuState {
  if (ecu.state === "idle" || ecu.state === "canceled") return "assigned";
  if (ecu.state !== "confirmed") return ecu.state;
  if (!runs(ecu, release)) return "assigned";
  return channel === "manifest" ? "confirmed" : "trial"; // The proof is still on its way.
}

function runs(ecu: EcuReport, release: OfferedRelease): boolean {
  return ecu.sha256 === release.sha256;
}

/**
 * The ECUs that claim to be confirmed in a campaign while another image runs: a fault of the
 * vehicle, or a lie.
 *
 * @param standing Where the vehicle stands.
 * @param report What it says.
 * @param releases The releases of the campaign.
 * @returns Their serials.
 */
export function falselyConfirmed(
  standing: Standing,
  report: VehicleReport,
  releases: readonly OfferedRelease[],
): string[] {
  if (report.campaign !== standing.campaign) return [];
  return report.ecus.filter((ecu) => {
    const release = releases.find((each) => each.release === standing.targets[ecu.serial]);
    return release !== undefined && ecu.state === "confirmed" && !runs(ecu, release);
  }).map((ecu) => ecu.serial);
}

/**
 * What people are shown of a vehicle: the newest word, with claims that are not proved taken out.
 *
 * @param manifest The last report that was proved, if any.
 * @param live The last one that came by MQTT and is newer, if any.
 * @param targets The digests that the current campaign wants, by serial.
 * @returns One report for each ECU.
 */
export function believed(
  manifest: VehicleReport | null,
  live: VehicleReport | null,
  targets: Readonly<Record<string, string>>,
): EcuReport[] {
  const proved = new Map(manifest?.ecus.map((ecu) => [ecu.serial, ecu]));
  const shown = live !== null && live.seq > (manifest?.seq ?? 0) ? live.ecus : manifest?.ecus ?? [];
  return shown.map((ecu) => {
    const before = proved.get(ecu.serial);
    const wanted = targets[ecu.serial];
    if (ecu.state !== "confirmed") return ecu;
    if (before === undefined || before.state !== "confirmed" || before.sha256 !== ecu.sha256) {
      return before ?? { ...ecu, state: "assigned" };
    }
    return wanted !== undefined && ecu.sha256 !== wanted ? { ...ecu, state: "assigned" } : ecu;
  });
}
