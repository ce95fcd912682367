/**
 * Updates of a whole simulated vehicle, gateway and three ECUs in virtual time: all take
 * the new release, or all go back.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import type { FailureName } from "shared/failure.ts";
import type { EcuState } from "shared/protocol/common.ts";
import type { EcuProfile } from "shared/protocol/ecu.ts";
import { release } from "./sim/sim_release.ts";
import type { Behaviour } from "./sim/sim_runner.ts";
import { ECUS, everyEcu, type Serial } from "./sim/sim_bundle.ts";
import { SimVehicle } from "./sim/sim_vehicle.ts";

const OLD = { body: "1.0.0", cluster: "1.0.0", ivi: "1.0.0" };
const NEW = { body: "2.0.0", cluster: "2.0.0", ivi: "2.0.0" };
const ALL = <T>(value: T) => ({ body: value, cluster: value, ivi: value });

Deno.test("a bundle of three ECUs is confirmed, in the order body, cluster, ivi", async () => {
  const vehicle = await SimVehicle.running();
  const bundle = everyEcu(2);
  vehicle.offer("c2", bundle);
  await vehicle.settled("c2");
  assertEquals(vehicle.runs(), NEW);
  assertEquals(vehicle.states(), ALL<EcuState>("confirmed"));
  assertEquals(vehicle.failures(), ALL(null));
  const tried = vehicle.starts.filter(({ version }) => version === "2.0.0");
  assertEquals(tried.map(({ serial }) => serial), ["body", "cluster", "ivi"]);
  for (const [serial] of ECUS) {
    const line = vehicle.backend.reported(serial)!;
    const { sha256 } = bundle[serial].release;
    assertEquals([line.version, line.sha256, line.counter], ["2.0.0", sha256, 2]);
    assertEquals(line.slots[line.slot!].successful, true);
    assertEquals(vehicle.told(serial), [
      ...["downloading", "verifying", "ready", "waiting", "installing", "installed"] as const,
      ...["activating", "trial", "confirmed"] as const,
    ]);
  }
  assertEquals(vehicle.screen().phase, "succeeded");
  assertEquals(vehicle.screen().result?.changes.map(({ to }) => to), ["2.0.0", "2.0.0", "2.0.0"]);
  assertEquals(vehicle.broker.conns, ["rebooting", "online"]);
  const sequence = vehicle.backend.manifests.map(({ seq }) => seq);
  assertEquals(sequence, sequence.toSorted((a, b) => a - b));
});

Deno.test("no ECU restarts before the one before it has passed its own checks", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2));
  await vehicle.settled("c2");
  const [body, cluster, ivi] = vehicle.starts.filter(({ version }) => version === "2.0.0");
  assert(cluster!.atMs - body!.atMs >= 200 && ivi!.atMs - cluster!.atMs >= 200);
});

Deno.test("a profile in any order restarts by rank", async () => {
  const profile = (one: EcuProfile) => ({ ...one, restartRank: 10 - one.restartRank });
  const vehicle = await SimVehicle.running({ profile });
  vehicle.offer("c2", everyEcu(2));
  await vehicle.settled("c2");
  const tried = vehicle.starts.filter(({ version }) => version === "2.0.0");
  assertEquals(tried.map(({ serial }) => serial), ["ivi", "cluster", "body"]);
});

const FAULTS: readonly (readonly [Behaviour, FailureName, string])[] = [
  ["crash@300", "imageCrashed", "crashes"],
  ["exit@300", "imageCrashed", "ends itself"],
  ["hang@2000", "imageHung", "hangs"],
  ["silent", "imageHung", "never says a word"],
  ["selfTestFails@300", "selfTestFailed", "fails its self-test"],
  ["selfTestMissing", "selfTestMissing", "never reports its self-test"],
  ["memory@700", "memoryExhausted", "exhausts its memory"],
  ["syntax@30", "imageSyntax", "is no program"],
  ["import@30", "imageImports", "wants to import"],
  ["crash@9000", "imageCrashed", "crashes late in its trial"],
  ["crash@10000", "imageCrashed", "crashes as its trial time ends"],
  ["hang@9500", "imageHung", "hangs just before its trial time ends"],
];
for (const [does, failure, words] of FAULTS) {
  for (const guilty of ["body", "cluster", "ivi"] as const) {
    Deno.test(`${guilty} ${words}, so all three go back, and a good release still installs`, async () => {
      const vehicle = await SimVehicle.running();
      vehicle.offer("c2", everyEcu(2, { [guilty]: { does } }));
      await vehicle.settled("c2");
      assertEquals(vehicle.runs(), OLD);
      assertEquals(vehicle.states(), ALL<EcuState>("rolledBack"));
      assertEquals(vehicle.failures(), { ...ALL("partnerFailed"), [guilty]: failure });
      assertEquals(vehicle.backend.reported(guilty)?.failure?.name, failure);
      const { phase, result, driveLock } = vehicle.screen();
      assertEquals([phase, driveLock], ["rolledBack", false]);
      assertEquals([result?.failure?.serial, result?.failure?.name], [guilty, failure]);
      assertEquals(vehicle.told(guilty).slice(-2), ["rollingBack", "rolledBack"]);
      for (const [serial] of ECUS) {
        const { record, running } = vehicle.ecu(serial).inventory();
        const { verdict, unbootable } = record[running!.slot === "A" ? "B" : "A"];
        const judged = serial === guilty ? failure : "partnerFailed";
        assertEquals([verdict, unbootable], [judged, true]);
      }
      vehicle.offer("c3", everyEcu(3));
      await vehicle.settled("c3");
      assertEquals(vehicle.runs(), ALL("3.0.0"));
      assertEquals(vehicle.failures(), ALL(null));
    });
  }
}

Deno.test("a release that was rolled back is not begun again, nor after a power cut", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2, { body: { does: "crash@300" } }));
  await vehicle.settled("c2");
  await vehicle.pass(300_000);
  vehicle.starts.length = 0;
  vehicle.cut(() => "old");
  vehicle.powerOn();
  await vehicle.pass(300_000);
  assertEquals(vehicle.starts.map(({ version }) => version), ["1.0.0", "1.0.0", "1.0.0"]);
  assertEquals(vehicle.runs(), OLD);
});

Deno.test("an update of one ECU leaves the others' words and images as they were", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", { cluster: release("cluster-sim", 2) });
  await vehicle.settled("c2");
  assertEquals(vehicle.runs(), { ...OLD, cluster: "2.0.0" });
  assertEquals(vehicle.states(), ALL<EcuState>("confirmed"));
  assertEquals(vehicle.starts.filter(({ version }) => version === "2.0.0").length, 1);
  assertEquals([vehicle.told("body"), vehicle.told("ivi")], [[], []]);
});

Deno.test("a campaign whose releases run already is confirmed without a restart", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.starts.length = 0;
  vehicle.offer("c2", everyEcu(1));
  await vehicle.settled("c2");
  assertEquals(vehicle.states(), ALL<EcuState>("confirmed"));
  assertEquals([vehicle.starts, vehicle.backend.requests], [[], []]);
});

Deno.test("empty ECUs take their first images", async () => {
  const vehicle = new SimVehicle({ consent: "auto" });
  vehicle.powerOn();
  await vehicle.pass(5000);
  assertEquals(vehicle.runs(), ALL(null));
  vehicle.offer("c1", everyEcu(2));
  await vehicle.settled("c1");
  assertEquals(vehicle.runs(), NEW);
  assertEquals(vehicle.screen().result?.changes.map(({ from }) => from), [null, null, null]);
});

Deno.test("a first image that fails leaves its ECU in recovery; the next release heals it", async () => {
  const vehicle = new SimVehicle({ consent: "auto" });
  vehicle.powerOn();
  vehicle.offer("c1", everyEcu(1, { cluster: { does: "crash@300" } }));
  await vehicle.settled("c1");
  assertEquals(vehicle.runs(), ALL(null));
  assertEquals(vehicle.states(), ALL<EcuState>("failed"));
  assertEquals(vehicle.failures(), { ...ALL("partnerFailed"), cluster: "imageCrashed" });
  vehicle.say("acknowledge");
  await vehicle.until(() => vehicle.screen().phase === "recovery", "the screen asks for help");
  vehicle.offer("c2", everyEcu(2));
  await vehicle.settled("c2");
  assertEquals(vehicle.runs(), NEW);
  assertEquals(vehicle.failures(), ALL(null));
});

Deno.test("an ECU with an image goes back beside an empty one that fails its first trial", async () => {
  const vehicle = new SimVehicle({ consent: "auto" });
  vehicle.powerOn();
  vehicle.offer("c1", { body: release("body-sim", 1), ivi: release("ivi-sim", 1) });
  await vehicle.settled("c1");
  vehicle.offer("c2", everyEcu(2, { cluster: { does: "selfTestFails@300" } }));
  await vehicle.settled("c2");
  assertEquals(vehicle.runs(), { body: "1.0.0", cluster: null, ivi: "1.0.0" });
  assertEquals(vehicle.states(), { body: "rolledBack", cluster: "failed", ivi: "rolledBack" });
});

for (const serial of ["body", "ivi"] as const satisfies readonly Serial[]) {
  Deno.test(`a confirmed image of ${serial} that crashes is restarted with growing pauses and keeps its slot`, async () => {
    const vehicle = await SimVehicle.running();
    vehicle.offer("c2", everyEcu(2, { [serial]: { does: "crash@15000" } }));
    await vehicle.settled("c2");
    assertEquals(vehicle.runs(), NEW);
    const { slot } = vehicle.ecu(serial).inventory().running!;
    vehicle.starts.length = 0;
    await vehicle.pass(100_000);
    const starts = vehicle.starts.filter((start) => start.serial === serial);
    assert(starts.length >= 4);
    assert(starts.every((start) => start.slot === slot && start.version === "2.0.0"));
    assertEquals(vehicle.starts.length, starts.length);
  });
}

Deno.test("the pauses between restarts of a confirmed image that crashes at once double up to a minute", async () => {
  const vehicle = await SimVehicle.running();
  const bytes = release("ivi-sim", 2, { does: "good" }).bytes;
  vehicle.offer("c2", { ivi: release("ivi-sim", 2, { bytes }) });
  await vehicle.settled("c2");
  vehicle.misbehave("ivi", "crash@300");
  vehicle.cut(() => "new");
  vehicle.powerOn();
  vehicle.starts.length = 0;
  await vehicle.pass(400_000);
  const at = vehicle.starts.filter(({ serial }) => serial === "ivi").map(({ atMs }) => atMs);
  const gaps = at.slice(1).map((ms, i) => ms - at[i]! - 306);
  assertEquals(gaps.slice(0, 10), [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
  assertEquals(vehicle.runs(), { ...OLD, ivi: "2.0.0" });
});
