/**
 * What `ota vehicles` says of rot and of failed trials, as a person and as a program reads it.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert/mod.js";
import { FAILURES } from "shared/failure.ts";
import type { RotReport, TrialLog, VehicleReport } from "shared/protocol/messages.ts";
import { ok, VIN, withServer } from "./cli_world.ts";
import { ecu } from "./hmi_fixtures.ts";

const AT = "2026-03-14T09:26:53.000Z";
const failure = {
  code: FAILURES.slotRotten.code,
  name: "slotRotten" as const,
  stage: FAILURES.slotRotten.stage,
  message: "Cannot trust slot B of ivi",
};
const TRIAL: TrialLog = {
  ...{ v: 1, id: "c".repeat(64), ecu: "body", at: AT, version: "1.5.0", counter: 8 },
  ...{ sha256: "b".repeat(64), failure: "imageHung", detail: "no heartbeat", lines: ["boot"] },
};
const ROT: RotReport[] = [
  { ecu: "ivi", what: "slot A", at: AT, failure, healedAt: AT },
  {
    ...{ ecu: "ivi", what: "slot B", at: AT, failure, healedAt: null },
    healing: { doneLeaves: 3, totalLeaves: 7 },
  },
  { ecu: "gateway", what: "journal", at: AT, failure, healedAt: AT },
];
const REPORT: VehicleReport = {
  ...{ v: 1, vin: VIN, seq: 1, at: AT, campaign: null },
  ecus: [ecu("ivi", "ivi-rpi4", { failure }), ecu("body", "body-sim")],
};

Deno.test("ota vehicles tells where rot stands and which trial failed, and of a sound vehicle nothing", async () => {
  await withServer(async ({ server }, run) => {
    const { token } = ok(await run("enrol", "--vin", VIN, "--json"));
    const { http, device } = server.urls;
    const enrolled = await fetch(`${http}/enrol`, {
      method: "POST",
      body: JSON.stringify({ v: 1, vin: VIN, token }),
    });
    const { secret } = await enrolled.json();
    const put = async (report: VehicleReport) => {
      const answer = await fetch(`${device}/manifest`, {
        method: "PUT",
        headers: { authorization: `Bearer ${secret}` },
        body: JSON.stringify(report),
      });
      await answer.body?.cancel();
      assertEquals(answer.status, 200);
    };
    await put(REPORT);
    assertEquals(Object.keys(ok(await run("vehicles", "--json"))), ["vin", "online", "ecus"]);

    await put({ ...REPORT, seq: 2, rot: ROT, trialLogs: [TRIAL] });
    const line = ok(await run("vehicles", "--json"));
    assertEquals(Object.keys(line), ["vin", "online", "ecus", "rot", "failedTrials"]);
    assertEquals(line.rot, [
      { ...ROT[0], care: "healed" },
      { ...ROT[1], care: "healing" },
      { ...ROT[2], care: "healed" },
    ]);
    const { lines: _lines, ...trial } = TRIAL;
    assertEquals(line.failedTrials, [trial]);

    const rows = (await run("vehicles")).stdout.trimEnd().split("\n");
    assertEquals(rows.length, 4);
    assertMatch(rows[0]!, /FAILURE +CARE$/);
    assertMatch(
      rows[1]!,
      /ivi-rpi4 .*509 slotRotten +slot B: being healed, 3 of 7 leaves; slot A: healed$/,
    );
    assertMatch(rows[2]!, /body-sim .*trial of 1\.5\.0 failed: imageHung, 2026-03-14T09:26:53/);
    assertMatch(rows[3]!, /^ +gateway .*journal: healed$/);
  });
});
