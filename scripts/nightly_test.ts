import { assertEquals, assertThrows } from "@std/assert/mod.js";
import { PARTS, partsOf } from "./nightly.ts";

const ALL = PARTS.map(({ task }) => task);

Deno.test("partsOf() gives all parts when none is named, and else those that are", () => {
  assertEquals(partsOf([], [...ALL, "test"]), PARTS);
  assertEquals(partsOf(["kill"], ["kill"]).map(({ task }) => task), ["kill"]);
});

Deno.test("partsOf() refuses a night of which any part has no task", () => {
  for (const absent of ALL) {
    const tasks = ALL.filter((task) => task !== absent);
    assertThrows(() => partsOf([], tasks), Error, `deno.json has no task ${absent}`);
    assertThrows(() => partsOf([absent], tasks), Error, `no task ${absent}`);
  }
  assertThrows(() => partsOf(["sleep"], ALL), Error, 'Cannot run part "sleep"');
});
