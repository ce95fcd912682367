/**
 * What is too long for the test suite, in full: the graph of power cuts, ten thousand worlds of
 * the swarm, a thousand kills of real processes. A part that is not there, or that another
 * version calls otherwise, is a failure: a night that proved less must not look like a good one.
 *
 * Usage: deno task nightly [TASK…]     (without a task: all of them)
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { ROOT } from "./process.ts";

/** One part: a task of deno.json, and what it is given for its full length. */
export interface Part {
  readonly task: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** All parts, the shortest first. */
export const PARTS: readonly Part[] = [
  { task: "graph", args: [] },
  { task: "kill", args: [], env: { KILLS: "1000" } },
  { task: "simulate", args: ["--count", "10000", "--from", "1"] },
];

/**
 * What keeps a night from being whole.
 *
 * @param wanted Names of parts; none: all.
 * @param tasks The names that deno.json has.
 * @returns The parts to run.
 * @throws {Error} If a part is not known, or has no task.
 */
export function partsOf(wanted: readonly string[], tasks: readonly string[]): readonly Part[] {
  const names = PARTS.map(({ task }) => task);
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new Error(`Cannot run part "${unknown}": there are ${names.join(", ")}`);
  }
  const parts = PARTS.filter(({ task }) => wanted.length === 0 || wanted.includes(task));
  const missing = parts.filter(({ task }) => !tasks.includes(task)).map(({ task }) => task);
  if (missing.length > 0) {
    throw new Error(`Cannot run the night: deno.json has no task ${missing.join(", ")}`);
  }
  return parts;
}

async function run({ task, args, env }: Part): Promise<boolean> {
  const begunMs = performance.now();
  console.log(`nightly: ${task} begins`);
  const { success, code } = await new Deno.Command(Deno.execPath(), {
    args: ["task", task, ...args],
    cwd: ROOT,
    stdin: "null",
    ...(env === undefined ? {} : { env: { ...env } }),
  }).spawn().status;
  const minutes = ((performance.now() - begunMs) / 60_000).toFixed(1);
  console.log(
    `nightly: ${task} ${success ? "ok" : `failed with ${code}`} after ${minutes} minutes`,
  );
  return success;
}

if (import.meta.main) {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  let parts: readonly Part[];
  try {
    parts = partsOf(Deno.args, Object.keys(tasks));
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(2);
  }
  const failed: string[] = [];
  for (const part of parts) if (!await run(part)) failed.push(part.task);
  console.log(
    failed.length === 0
      ? `nightly: all of ${parts.length} ok`
      : `nightly: failed: ${failed.join(", ")}`,
  );
  Deno.exit(failed.length === 0 ? 0 : 1);
}
