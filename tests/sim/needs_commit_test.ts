/**
 * Releases that need others beside them: never confirmed on half a vehicle.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { loseJournal } from "./rot_world.ts";
import { busWorld } from "./bus_world.ts";
import { everyEcu } from "./sim_bundle.ts";
import { UNHURT } from "./sim_bus.ts";
import { release, type SimRelease } from "./sim_release.ts";
import type { Behaviour } from "./sim_runner.ts";

/** A release for the head unit that needs release 2 of the cluster beside it. */
function needy(counter: number): SimRelease {
  const one = release("ivi-sim", counter);
  const needs = { needs: ["cluster-sim/2.0.0"], needCounters: { "cluster-sim/2.0.0": 2 } };
  return { ...one, release: { ...one.release, ...needs } };
}

/** A vehicle whose cluster runs release 2, and all others release 1. */
async function world() {
  const made = await busWorld();
  made.vehicle.offer("c2", { cluster: release("cluster-sim", 2) });
  await made.vehicle.settled("c2");
  return made;
}

Deno.test("a release whose need comes with it is confirmed with it, or goes back with it", async () => {
  for (const does of ["good", "crash@300", "crash@9000"] as readonly Behaviour[]) {
    const { vehicle } = await busWorld();
    vehicle.offer("c2", { cluster: release("cluster-sim", 2, { does }), ivi: needy(2) });
    await vehicle.settled("c2");
    const version = does === "good" ? "2.0.0" : "1.0.0";
    assertEquals(vehicle.runs(), { body: "1.0.0", cluster: version, ivi: version });
  }
});

Deno.test("a release whose need runs already is confirmed beside it", async () => {
  const { vehicle } = await world();
  vehicle.offer("c3", { ivi: needy(3) });
  await vehicle.settled("c3");
  assertEquals(vehicle.runs(), { body: "1.0.0", cluster: "2.0.0", ivi: "3.0.0" });
});

Deno.test("a release whose need falls back while it is on trial goes back, and says why", async () => {
  const { vehicle } = await world();
  vehicle.offer("c3", { ivi: needy(3) });
  await vehicle.until(() => vehicle.runs()["ivi"] === "trial3.0.0", "ivi is on trial");
  const { slot } = vehicle.ecu("cluster").inventory().running!;
  vehicle.disksOf("cluster")[slot].flip(1, 9);
  vehicle.backend.leaves.clear(); // Else it would be healed in the end.
  await Promise.all([vehicle.ecu("cluster").restart(), vehicle.pass(1000)]);
  assertEquals(vehicle.runs()["cluster"], "1.0.0");
  await vehicle.settled("c3");
  assertEquals(vehicle.runs(), { body: "1.0.0", cluster: "1.0.0", ivi: "1.0.0" });
  assertEquals(vehicle.failures()["ivi"], "needsUnmet");
});

Deno.test("a release whose need cannot be asked is not confirmed: it waits, then goes back", async () => {
  for (const goneMs of [30_000, 600_000]) {
    const { bus, vehicle } = await world();
    vehicle.offer("c3", { ivi: needy(3) });
    await vehicle.until(() => vehicle.runs()["ivi"] === "trial3.0.0", "ivi is on trial");
    bus.rule = ({ serial }) => serial === "cluster" ? [] : UNHURT;
    await vehicle.pass(goneMs);
    bus.rule = () => UNHURT;
    await vehicle.settled("c3");
    const version = goneMs < 60_000 ? "3.0.0" : "1.0.0";
    assertEquals(vehicle.runs(), { body: "1.0.0", cluster: "2.0.0", ivi: version });
    if (version === "1.0.0") assertEquals(vehicle.screen().result?.failure?.name, "ecuLost");
  }
});

Deno.test("a need that only runs on trial, since the journal is gone, is none: the trial goes back first", async () => {
  const { vehicle } = await busWorld();
  vehicle.offer("c2", { cluster: release("cluster-sim", 2) });
  await vehicle.until(() => vehicle.runs()["cluster"] === "trial2.0.0", "cluster is on trial");
  vehicle.cut(() => "new");
  loseJournal(vehicle);
  vehicle.offer("c3", { ivi: needy(3) });
  vehicle.powerOn();
  await vehicle.settled("c3");
  assertEquals(vehicle.runs(), { body: "1.0.0", cluster: "1.0.0", ivi: "1.0.0" });
  assertEquals(vehicle.failures()["ivi"], "needsUnmet");
  vehicle.offer("c4", everyEcu(4));
  await vehicle.settled("c4");
  assert(vehicle.allRun("4.0.0"));
});

Deno.test("a need that rots away after all is confirmed locks the vehicle until it is healed", async () => {
  const { vehicle } = await world();
  vehicle.offer("c3", { ivi: needy(3) });
  await vehicle.settled("c3");
  const { slot } = vehicle.ecu("cluster").inventory().running!;
  vehicle.backend.down = true;
  vehicle.cut(() => "new");
  vehicle.disksOf("cluster")[slot].flip(1, 9);
  vehicle.powerOn();
  await vehicle.pass(5000);
  assertEquals(vehicle.runs(), { body: "1.0.0", cluster: "1.0.0", ivi: "3.0.0" });
  assertEquals(vehicle.screen().driveLock, true);
  vehicle.backend.down = false;
  await vehicle.until(() => vehicle.runs()["cluster"] === "2.0.0", "healed", 10 * 60_000);
  await vehicle.pass(1000);
  assertEquals(vehicle.screen().driveLock, false);
});
