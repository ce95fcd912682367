import { assertEquals } from "@std/assert/mod.js";
import { type HmiPhase, HmiSnapshot } from "shared/protocol/hmi.ts";
import { image, inventory, running, slot } from "../../tests/sim/sim_inventory.ts";
import { release, targetOf, targets, VIN } from "../../tests/sim/sim_release.ts";
import { EMPTY_SLOT } from "vehicle/bootloader/boot_record.ts";
import { type GatewayView, hmiSnapshot } from "./hmi_view.ts";
import { type JournalState, NEW_JOURNAL } from "./journal.ts";
import { planUpdate } from "./plan.ts";
import { ecuReport } from "./report.ts";
import { resultOf } from "./result.ts";
import { PARKED } from "./signals.ts";
import { COMMITTED, type Phase, UPDATE } from "./update_table.ts";

const IVI = inventory("ivi", {
  running: running(1),
  record: { A: slot(1, { successful: true }), B: slot(2, { triesRemaining: 3 }) },
});
const BODY = inventory("body", {
  running: running(1),
  record: { A: slot(1, { successful: true }), B: EMPTY_SLOT },
});
const TARGETS = targets(1, "c1", { ivi: release("ivi-sim", 2) }, ["brake"]);
const CARRIER_BYTES = TARGETS.ecus["ivi"]!.carriers[0]!.lengthBytes;

function view(journal: Partial<JournalState>, change: Partial<GatewayView> = {}): GatewayView {
  const state = "activating" as const;
  const ecus = { ivi: { state, failure: null, from: "1.0.0" } };
  const whole: JournalState = {
    ...NEW_JOURNAL,
    campaign: "c1",
    members: ["ivi"],
    ecus,
    ...journal,
  };
  const inventories = change.inventories ?? [IVI, BODY];
  return {
    vin: VIN,
    at: "2026-01-01T00:00:00.000Z",
    journal: whole,
    targets: TARGETS,
    steps: planUpdate([IVI, BODY], TARGETS).steps,
    inventories,
    absent: new Set(),
    reports: inventories.map((one) => ecuReport(one, whole.ecus[one.serial], TARGETS, null)),
    signals: PARKED,
    displays: {},
    bytesPerSecond: 0,
    serverReachable: true,
    brokerConnected: true,
    checkedAt: null,
    ...change,
  };
}

const draw = (...args: Parameters<typeof view>) => HmiSnapshot.parse(hmiSnapshot(view(...args)));

Deno.test("hmiSnapshot() shows a screen for every phase of the gateway", () => {
  const screens = Object.fromEntries(
    (Object.keys(UPDATE) as Phase[]).map((phase) => [phase, draw({ phase }).phase]),
  );
  assertEquals(screens, {
    idle: "upToDate",
    preparing: "preparing",
    ready: "ready",
    postponed: "postponed",
    waiting: "waiting",
    installing: "installing",
    trialAll: "restarting",
    confirmAll: "confirming",
    rollBackAll: "rollingBack",
    reporting: "upToDate",
  });
});

Deno.test("hmiSnapshot() locks the drive in committed phases, and in no other", () => {
  const unarmed = { ...IVI, record: { ...IVI.record, B: EMPTY_SLOT } };
  for (const phase of Object.keys(UPDATE) as Phase[]) {
    const { driveLock } = draw({ phase }, { inventories: [unarmed, BODY] });
    assertEquals(driveLock, COMMITTED.includes(phase), phase);
  }
  assertEquals(draw({}, { inventories: [IVI, BODY] }).driveLock, true); // Armed: it may boot a trial.
});

Deno.test("hmiSnapshot() shows the result until it is acknowledged, by its outcome", () => {
  const shown: Record<string, HmiPhase> = {};
  for (const outcome of ["confirmed", "rolledBack", "failed"] as const) {
    const result = resultOf({ journal: view({}).journal, targets: TARGETS, nowMs: 0 }, outcome);
    shown[outcome] = draw({ result }).phase;
    assertEquals(draw({ result, phase: "preparing" }).phase, "preparing");
  }
  assertEquals(shown, { confirmed: "succeeded", rolledBack: "rolledBack", failed: "failed" });
});

Deno.test("hmiSnapshot() asks for help when an ECU lost its image, not when it never had one", () => {
  const empty = inventory("body");
  assertEquals(draw({ phase: "idle" }, { inventories: [IVI, empty] }).phase, "upToDate");
  const B = slot(1, { unbootable: true, verdict: "imageCrashed" });
  const lost = inventory("body", { record: { A: EMPTY_SLOT, B } });
  assertEquals(draw({ phase: "idle" }, { inventories: [IVI, lost] }).phase, "recovery");
});

Deno.test("hmiSnapshot() offers the members' releases with their notes and what travels", () => {
  const { offer } = draw({ phase: "ready" });
  assertEquals(offer, {
    campaign: "c1",
    minutes: 2,
    restartSeconds: 12,
    releases: [{
      serial: "ivi",
      hardware: "ivi-sim",
      from: "1.0.0",
      to: "2.0.0",
      notes: TARGETS.ecus["ivi"]!.release.notes,
      transferBytes: CARRIER_BYTES,
      imageBytes: 3000,
    }],
  });
  assertEquals(draw({ phase: "idle" }).offer, null);
  assertEquals(draw({ phase: "ready", members: [] }).offer, null);
  assertEquals(draw({ phase: "ready" }, { targets: null }).offer, null);
});

Deno.test("hmiSnapshot() shows progress while bytes travel, of all ECUs together", () => {
  assertEquals(draw({ phase: "ready" }).progress, null);
  assertEquals(draw({ phase: "preparing" }).progress?.totalBytes, CARRIER_BYTES);
  const progress = { doneBytes: 400, totalBytes: 900, via: "delta" as const };
  const reports = [ecuReport(IVI, undefined, TARGETS, progress)];
  assertEquals(draw({ phase: "preparing" }, { reports, bytesPerSecond: 50 }).progress, {
    doneBytes: 400,
    totalBytes: 900,
    bytesPerSecond: 50,
  });
});

Deno.test("hmiSnapshot() shows who is tried and how long the longest trial still takes", () => {
  assertEquals(draw({ phase: "ready" }).trial, null);
  const trial = { trial: true, triesRemaining: 2, trialLeftMs: 4200, image: image(2) };
  const inventories = [{ ...IVI, running: running(2, trial) }, BODY];
  const state = "trial" as const;
  const ecus = { ivi: { state, failure: null, from: "1.0.0" } };
  const shown = draw({ phase: "trialAll", ecus }, { inventories });
  assertEquals([shown.phase, shown.trial], ["trial", {
    serials: ["ivi"],
    secondsLeft: 5,
    triesRemaining: 2,
  }]);
});

Deno.test("hmiSnapshot() judges the preconditions that the campaign wants", () => {
  const { checks } = draw({ phase: "waiting" }, { signals: { ...PARKED, brake: false } });
  assertEquals(checks.map(({ name, ok, found }) => [name, ok, found]), [
    ["brake", false, "released"],
  ]);
});

Deno.test("hmiSnapshot() takes what an offer's carrier costs from the plan", () => {
  const target = targetOf(release("ivi-sim", 2));
  assertEquals(target.carriers.length, 1);
  const steps = view({}).steps.map((step) => ({
    ...step,
    ways: [{ kind: "local", transferBytes: 0 } as const],
  }));
  assertEquals(draw({ phase: "ready" }, { steps }).offer?.releases[0]?.transferBytes, 0);
});
