import { assertEquals } from "@std/assert/mod.js";
import { EMPTY_SLOT } from "vehicle/bootloader/boot_record.ts";
import type { EcuInventory } from "vehicle/bus/ecu_port.ts";
import { image, inventory, running, slot } from "../../tests/sim/sim_inventory.ts";
import { isSame, trialView } from "./trial_view.ts";

const NEW = image(2);
const OLD = slot(1, { successful: true });

function view(B: EcuInventory["record"]["B"], runs: EcuInventory["running"] = running(1)) {
  return trialView(inventory("ivi", { running: runs, record: { A: OLD, B } }), NEW);
}

Deno.test("trialView() reads from the record how far an image has come that does not run", () => {
  assertEquals(view(slot(2, { triesRemaining: 1 })), { at: "armed" });
  assertEquals(view(slot(2, { successful: true })), { at: "armed" });
  assertEquals(view(slot(2)), { at: "spent" });
  const judged = slot(2, { unbootable: true, verdict: "imageHung" });
  assertEquals(view(judged), { at: "judged", failure: "imageHung" });
  assertEquals(view(slot(2, { unbootable: true })), { at: "judged", failure: "slotUnsound" });
  assertEquals(view(EMPTY_SLOT), { at: "judged", failure: "slotUnsound" });
  assertEquals(view(slot(3, { triesRemaining: 3 })), { at: "judged", failure: "slotUnsound" });
});

Deno.test("trialView() reads the same of an ECU in recovery", () => {
  assertEquals(view(slot(2, { triesRemaining: 1 }), null), { at: "armed" });
  assertEquals(view(slot(2), null), { at: "spent" });
});

Deno.test("trialView() follows a running trial from its start to its end", () => {
  const trial = (change: object) =>
    view(slot(2), running(2, { trial: true, passed: false, ...change }));
  assertEquals(trial({ selfTested: false }), { at: "testing" });
  assertEquals(trial({ selfTested: true }), { at: "tested" });
  assertEquals(trial({ selfTested: true, passed: true }), { at: "passed" });
  assertEquals(trial({ trial: false, selfTested: false }), { at: "passed" });
});

Deno.test("isSame() tells the same bytes under two counters apart", () => {
  assertEquals(isSame(NEW, { ...NEW, version: "2.0.0-rc.1" }), true);
  assertEquals(isSame(NEW, { ...NEW, counter: 3 }), false);
  assertEquals(isSame(NEW, image(1)), false);
  const again = { ...NEW, counter: 1 };
  const runs = running(1, { image: again });
  assertEquals(view(slot(2, { triesRemaining: 3 }), runs), { at: "armed" });
});
