import { assertEquals } from "@std/assert/mod.js";
import { SimClock } from "../sim/sim_clock.ts";
import { type Behaviour, SimRunner } from "../sim/sim_runner.ts";
import { type RunsNow, watchedRunner } from "./running.ts";

/** Starts an image, lets some time pass, kills it, and says what is noted then. */
async function killed(does: Behaviour, afterMs: number) {
  const world = new SimClock();
  const life = world.life();
  const [runs, booted] = [new Map<string, RunsNow>(), new Map<string, RunsNow>()];
  const bytes = new TextEncoder().encode(`${does}\n`);
  const runner = watchedRunner(new SimRunner(life, () => {}), {
    ...{ runs, booted, life, onStart: () => {} },
  });
  const image = {
    ...{ lengthBytes: bytes.length, sha256: "00", slotPath: "A" },
    read: (offset: number, length: number) => bytes.slice(offset, offset + length),
  };
  const boot = { type: "boot", serial: "body", slot: "A", version: "1.0.0" } as const;
  const running = runner.start(image, boot, { message: () => {}, ended: () => {} });
  await world.drive(() => false, afterMs);
  const before = [runs.has("body"), booted.has("body")];
  void running.kill();
  return { before, after: [runs.has("body"), booted.has("body")] };
}

Deno.test("watchedRunner() forgets an image that is killed while it runs well", async () => {
  assertEquals(await killed("good", 9000), { before: [true, true], after: [false, false] });
});

Deno.test("watchedRunner() takes an image that is killed because it hung for one about to start again", async () => {
  // Seed 10403: the world came to rest in the pause before such a start.
  assertEquals(await killed("hang@6000", 9000), { before: [true, true], after: [false, true] });
});

Deno.test("watchedRunner() takes an image that crashed for one about to start again", async () => {
  assertEquals(await killed("crash@6000", 9000), { before: [false, true], after: [false, true] });
});
