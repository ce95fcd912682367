/**
 * The data tables of the sample firmware: generated, the same for the same version, and
 * changed in few places from version to version, as maps and calibrations are.
 *
 * @module
 */
import { crc32 } from "shared/bytes.ts";
import { type Build, COLUMNS } from "./lib.ts";

/** The ECUs that sample firmware exists for. */
export const FIRMWARE_NAMES = ["ivi", "cluster", "body"] as const;
/** An ECU that sample firmware exists for. */
export type FirmwareName = typeof FIRMWARE_NAMES[number];

/** Records of 8 bytes: 400 KB of map, 240 KB of gauges and of tyres, once in base64. */
const RECORDS: Record<FirmwareName, number> = { ivi: 36_000, cluster: 21_000, body: 21_000 };
/** Neighbouring records that one revision of the table changes together. */
const PATCH_RECORDS = 100;
/** Places that one revision changes. */
const PATCHES = 20;

/**
 * Makes the table of a firmware.
 *
 * @param name The ECU.
 * @param version Each minor version up to this one has revised the table.
 * @returns What the build bakes in.
 */
export function dataTable(name: FirmwareName, version: string): Build {
  const view = new DataView(new ArrayBuffer(RECORDS[name] * COLUMNS * 2));
  const draw = drawing(crc32(new TextEncoder().encode(name)));
  const cells = CELLS[name];
  for (let record = 0; record < RECORDS[name]; record++) {
    write(view, record, cells(record / RECORDS[name], draw));
  }
  const revisions = Number(version.split(".")[1] ?? 0);
  for (let revision = 1; revision <= revisions; revision++) {
    for (let patch = 0; patch < PATCHES; patch++) {
      const start = draw(RECORDS[name] - PATCH_RECORDS);
      for (let record = start; record < start + PATCH_RECORDS; record++) {
        write(view, record, cells(record / RECORDS[name], draw));
      }
    }
  }
  const bytes = new Uint8Array(view.buffer);
  return { version, table: bytes.toBase64(), tableCrc: crc32(bytes) };
}

type Draw = (below: number) => number;
type Record4 = readonly [number, number, number, number];

/** One record at a place of 0 to 1; the first column rises, the others are what they mean. */
const CELLS: Record<FirmwareName, (place: number, draw: Draw) => Record4> = {
  ivi: (place, draw) => [
    Math.floor(place * 32_000),
    Math.floor(1800 + 1700 * Math.sin(place * 40)) + draw(60),
    30 + 10 * draw(11),
    1 + draw(900),
  ],
  cluster: (place, draw) => [
    Math.floor(place * 32_000),
    Math.floor(place * 2690) + draw(9),
    80 + draw(520),
    draw(256),
  ],
  body: (place, draw) => [
    Math.floor(place * 32_000),
    2200 + Math.floor(150 * Math.sin(place * 25)) + draw(120),
    150 + draw(300),
    draw(4),
  ],
};

function write(view: DataView, record: number, cells: Record4): void {
  cells.forEach((cell, column) => view.setInt16((record * COLUMNS + column) * 2, cell, true));
}

/** Numbers from a seed (xorshift32): the same on every machine. */
function drawing(seed: number): Draw {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
