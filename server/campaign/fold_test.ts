import { assertEquals } from "@std/assert/mod.js";
import { FAILURES } from "shared/failure.ts";
import { ECU_STATES, type EcuState } from "shared/protocol/common.ts";
import type { EcuReport } from "shared/protocol/messages.ts";
import { ecuReport, vehicleReport } from "../samples_test.ts";
import type { Standing } from "./decide.ts";
import { believed, falselyConfirmed, fold } from "./fold.ts";

const NEW = "b".repeat(64);
const OLD = "a".repeat(64);
const RELEASES = [
  { release: "ivi/2", hardware: "ivi", counter: 2, sha256: NEW, needs: [] },
  { release: "body/2", hardware: "body", counter: 2, sha256: NEW, needs: [] },
];

function standing(state: EcuState, targets: Record<string, string> = { ivi: "ivi/2" }): Standing {
  return { campaign: "c1", state, failure: null, targets };
}

const BOTH = { ivi: "ivi/2", body: "body/2" };

function ivi(state: EcuState, more: Partial<EcuReport> = {}): EcuReport {
  return ecuReport("ivi", "ivi", { state, sha256: OLD, counter: 1, ...more });
}
function body(state: EcuState, more: Partial<EcuReport> = {}): EcuReport {
  return ecuReport("body", "body", { state, sha256: OLD, counter: 1, ...more });
}

function folded(
  before: Standing,
  ecus: EcuReport[],
  options: { channel?: "mqtt" | "manifest"; campaign?: string | null } = {},
): EcuState {
  const { channel = "manifest", campaign = "c1" } = options;
  const report = vehicleReport(5, ecus, campaign);
  return fold(before, report, { channel, releases: RELEASES }).state;
}

Deno.test("fold() believes confirmed from a manifest with the released image, and nothing else", () => {
  const runs = { sha256: NEW, counter: 2 };
  assertEquals(folded(standing("trial"), [ivi("confirmed", runs)]), "confirmed");
  assertEquals(folded(standing("trial"), [ivi("confirmed", runs)], { channel: "mqtt" }), "trial");
  assertEquals(folded(standing("downloading"), [ivi("confirmed")]), "assigned");
  assertEquals(
    falselyConfirmed(standing("trial"), vehicleReport(5, [ivi("confirmed")], "c1"), RELEASES),
    ["ivi"],
  );
  const honest = vehicleReport(5, [ivi("confirmed", runs), body("confirmed")], "c1");
  assertEquals(falselyConfirmed(standing("trial"), honest, RELEASES), []);
});

Deno.test("fold() takes every state of one ECU as it is, but idle and canceled", () => {
  for (const state of ECU_STATES) {
    const expected = ["idle", "canceled", "confirmed"].includes(state) ? "assigned" : state;
    assertEquals(folded(standing("assigned"), [ivi(state)]), expected, state);
  }
});

Deno.test("fold() of two ECUs: on the way before ended, the worst of what ended", () => {
  const runs = { sha256: NEW, counter: 2 };
  const cases: [EcuReport, EcuReport, EcuState][] = [
    [ivi("downloading"), body("ready"), "downloading"],
    [ivi("rolledBack"), body("rollingBack"), "rollingBack"],
    [ivi("trial"), body("confirmed", runs), "trial"],
    [ivi("failed"), body("rolledBack"), "failed"],
    [ivi("rolledBack"), body("confirmed", runs), "rolledBack"],
    [ivi("confirmed", runs), body("confirmed", runs), "confirmed"],
    [ivi("confirmed", runs), body("confirmed"), "assigned"],
  ];
  for (const [left, right, expected] of cases) {
    assertEquals(folded(standing("assigned", BOTH), [left, right]), expected);
  }
  assertEquals(folded(standing("ready", BOTH), [ivi("failed")]), "ready", "one is missing");
});

Deno.test("fold() keeps what ended, unless a canceled vehicle was past the point of no return", () => {
  const runs = { sha256: NEW, counter: 2 };
  for (const state of ["confirmed", "rolledBack", "failed", "declined"] as const) {
    assertEquals(folded(standing(state), [ivi("downloading")]), state);
    assertEquals(folded(standing(state), [ivi("confirmed", runs)]), state);
  }
  assertEquals(folded(standing("canceled"), [ivi("downloading")]), "canceled");
  assertEquals(folded(standing("canceled"), [ivi("trial")]), "trial");
  assertEquals(folded(standing("canceled"), [ivi("confirmed", runs)]), "confirmed");
});

Deno.test("fold() ignores reports about another campaign, and understands those about none", () => {
  const runs = { sha256: NEW, counter: 2 };
  assertEquals(folded(standing("assigned"), [ivi("failed")], { campaign: "c9" }), "assigned");
  assertEquals(folded(standing("assigned"), [ivi("failed")], { campaign: null }), "assigned");
  assertEquals(
    folded(standing("trial"), [ivi("confirmed", runs)], { campaign: null }),
    "confirmed",
  );
  const desired = { desired: { version: "2", sha256: NEW } };
  assertEquals(
    folded(standing("ready"), [ivi("declined", desired)], { campaign: null }),
    "declined",
  );
});

Deno.test("fold() names the guilty ECU's failure, not its partner's", () => {
  const failure = (name: "partnerFailed" | "imageHung") => ({
    code: FAILURES[name].code,
    name,
    stage: FAILURES[name].stage,
    message: "…",
  });
  const ecus = [
    ivi("rolledBack", { failure: failure("partnerFailed") }),
    body("rolledBack", { failure: failure("imageHung") }),
  ];
  const report = vehicleReport(5, ecus, "c1");
  const options = { channel: "manifest", releases: RELEASES } as const;
  assertEquals(fold(standing("trial", BOTH), report, options).failure?.name, "imageHung");
});

Deno.test("believed() shows live progress, and no confirmation that is not proved", () => {
  const runs = { sha256: NEW, counter: 2 };
  const manifest = vehicleReport(5, [ivi("assigned")]);
  const state = (live: EcuReport, seq = 6) =>
    believed(manifest, vehicleReport(seq, [live], "c1"), { ivi: NEW })[0]!.state;
  assertEquals(state(ivi("downloading")), "downloading");
  assertEquals(state(ivi("downloading"), 4), "assigned", "older than the manifest");
  assertEquals(state(ivi("confirmed", runs)), "assigned");
  const proved = vehicleReport(7, [ivi("confirmed", runs)]);
  assertEquals(believed(proved, null, { ivi: NEW })[0]!.state, "confirmed");
  assertEquals(believed(proved, null, { ivi: OLD })[0]!.state, "assigned");
  assertEquals(
    believed(null, vehicleReport(1, [ivi("confirmed", runs)]), {})[0]!.state,
    "assigned",
  );
  assertEquals(believed(null, null, {}), []);
});
