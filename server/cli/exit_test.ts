import { assertEquals } from "@std/assert/mod.js";
import { FAILURE_NAMES, FAILURES, UpdateFailure } from "shared/failure.ts";
import {
  asCommandError,
  causesOf,
  commandError,
  EXIT,
  exitOfFailure,
  problemError,
} from "./exit.ts";

function problem(status: number, name: string) {
  const detail = "Cannot do it: so it is";
  return { type: "about:blank", title: "No", status, detail, code: 7, name, remedy: "Do else" };
}

Deno.test("problemError() is a refusal for 4xx and a failure for 5xx", () => {
  for (const status of [400, 401, 403, 404, 409, 413, 422, 429]) {
    assertEquals(problemError(problem(status, "badRequest")).exit, EXIT.refused, String(status));
  }
  for (const status of [500, 502, 503, 507]) {
    assertEquals(problemError(problem(status, "internal")).exit, EXIT.failed, String(status));
  }
  assertEquals(problemError(problem(503, "preconditionFailed")).exit, EXIT.precondition);
  assertEquals(problemError(problem(413, "storeFull")).exit, EXIT.failed);
});

Deno.test("problemError() keeps number, name and remedy, also of names that it does not know", () => {
  const error = problemError(problem(409, "ofTomorrow"));
  assertEquals(error.facts, { code: 7, name: "ofTomorrow", remedy: "Do else" });
  assertEquals(error.message, "Cannot do it: so it is");
});

Deno.test("exitOfFailure() is total, and tells broken lines and faults from refusals", () => {
  const codes = Object.fromEntries(FAILURE_NAMES.map((name) => [name, exitOfFailure(name)]));
  assertEquals(codes.serverUnreachable, EXIT.unreachable);
  assertEquals(codes.noteEmpty, EXIT.refused);
  assertEquals(codes.patchDamaged, EXIT.refused);
  assertEquals(codes.preconditionFailed, EXIT.precondition);
  assertEquals(codes.internal, EXIT.failed);
});

Deno.test("asCommandError() keeps a failure's facts and calls anything else a fault", () => {
  const failure = asCommandError(new UpdateFailure("noteEmpty", "purpose", "Cannot: empty"));
  assertEquals([failure.exit, failure.facts.code], [EXIT.refused, FAILURES.noteEmpty.code]);
  const fault = asCommandError(new RangeError("off by one"));
  assertEquals([fault.exit, fault.facts.name], [EXIT.failed, "internal"]);
  assertEquals(fault.message, "RangeError: off by one");
  assertEquals(asCommandError("text").message, "text");
});

Deno.test("causesOf() tells each lower error once, nearest first", () => {
  const lowest = new Error("refused", { cause: new Error("refused") });
  const cause = new Error("no line", { cause: lowest });
  assertEquals(causesOf(commandError(1, "internal", "Cannot", { cause })), ["no line", "refused"]);
});
