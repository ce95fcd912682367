import { assertEquals } from "@std/assert/mod.js";
import type { Campaign, Vehicle } from "shared/protocol/api.ts";
import { DirectorTargets } from "shared/protocol/director.ts";
import { TestServer } from "./fixture_test.ts";
import { ecuReport, sampleBytes, vehicleReport, VIN } from "./samples_test.ts";

Deno.test("a release with needs waits, said to people, until the vehicle runs what it needs", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const [body, ivi] = [await test.upload(sampleBytes(900)), await test.upload(sampleBytes(900, 2))];
  await test.publish("body-sim", "1.2.0", { sha256: body, counter: 7, draft: true });
  const report = async (seq: number, bodyRuns: object) => {
    const ecus = [ecuReport("ivi", "ivi-rpi4", {}), ecuReport("body", "body-sim", bodyRuns)];
    assertEquals((await test.report(secret, vehicleReport(seq, ecus))).status, 200);
  };
  const told = async () => {
    const answer = await test.asVehicle(secret, `/metadata/director/${VIN}/targets.json`);
    return DirectorTargets.parse(await answer.json());
  };
  await report(1, {});
  const needs = ["body-sim/1.2.0"];
  const made = await test.publish("ivi-rpi4", "2.0.0", { sha256: ivi, needs });
  assertEquals(made.campaign, "c1");
  assertEquals([(await told()).campaign, (await told()).ecus], [null, {}]);
  const { vehicles } = await test.get<Campaign>("/api/v1/campaigns/c1");
  assertEquals(vehicles.map(({ vin, state, failure }) => [vin, state, failure?.name]), [
    [VIN, "assigned", "needsUnmet"],
  ]);
  assertEquals(
    vehicles[0]!.failure!.message,
    'Cannot offer ivi-rpi4/2.0.0 to ECU "ivi": it needs body-sim/1.2.0, and beside it would run ' +
      "nothing",
  );
  assertEquals((await test.get<Vehicle>(`/api/v1/vehicles/${VIN}`)).queue, ["c1"]);

  // A newer body will do; the vehicle is told the counter, so that it can see that for itself.
  const slots = ecuReport("body", "body-sim", {}).slots;
  await report(2, {
    ...{ version: "1.3.0", counter: 8, sha256: "a".repeat(64), slot: "A" },
    slots: { ...slots, A: { ...slots.A, successful: true } },
  });
  const { campaign, ecus } = await told();
  assertEquals([campaign, Object.keys(ecus)], ["c1", ["ivi"]]);
  const { release } = ecus.ivi!;
  assertEquals([release.needs, release.needCounters], [needs, { "body-sim/1.2.0": 7 }]);
  const after = await test.get<Campaign>("/api/v1/campaigns/c1");
  assertEquals(after.vehicles.map(({ state, failure }) => [state, failure]), [["assigned", null]]);
});

Deno.test("a bundle that brings what its release needs is offered at once", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const sha256 = await test.upload(sampleBytes(900));
  await test.publish("body-sim", "1.2.0", { sha256, draft: true });
  const needs = ["body-sim/1.2.0"];
  await test.publish("ivi-rpi4", "2.0.0", { sha256, needs, draft: true });
  const ecus = [ecuReport("ivi", "ivi-rpi4", {}), ecuReport("body", "body-sim", {})];
  await test.report(secret, vehicleReport(1, ecus));
  const releases = ["ivi-rpi4/2.0.0", ...needs];
  const offered = await test.post("/api/v1/campaigns", { releases });
  assertEquals([offered.ok, (await offered.json()).campaign], [true, "c1"]);
  const answer = await test.asVehicle(secret, `/metadata/director/${VIN}/targets.json`);
  const told = DirectorTargets.parse(await answer.json());
  assertEquals(Object.keys(told.ecus), ["body", "ivi"]);
});
