import { assertEquals } from "@std/assert/mod.js";
import { commandError, EXIT } from "./exit.ts";
import { layOut, Output, printable } from "./output.ts";
import { Progress } from "./progress.ts";

/** A stream that takes three bytes at a time, as a full pipe may. */
class SlowSink {
  readonly bytes: number[] = [];

  writeSync(bytes: Uint8Array): number {
    this.bytes.push(...bytes.subarray(0, 3));
    return Math.min(bytes.length, 3);
  }

  isTerminal(): boolean {
    return false;
  }

  get text(): string {
    return new TextDecoder().decode(Uint8Array.from(this.bytes));
  }
}

function output(options: { json?: boolean; quiet?: boolean } = {}) {
  const [stdout, stderr] = [new SlowSink(), new SlowSink()];
  const { json = false, quiet = false } = options;
  return { output: new Output({ json, quiet }, { stdout, stderr }), stdout, stderr };
}

Deno.test("Output prints JSON lines with --json and words without, whole on a slow stream", () => {
  const words = output();
  words.output.result({ a: 1 }, "One ä");
  assertEquals([words.stdout.text, words.stderr.text], ["One ä\n", ""]);
  const json = output({ json: true });
  json.output.result({ a: 1 }, "One");
  json.output.table([{ b: 2 }, { b: 3 }], { heads: [], cells: () => [] }, "none");
  assertEquals(json.stdout.text, '{"a":1}\n{"b":2}\n{"b":3}\n');
});

Deno.test("Output.error() says what, why and remedy on stderr, with --json also as one line", () => {
  const cause = new Error("line down");
  const error = commandError(EXIT.failed, "wrongState", "Cannot go: it stands", { cause });
  const words = output({ quiet: true });
  words.output.error(error);
  const text = "error: Cannot go: it stands [1007 wrongState]\n  because: line down\n" +
    "  remedy: Look at the present state first\n";
  assertEquals([words.stdout.text, words.stderr.text], ["", text]);
  const json = output({ json: true });
  json.output.error(error);
  assertEquals(JSON.parse(json.stderr.text.slice(text.length)), {
    error: {
      code: 1007,
      name: "wrongState",
      message: "Cannot go: it stands",
      remedy: "Look at the present state first",
    },
  });
});

Deno.test("printable() takes the power over the terminal out of foreign text", () => {
  assertEquals(printable("a\x1b[2Jb\r\x07\x9bc\nd ä"), "a\uFFFD[2Jb\uFFFD\uFFFD\uFFFDc\nd ä");
});

Deno.test("layOut() pads columns to their widest cell", () => {
  assertEquals(layOut([["A", "BB"], ["ccc", ""]]), "A    BB\nccc");
});

function progress(terminal: boolean) {
  let nowMs = 0;
  const lines: string[] = [];
  const options = { label: "Work", totalBytes: 1000, terminal, now: () => nowMs };
  const work = new Progress({ ...options, write: (text) => lines.push(text) });
  return { work, lines, wait: (ms: number) => nowMs += ms };
}

Deno.test("Progress prints a plain line at each tenth and after ten seconds, not more", () => {
  const { work, lines } = progress(false);
  for (let done = 0; done <= 1000; done += 10) work.update(done);
  assertEquals(lines.length, 11);
  assertEquals([lines[0], lines[10]], ["Work: 0 % of 1 kB\n", "Work: 100 % of 1 kB\n"]);
  const slow = progress(false);
  for (let done = 0; done < 6; done++) {
    slow.work.update(done);
    slow.wait(4_000);
  }
  assertEquals(slow.lines.length, 2); // At 0 s and at 12 s.
});

Deno.test("Progress redraws one bar on a terminal, at most ten times a second", () => {
  const { work, lines, wait } = progress(true);
  for (let done = 0; done < 1000; done++) {
    work.update(done);
    wait(1);
  }
  work.update(1000);
  work.end();
  assertEquals(lines.length, 12);
  assertEquals(lines.at(-1), "\n");
  assertEquals(lines.at(-2)!.startsWith(`\r\x1b[2K[${"#".repeat(30)}] Work: 100 %`), true);
});
