import { assert, assertEquals, assertStringIncludes } from "@std/assert/mod.js";
import type { Clock } from "./clock.ts";
import type { LastError } from "./protocol/messages.ts";
import type { Ending } from "./restart_policy.ts";
import { stillShown, supervise } from "./supervise.ts";

const CRASH: Ending = { code: 1, signal: null, error: "Error: broken" };

/** Time that passes only while somebody sleeps. */
function manualClock(): Clock & { slept: number[] } {
  let at = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => 1_800_000_000_000 + at,
    monotonic: () => at,
    sleep(ms, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      slept.push(ms);
      at += ms;
      return Promise.resolve();
    },
  };
}

/** Runs children that end one after the other as told. */
async function run(endings: readonly Ending[], stopAt = Infinity) {
  const clock = manualClock();
  const stop = new AbortController();
  const told: (LastError | undefined)[] = [];
  const log: string[] = [];
  const code = await supervise({
    clock,
    log: (line) => log.push(line),
    stop: stop.signal,
    spawn(lastError) {
      told.push(lastError);
      const ending = endings[Math.min(told.length, endings.length) - 1]!;
      if (told.length !== stopAt) {
        return { pid: told.length, ended: Promise.resolve(ending), stop() {} };
      }
      const { promise: ended, resolve } = Promise.withResolvers<Ending>();
      queueMicrotask(() => stop.abort());
      return {
        pid: told.length,
        ended,
        stop: () => resolve({ code: 0, signal: null, error: null }),
      };
    },
  });
  return { code, told, log, slept: clock.slept };
}

Deno.test("supervise() tells each start why the one before it ended, and counts", async () => {
  const killed = { code: 137, signal: "SIGKILL", error: null };
  const { code, told, slept } = await run([CRASH, killed, { ...CRASH, code: 0 }]);
  assertEquals([code, slept], [0, [500, 1000]]);
  assertEquals(told[0], undefined);
  assertEquals([told[1]!.message, told[1]!.restarts], ["Error: broken", 1]);
  assertEquals([told[2]!.message, told[2]!.restarts], ["ended by SIGKILL", 2]);
});

Deno.test("supervise() gives up with code 1 and says why", async () => {
  const { code, told, log } = await run([CRASH]);
  assertEquals([code, told.length], [1, 10]);
  assertStringIncludes(log.at(-1)!, "Cannot keep the program alive: 10 starts in 10 minutes");
  assertStringIncludes(log.at(-1)!, "Error: broken");
});

Deno.test("supervise() passes on codes that no restart heals, and a stop", async () => {
  for (const code of [2, 5]) assertEquals((await run([{ ...CRASH, code }])).told.length, 1);
  const stopped = await run([CRASH], 2);
  assertEquals([stopped.code, stopped.told.length], [0, 2]);
});

Deno.test("stillShown() keeps a crash for a day", () => {
  const crash = { at: "2027-01-01T00:00:00.000Z", message: "ended by SIGKILL", restarts: 1 };
  const at = Date.parse(crash.at);
  assertEquals(stillShown(undefined, at), undefined);
  assertEquals(stillShown(crash, at + 1000), crash);
  assertEquals(stillShown(crash, at + 24 * 3600_000), undefined);
  assert(stillShown(crash, at - 5000), "a clock that went back");
});
