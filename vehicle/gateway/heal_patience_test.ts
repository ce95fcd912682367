import { assertEquals } from "@std/assert/mod.js";
import { BACKOFF_MIN_MS, HEAL_LASTS_MS } from "shared/limits.ts";
import { SimClock } from "../../tests/sim/sim_clock.ts";
import { HealPatience } from "./heal_patience.ts";

Deno.test("HealPatience doubles the pause with each attempt, to its bound, for each thing apart", async () => {
  const clock = new SimClock();
  const patience = new HealPatience(clock.life());
  assertEquals(patience.leftMs("a"), 0);
  const pauses = [1, 2, 3, 4].map(() => patience.tried("a", 3 * BACKOFF_MIN_MS) / BACKOFF_MIN_MS);
  assertEquals(pauses, [1, 2, 3, 3]);
  assertEquals([patience.leftMs("a"), patience.leftMs("b")], [3 * BACKOFF_MIN_MS, 0]);
  await clock.drive(() => false, 3 * BACKOFF_MIN_MS);
  assertEquals(patience.leftMs("a"), 0);
  assertEquals(patience.tried("a", 8 * BACKOFF_MIN_MS), 6 * BACKOFF_MIN_MS);
});

Deno.test("HealPatience begins anew when it ends, and when what was healed has lasted", async () => {
  const clock = new SimClock();
  const patience = new HealPatience(clock.life());
  for (const what of ["ended", "lasted"]) {
    for (let i = 0; i < 5; i++) patience.tried(what, 60_000);
  }
  patience.ends("ended");
  assertEquals(patience.leftMs("ended"), 0);
  assertEquals(patience.tried("ended", 60_000), BACKOFF_MIN_MS);
  await clock.drive(() => false, HEAL_LASTS_MS + 60_000);
  assertEquals(patience.tried("lasted", 60_000), BACKOFF_MIN_MS);
});
