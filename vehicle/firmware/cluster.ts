/**
 * Sample firmware of the instrument cluster: speed, revolutions and odometer.
 *
 * Its table is the gauge calibration: records of sensor value, needle angle in tenths of
 * a degree, revolutions in tens, and lamp brightness.
 *
 * @module
 */
import { type Build, colorOf, type DataTable, firstFall, runFirmware } from "./lib.ts";

/** The needle's largest angle, in tenths of a degree. */
const FULL_ANGLE = 2700;
/** The speed at the largest angle, in km/h. */
const FULL_SPEED = 260;
/** Kilometres on the odometer when the simulation starts. */
const ODOMETER_KM = 12_345;

/**
 * Entry of the image.
 *
 * @param build What the build baked in.
 */
export function main(build: Build): void {
  let travelledKm = 0;
  runFirmware(build, {
    check(table) {
      const fall = firstFall(table, 0);
      if (fall !== undefined) return `Cannot use the gauges: record ${fall} falls`;
      for (let record = 0; record < table.records; record++) {
        const angle = table.cell(record, 1);
        if (angle < 0 || angle > FULL_ANGLE) return `Cannot use the gauges: angle ${angle}`;
      }
      return undefined;
    },
    display(table, second) {
      const speed = speedAt(table, second);
      travelledKm += speed / 3600;
      return {
        title: `Cluster ${build.version}`,
        lines: [
          `${Math.round(speed)} km/h`,
          `${table.cell(second * 7, 2) * 10} rpm`,
          `Odometer ${(ODOMETER_KM + travelledKm).toFixed(1)} km`,
        ],
        color: colorOf(build.version, ["#0f766e", "#b45309", "#be123c"]),
      };
    },
  });
}

/** A quiet drive: the sensor swings, the calibration turns it into an angle. */
function speedAt(table: DataTable, second: number): number {
  const swing = (1 - Math.cos(second / 20)) / 2;
  const record = Math.round(swing * (table.records - 1) / 3);
  return table.cell(record, 1) / FULL_ANGLE * FULL_SPEED;
}
