/**
 * The whole test suite: the pure tests without any permission, so that a file read or a
 * socket that creeps in dies; then those that need files, sockets and processes.
 * Ends with true counts from the JUnit reports.
 *
 * Usage: deno task test [FILE…] [-- further options of deno test]
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { build } from "./build.ts";
import { testRuns } from "./test_files.ts";

const REPORTS = ".tmp/junit";
const OPTIONS = ["--sanitize-ops", "--sanitize-resources", "--preload=tests/deadline.ts"];
/** A run that is not over by then hangs where no deadline of a test can end it, in a loop that never yields, ms. */
const LONGEST_RUN_MS = 60 * 60_000;

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

async function run(name: string, args: readonly string[]): Promise<Counts> {
  const report = `${REPORTS}/${name}.xml`;
  await Deno.remove(report).catch(() => {}); // A report of an earlier run must not be counted.
  const command = new Deno.Command(Deno.execPath(), {
    args: ["test", ...OPTIONS, `--junit-path=${report}`, ...args],
    stdin: "null",
  });
  const child = command.spawn();
  const timer = setTimeout(() => {
    console.log(`${name}: not over after ${LONGEST_RUN_MS / 60_000} minutes, ended`);
    child.kill("SIGKILL");
  }, LONGEST_RUN_MS);
  const { code } = await child.status;
  clearTimeout(timer);
  const counts = countCases(await Deno.readTextFile(report).catch(() => ""));
  // A module that throws at its top level has no cases at all: the exit code tells.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** Counts test cases. A step is reported as "test > step" and left out; no name of a test has " > ". */
function countCases(xml: string): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (
    const [, name, end, body] of xml.matchAll(
      /<testcase name="([^"]*)"[^>]*?(\/>|>([\s\S]*?)<\/testcase>)/g,
    )
  ) {
    if (name!.includes(" &gt; ")) continue;
    if (end === "/>" || !/<(failure|error|skipped)\b/.test(body ?? "")) counts.passed++;
    else if (/<skipped\b/.test(body!)) counts.skipped++;
    else counts.failed++;
  }
  return counts;
}

await Deno.mkdir(REPORTS, { recursive: true });
await build();
const wanted = Deno.args.filter((arg) => !arg.startsWith("-"));
const options = Deno.args.filter((arg) => arg.startsWith("-") && arg !== "--");
const runs: Counts[] = [];
if (wanted.length > 0) runs.push(await run("wanted", ["-A", ...options, ...wanted]));
else {
  const { pure, examples, io } = await testRuns("./");
  runs.push(await run("pure", ["--no-prompt", "--doc", ...options, ...pure, ...examples]));
  runs.push(await run("io", ["-A", ...options, ...io]));
}
const sum = (key: keyof Counts) => runs.reduce((total, counts) => total + counts[key], 0);
const [passed, failed, skipped] = [sum("passed"), sum("failed"), sum("skipped")];
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
Deno.exit(failed === 0 && passed > 0 ? 0 : 1);
