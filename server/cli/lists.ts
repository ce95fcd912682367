/**
 * `ota releases`, `vehicles`, `campaigns` and `hardware`: what the server knows.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes.js";
import { type Care, careLine, careOf } from "shared/care.ts";
import type { Campaign, FailedTrial, Release, Vehicle } from "shared/protocol/api.ts";
import { HardwareId } from "shared/protocol/common.ts";
import type { RotReport } from "shared/protocol/messages.ts";
import { argument, type Context } from "./context.ts";

/** `ota releases`. @param context Server and output. @throws {CommandError} If it fails. */
export async function listReleases(context: Context): Promise<void> {
  const rows = await (await context.client()).releases();
  context.output.table(rows, {
    heads: ["RELEASE", "COUNTER", "STATE", "SIZE", "DELTAS", "CREATED", "PURPOSE"],
    cells: (row: Release) => [[
      row.release,
      String(row.counter),
      row.state,
      formatBytes(row.lengthBytes),
      String(deltaBases(row).size),
      row.createdAt,
      clip(row.notes.purpose),
    ]],
  }, "No releases yet: publish one with `ota publish`");
}

/** Images that vehicles can come from by a delta; a BSDIFF40 patch is none until it is repacked. */
function deltaBases({ carriers }: Release): Set<string> {
  const deltas = carriers.filter(({ format }) => format === "container");
  return new Set(deltas.flatMap(({ baseSha256 }) => baseSha256 ?? []));
}

/** One line of `ota vehicles --json`. */
export interface VehicleLine {
  readonly vin: string;
  readonly online: boolean;
  readonly ecus: readonly EcuLine[];
  /** What has rotted in it, each with where that stands; only if there is any. */
  readonly rot?: readonly (RotReport & { readonly care: Care })[];
  /** The last failed trial of each ECU; only if there is any. */
  readonly failedTrials?: readonly FailedTrial[];
}
type EcuFields =
  | "serial"
  | "hardware"
  | "state"
  | "version"
  | "counter"
  | "sha256"
  | "slot"
  | "failure";
/** One ECU of {@linkcode VehicleLine}. */
export type EcuLine = Pick<Vehicle["ecus"][number], EcuFields>;

/**
 * A vehicle as `ota vehicles --json` prints it: these fields and no other, and those of rot and
 * failed trials only where there are any.
 *
 * @param vehicle The vehicle as the API gives it.
 * @returns Its line.
 */
export function vehicleLine(
  { vin, online, ecus, rot = [], failedTrials = [] }: Vehicle,
): VehicleLine {
  return {
    vin,
    online,
    ecus: ecus.map(({ serial, hardware, state, version, counter, sha256, slot, failure }) => (
      { serial, hardware, state, version, counter, sha256, slot, failure }
    )),
    ...(rot.length === 0 ? {} : { rot: rot.map((one) => ({ ...one, care: careOf(one) })) }),
    ...(failedTrials.length === 0 ? {} : { failedTrials }),
  };
}

/** `ota vehicles`. @param context Server and output. @throws {CommandError} If it fails. */
export async function listVehicles(context: Context): Promise<void> {
  const vehicles = await (await context.client()).vehicles();
  const rows = vehicles.map(vehicleLine);
  const crashes = new Map(vehicles.map(({ vin, lastError }) => [vin, lastError]));
  context.output.table(rows, {
    heads: ["VIN", "ONLINE", "ECU", "HARDWARE", "STATE", "VERSION", "SLOT", "FAILURE", "CARE"],
    cells: ({ vin, online, ecus, rot = [], failedTrials = [] }: VehicleLine) => {
      const heads = [vin, online ? "yes" : "no"];
      const crash = crashes.get(vin);
      const restarted = crash === undefined ? [] : [
        [...["", "", "(vehicle)", "", "restarted", "-", "-"], clip(crash.message), ""],
      ];
      const gateway = careCell("gateway", rot, []);
      const own = gateway === "" ? [] : [["", "", "gateway", "", "-", "-", "-", "", gateway]];
      if (ecus.length === 0) return [[...heads, "-", "-", "never reported", "-", "-", "", ""]];
      return ecus.map((ecu, i) => [
        ...(i === 0 ? heads : ["", ""]),
        ecu.serial,
        ecu.hardware,
        ecu.state,
        ecu.version ?? "-",
        ecu.slot ?? "-",
        ecu.failure === null ? "" : `${ecu.failure.code} ${ecu.failure.name}`,
        careCell(ecu.serial, rot, failedTrials),
      ]).concat(own, restarted);
    },
  }, "No vehicles yet: enrol one with `ota enrol --vin VIN`");
}

/** `ota campaigns`. @param context Server and output. @throws {CommandError} If it fails. */
export async function listCampaigns(context: Context): Promise<void> {
  const rows = await (await context.client()).campaigns();
  context.output.table(rows, {
    heads: ["CAMPAIGN", "STATE", "RELEASES", "VEHICLES", "CREATED"],
    cells: (row: Campaign) => [[
      row.campaign,
      row.state,
      row.releases.join(" "),
      countStates(row),
      row.createdAt,
    ]],
  }, "No campaigns yet: `ota publish` and `ota offer` make them");
}

function countStates({ vehicles }: Campaign): string {
  const counts = new Map<string, number>();
  for (const { state, heldUntil } of vehicles) {
    const key = heldUntil === undefined ? state : `${state} (held for a delta)`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([state, count]) => `${count} ${state}`).join(", ") || "none";
}

/** `ota hardware list`. @param context Server and output. @throws {CommandError} If it fails. */
export async function listHardware(context: Context): Promise<void> {
  const rows = await (await context.client()).hardware();
  const cells = ({ hardware, origin }: typeof rows[number]) => [[hardware, origin]];
  context.output.table(rows, { heads: ["HARDWARE", "ORIGIN"], cells }, "No hardware ids");
}

/**
 * `ota hardware add ID`.
 *
 * @param context Server and output.
 * @param id The hardware id.
 * @throws {CommandError} Usage, if it is none; refused; unreachable.
 */
export async function addHardware(context: Context, id: string): Promise<void> {
  const hardware = argument(HardwareId, id, "hardware id");
  const added = await (await context.client()).addHardware(hardware);
  context.output.result(added, `Known hardware id: ${added.hardware} (${added.origin})`);
}

/** Open rot first, as somebody looks for that; then what was healed, and the last failed trial. */
function careCell(
  ecu: string,
  rot: readonly RotReport[],
  trials: readonly FailedTrial[],
): string {
  const own = rot.filter((one) => one.ecu === ecu)
    .toSorted((a, b) => Number(a.healedAt !== null) - Number(b.healedAt !== null));
  const trial = trials.find((one) => one.ecu === ecu);
  const failed = trial && `trial of ${trial.version} failed: ${trial.failure}, ${trial.at}`;
  return [...own.map(careLine), failed ?? []].flat().join("; ");
}

function clip(text: string): string {
  const line = text.split("\n")[0]!;
  return line.length <= 60 ? line : `${line.slice(0, 59)}…`;
}
