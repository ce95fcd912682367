import { assert, assertEquals } from "@std/assert/mod.js";
import { type FailureName, FAILURES } from "shared/failure.ts";
import { HMI_PHASES } from "shared/protocol/hmi.ts";
import type { RotReport } from "shared/protocol/messages.ts";
import { ecu, FIXTURES } from "../tests/hmi_fixtures.ts";
import { careNote, careRows, hasOwnFailure } from "./care.ts";

const AT = "2026-03-14T09:26:53.000Z";
const REST = FIXTURES.upToDate!.snapshot;

function failure(name: FailureName) {
  const { code, stage } = FAILURES[name];
  return { name, code, stage, message: `Cannot go on: ${name}` };
}

function rot(more: Partial<RotReport> = {}): RotReport {
  const base = { ecu: "ivi", what: "slot B", at: AT, failure: failure("slotRotten") };
  return { ...base, healedAt: null, ...more };
}

const OFFLINE = { waits: failure("serverUnreachable") };
const MISSING = { waits: failure("healSourceMissing") };

Deno.test("careNote() says nothing of what is whole, and that one can drive while slots are repaired", () => {
  const said = (...found: RotReport[]) => careNote({ ...REST, rot: found })?.text;
  assertEquals(careNote(REST), null);
  assertEquals(said(rot({ healedAt: AT }), rot({ what: "boot record" })), undefined);
  assertEquals(said(rot()), "One control unit is being repaired. You can drive.");
  assertEquals(
    said(rot(), rot({ what: "slot A" }), rot({ ecu: "body" })),
    [
      "2 control units are being repaired. You can drive.",
    ].join(),
  );
  const offline = "One control unit is to be repaired once the server is there. You can drive.";
  assertEquals(said(rot(OFFLINE)), offline);
  assertEquals(said(rot(OFFLINE), rot({ what: "slot A" })), said(rot()));
  const stuck = "One control unit is damaged and cannot be repaired yet. You can drive.";
  assertEquals(said(rot(MISSING)), stuck);
});

Deno.test("careNote() never lets anybody drive while the vehicle is locked, and says why", () => {
  const lost = ecu("body", "body-sim", { failure: failure("ecuLost") });
  for (const found of [[], [rot()], [rot(OFFLINE)], [rot({ healedAt: AT })]]) {
    for (const ecus of [REST.ecus, [...REST.ecus, lost]]) {
      const note = careNote({ ...REST, ecus, rot: found, driveLock: true })!;
      assert(note.text.startsWith("Do not drive.") && !note.text.includes("can drive"), note.text);
      assert(note.text.length <= 120 && note.moving!.length <= 30, note.text);
      const repairs = found.some(({ healedAt }) => healedAt === null);
      assertEquals(note.text.includes("repaired"), repairs);
      assertEquals(note.text.includes("does not answer"), !repairs && ecus.includes(lost));
    }
  }
});

Deno.test("careRows() tells of each slot how far its repair is, A first", () => {
  const healing = { doneLeaves: 3, totalLeaves: 7 };
  const rows = (...found: RotReport[]) =>
    careRows({ ...REST, rot: found }, "ivi").map(({ place, label }) => `${place}: ${label}`);
  const labels = [
    rot(),
    rot({ healing }),
    rot({ healing, ...OFFLINE }),
    rot(MISSING),
    rot({ healing, healedAt: AT }),
  ].flatMap((one) => rows(one));
  assertEquals(labels, [
    "Slot B: Damaged",
    "Slot B: Repairing, 3 of 7",
    "Slot B: Waits for server",
    "Slot B: No repair yet (212)",
    "Slot B: Repaired",
  ]);
  const others = [rot({ what: "boot record", healedAt: AT }), rot({ ecu: "body" })];
  assertEquals(rows(rot(), ...others, rot({ what: "slot A" })), [
    "Slot A: Damaged",
    "Slot B: Damaged",
  ]);
  assertEquals(careRows(REST, "ivi"), []);
});

Deno.test("hasOwnFailure() leaves out what the slots tell already, and nothing else", () => {
  const of = (name: FailureName | null, ...found: RotReport[]) => {
    const own = ecu("ivi", "ivi-rpi4", { failure: name && failure(name) });
    return hasOwnFailure(own, { ...REST, rot: found });
  };
  assertEquals(of(null, rot()), false);
  assertEquals(of("slotRotten", rot()), false);
  assertEquals(of("slotRotten", rot({ healedAt: AT })), true);
  assertEquals(of("slotRotten", rot({ ecu: "body" })), true);
  assertEquals(of("imageHung", rot()), true);
  assertEquals(of("imageHung"), true);
});

Deno.test("careNote() is there in every phase of a locked vehicle", () => {
  for (const phase of HMI_PHASES) assert(careNote({ ...REST, phase, driveLock: true }) !== null);
});
