/**
 * Media that write 4 KiB at once: a cut takes all eight sectors of a page, also those that were
 * synced long before. No record may lie in the page of another.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { everyEcu } from "./sim_bundle.ts";
import { SimVehicle } from "./sim_vehicle.ts";

for (const bad of [false, true]) {
  const course = bad ? "goes back" : "is confirmed";
  Deno.test(`a release ${course} in the end, at whatever operation the power takes whole pages`, async () => {
    for (let cut = 0;; cut += 3) { // Every third: the graph of power cuts takes them all.
      const vehicle = await SimVehicle.running();
      vehicle.offer("c2", everyEcu(2, bad ? { cluster: { does: "crash@300" } } : {}));
      vehicle.power.cutAt = vehicle.power.operations + cut;
      const over = () => vehicle.on && vehicle.journal().concluded === "c2";
      await vehicle.until(() => !vehicle.on || over(), "a cut or the end", 10 * 60_000);
      if (vehicle.on) {
        assert(cut > 60, `${cut} cuts`);
        break;
      }
      vehicle.cut(() => "garbage");
      vehicle.powerOn();
      await vehicle.settled("c2");
      assertEquals(vehicle.allRun(bad ? "1.0.0" : "2.0.0"), true, `cut ${cut}`);
      await vehicle.until(() => !vehicle.screen().driveLock, "it may be driven", 60_000);
    }
  });
}
