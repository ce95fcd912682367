import { assertEquals } from "@std/assert/mod.js";
import { FIXTURES } from "../tests/hmi_fixtures.ts";
import { createHmi, takeSnapshot } from "./state.ts";

Deno.test("takeSnapshot() voids consent when another campaign is offered meanwhile", () => {
  const hmi = createHmi(0, () => {});
  const { snapshot } = FIXTURES.ready!;
  takeSnapshot(hmi, snapshot, 0);
  hmi.consent.value = "c12";
  takeSnapshot(hmi, snapshot, 1);
  assertEquals(hmi.consent.value, "c12");
  takeSnapshot(hmi, { ...snapshot, offer: { ...snapshot.offer!, campaign: "c13" } }, 2);
  assertEquals(hmi.consent.value, null);
  assertEquals(hmi.problem.value, "The offer has changed. Please read it again");
});

Deno.test("takeSnapshot() closes consent without a word once it was given", () => {
  const hmi = createHmi(0, () => {});
  takeSnapshot(hmi, FIXTURES.ready!.snapshot, 0);
  hmi.consent.value = "c12";
  takeSnapshot(hmi, FIXTURES.waiting!.snapshot, 1);
  assertEquals([hmi.consent.value, hmi.problem.value], [null, null]);
});

Deno.test("takeSnapshot() calls a person to the update page for an offer, not for a download", () => {
  const hmi = createHmi(0, () => {});
  takeSnapshot(hmi, FIXTURES.upToDate!.snapshot, 0);
  hmi.page.value = "vehicle";
  takeSnapshot(hmi, FIXTURES.preparing!.snapshot, 1);
  assertEquals(hmi.page.value, "vehicle");
  takeSnapshot(hmi, FIXTURES.ready!.snapshot, 2);
  assertEquals(hmi.page.value, "update");
});
