import { assertEquals } from "@std/assert/mod.js";
import { type FailureName, FAILURES } from "shared/failure.ts";
import type { RotReport } from "shared/protocol/messages.ts";
import { BOARD } from "../../tests/board_fixtures.ts";
import { ecu } from "../../tests/hmi_fixtures.ts";
import { careChip, failureBeside, rotOf } from "./care.ts";

const AT = "2026-03-14T09:26:53.000Z";
const LATER = "2026-03-14T10:00:00.000Z";

function failure(name: FailureName, message = "Cannot trust slot B") {
  return { name, code: FAILURES[name].code, stage: FAILURES[name].stage, message };
}

function rot(more: Partial<RotReport> = {}): RotReport {
  const base = { ecu: "ivi", what: "slot B", at: AT, failure: failure("slotRotten") };
  return { ...base, healedAt: null, ...more };
}

Deno.test("careChip() tells a line that is down from what the server cannot help with", () => {
  const healing = { doneLeaves: 0, totalLeaves: 2 };
  const chips = [
    rot(),
    rot({ healing }),
    rot({ waits: failure("serverUnreachable") }),
    rot({ waits: failure("healSourceMissing") }),
    rot({ healedAt: AT }),
  ].map((one) => careChip(one).label);
  const words = ["Rot found", "Being healed", "Waits for the server", "Not healed yet", "Healed"];
  assertEquals(chips, words);
});

Deno.test("rotOf() parts the rot of one ECU into open and healed, the last healed first", () => {
  const [first, last] = [rot({ what: "slot A", healedAt: AT }), rot({ healedAt: LATER })];
  const [open, other] = [rot({ what: "boot record" }), rot({ ecu: "body" })];
  const vehicle = { ...BOARD.vehicles[0]!, rot: [first, other, open, last] };
  assertEquals(rotOf(vehicle, "ivi"), { open: [open], healed: [last, first] });
  assertEquals(rotOf(vehicle, "cluster"), { open: [], healed: [] });
  assertEquals(rotOf(BOARD.vehicles[0]!, "ivi"), { open: [], healed: [] });
});

Deno.test("failureBeside() leaves out what the rot of the ECU tells already, and nothing else", () => {
  const suffers = ecu("ivi", "ivi-rpi4", { failure: failure("slotRotten") });
  const none = { open: [], healed: [] };
  assertEquals(failureBeside(suffers, { open: [rot()], healed: [] }), null);
  assertEquals(failureBeside(suffers, none), suffers.failure);
  assertEquals(failureBeside(suffers, { open: [], healed: [rot()] }), suffers.failure);
  const fell = ecu("ivi", "ivi-rpi4", { failure: failure("imageHung", "Cannot confirm it") });
  assertEquals(failureBeside(fell, { open: [rot()], healed: [] }), fell.failure);
});
