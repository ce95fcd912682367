import { assertEquals } from "@std/assert/mod.js";
import { inventory, running, slot } from "../../tests/sim/sim_inventory.ts";
import { emptied, type SlotRecord } from "vehicle/bootloader/boot_record.ts";
import type { EcuInventory } from "vehicle/bus/ecu_port.ts";
import { halfBack, partners } from "./half_way.ts";

const [TAG, LATER] = ["0b".repeat(8), "0c".repeat(8)];
const OLD = slot(1, { successful: true, priority: 1 });
const NEW = slot(2, { successful: true, priority: 2, bundle: TAG });
const ROTTEN: SlotRecord = { ...NEW, unbootable: true, verdict: "slotUnsound" };
const BACK = { A: { ...OLD, priority: 2 }, B: { ...NEW, priority: 1 } };

/** Every way in which an ECU can stand to a bundle, and whether it counts as on it or back from it. */
const ECUS: Readonly<Record<string, readonly [Partial<EcuInventory>, "on" | "back" | "out"]>> = {
  runs: [{ record: { A: OLD, B: NEW }, running: running(2, { slot: "B" }) }, "on"],
  fell: [{ record: { A: OLD, B: ROTTEN }, running: running(1) }, "on"],
  recovery: [{ record: { A: OLD, B: ROTTEN }, running: null }, "on"],
  back: [{ record: BACK, running: running(1) }, "back"],
  // The record says so already; the restart has not come yet, or led to the newer one again.
  backSoon: [{ record: BACK, running: running(2, { slot: "B" }) }, "on"],
  backAndEmptied: [{ record: { A: BACK.A, B: emptied(BACK, "B") }, running: running(1) }, "back"],
  later: [{
    record: { A: slot(3, { successful: true, priority: 2, bundle: LATER }), B: NEW },
    running: running(3),
  }, "out"],
  laterAlone: [{ record: { A: OLD, B: slot(3, { successful: true, priority: 2 }) } }, "out"],
  trial: [{ record: { A: OLD, B: { ...NEW, successful: false, triesRemaining: 1 } } }, "out"],
  fresh: [{}, "out"],
};

Deno.test("halfBack() finds a bundle of which one ECU went back and another did not, whatever else there is", () => {
  const words = Object.entries(ECUS);
  let found = 0;
  for (const [one, [first, firstIs]] of words) {
    for (const [two, [second, secondIs]] of words) {
      for (const [three, [third, thirdIs]] of words) {
        const all = [
          inventory("body", first),
          inventory("cluster", second),
          inventory("ivi", third),
        ];
        const are = [firstIs, secondIs, thirdIs];
        const half = are.includes("on") && are.includes("back");
        const members = all.filter((_, i) => are[i] !== "out").map(({ serial }) => serial);
        assertEquals(halfBack(all), half ? members : undefined, `${one} ${two} ${three}`);
        assertEquals(partners(TAG, all), members, `${one} ${two} ${three}`);
        if (half) found++;
      }
    }
  }
  assertEquals(found > 200, true, `${found}`);
});

Deno.test("halfBack() keeps bundles apart", () => {
  const other = slot(2, { successful: true, priority: 2, bundle: LATER });
  const body = inventory("body", ECUS["back"]![0]);
  const ivi = inventory("ivi", {
    record: { A: OLD, B: other },
    running: running(2, { slot: "B" }),
  });
  assertEquals(halfBack([body, ivi]), undefined);
});
