import { assertEquals } from "@std/assert/mod.js";
import {
  afterEnd,
  type Ending,
  endingInWords,
  fatalLine,
  type Life,
  RESTART_POLICY,
} from "./restart_policy.ts";

const CRASH: Ending = { code: 1, signal: null, error: null };
const KILLED: Ending = { code: 137, signal: "SIGKILL", error: null };

/** Lives of these lengths, one after the other without a pause. */
function livesOf(...lengths: number[]): Life[] {
  let at = 0;
  return lengths.map((length) => ({ startedAtMs: at, endedAtMs: at += length }));
}

Deno.test("afterEnd() doubles the pause from half a second to thirty, then gives up at ten starts", () => {
  const pauses = [];
  for (let count = 1; count < RESTART_POLICY.maxStarts; count++) {
    const verdict = afterEnd(livesOf(...Array(count).fill(10)), CRASH);
    pauses.push(verdict.next === "restart" && verdict.pauseMs);
  }
  assertEquals(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  const last = afterEnd(livesOf(...Array(10).fill(10)), CRASH);
  assertEquals(last, { next: "giveUp", why: "10 starts in 10 minutes" });
});

Deno.test("afterEnd() begins anew after a minute of life, and forgets starts older than ten minutes", () => {
  assertEquals(afterEnd(livesOf(10, 10, 10, 60_000), KILLED), { next: "restart", pauseMs: 500 });
  assertEquals(afterEnd(livesOf(60_000, 10), KILLED), { next: "restart", pauseMs: 500 });
  assertEquals(afterEnd(livesOf(60_000, 10, 10), KILLED), { next: "restart", pauseMs: 1000 });
  assertEquals(afterEnd(livesOf(...Array(50).fill(61_000)), KILLED).next, "restart");
});

Deno.test("afterEnd() never restarts what stopped cleanly or what a restart does not heal", () => {
  for (const code of [0, 2, 4, 5]) {
    assertEquals(afterEnd(livesOf(10), { ...CRASH, code }), { next: "end", code });
  }
  for (const code of [1, 3, 70, 133]) {
    assertEquals(afterEnd(livesOf(10), { ...CRASH, code }).next, "restart");
  }
  assertEquals(afterEnd(livesOf(10), { code: 0, signal: "SIGKILL", error: null }).next, "restart");
});

Deno.test("fatalLine() and endingInWords() say why a program ended", () => {
  assertEquals(fatalLine("fatal: Error: broken"), "Error: broken");
  assertEquals(
    fatalLine("\x1b[1m\x1b[31merror\x1b[0m: Uncaught (in promise) TypeError: x"),
    "Uncaught (in promise) TypeError: x",
  );
  assertEquals(
    fatalLine("# Fatal JavaScript out of memory: Reached heap limit"),
    "Fatal JavaScript out of memory: Reached heap limit",
  );
  assertEquals(fatalLine("vehicle: director: fatal: no"), undefined);
  assertEquals(endingInWords(KILLED), "ended by SIGKILL");
  assertEquals(endingInWords({ ...CRASH, code: 7 }), "ended with code 7");
  assertEquals(endingInWords({ ...CRASH, error: "x".repeat(900) }).length, 500);
});
