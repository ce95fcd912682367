import { assertEquals } from "@std/assert/mod.js";
import { isoTime } from "shared/clock.ts";
import { DELTA_HOLD_MS, MIN_HELD_BYTES } from "shared/limits.ts";
import type { DeltaJob } from "shared/protocol/api.ts";
import type { Carrier } from "shared/protocol/common.ts";
import { newVehicle } from "../access/enrolment.ts";
import { openRecords } from "../adapters/records_sqlite.ts";
import type { VehicleRow } from "../ports.ts";
import { ecuReport, NOTES, vehicleReport, VIN } from "../samples_test.ts";
import type { FullRelease } from "./director.ts";
import { heldUntil } from "./hold.ts";

const [IMAGE, BASE] = ["a".repeat(64), "b".repeat(64)];
const AT_MS = Date.parse("2026-01-01T00:00:00.000Z");
const UNTIL = isoTime(AT_MS + DELTA_HOLD_MS);

interface Case {
  readonly nowMs?: number;
  readonly runs?: string | null;
  readonly told?: string;
  readonly state?: DeltaJob["state"];
  readonly lengthBytes?: number;
  readonly delta?: Carrier["format"];
}

function release({ lengthBytes = MIN_HELD_BYTES, delta }: Case): FullRelease {
  const full: Carrier = {
    ...{ v: 1, carrierSha256: "c".repeat(64), format: "container", lengthBytes, sha256: IMAGE },
  };
  const row = {
    ...{ release: "ivi-rpi4/1.1.0", hardware: "ivi-rpi4", version: "1.1.0", counter: 2 },
    ...{ sha256: IMAGE, notes: NOTES, rxswin: [], needs: [], state: "published" as const },
    ...{ createdAt: isoTime(AT_MS), createdBy: "admin" },
  };
  const carriers = delta === undefined
    ? [full]
    : [full, { ...full, carrierSha256: "d".repeat(64), format: delta, baseSha256: BASE }];
  const blob = { sha256: IMAGE, lengthBytes, merkleRoot: "0".repeat(64) };
  return { row, blob, carriers, needs: [], signed: true };
}

async function hold(each: Case): Promise<string | null> {
  const { nowMs = AT_MS, runs = BASE, told, state = "queued" } = each;
  const folder = await Deno.makeTempDir();
  const records = openRecords(`${folder}/records.sqlite`);
  try {
    const row: VehicleRow = {
      ...newVehicle(VIN),
      report: vehicleReport(1, [ecuReport("ivi", "ivi-rpi4", { sha256: runs })]),
      director: told === undefined ? null : {
        ...{ v: 1, vin: VIN, version: 1, campaign: told, action: "install" },
        ...{ preconditions: [], ecus: {} },
      },
    };
    return await records.write(async (tables) => {
      await tables.putCampaign({
        ...{ campaign: "c1", number: 1, state: "running", releases: ["ivi-rpi4/1.1.0"] },
        ...{ createdAt: isoTime(AT_MS), createdBy: "admin" },
      });
      await tables.addDeltaJob({
        ...{ sha256: IMAGE, baseSha256: BASE, effort: "best", rank: 1, state, reason: null },
        ...{ failure: null, attempts: 0, carrierSha256: null, lengthBytes: null },
        ...{ fullBytes: null, createdAt: isoTime(AT_MS), updatedAt: isoTime(AT_MS) },
      });
      const targets = new Map([["ivi", release(each)]]);
      return await heldUntil(tables, row, { campaign: "c1", targets, nowMs });
    });
  } finally {
    records.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const CASES: readonly (readonly [string, Case, string | null])[] = [
  ["holds a vehicle whose delta waits", {}, UNTIL],
  ["holds a vehicle whose delta is being made", { state: "running" }, UNTIL],
  ["holds to the last millisecond", { nowMs: AT_MS + DELTA_HOLD_MS - 1 }, UNTIL],
  ["lets it go at the bound", { nowMs: AT_MS + DELTA_HOLD_MS }, null],
  ["lets it go when the delta was dropped", { state: "dropped" }, null],
  ["lets it go when the delta is there", { delta: "container" }, null],
  ["lets one go that runs something else", { runs: "e".repeat(64) }, null],
  ["lets one go that runs nothing", { runs: null }, null],
  ["lets one go that runs this image already", { runs: IMAGE }, null],
  ["takes nothing back that was told", { told: "c1" }, null],
  ["holds one that was told of another campaign", { told: "c0" }, UNTIL],
  ["holds nobody for a small image", { lengthBytes: MIN_HELD_BYTES - 1 }, null],
  ["holds for a small image with a patch", { lengthBytes: 10, delta: "bsdiff40" }, UNTIL],
];

for (const [name, each, wanted] of CASES) {
  Deno.test(`heldUntil() ${name}`, async () => assertEquals(await hold(each), wanted));
}
