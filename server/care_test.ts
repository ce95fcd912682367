import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import { DatabaseSync } from "node:sqlite";
import { FAILURES } from "shared/failure.ts";
import { MAX_ECUS, MAX_VEHICLES_IN_METRICS } from "shared/limits.ts";
import { sha256Hex } from "shared/node/digest.ts";
import type { BoardSnapshot, Vehicle } from "shared/protocol/api.ts";
import type { RotReport, TrialLog, VehicleEvent } from "shared/protocol/messages.ts";
import { newVehicle } from "./access/enrolment.ts";
import { MIGRATIONS } from "./adapters/migrations.ts";
import { TestServer } from "./fixture_test.ts";
import { backToVersion } from "./old_records_test.ts";
import { ecuReport, OTHER_VIN, vehicleReport, VIN } from "./samples_test.ts";

const AT = "2026-03-14T09:26:53.000Z";
const ECUS = [ecuReport("ivi", "ivi-rpi4", {}), ecuReport("body", "body-sim", {})];

function trial(ecu: string, version: string, at = AT): TrialLog {
  return {
    ...{ v: 1, id: sha256Hex(new TextEncoder().encode(ecu + version)), ecu, at, version },
    ...{ counter: 2, sha256: "a".repeat(64), failure: "imageHung", detail: "no heartbeat" },
    lines: ["+12 ms selfTest", "4 heartbeats"],
  };
}

function rot(what: string, more: Partial<RotReport> = {}): RotReport {
  const { code, stage } = FAILURES.slotRotten;
  const failure = { code, stage, name: "slotRotten" as const, message: `Cannot trust ${what}` };
  return { ecu: "ivi", what, at: AT, failure, healedAt: null, ...more };
}

/** The lines of `/metrics` that begin so. */
async function metrics(test: TestServer, prefix: string): Promise<string[]> {
  const text = await (await test.ask("/metrics")).text();
  return text.split("\n").filter((line) => line.startsWith(prefix));
}

Deno.test("the last failed trial of each ECU is kept with its log, across restarts, and counted once", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const send = async (seq: number, trialLogs: TrialLog[]) => {
    const report = { ...vehicleReport(seq, ECUS), trialLogs };
    assertEquals((await test.report(secret, report)).status, 200);
    return report;
  };
  const trials = () => test.get<TrialLog[]>(`/api/v1/vehicles/${VIN}/trials`);
  assertEquals(await trials(), []);
  await send(1, [trial("ivi", "1.1.0")]);
  await send(2, [trial("body", "2.0.0")]);
  const last = await send(3, [trial("ivi", "1.2.0")]);
  await test.report(secret, last); // Its answer was lost.
  assertEquals(await metrics(test, "ota_failed_trials_total"), [
    'ota_failed_trials_total{failure="imageHung"} 3',
  ]);
  await test.restart();
  assertEquals(await trials(), [trial("ivi", "1.2.0"), trial("body", "2.0.0")]);
  const { failedTrials } = await test.get<Vehicle>(`/api/v1/vehicles/${VIN}`);
  assertEquals(failedTrials?.map(({ ecu, version }) => [ecu, version]), [
    ["ivi", "1.2.0"],
    ["body", "2.0.0"],
  ]);
  assert(!JSON.stringify(failedTrials).includes("heartbeats"), "the words are fetched when asked");
  await test.enrol(OTHER_VIN);
  assertEquals(await test.get(`/api/v1/vehicles/${OTHER_VIN}/trials`), []);
});

Deno.test("failed trials are found again in the events of an older program, and bounded", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const logs = [trial("ivi", "1.1.0"), trial("body", "2.0.0"), trial("ivi", "1.2.0")];
  for (const [at, log] of logs.entries()) {
    await test.report(secret, { ...vehicleReport(at + 1, ECUS), trialLogs: [log] });
  }
  await test.server.stop();
  const before = MIGRATIONS.findIndex((step) => step.includes("CREATE TABLE trials"));
  await backToVersion(`${test.config.data}/records.sqlite`, before);
  await test.restart();
  test.token = await test.login();
  assertEquals(await test.get(`/api/v1/vehicles/${VIN}/trials`), [logs[2], logs[1]]);
  const events = await test.get<VehicleEvent[]>(`/api/v1/vehicles/${VIN}/events`);
  assertEquals(events.filter(({ log }) => log !== undefined).length, 3);

  const { records } = test.server.core.ports;
  await records.write(async (tables) => {
    for (let i = 0; i < MAX_ECUS + 5; i++) await tables.putTrial(VIN, trial(`made-up-${i}`, "1.0"));
  });
  const kept = await test.get<TrialLog[]>(`/api/v1/vehicles/${VIN}/trials`);
  assertEquals([kept.length, kept[0]!.ecu], [MAX_ECUS, `made-up-${MAX_ECUS + 4}`]);
});

Deno.test("rot is shown with its vehicle, counted when found and when healed, and named while it is open", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const healing = { doneLeaves: 3, totalLeaves: 7 };
  const send = async (seq: number, ...found: RotReport[]) => {
    const report = { ...vehicleReport(seq, ECUS), rot: found };
    assertEquals((await test.report(secret, report)).status, 200);
  };
  const figures = async () => ({
    found: await metrics(test, "ota_rot_found_total"),
    healed: await metrics(test, "ota_rot_healed_total"),
    open: await metrics(test, "ota_vehicle_rot_open"),
    vehicles: await metrics(test, "ota_vehicles_rotten"),
  });
  const none = { open: [], vehicles: ["ota_vehicles_rotten 0"] };
  const zero = { found: ["ota_rot_found_total 0"], healed: ["ota_rot_healed_total 0"] };
  assertEquals(await figures(), { ...zero, ...none });

  await send(1, rot("slot A", { healing }), rot("slot B", { healing }));
  const { rot: shown } = await test.get<Vehicle>(`/api/v1/vehicles/${VIN}`);
  assertEquals(shown, [rot("slot A", { healing }), rot("slot B", { healing })]);
  const [vehicle] = (await test.server.core.view.snapshot() as BoardSnapshot).vehicles;
  assertEquals(vehicle!.rot, shown);
  const found = ['ota_rot_found_total{failure="slotRotten"} 2'];
  assertEquals(await figures(), {
    ...{ found, healed: zero.healed, open: [`ota_vehicle_rot_open{vin="${VIN}"} 2`] },
    vehicles: ["ota_vehicles_rotten 1"],
  });
  await send(2, rot("slot A", { healedAt: AT }), rot("slot B", { healing }));
  await send(3, rot("slot A", { healedAt: AT }), rot("slot B", { healedAt: AT }));
  await send(4, rot("slot A", { healedAt: AT }), rot("slot B", { healedAt: AT }));
  const healed = ['ota_rot_healed_total{failure="slotRotten"} 2'];
  assertEquals(await figures(), { found, healed, ...none });
});

Deno.test("metrics name the vehicles with most rot only, found by an index, however many there are", async () => {
  await using test = await TestServer.start();
  const { records } = test.server.core.ports;
  const count = MAX_VEHICLES_IN_METRICS + 5;
  await records.write(async (tables) => {
    for (let i = 0; i < count; i++) {
      const vin = `WVWZZZ1JZXW${String(i).padStart(6, "0")}`;
      const places = ["slot A", "slot B"].slice(0, i === count - 1 ? 2 : 1);
      const found = places.map((what) => rot(what));
      const report = { ...vehicleReport(1, ECUS, null, vin), rot: found };
      await tables.putVehicle({ ...newVehicle(vin), report });
    }
  });
  const named = await metrics(test, "ota_vehicle_rot_open");
  assertEquals(named.length, MAX_VEHICLES_IN_METRICS);
  assertMatch(named[0]!, new RegExp(`000${count - 1}"} 2$`));
  assertEquals(await metrics(test, "ota_vehicles_rotten"), [`ota_vehicles_rotten ${count}`]);
  using db = new DatabaseSync(`${test.config.data}/records.sqlite`, { readOnly: true });
  const plan = db.prepare(
    "EXPLAIN QUERY PLAN SELECT vin FROM vehicles WHERE json_extract(report, '$.rot') IS NOT NULL",
  ).all();
  assertMatch(JSON.stringify(plan), /USING (COVERING )?INDEX vehicles_rotten/);
});
