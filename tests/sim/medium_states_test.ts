import { assert, assertEquals } from "@std/assert/mod.js";
import { mediumStates } from "./medium_states.ts";
import { seeded } from "./sim_release.ts";

function states(...writes: number[]): string[] {
  return [...mediumStates(writes, { random: seeded(1) })].map((fates) => fates.join(" "));
}

Deno.test("mediumStates() of nothing is the one state that is there", () => {
  assertEquals(states(), [""]);
});

Deno.test("mediumStates() of one sector: old, new and three kinds of tear", () => {
  assertEquals(states(1), ["0", "1", "torn", "tornTail", "garbage"]);
});

Deno.test("mediumStates() of a sector that was written twice: any of three contents, and the tears", () => {
  assertEquals(states(2), ["0", "1", "2", "torn", "tornTail", "garbage"]);
});

Deno.test("mediumStates() of up to ten sectors has all subsets, times one tear, each once", () => {
  for (let n = 1; n <= 10; n++) {
    const all = states(...Array(n).fill(1));
    assertEquals(all.length, 2 ** n + n * 3 * 2 ** (n - 1));
    assertEquals(new Set(all).size, all.length);
  }
});

Deno.test("mediumStates() of more has none, all, each alone, all but each, every prefix both ways, and draws", () => {
  const all = new Set(states(...Array(12).fill(1)));
  const line = (fate: (i: number) => boolean) =>
    Array.from({ length: 12 }, (_, i) => fate(i) ? "new" : "old").join(" ");
  for (let i = 0; i <= 12; i++) {
    for (const fate of [(one: number) => one < i, (one: number) => one >= i]) {
      assert(all.has(line(fate)), line(fate));
    }
    if (i === 12) continue;
    assert(all.has(line((one) => one === i)) && all.has(line((one) => one !== i)));
    for (const tear of ["torn", "tornTail", "garbage"]) {
      assert([...all].some((state) => state.split(" ")[i] === tear));
    }
  }
  assert(all.size > 12 * 9 + 40, `${all.size}`);
});
