import { assertEquals } from "@std/assert/mod.js";
import { careLine, careOf, rotNews } from "./care.ts";
import { FAILURES } from "./failure.ts";
import type { FailureReport } from "./protocol/common.ts";
import type { RotReport } from "./protocol/messages.ts";

const AT = "2026-03-14T09:26:53.000Z";
const LATER = "2026-03-14T09:36:53.000Z";

function failure(name: "slotRotten" | "serverUnreachable" | "healSourceMissing"): FailureReport {
  const { code, stage } = FAILURES[name];
  return { name, code, stage, message: "Cannot" };
}

function rot(more: Partial<RotReport> = {}): RotReport {
  const base = { ecu: "ivi", what: "slot B", at: AT, failure: failure("slotRotten") };
  return { ...base, healedAt: null, ...more };
}

Deno.test("careOf() and careLine() tell what was found, is healed, waits, and is whole again", () => {
  const healing = { doneLeaves: 3, totalLeaves: 7 };
  const told = [
    rot(),
    rot({ healing: { doneLeaves: 0, totalLeaves: 7 } }),
    rot({ healing }),
    rot({ healing, waits: failure("serverUnreachable") }),
    rot({ waits: failure("healSourceMissing") }),
    rot({ healing: { doneLeaves: 7, totalLeaves: 7 }, healedAt: LATER }),
    rot({ healing: { doneLeaves: 1, totalLeaves: 1 }, healedAt: LATER }),
    rot({ what: "boot record", healedAt: LATER }),
  ].map((one) => [careOf(one), careLine(one)]);
  assertEquals(told, [
    ["found", "slot B: has rotted"],
    ["healing", "slot B: being healed, 0 of 7 leaves"],
    ["healing", "slot B: being healed, 3 of 7 leaves"],
    ["waiting", "slot B: waits for the server"],
    ["waiting", "slot B: cannot be healed yet, 212 healSourceMissing"],
    ["healed", "slot B: healed, 7 leaves"],
    ["healed", "slot B: healed, 1 leaf"],
    ["healed", "boot record: healed"],
  ]);
});

Deno.test("rotNews() tells each finding and each healing once", () => {
  const [open, whole] = [rot(), rot({ healedAt: LATER })];
  const again = rot({ at: LATER });
  const other = rot({ what: "slot A" });
  const cases: [RotReport[], RotReport[], RotReport[], RotReport[]][] = [
    [[], [], [], []],
    [[], [open], [open], []],
    [[open], [open], [], []],
    [[open], [rot({ failure: failure("healSourceMissing") })], [], []],
    [[open], [whole], [], [whole]],
    [[], [whole], [whole], [whole]],
    [[whole], [whole], [], []],
    [[whole], [again], [again], []],
    [[open], [], [], []],
    [[open], [other, whole], [other], [whole]],
  ];
  for (const [before, now, found, healed] of cases) {
    assertEquals(rotNews(before, now), { found, healed });
  }
});
