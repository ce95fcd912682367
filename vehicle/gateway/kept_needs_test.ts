import { assertEquals } from "@std/assert/mod.js";
import { EMPTY_SLOT } from "vehicle/bootloader/boot_record.ts";
import type { EcuInventory } from "vehicle/bus/ecu_port.ts";
import { release, targets } from "../../tests/sim/sim_release.ts";
import { keptNeeds, lackOf } from "./kept_needs.ts";

const NEEDY = {
  needs: ["body-sim/2.0.0", "cluster-sim/5.0.0"],
  needCounters: { "body-sim/2.0.0": 2 },
};
const KEPT = { counter: 3, needs: [{ release: "body-sim/2.0.0", counter: 2 }] };

function ecu(serial: string, counter: number | null, trial = false): EcuInventory {
  const running = counter === null ? null : {
    slot: "A" as const,
    image: { sha256: "ab".repeat(32), lengthBytes: 1, counter, version: `${counter}.0.0` },
    ...{ trial, triesRemaining: 0, selfTested: true, passed: true, trialLeftMs: 0 },
  };
  const record = { A: EMPTY_SLOT, B: EMPTY_SLOT };
  const rest = { slotBytes: 1024, restartRank: 1, trialMs: 0, record, verdictDetail: null };
  return { serial, hardware: `${serial}-sim`, running, ...rest };
}

Deno.test("keptNeeds() replaces those of the members, and leaves the others", () => {
  const offer = targets(1, "c1", {
    ivi: release("ivi-sim", 3, NEEDY),
    body: release("body-sim", 4),
  });
  assertEquals(keptNeeds({ cluster: KEPT, body: KEPT }, offer, ["ivi", "body"]), {
    cluster: KEPT,
    ivi: {
      counter: 3,
      needs: [{ release: "body-sim/2.0.0", counter: 2 }, {
        release: "cluster-sim/5.0.0",
        counter: null,
      }],
    },
  });
  assertEquals(keptNeeds(undefined, offer, []), {});
});

Deno.test("lackOf() names a release that runs without what it needs, and nothing else", () => {
  const kept = { ivi: KEPT };
  for (const counter of [2, 7]) {
    assertEquals(lackOf(kept, [ecu("body", counter), ecu("ivi", 3)]), undefined);
  }
  for (const body of [ecu("body", 1), ecu("body", null), ecu("body", 2, true)]) {
    assertEquals(lackOf(kept, [body, ecu("ivi", 3)])?.startsWith("ivi runs 3.0.0"), true);
    // Fallen back itself, or in recovery, it needs nothing any more; without a journal neither.
    assertEquals(lackOf(kept, [body, ecu("ivi", 1)]), undefined);
    assertEquals(lackOf(kept, [body, ecu("ivi", null)]), undefined);
    assertEquals(lackOf(undefined, [body, ecu("ivi", 3)]), undefined);
  }
});
