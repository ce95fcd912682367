/**
 * Sample firmware of the body controller: tyre pressures and doors.
 *
 * Its table compensates tyre pressures: records of raw sensor value, pressure in hPa over
 * the air's, temperature in tenths of a degree, and wheel position.
 *
 * @module
 */
import { type Build, colorOf, type DataTable, firstFall, runFirmware } from "./lib.ts";

const WHEELS = ["FL", "FR", "RL", "RR"] as const;
/** What tyres of a passenger car may have, in hPa. */
const [MIN_HPA, MAX_HPA] = [1500, 3500] as const;

/**
 * Entry of the image.
 *
 * @param build What the build baked in.
 */
export function main(build: Build): void {
  runFirmware(build, {
    check(table) {
      const fall = firstFall(table, 0);
      if (fall !== undefined) return `Cannot use the compensation: record ${fall} falls`;
      for (let record = 0; record < table.records; record++) {
        const hpa = table.cell(record, 1);
        if (hpa < MIN_HPA || hpa > MAX_HPA) return `Cannot use the compensation: ${hpa} hPa`;
      }
      return undefined;
    },
    display(table, second) {
      return {
        title: `Body ${build.version}`,
        lines: [...WHEELS.map((wheel, i) => `${wheel} ${bar(table, second, i)} bar`), "Doors shut"],
        color: colorOf(build.version, ["#334155", "#1d4ed8", "#15803d"]),
      };
    },
  });
}

function bar(table: DataTable, second: number, wheel: number): string {
  return (table.cell(second * 11 + wheel * 97, 1) / 1000).toFixed(2);
}
