/**
 * The log of a failed trial: kept across the way back and any power cut, told to the server once.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { TRIAL_LOG_BYTES, TRIAL_LOG_LINES } from "shared/limits.ts";
import { sha256Digest } from "shared/node/digest.ts";
import { LastWords, TrialLogStore } from "vehicle/ecu/trial_log.ts";
import { everyEcu } from "./sim_bundle.ts";
import { SimDisk } from "./sim_disk.ts";
import { SimVehicle } from "./sim_vehicle.ts";

function told(vehicle: SimVehicle) {
  return vehicle.backend.manifests.flatMap(({ trialLogs }) => trialLogs ?? []);
}

Deno.test("a trial that fails is reported with its last words, once, though the vehicle went back", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2, { cluster: { does: "crash@3000" } }));
  await vehicle.settled("c2");
  await vehicle.pass(5 * 60_000);
  const logs = told(vehicle);
  assertEquals(logs.length, 1);
  const [log] = logs;
  assertEquals([log!.ecu, log!.version, log!.failure], ["cluster", "2.0.0", "imageCrashed"]);
  assertEquals(log!.detail, "simulated crash");
  assert(
    log!.lines.some((line) => line.includes("selfTest") && line.includes("all checks passed")),
  );
  assert(log!.lines.some((line) => line.endsWith("heartbeats")));
  vehicle.cut(() => "old");
  vehicle.powerOn();
  await vehicle.pass(5 * 60_000);
  assertEquals(told(vehicle).length, 1, "not told again after a restart");
});

Deno.test("the log waits for the server, across power cuts", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2, { ivi: { does: "selfTestFails@300" } }));
  await vehicle.phase("rollBackAll");
  vehicle.backend.down = true;
  for (const choice of ["old", "torn", "new"] as const) {
    vehicle.cut(() => choice);
    vehicle.powerOn();
    await vehicle.pass(60_000);
  }
  assertEquals(told(vehicle), []);
  vehicle.backend.down = false;
  await vehicle.settled("c2");
  assertEquals(told(vehicle).map(({ failure, detail }) => [failure, detail]), [
    ["selfTestFailed", "simulated fault"],
  ]);
});

Deno.test("the power goes before every operation after a verdict: neither the verdict nor the log is lost", async () => {
  let logs = 0;
  for (let cut = 0; cut < 14; cut++) {
    const vehicle = await SimVehicle.running();
    vehicle.offer("c2", everyEcu(2, { body: { does: "crash@300" } }));
    await vehicle.until(() => vehicle.runs()["body"] === "trial2.0.0", "body is on trial");
    vehicle.power.cutAt = vehicle.power.operations + cut;
    await vehicle.dies();
    vehicle.power.cut(() => "torn");
    vehicle.powerOn();
    await vehicle.settled("c2");
    assert(vehicle.allRun("1.0.0"));
    assertEquals(vehicle.failures()["body"], "imageCrashed");
    // A crash whose verdict the power took happens again, and may be told as well.
    const count = told(vehicle).length;
    assert(count === 1 || count === 2, `cut ${cut}: ${count} logs`);
    logs += count;
  }
  assert(logs >= 14 && logs < 28, `${logs} logs of 14 trials`);
});

Deno.test("TrialLogStore keeps to its bound whatever an image says, and keeps the end", () => {
  const disk = new SimDisk(2048);
  const words = new LastWords(0);
  for (let i = 0; i < 1000; i++) {
    words.hear({ type: "display", title: `line ${i}`, lines: ["é".repeat(120)] }, i);
  }
  assertEquals(words.lines().length, TRIAL_LOG_LINES);
  const image = { sha256: "ab".repeat(32), lengthBytes: 1, counter: 2, version: "2.0.0" };
  const verdict = { failure: "imageHung", detail: "ü".repeat(5000) } as const;
  const failed = { serial: "ivi", image, verdict, lines: words.lines(), nowMs: 0 };
  const store = new TrialLogStore(disk, sha256Digest);
  store.write(failed);
  const log = new TrialLogStore(disk, sha256Digest).waiting()!;
  assert(new TextEncoder().encode(JSON.stringify(log)).length <= TRIAL_LOG_BYTES);
  assert(log.lines.length > 0 && log.lines.at(-1)!.includes("line 999"));
  store.clear("no such log");
  assert(new TrialLogStore(disk, sha256Digest).waiting() !== null);
  store.clear(log.id);
  assertEquals(new TrialLogStore(disk, sha256Digest).waiting(), null);
});

Deno.test("LastWords counts heartbeats that follow each other, and keeps the last lines", () => {
  const words = new LastWords(1000);
  const beat = { type: "heartbeat" } as const;
  words.hear(beat, 2000);
  words.hear({ type: "selfTest", ok: true, detail: "all well" }, 2500);
  words.hear(beat, 3000);
  words.hear(beat, 4000);
  assertEquals(words.lines(), [
    "1 heartbeat",
    '+1500 ms selfTest {"ok":true,"detail":"all well"}',
    "2 heartbeats",
  ]);
});
