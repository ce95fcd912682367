import { assertEquals } from "@std/assert/mod.js";
import { MIN_BATTERY_PERCENT } from "shared/limits.ts";
import type { Precondition } from "shared/protocol/common.ts";
import type { Signals } from "shared/protocol/hmi.ts";
import { judge, PARKED } from "./signals.ts";

const ok = (name: Precondition, change: Partial<Signals>) =>
  judge([name], { ...PARKED, ...change })[0]!.ok;
const found = (name: Precondition, change: Partial<Signals>) =>
  judge([name], { ...PARKED, ...change })[0]!.found;

Deno.test("judge() finds every precondition met on a parked vehicle", () => {
  assertEquals(judge([], PARKED).map(({ name, ok }) => [name, ok]), [
    ["parked", true],
    ["brake", true],
    ["battery", true],
  ]);
});

Deno.test("judge() takes what is unknown as not met", () => {
  assertEquals([ok("parked", { speedKmh: null }), ok("battery", { batteryPercent: null })], [
    false,
    false,
  ]);
  assertEquals(found("parked", { speedKmh: null }), "speed unknown");
  assertEquals(found("battery", { batteryPercent: null }), "unknown");
});

Deno.test("judge() wants P and no speed at all for parked", () => {
  assertEquals(ok("parked", { parked: false }), false);
  assertEquals(ok("parked", { speedKmh: 0.1 }), false);
  assertEquals(found("parked", { parked: false }), "standing, not in P");
  assertEquals(found("parked", { speedKmh: 49.6 }), "moving at 50 km/h");
  assertEquals(ok("parked", { brake: false, batteryPercent: 0 }), true);
});

Deno.test("judge() wants MIN_BATTERY_PERCENT, that value included", () => {
  assertEquals(ok("battery", { batteryPercent: MIN_BATTERY_PERCENT }), true);
  assertEquals(ok("battery", { batteryPercent: MIN_BATTERY_PERCENT - 0.1 }), false);
});

Deno.test("judge() judges only what a campaign wants, and everything when it names nothing", () => {
  assertEquals(judge(["brake"], PARKED).map(({ name }) => name), ["brake"]);
  assertEquals(judge([], PARKED).length, 3);
});
