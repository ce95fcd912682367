import { assertEquals } from "@std/assert/mod.js";
import fc from "fast-check";
import { type FutureEcu, needOf, unmetNeed } from "./needs.ts";

function ecu(hardware: string, counter: number | null): FutureEcu {
  return { hardware, release: counter === null ? null : `${hardware}/${counter}.0.0`, counter };
}

Deno.test("unmetNeed() wants the release or a newer one, on each ECU of its hardware", () => {
  const counter = fc.option(fc.integer({ min: 1, max: 4 }), { nil: null });
  const world = fc.record({
    left: counter,
    right: counter,
    other: counter,
    need: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(fc.property(world, ({ left, right, other, need }) => {
    const ecus = [ecu("cam", left), ecu("cam", right), ecu("body", other)];
    const met = unmetNeed([needOf(`cam/${need}.0.0`, need)], ecus) === undefined;
    assertEquals(met, (left ?? 0) >= need && (right ?? 0) >= need);
  }));
});

Deno.test("unmetNeed() says what is missing, and of several needs the first", () => {
  const needs = [needOf("body/2.0.0", 2), needOf("cam/1.0.0", 1)];
  const why = (...ecus: FutureEcu[]) => unmetNeed(needs, ecus);
  assertEquals(why(), "it needs body/2.0.0, and this vehicle has no body");
  const old = why(ecu("body", 1), ecu("cam", 1));
  assertEquals(old, "it needs body/2.0.0, and beside it would run body/1.0.0");
  const empty = why(ecu("body", 2), ecu("cam", null));
  assertEquals(empty, "it needs cam/1.0.0, and beside it would run nothing");
  assertEquals(why(ecu("body", 2), ecu("cam", 1)), undefined);
  assertEquals(unmetNeed([], []), undefined);
  // The server knows counters only: the same one is enough.
  const told = [ecu("body", 2), ecu("cam", 1)].map((each) => ({ ...each, release: null }));
  assertEquals(why(...told), undefined);
});

Deno.test("unmetNeed() takes only the very release when its counter is unknown", () => {
  const needs = [needOf("body/2.0.0", undefined)];
  assertEquals(unmetNeed(needs, [ecu("body", 2)]), undefined);
  assertEquals(
    unmetNeed(needs, [ecu("body", 3)]),
    "it needs body/2.0.0, and beside it would run body/3.0.0",
  );
});
