/**
 * Explores one scenario of the power-cut graph and prints the first violation as JSON, or `null`:
 * what `source_mutants.ts` starts with a broken source.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { explore } from "./sim/graph.ts";
import { scenario } from "./sim/graph_scenarios.ts";

const [wish, maxNodes] = Deno.args;
try {
  const made = await scenario(JSON.parse(wish!));
  const { violations } = await explore(made, { maxNodes: Number(maxNodes), exhaustive: 6 });
  console.log(JSON.stringify(violations[0] ?? null));
} catch (error) {
  // The vehicle does not even get where the scenario begins.
  console.log(JSON.stringify({ what: (error as Error).message, way: [] }));
}
