import { assertEquals, assertThrows } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import type { CampaignRow } from "../ports.ts";
import { act, shownState, type Verb, VERBS } from "./verbs.ts";

Deno.test("act() follows every verb in every state, or refuses with wrongState", () => {
  const allowed: Record<string, string> = {
    "running halt": "halted",
    "running withdraw": "withdrawn",
    "halted resume": "running",
    "halted withdraw": "withdrawn",
  };
  for (const state of ["running", "halted", "withdrawn"] as const) {
    for (const verb of VERBS) {
      const row: CampaignRow = {
        ...{ campaign: "c1", number: 1, releases: [], createdAt: "", createdBy: "" },
        state,
      };
      const expected = allowed[`${state} ${verb}`];
      if (expected === undefined) refuses(row, verb);
      else assertEquals(act(row, verb).state, expected);
    }
  }
});

function refuses(row: CampaignRow, verb: Verb): void {
  const error = assertThrows(() => act(row, verb), UpdateFailure, `it is ${row.state}`);
  assertEquals(error.failure, "wrongState");
}

Deno.test("shownState() says complete when a running campaign has vehicles and all have ended", () => {
  assertEquals(shownState("running", []), "running");
  assertEquals(shownState("running", [{ state: "confirmed" }, { state: "failed" }]), "complete");
  assertEquals(shownState("running", [{ state: "confirmed" }, { state: "ready" }]), "running");
  assertEquals(shownState("halted", [{ state: "confirmed" }]), "halted");
  assertEquals(shownState("withdrawn", [{ state: "canceled" }]), "withdrawn");
});
