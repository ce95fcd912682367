import { assert, assertEquals, assertStringIncludes } from "@std/assert/mod.js";
import fc from "fast-check";
import { MIB } from "shared/limits.ts";
import { ECU_STATES } from "shared/protocol/common.ts";
import type { EcuReport } from "shared/protocol/messages.ts";
import { HMI_PHASES, type HmiOffer } from "shared/protocol/hmi.ts";
import { ecu, FIXTURES } from "../tests/hmi_fixtures.ts";
import { SINGLE, TWO } from "../tests/hmi_offers.ts";
import {
  countdown,
  keptPercent,
  leadingEcu,
  modeOf,
  offerFacts,
  progressView,
  slotsView,
  stepsOf,
  timeNote,
} from "./model.ts";

Deno.test("modeOf() takes an unknown speed for moving, and keeps the lock screen at any speed", () => {
  const { snapshot } = FIXTURES.ready!;
  const at = (speedKmh: number | null) => ({
    ...snapshot,
    signals: { ...snapshot.signals, speedKmh },
  });
  assertEquals(modeOf(at(0)), "parked");
  assertEquals(modeOf(at(0.5)), "moving");
  assertEquals(modeOf(at(null)), "moving");
  assertEquals(modeOf({ ...at(50), phase: "trial" }), "inert");
});

Deno.test("progressView() gives no time left while nothing arrives or all is there", () => {
  const half = { doneBytes: 50e6, totalBytes: 100e6, bytesPerSecond: 5e6 };
  assertEquals(progressView(half), {
    percent: 50,
    amount: "50 MB of 100 MB",
    rate: "5.0 MB/s",
    eta: "about 10 s left",
  });
  assertEquals(progressView({ ...half, bytesPerSecond: 0 }).eta, "");
  assertEquals(progressView({ ...half, bytesPerSecond: 0 }).rate, "Waiting for data");
  assertEquals(progressView({ ...half, doneBytes: 100e6 }).rate, "Complete");
  assertEquals(progressView({ doneBytes: 0, totalBytes: 0, bytesPerSecond: 0 }).percent, 0);
});

Deno.test("keptPercent() promises whole segments that are synced only, and of a patch not the last one", () => {
  const { snapshot } = FIXTURES.preparing!;
  const kept = (via: "full" | "delta", mib: number) => {
    const [doneBytes, totalBytes] = [mib * MIB, 10 * MIB];
    const ivi = ecu("ivi", "x", { progress: { doneBytes, totalBytes, via } });
    const progress = { doneBytes, totalBytes, bytesPerSecond: 1 };
    return keptPercent({ ...snapshot, progress, ecus: [ivi, ecu("body", "y")] });
  };
  // Of the whole ones, up to three may wait for their sync.
  assertEquals([0, 0.9, 3, 4.5, 8.5, 10].map((mib) => kept("full", mib)), [0, 0, 0, 10, 50, 100]);
  assertEquals([0, 0.9, 3, 4.5, 8.5, 10].map((mib) => kept("delta", mib)), [0, 0, 0, 5, 45, 100]);
  assertEquals(keptPercent({ ...snapshot, progress: null }), 0);
});

Deno.test("slotsView() fills the target while it is written, from what is desired", () => {
  const desired = { version: "1.5.0", sha256: "b".repeat(64) };
  const progress = { doneBytes: 61, totalBytes: 100, via: "full" as const };
  const view = slotsView(ecu("ivi", "ivi-rpi4", { state: "downloading", desired, progress }));
  assertEquals(view.slots[0].role, "running");
  assertEquals(view.slots[1].role, "filling");
  assertEquals(view.slots[1].fill, 61);
  assertEquals(view.slots[1].version, "1.5.0");
  assertEquals(view.lever, "A");
  assertEquals(view.locked, true);
  const first = slotsView(ecu("ivi", "ivi-rpi4", {
    state: "downloading",
    desired,
    progress,
    slot: null,
    slots: { A: ecu("x", "y").slots.B, B: ecu("x", "y").slots.B },
  }));
  assertEquals(first.slots.map((slot) => slot.role), ["filling", "empty"]);
  assertEquals(first.lever, null);
});

Deno.test("slotsView() moves the lever with the trial and locks it when confirmed", () => {
  const leads = (name: string) => slotsView(FIXTURES[name]!.snapshot.ecus[0]!);
  assertEquals([leads("ready").lever, leads("ready").slots[1].role], ["A", "full"]);
  assertEquals([leads("installing").lever, leads("installing").leverLabel], ["B", "3 tries left"]);
  assertEquals([leads("trial").lever, leads("trial").slots[1].role], ["B", "trial"]);
  assertEquals(leads("trial").slots[0].role, "spare");
  assertEquals([leads("confirming").lever, leads("confirming").locked], ["B", true]);
  assertEquals([leads("rollingBack").lever, leads("rollingBack").slots[1].role], ["A", "struck"]);
  const dead = slotsView(FIXTURES.recovery!.snapshot.ecus[1]!);
  assertEquals([dead.lever, dead.leverLabel], [null, "Nothing boots"]);
  assertStringIncludes(dead.spoken, "Slot A: Failed");
});

Deno.test("slotsView() never shows two running slots nor a lever to an empty one, whatever is reported", () => {
  const slot = fc.record({
    version: fc.constantFrom(null, "1.0.0", "2.0.0"),
    sha256: fc.constant(null),
    successful: fc.boolean(),
    unbootable: fc.boolean(),
    triesRemaining: fc.integer({ min: 0, max: 3 }),
  });
  const report = fc.record({
    state: fc.constantFrom(...ECU_STATES),
    slot: fc.constantFrom(null, "A" as const, "B" as const),
    slots: fc.record({ A: slot, B: slot }),
  });
  fc.assert(fc.property(report, (change) => {
    const view = slotsView(ecu("ivi", "ivi-rpi4", change as Partial<EcuReport>));
    const running = view.slots.filter(({ role }) => role === "running" || role === "trial");
    assert(running.length <= 2);
    assert(view.slots.filter(({ role }) => role === "running").length <= 1);
    for (const { fill } of view.slots) assert(fill >= 0 && fill <= 100);
    if (view.lever !== null) {
      const to = view.slots.find((it) => it.slot === view.lever)!;
      assert(to.role === "running" || to.role === "trial", to.role);
    }
  }));
});

Deno.test("offerFacts() adds a bundle up and names both times", () => {
  const facts = offerFacts(FIXTURES.ready!.snapshot.offer!);
  assertEquals(facts, {
    installs: "About 6 min",
    restart: "About 40 s, stay parked",
    transfer: "39 MB",
    size: "39 MB of 413 MB",
  });
});

Deno.test("timeNote() names the restart, and in a bundle the time of all together", () => {
  const said = (offer: HmiOffer) => offer.releases.map((release) => timeNote(offer, release));
  assertEquals(said(SINGLE), [
    "About 3 min, 38 MB of 412 MB. Restart: about 12 s, stay parked",
  ]);
  assertEquals(said(TWO), [
    "About 6 min, together about 6 min. Restart: about 40 s, stay parked",
    "About 2 min, together about 6 min. Restart: about 40 s, stay parked",
  ]);
});

Deno.test("stepsOf() has exactly one step under way in each phase that goes forward", () => {
  for (const phase of HMI_PHASES) {
    const steps = stepsOf(phase);
    const forward = ["installing", "restarting", "trial", "confirming"].includes(phase);
    assertEquals(steps.filter((step) => step.state === "now").length, forward ? 1 : 0, phase);
  }
});

Deno.test("leadingEcu() prefers the one in need, then the one that works, then the head unit", () => {
  const idle = [ecu("body", "body-sim"), ecu("ivi", "ivi-rpi4")];
  assertEquals(leadingEcu(idle)?.serial, "ivi");
  const busy = [...idle, ecu("cluster", "cluster-sim", { state: "downloading" })];
  assertEquals(leadingEcu(busy)?.serial, "cluster");
  assertEquals(leadingEcu([...busy, ecu("door", "door-sim", { slot: null })])?.serial, "door");
  assertEquals(leadingEcu([]), undefined);
});

Deno.test("countdown() stops at zero and takes a clock that went back for no time at all", () => {
  assertEquals(countdown(8, 2500), 6);
  assertEquals(countdown(8, 60_000), 0);
  assertEquals(countdown(8, -5000), 8);
});
