import { assertEquals } from "@std/assert/mod.js";
import fc from "fast-check";
import { BOOT_TIMEOUT_MS, HEARTBEAT_TIMEOUT_MS } from "shared/limits.ts";
import { Health, isExcused, JUDGE_EVERY_MS, verdictOfEnd } from "./health.ts";

const BOOTED = 1_000_000;
const TRIAL = 10_000;

/** What an image does, and what holds this process up, in milliseconds after the start. */
interface Life {
  readonly beats?: readonly number[];
  readonly selfTest?: boolean;
  readonly trialMs?: number;
  readonly loadedAt?: number;
  /** From, to: nothing is heard; what was said meanwhile is heard at the end. */
  readonly busy?: readonly (readonly [number, number])[];
}

/** The health of an image up to a moment, with this process listening as the ECU does. */
function lived(until: number, life: Life): Health {
  const { beats = [], selfTest, trialMs = TRIAL, loadedAt = 0, busy = [] } = life;
  const health = new Health(BOOTED, trialMs);
  if (selfTest !== undefined) health.selfTest(selfTest, "all checks");
  const awake = (at: number) => {
    for (const [from, to] of busy) if (at > from && at < to) at = to;
    return at;
  };
  const heard = beats.map(awake);
  for (let at = 0, left = heard; at <= until; at = awake(at + JUDGE_EVERY_MS)) {
    const next = awake(at + JUDGE_EVERY_MS);
    if (at > 0) health.listen(BOOTED + at, at <= loadedAt);
    // What waits is heard after the look that ends a busy time: the harder order.
    for (const beat of left.filter((each) => each < next && each <= until)) {
      health.beat(BOOTED + Math.max(at, beat));
    }
    left = left.filter((each) => each >= next);
  }
  return health;
}

const every = (from: number, to: number) =>
  Array.from({ length: Math.floor((to - from) / 1000) + 1 }, (_, i) => from + i * 1000);
const failure = (until: number, life: Life) => lived(until, life).verdict()?.failure ?? null;

Deno.test("verdict() allows an image BOOT_TIMEOUT_MS for its first sign of life, and no more", () => {
  assertEquals(failure(BOOT_TIMEOUT_MS, {}), null);
  assertEquals(failure(BOOT_TIMEOUT_MS + JUDGE_EVERY_MS, {}), "imageHung");
});

Deno.test("verdict() does not count the time in which the image is loaded", () => {
  const loadedAt = 60_000;
  assertEquals(failure(loadedAt + BOOT_TIMEOUT_MS, { loadedAt }), null);
  assertEquals(failure(loadedAt + BOOT_TIMEOUT_MS + JUDGE_EVERY_MS, { loadedAt }), "imageHung");
});

Deno.test("verdict() allows HEARTBEAT_TIMEOUT_MS between heartbeats, and no more", () => {
  const life = { beats: [100, 1000], selfTest: true };
  const end = 1000 + HEARTBEAT_TIMEOUT_MS;
  assertEquals(failure(end, life), null);
  assertEquals(failure(end + JUDGE_EVERY_MS, life), "imageHung");
  const again = { ...life, beats: [...life.beats, end + JUDGE_EVERY_MS] };
  assertEquals(failure(end + JUDGE_EVERY_MS, again), null);
});

Deno.test("verdict() takes no silence of this process for one of the image", () => {
  const busy = [[2100, 62_100]] as const;
  assertEquals(failure(62_100, { beats: every(100, 62_100), busy, selfTest: true }), null);
  assertEquals(failure(62_100, { beats: [100, 1100, 2000], busy, selfTest: true }), null);
  // Held up again and again, with single looks in between.
  const often = Array.from({ length: 9 }, (_, i) => [2000 + i * 6000, 7900 + i * 6000] as const);
  const life = { beats: every(100, 60_000), busy: often, selfTest: true };
  for (let at = 0; at < 60_000; at += JUDGE_EVERY_MS) assertEquals(failure(at, life), null);
});

Deno.test("verdict() finds an image that hangs also when this process is held up all the time", () => {
  const busy = Array.from({ length: 99 }, (_, i) => [2000 + i * 6000, 7900 + i * 6000] as const);
  assertEquals(failure(99 * 6000, { beats: [100, 1100], busy, selfTest: true }), "imageHung");
  // And at once in what it had left, when it is no longer held up.
  const once = { beats: [100, 1100], busy: [[1200, 30_000]] as const, selfTest: true };
  assertEquals(failure(30_000 + HEARTBEAT_TIMEOUT_MS, once), "imageHung");
});

Deno.test("verdict() wants the self-test within the boot time or the trial, whichever is longer", () => {
  const end = BOOT_TIMEOUT_MS;
  const short = { beats: every(0, end), trialMs: 500 };
  assertEquals(failure(end, short), null);
  assertEquals(failure(end + JUDGE_EVERY_MS, short), "selfTestMissing");
  const long = { beats: every(0, 30_000), trialMs: 30_000 };
  assertEquals(failure(30_000, long), null);
  assertEquals(failure(30_000 + JUDGE_EVERY_MS, long), "selfTestMissing");
  assertEquals(failure(60_000, { ...short, beats: every(0, 60_000), busy: [[900, 60_000]] }), null);
});

Deno.test("selfTest() counts a failure whenever it comes, and never forgets it", () => {
  const health = lived(100, { beats: [100], selfTest: true });
  health.selfTest(false, "sensor 3");
  health.selfTest(true, "better now");
  assertEquals(health.verdict(), { failure: "selfTestFailed", detail: "sensor 3" });
  assertEquals([health.selfTested, health.passed], [false, false]);
});

Deno.test("passed wants a sign of life at the end of the trial or later", () => {
  const passed = (until: number, life: Life) => lived(until, life).passed;
  assertEquals(passed(TRIAL, { beats: [0, 9_900], selfTest: true }), false);
  assertEquals(passed(TRIAL, { beats: [0, 9_900, TRIAL], selfTest: true }), true);
  assertEquals(passed(TRIAL, { beats: [0, 9_900, TRIAL] }), false);
  const silent = { beats: [0, 9_900, TRIAL], selfTest: true };
  assertEquals(passed(TRIAL + HEARTBEAT_TIMEOUT_MS, silent), true);
  assertEquals(passed(TRIAL + HEARTBEAT_TIMEOUT_MS + JUDGE_EVERY_MS, silent), false);
});

Deno.test("passed wants the whole trial from the first sign of life on: a slow start proves nothing", () => {
  const start = 3000; // It was started then; before, its program was on its way into memory.
  const life = { beats: every(start, TRIAL + start), selfTest: true };
  assertEquals(lived(TRIAL, life).passed, false);
  assertEquals(lived(TRIAL + start - JUDGE_EVERY_MS, life).passed, false);
  assertEquals(lived(TRIAL + start, life).passed, true);
});

Deno.test("passed without a trial time needs nothing but life and the self-test", () => {
  assertEquals(lived(0, { beats: [0], selfTest: true, trialMs: 0 }).passed, true);
  assertEquals(lived(0, { beats: [0], trialMs: 0 }).passed, false);
});

Deno.test("passed never holds for an image that hung before its trial was listened to, however long this process was held up", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: TRIAL - 2 * JUDGE_EVERY_MS }), // Its last heartbeat.
      fc.array(fc.tuple(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 1, max: 30_000 })), {
        maxLength: 5,
      }),
      (hungAt, pauses) => {
        const busy = pauses.map(([from, ms]) => [from, from + ms] as const)
          .toSorted((a, b) => a[0] - b[0]);
        const life = { beats: every(hungAt % 1000, hungAt), busy, selfTest: true };
        for (let at = 0; at < 90_000; at += 5 * JUDGE_EVERY_MS) {
          assertEquals(lived(at, life).passed, false, `at ${at}`);
        }
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("passed never rests on a heartbeat that waited while this process was held up", () => {
  const listened = (until: number) => {
    const health = new Health(BOOTED, TRIAL);
    health.selfTest(true, "all checks");
    health.beat(BOOTED);
    for (let at = JUDGE_EVERY_MS; at <= until; at += JUDGE_EVERY_MS) health.listen(BOOTED + at);
    return health;
  };
  // Heard before the first look after a long time: it may be as old as that time.
  const first = listened(5000);
  first.beat(BOOTED + 60_000);
  assertEquals(first.passed, false);
  first.listen(BOOTED + 60_000);
  assertEquals([first.passed, first.verdict()], [false, null]);
  // Heard at the end of the trial, but among the first: a pipe may take some turns to be emptied.
  const late = listened(9500);
  late.listen(BOOTED + 30_000);
  late.beat(BOOTED + 30_100);
  assertEquals(late.passed, false);
  for (const at of [30_250, 30_500]) late.listen(BOOTED + at);
  late.beat(BOOTED + 30_600);
  assertEquals(late.passed, true);
});

Deno.test("trialLeftMs() counts down to zero and no further, and waits while this process is held up", () => {
  const left = (at: number, life: Life = { beats: [0] }) =>
    lived(at, life).trialLeftMs(BOOTED + at);
  assertEquals([0, 4000, TRIAL, TRIAL + 250].map((at) => left(at)), [TRIAL, 6000, 0, 0]);
  assertEquals(left(21_000, { beats: [0], busy: [[1000, 21_000]] }), 8500);
  assertEquals(left(4000, {}), TRIAL, "no sign of life yet");
  assertEquals(left(4000, { beats: [3000] }), TRIAL - 1000);
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
  assertEquals(names.some(({ failure }) => isExcused(failure)), false);
  const unloaded = { kind: "unloaded", failure: "storageFull", detail: "why" } as const;
  assertEquals(verdictOfEnd(unloaded), { failure: "storageFull", detail: "why" });
  assertEquals(isExcused("storageFull"), true);
});
