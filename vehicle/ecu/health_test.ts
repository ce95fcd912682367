import { assertEquals } from "@std/assert/mod.js";
import { BOOT_TIMEOUT_MS, HEARTBEAT_TIMEOUT_MS } from "shared/limits.ts";
import { Health, verdictOfEnd } from "./health.ts";

const BOOTED = 1_000_000;
const TRIAL = 10_000;

/** A health that heard heartbeats at these times after its start, and perhaps a self-test. */
function heard(beats: readonly number[], selfTest?: boolean, trialMs = TRIAL): Health {
  const health = new Health(BOOTED, trialMs);
  for (const at of beats) health.beat(BOOTED + at);
  if (selfTest !== undefined) health.selfTest(selfTest, "all checks");
  return health;
}

const failure = (health: Health, at: number) => health.verdict(BOOTED + at)?.failure ?? null;

Deno.test("verdict() allows an image BOOT_TIMEOUT_MS for its first sign of life, and no more", () => {
  assertEquals(failure(heard([]), BOOT_TIMEOUT_MS), null);
  assertEquals(failure(heard([]), BOOT_TIMEOUT_MS + 1), "imageHung");
});

Deno.test("verdict() allows HEARTBEAT_TIMEOUT_MS between heartbeats, and no more", () => {
  const health = heard([100, 1100], true);
  assertEquals(failure(health, 1100 + HEARTBEAT_TIMEOUT_MS), null);
  assertEquals(failure(health, 1100 + HEARTBEAT_TIMEOUT_MS + 1), "imageHung");
  health.beat(BOOTED + 1100 + HEARTBEAT_TIMEOUT_MS + 1);
  assertEquals(failure(health, 1100 + HEARTBEAT_TIMEOUT_MS + 1), null);
});

Deno.test("verdict() wants the self-test within the boot time or the trial, whichever is longer", () => {
  const short = heard([0, BOOT_TIMEOUT_MS], undefined, 500);
  assertEquals(failure(short, BOOT_TIMEOUT_MS), null);
  assertEquals(failure(short, BOOT_TIMEOUT_MS + 1), "selfTestMissing");
  const long = heard([0, 30_000], undefined, 30_000);
  assertEquals(failure(long, 30_000), null);
  assertEquals(failure(long, 30_001), "selfTestMissing");
});

Deno.test("selfTest() counts a failure whenever it comes, and never forgets it", () => {
  const health = heard([100], true);
  health.selfTest(false, "sensor 3");
  health.selfTest(true, "better now");
  assertEquals(health.verdict(BOOTED + 200), { failure: "selfTestFailed", detail: "sensor 3" });
  assertEquals([health.selfTested, health.passed(BOOTED + 90_000)], [false, false]);
});

Deno.test("passed() wants a sign of life at the end of the trial or later", () => {
  assertEquals(heard([9_900], true).passed(BOOTED + TRIAL + 50), false);
  assertEquals(heard([9_900, TRIAL], true).passed(BOOTED + TRIAL), true);
  assertEquals(heard([TRIAL]).passed(BOOTED + TRIAL), false);
  const silent = heard([TRIAL], true);
  assertEquals(silent.passed(BOOTED + TRIAL + HEARTBEAT_TIMEOUT_MS), true);
  assertEquals(silent.passed(BOOTED + TRIAL + HEARTBEAT_TIMEOUT_MS + 1), false);
});

Deno.test("passed() without a trial time needs nothing but life and the self-test", () => {
  assertEquals(heard([0], true, 0).passed(BOOTED), true);
  assertEquals(heard([0], undefined, 0).passed(BOOTED), false);
});

Deno.test("trialLeftMs() counts down to zero and no further", () => {
  const health = heard([]);
  assertEquals([0, 4000, TRIAL, TRIAL + 1].map((at) => health.trialLeftMs(BOOTED + at)), [
    TRIAL,
    6000,
    0,
    0,
  ]);
});

Deno.test("verdictOfEnd() names every end by its failure", () => {
  const names = (["crash", "exit", "syntax", "import", "memory"] as const).map((kind) =>
    verdictOfEnd({ kind, detail: "why" })
  );
  assertEquals(names.map(({ failure }) => failure), [
    "imageCrashed",
    "imageCrashed",
    "imageSyntax",
    "imageImports",
    "memoryExhausted",
  ]);
  assertEquals(names.every(({ detail }) => detail === "why"), true);
});
