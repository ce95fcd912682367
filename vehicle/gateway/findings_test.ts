import { assert, assertEquals } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_ROT_REPORTS } from "shared/limits.ts";
import { SimClock } from "../../tests/sim/sim_clock.ts";
import { Findings } from "./findings.ts";

function world() {
  const findings = new Findings({
    clock: new SimClock().life(),
    log: () => {},
    stateOf: () => "idle",
    event: () => {},
    changed: () => {},
    progressed: () => {},
  });
  const find = (ecu: string) =>
    findings.found(
      { ecu, what: "slot A" },
      new UpdateFailure("slotRotten", ecu, "Cannot trust it"),
    );
  return {
    findings,
    find,
    heal: (ecu: string) => findings.healed({ ecu, what: "slot A" }, "whole"),
  };
}

Deno.test("Findings.reports() leaves out what is healed before what is not", () => {
  const { findings, find, heal } = world();
  find("body");
  for (let i = 0; i < 2 * MAX_ROT_REPORTS; i++) {
    find(`ecu${i}`);
    heal(`ecu${i}`);
  }
  const reports = findings.reports();
  assertEquals(reports.length, MAX_ROT_REPORTS);
  assertEquals([reports[0]!.ecu, reports.at(-1)!.ecu], ["body", `ecu${2 * MAX_ROT_REPORTS - 1}`]);
});

Deno.test("Findings.open() knows what an ECU suffers from, also beyond what a report can tell", () => {
  const { findings, find, heal } = world();
  const serials = Array.from({ length: 2 * MAX_ROT_REPORTS }, (_, i) => `ecu${i}`);
  serials.forEach(find);
  assertEquals(findings.reports().length, MAX_ROT_REPORTS);
  for (const serial of serials) assertEquals(findings.open(serial)?.name, "slotRotten");
  heal(serials[0]!);
  assertEquals(findings.open(serials[0]!), null);
  assert(!findings.reports().some(({ healedAt }) => healedAt !== null));
});
