/**
 * The power-cut graph against a product with one source broken: it finds every breakage, in a child
 * process for each.
 *
 * @module
 */
import { assert } from "@std/assert/mod.js";
import { exploreBroken, SOURCE_MUTANTS } from "./source_mutants.ts";

for (const mutant of SOURCE_MUTANTS) {
  Deno.test(
    `the power-cut graph finds out: ${mutant.name}`,
    async () => {
      const found = await exploreBroken(mutant, 400);
      assert(found !== null, `${mutant.file} broken, and nothing was found in 400 nodes`);
      assert(found.way.length > 0, `it does not even start: ${found.what}`);
      assert(!/TypeError|SyntaxError|ReferenceError/.test(found.what), found.what);
    },
  );
}
