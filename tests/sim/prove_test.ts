/**
 * The last look at the signatures: what it refuses is not booted.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import { everyEcu } from "./sim_bundle.ts";
import { SimVehicle } from "./sim_vehicle.ts";

Deno.test("a release that no longer proves itself before it is armed is given up, and all go on with the old one", async () => {
  const looks: string[][] = [];
  let refused = "";
  const vehicle = await SimVehicle.running({
    prove: (releases, startAt) => {
      assert(startAt > 0);
      looks.push([...releases].map(([serial, { version }]) => `${serial} ${version}`).toSorted());
      if (!releases.has(refused)) return Promise.resolve();
      const message = "Cannot install 2.0.0 on cluster: its owner has not signed it";
      return Promise.reject(new UpdateFailure("targetUnproved", refused, message));
    },
  });
  const before = vehicle.starts.length;
  refused = "cluster";
  vehicle.offer("c2", everyEcu(2));
  await vehicle.settled("c2");
  assert(vehicle.allRun("1.0.0"));
  assertEquals(vehicle.failures().cluster, "targetUnproved");
  assertEquals(vehicle.backend.reported("cluster")?.failure?.name, "targetUnproved");
  assert(!vehicle.starts.slice(before).some(({ version }) => version === "2.0.0"), "never booted");
  assertEquals(looks.at(-1), ["body 2.0.0", "cluster 2.0.0", "ivi 2.0.0"]);

  refused = "";
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3");
  assert(vehicle.allRun("3.0.0"));
});
