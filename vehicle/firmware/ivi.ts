/**
 * Sample firmware of the head unit: a clock, and a drive along the roads of its map.
 *
 * Its table is a map: records of position along the route in 10 m, heading in tenths of
 * a degree, speed limit in km/h, and a street number.
 *
 * @module
 */
import { type Build, colorOf, type DataTable, firstFall, runFirmware } from "./lib.ts";

/** Metres of one step of the position column. */
const STEP_METERS = 10;
/** Records that the simulated drive passes in a second. */
const RECORDS_PER_SECOND = 3;
const WINDS = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"] as const;

/**
 * Entry of the image.
 *
 * @param build What the build baked in.
 */
export function main(build: Build): void {
  runFirmware(build, {
    check(table) {
      const fall = firstFall(table, 0);
      if (fall !== undefined) return `Cannot use the map: record ${fall} lies before the last`;
      for (let record = 0; record < table.records; record++) {
        const limit = table.cell(record, 2);
        if (limit < 30 || limit > 130) return `Cannot use the map: limit ${limit} km/h`;
      }
      return undefined;
    },
    display(table, second) {
      return {
        title: `Head unit ${build.version}`,
        lines: [clock(), ...drive(table, second * RECORDS_PER_SECOND)],
        color: colorOf(build.version, ["#1d4ed8", "#047857", "#7c3aed"]),
      };
    },
  });
}

function clock(): string {
  return `${new Date().toISOString().slice(11, 19)} UTC`;
}

function drive(table: DataTable, record: number): string[] {
  const meters = table.cell(record, 0) * STEP_METERS;
  const wind = WINDS[Math.round(table.cell(record, 1) / 450) % WINDS.length];
  return [
    `Street ${table.cell(record, 3)}, heading ${wind}`,
    `Limit ${table.cell(record, 2)} km/h, ${(meters / 1000).toFixed(1)} km on the way`,
  ];
}
