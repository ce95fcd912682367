import { assertEquals } from "@std/assert/mod.js";
import { COMMITTED, type Phase, RESUME, UPDATE, WAITS } from "./update_table.ts";

const PHASES = Object.keys(UPDATE) as Phase[];

Deno.test("UPDATE reaches every phase from idle", () => {
  const seen = new Set<Phase>(["idle"]);
  for (const phase of seen) for (const next of Object.values(UPDATE[phase])) seen.add(next);
  assertEquals([...seen].sort(), PHASES.toSorted());
});

Deno.test("UPDATE returns to idle from every phase", () => {
  const home = new Set<Phase>(["idle"]);
  for (let round = 0; round < PHASES.length; round++) {
    for (const phase of PHASES) {
      if (Object.values(UPDATE[phase]).some((next) => home.has(next))) home.add(phase);
    }
  }
  assertEquals(home.size, PHASES.length);
});

Deno.test("UPDATE lets nobody withdraw or decline a release once it is committed", () => {
  for (const phase of COMMITTED) {
    assertEquals("withdrawn" in UPDATE[phase] || "declined" in UPDATE[phase], false, phase);
  }
});

Deno.test("UPDATE leads from confirmAll only forward and from rollBackAll never to confirmAll", () => {
  assertEquals(Object.values(UPDATE.confirmAll), ["reporting"]);
  assertEquals(Object.values(UPDATE.rollBackAll).includes("confirmAll" as never), false);
});

Deno.test("RESUME never resumes a phase beyond consent that was not committed", () => {
  assertEquals(RESUME.waiting, "ready");
  for (const phase of COMMITTED) assertEquals(RESUME[phase], phase);
});

Deno.test("WAITS ends everywhere but where the way leads on alone, and then by an event of the table", () => {
  for (const phase of PHASES) {
    const endless = phase === "confirmAll" || phase === "rollBackAll";
    assertEquals(WAITS[phase] === Infinity, endless, phase);
    const ends = WAITS[phase] > 0 && !endless;
    assertEquals(ends, "failed" in UPDATE[phase], phase);
  }
});
