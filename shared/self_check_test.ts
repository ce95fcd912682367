import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert/mod.js";
import { UpdateFailure } from "./failure.ts";
import { BUILT_AT_MS, checkClock } from "./self_check.ts";

Deno.test("checkClock() refuses a clock before the build date and says to set it", () => {
  checkClock(BUILT_AT_MS);
  const error = assertThrows(() => checkClock(0), UpdateFailure);
  assertEquals(error.failure, "preconditionFailed");
  assertStringIncludes(error.message, "1970-01-01T00:00:00.000Z");
  assertStringIncludes(error.message, "set the clock");
});
