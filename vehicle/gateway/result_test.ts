import { assertEquals } from "@std/assert/mod.js";
import { failureKind } from "shared/failure.ts";
import { release, targets } from "../../tests/sim/sim_release.ts";
import { type JournalState, NEW_JOURNAL } from "./journal.ts";
import { failureReport } from "./report.ts";
import { resultOf } from "./result.ts";

const START = Date.UTC(2026, 0, 1);
const JOURNAL: JournalState = {
  ...NEW_JOURNAL,
  startedAt: new Date(START).toISOString(),
  members: ["body", "ivi"],
  ecus: {
    body: { state: "rolledBack", failure: failureReport("partnerFailed"), from: "1.0.0" },
    ivi: { state: "rolledBack", failure: failureReport("imageHung", "silence"), from: null },
    cluster: { state: "failed", failure: failureReport("internal"), from: "7.0.0" },
  },
};
const TARGETS = targets(1, "c1", {
  body: release("body-sim", 2),
  ivi: release("ivi-sim", 3),
  cluster: release("cluster-sim", 4),
});

Deno.test("resultOf() tells what changed on the members, from what, and how long it took", () => {
  const view = { journal: JOURNAL, targets: TARGETS, nowMs: START + 90_500 };
  const { outcome, at, secondsTaken, changes } = resultOf(view, "confirmed");
  assertEquals([outcome, at, secondsTaken], ["confirmed", "2026-01-01T00:01:30.500Z", 90.5]);
  assertEquals(changes, [
    { serial: "body", from: "1.0.0", to: "2.0.0", changes: "What 2.0.0 changes" },
    { serial: "ivi", from: null, to: "3.0.0", changes: "What 3.0.0 changes" },
  ]);
});

Deno.test("resultOf() blames the ECU that failed, not a partner that went back with it", () => {
  const view = { journal: JOURNAL, targets: TARGETS, nowMs: START };
  assertEquals(resultOf(view, "rolledBack").failure, {
    ...failureReport("imageHung", "silence"),
    serial: "ivi",
    remedy: failureKind("imageHung").remedy,
  });
});

Deno.test("resultOf() has no failure when no member carries one", () => {
  const ecus = { ...JOURNAL.ecus, ivi: { ...JOURNAL.ecus["ivi"]!, failure: null } };
  const journal = { ...JOURNAL, ecus, members: ["ivi"] };
  assertEquals(resultOf({ journal, targets: TARGETS, nowMs: START }, "confirmed").failure, null);
});

Deno.test("resultOf() bears a clock that was set back, and targets that are lost", () => {
  const view = { journal: JOURNAL, targets: null, nowMs: START - 5000 };
  const { secondsTaken, changes } = resultOf(view, "failed");
  assertEquals([secondsTaken, changes], [0, []]);
});
