/**
 * Runs simulated worlds: everything between publisher and driver in one process, under one clock
 * and one seed.
 *
 * Usage: deno task simulate SEED [--trace]
 *        deno task simulate --count N [--from SEED] [--keep-going]
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { parseArgs } from "node:util";
import { World, type WorldResult } from "../tests/swarm/world.ts";

const { values: args, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    trace: { type: "boolean" },
    help: { type: "boolean", short: "h" },
    "keep-going": { type: "boolean" },
    count: { type: "string" },
    from: { type: "string" },
  },
});
const from = Number(args.from ?? positionals[0] ?? NaN);
const count = Number(args.count ?? 1);
if (args.help || !Number.isSafeInteger(count) || count < 1 || !(Number.isSafeInteger(from))) {
  console.log("deno task simulate SEED [--trace] | --count N --from SEED [--keep-going]");
  Deno.exit(args.help ? 0 : 2);
}
const marks = new Map<string, number>();
let [worlds, broken, events, virtualMs] = [0, 0, 0, 0];
const beganMs = performance.now();
const TELL_EVERY = 100;
for (let seed = from; seed < from + count; seed++) {
  const result = await World.run(seed, { keep: count === 1 });
  for (const [name, times] of result.marks) marks.set(name, (marks.get(name) ?? 0) + times);
  worlds++;
  events += result.events;
  virtualMs += result.virtualMs;
  if (count === 1) tell(result);
  if (worlds % TELL_EVERY === 0) console.error(`${worlds} worlds, ${broken} broken: ${pace()}`);
  if (result.violations.length === 0) continue;
  broken++;
  for (const { law, what } of result.violations) {
    console.log(`seed ${seed}: ${law}: ${what}\n  again: deno task simulate ${seed} --trace`);
  }
  if (!args["keep-going"] && count > 1) break;
}
if (count > 1) {
  for (const [name, times] of [...marks].sort()) {
    console.log(`${String(times).padStart(8)}  ${name}`);
  }
}
console.log(`${worlds} worlds from seed ${from}: ${broken} broken; ${pace()}`);
Deno.exit(broken === 0 ? 0 : 1);

function pace(): string {
  const seconds = (performance.now() - beganMs) / 1000;
  const hours = (virtualMs / 3600_000).toFixed(1);
  const rate = (worlds / seconds).toFixed(2);
  return `${events} events, ${hours} virtual hours in ${seconds.toFixed(0)} s, ${rate} worlds/s`;
}

function tell({ lines, plan, digest }: WorldResult): void {
  const quiet = / (http|server) /;
  for (const line of lines) if (args.trace || !quiet.test(line)) console.log(line);
  if (args.trace) console.log(JSON.stringify({ ...plan, faults: [...plan.faults] }, null, 1));
  console.log(`digest ${digest}`);
}
