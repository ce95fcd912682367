import { assert, assertEquals } from "@std/assert/mod.js";
import { FAILURE_NAMES } from "shared/failure.ts";
import { ECU_STATES, PRECONDITIONS } from "shared/protocol/common.ts";
import { HMI_PHASES } from "shared/protocol/hmi.ts";
import {
  CHECK_COPY,
  driverRemedy,
  ecuName,
  FAILURE_COPY,
  INERT_PHASES,
  PHASE_COPY,
  STATE_COPY,
} from "./copy.ts";

Deno.test("PHASE_COPY has words for every phase, short enough to be read at a glance", () => {
  assertEquals(Object.keys(PHASE_COPY).toSorted(), [...HMI_PHASES].toSorted());
  for (const phase of HMI_PHASES) {
    const { headline, body, moving } = PHASE_COPY[phase];
    assert(moving.length <= 30, `${phase}: "${moving}" has ${moving.length} characters`);
    assert(headline.length <= 40, `${phase}: "${headline}"`);
    assert(body.length <= 120, `${phase}: "${body}"`);
  }
});

Deno.test("PHASE_COPY says that one can drive after a rollback and that nothing was changed before", () => {
  assertEquals(
    PHASE_COPY.rolledBack.body,
    "Your previous software is back. You can drive.",
  );
  assertEquals(PHASE_COPY.failed.body, "Nothing was changed. You can drive.");
  assertEquals(INERT_PHASES.includes("rolledBack"), false);
});

Deno.test("FAILURE_COPY has a sentence and a next step for every failure of the catalogue", () => {
  for (const name of FAILURE_NAMES) {
    assert(FAILURE_COPY[name].length > 0 && FAILURE_COPY[name].length <= 80, name);
    assert(!FAILURE_COPY[name].endsWith("."), name);
    const remedy = driverRemedy(name);
    assert(remedy.length > 0 && remedy.length <= 120 && !remedy.endsWith("."), name);
  }
});

Deno.test("STATE_COPY and CHECK_COPY are total, and only confirmed is good", () => {
  assertEquals(Object.keys(STATE_COPY).toSorted(), [...ECU_STATES].toSorted());
  assertEquals(ECU_STATES.filter((state) => STATE_COPY[state].tone === "good"), ["confirmed"]);
  assertEquals(Object.keys(CHECK_COPY).toSorted(), [...PRECONDITIONS].toSorted());
});

Deno.test("ecuName() knows the built-in ECUs and leaves other serials alone", () => {
  assertEquals(["ivi", "cluster", "body", "door-left", "constructor"].map(ecuName), [
    "Head unit",
    "Instrument cluster",
    "Body control",
    "door-left",
    "constructor",
  ]);
});
