import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import fc from "fast-check";
import { UpdateFailure } from "shared/failure.ts";
import type { Carrier } from "shared/protocol/common.ts";
import { inventory, running, slot } from "../../tests/sim/sim_inventory.ts";
import { release, targetOf, targets } from "../../tests/sim/sim_release.ts";
import { EMPTY_SLOT } from "vehicle/bootloader/boot_record.ts";
import { imageOf, planUpdate, runsAlready } from "./plan.ts";

function refused(run: () => unknown): [string, string] {
  const { failure, subject } = assertThrows(run, UpdateFailure);
  return [failure, subject];
}

Deno.test("planUpdate() never takes an ECU down or sideways, whatever counters meet", () => {
  const counters = fc.integer({ min: 1, max: 6 });
  fc.assert(fc.property(counters, counters, counters, (runs, offered, minCounter) => {
    const one = inventory("ivi", { running: running(runs) });
    const offer = targets(1, "c1", { ivi: release("ivi-sim", offered, { minCounter }) });
    const may = offered > runs && runs >= minCounter;
    if (may) {
      const { steps } = planUpdate([one], offer);
      assertEquals(steps.map(({ image }) => image.counter), [offered]);
      assert(steps[0]!.image.counter > runs);
    } else {
      assertEquals(refused(() => planUpdate([one], offer)), ["releaseDowngrade", "ivi"]);
    }
  }));
});

Deno.test("planUpdate() sorts by rank, whatever the order of ECUs and targets", () => {
  const ranks = fc.uniqueArray(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 8 });
  fc.assert(fc.property(ranks, (ranks) => {
    const ecus = ranks.map((restartRank, i) => inventory(`e${i}`, { restartRank }));
    const offer = targets(
      1,
      "c1",
      Object.fromEntries(
        ecus.toReversed().map(({ serial, hardware }) => [serial, release(hardware, 2)]),
      ),
    );
    const order = planUpdate(ecus, offer).steps.map(({ serial }) => ranks[Number(serial.slice(1))]);
    assertEquals(order, ranks.toSorted((a, b) => a - b));
  }));
});

Deno.test("planUpdate() leaves out an ECU that runs its target, confirmed, and only that", () => {
  const one = release("ivi-sim", 2);
  const runs = { ...running(2), image: imageOf(targetOf(one)) };
  const offer = targets(1, "c1", { ivi: one });
  assertEquals(planUpdate([inventory("ivi", { running: runs })], offer).steps, []);
  const trial = inventory("ivi", { running: { ...runs, trial: true } });
  assertEquals(runsAlready(trial, targetOf(one)), false);
  const other = { ...runs, image: { ...runs.image, counter: 1 } };
  assertEquals(runsAlready(inventory("ivi", { running: other }), targetOf(one)), false);
  assertEquals(runsAlready(inventory("ivi"), targetOf(one)), false);
});

Deno.test("planUpdate() names the version that runs, and none on an empty ECU", () => {
  const offer = targets(1, "c1", { ivi: release("ivi-sim", 2) });
  assertEquals(planUpdate([inventory("ivi")], offer).steps[0]?.from, null);
  const old = inventory("ivi", { running: running(1) });
  assertEquals(planUpdate([old], offer).steps[0]?.from, "1.0.0");
});

Deno.test("planUpdate() refuses unknown ECUs, foreign hardware and images too large, by name", () => {
  const ivi = inventory("ivi", { running: running(1) });
  const plan = (offer: Parameters<typeof planUpdate>[1]) => refused(() => planUpdate([ivi], offer));
  assertEquals(plan(targets(1, "c1", { body: release("body-sim", 2) })), ["ecuUnknown", "body"]);
  assertEquals(plan(targets(1, "c1", { ivi: release("x", 2) })), ["hardwareDiffers", "ivi"]);
  const large = release("ivi-sim", 2, { sizeBytes: 16_385 });
  assertEquals(plan(targets(1, "c1", { ivi: large })), ["imageTooLarge", "ivi"]);
  assertEquals(
    planUpdate([ivi], targets(1, "c1", { ivi: release("ivi-sim", 2, { sizeBytes: 16_384 }) })).steps
      .length,
    1,
  );
  const mixed = targets(1, "c1", { ivi: release("ivi-sim", 2) });
  mixed.ecus["ivi"]!.hardware = "body-sim";
  assertEquals(plan(mixed), ["hardwareDiffers", "ivi"]);
});

Deno.test("planUpdate() orders ways by what travels, and leaves out those that cannot hold", () => {
  const base = running(1);
  const offer = targets(1, "c1", { ivi: release("ivi-sim", 2) });
  const { carriers } = offer.ecus["ivi"]!;
  const [full] = carriers as [Carrier];
  const one = (lengthBytes: number, changes: Partial<Carrier> = {}) =>
    carriers.push({ ...full, lengthBytes, ...changes });
  const baseSha256 = base.image.sha256;
  one(900, { baseSha256 });
  one(500, { baseSha256 });
  one(5000, { baseSha256 });
  one(2500); // A second full one, compressed better.
  one(10, { baseSha256: "cd".repeat(32) }); // Another base.
  one(11, { baseSha256, sha256: "cd".repeat(32) }); // Another image.
  one(12, { format: "raw" });
  one(13, { format: "bsdiff40", baseSha256 });
  const ways = (one: typeof base | null) =>
    planUpdate([inventory("ivi", { running: one })], offer).steps[0]!.ways
      .map(({ transferBytes }) => transferBytes);
  assertEquals(ways(base), [500, 900, 2500, full.lengthBytes, 5000]);
  assertEquals(ways(null), [2500, full.lengthBytes]);
});

Deno.test("planUpdate() takes the bytes that run already before any carrier", () => {
  const one = release("ivi-sim", 2);
  const runs = running(1, { image: { ...imageOf(targetOf(one)), counter: 1, version: "1.0.0" } });
  const { ways } = planUpdate([inventory("ivi", { running: runs })], targets(1, "c1", { ivi: one }))
    .steps[0]!;
  assertEquals(ways.map(({ kind }) => kind), ["local", "carrier"]);
});

Deno.test("planUpdate() without a usable carrier refuses with metadataInvalid", () => {
  const offer = targets(1, "c1", { ivi: release("ivi-sim", 2) });
  offer.ecus["ivi"]!.carriers[0]!.format = "raw";
  const { sha256 } = offer.ecus["ivi"]!.release;
  assertEquals(refused(() => planUpdate([inventory("ivi")], offer)), ["metadataInvalid", sha256]);
});

Deno.test("planUpdate() refuses what is below a confirmed counter on an ECU in recovery", () => {
  const rotted = { A: slot(5, { successful: true, unbootable: true }), B: EMPTY_SLOT };
  const ecu = inventory("ivi", { record: rotted });
  const plan = (counter: number) =>
    planUpdate([ecu], targets(1, "c1", { ivi: release("ivi-sim", counter) }));
  const error = assertThrows(() => plan(4), UpdateFailure);
  assertEquals(error.failure, "releaseDowngrade");
  assertEquals(plan(5).steps.length, 1, "the same release may heal it");
});

Deno.test("planUpdate() refuses a release whose needs neither run nor come with it", () => {
  const ivi = inventory("ivi", { running: running(1) });
  const wants = release("ivi-sim", 2, {
    needs: ["body-sim/2.0.0"],
    needCounters: { "body-sim/2.0.0": 2 },
  });
  const lone = targets(1, "c1", { ivi: wants });
  const bundle = targets(1, "c1", { ivi: wants, body: release("body-sim", 2) });
  const body = (counter: number, trial = false) =>
    inventory("body", { running: running(counter, { trial }), hardware: "body-sim" });
  const short = ["needsUnmet", "ivi"];
  assertEquals(refused(() => planUpdate([ivi], lone)), short, "there is no such ECU");
  assertEquals(refused(() => planUpdate([ivi, inventory("body")], lone)), short, "it is empty");
  assertEquals(refused(() => planUpdate([ivi, body(1)], lone)), short, "it runs an older one");
  assertEquals(refused(() => planUpdate([ivi, body(2, true)], lone)), short, "it is on trial");
  const low = targets(1, "c1", { ivi: wants, body: release("body-sim", 1) });
  assertEquals(refused(() => planUpdate([ivi, inventory("body")], low)), short, "too old a bundle");
  for (const one of [body(2), body(3)]) assertEquals(planUpdate([ivi, one], lone).steps.length, 1);
  assertEquals(planUpdate([ivi, body(1)], bundle).steps.length, 2);
  const done = inventory("ivi", {
    running: { ...running(2), image: imageOf(targetOf(wants)) },
  });
  assertEquals(planUpdate([done, body(1)], lone).steps, [], "what runs already is not judged anew");
});
