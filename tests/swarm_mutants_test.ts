/**
 * Each law of the swarm is broken by a deliberate breakage, and by the law that names it: else it
 * would be a law that nothing can break.
 *
 * @module
 */
import { assert } from "@std/assert/mod.js";
import { LAWS } from "./swarm/checkers.ts";
import { MUTANTS } from "./swarm/mutants.ts";
import { World } from "./swarm/world.ts";

/** A breakage need not show in every world: not each has two ECUs, a cut, or an image that fails. */
const WORLDS = 40;

for (const { name, laws, make, from = 1 } of MUTANTS) {
  Deno.test(`the swarm notices when ${name}`, async () => {
    const broken: string[] = [];
    for (let seed = from; seed < from + WORLDS; seed++) {
      const { violations } = await World.run(seed, { mutant: make });
      if (violations.length === 0) continue;
      broken.push(...violations.map(({ law, what }) => `${seed}: ${law}: ${what}`));
      if (violations.some(({ law }) => laws.includes(law))) return;
    }
    assert(false, `none of ${laws} was broken in ${WORLDS} worlds: ${broken.join("\n")}`);
  });
}

Deno.test("every law of the swarm has a breakage that is to break it first", () => {
  const covered = new Set(MUTANTS.map(({ laws }) => laws[0]));
  for (const law of LAWS) assert(covered.has(law), law);
});
