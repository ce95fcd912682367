import { assert, assertEquals } from "@std/assert/mod.js";
import { FAILURE_NAMES, failureByCode, FAILURES, UpdateFailure } from "./failure.ts";

Deno.test("FAILURES gives every failure its own number, in rising order", () => {
  const codes = Object.values(FAILURES).map((kind) => kind.code);
  assertEquals(new Set(codes).size, codes.length);
  assertEquals(codes.toSorted((a, b) => a - b), codes);
});

Deno.test("FAILURES gives every failure a remedy in words", () => {
  for (const [name, kind] of Object.entries(FAILURES)) {
    assert(kind.remedy.length > 10 && !kind.remedy.endsWith("."), name);
    // What was found is no remedy: it must go on with what to do.
    assert(!/^The [^:;,]*$/.test(kind.remedy), name);
  }
});

Deno.test("failureByCode() finds every failure and nothing else", () => {
  for (const name of FAILURE_NAMES) assertEquals(failureByCode(FAILURES[name].code), name);
  assertEquals(failureByCode(7), undefined);
});

Deno.test("UpdateFailure carries number, subject and cause", () => {
  const cause = new Error("disk");
  const failure = new UpdateFailure("deltaBaseDiffers", "cluster", "Cannot patch: no base", {
    cause,
  });
  assertEquals([failure.code, failure.subject, failure.cause], [301, "cluster", cause]);
});
