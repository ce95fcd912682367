/**
 * The host's judgement, and its conduct as a process: orders, orphans.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert/mod.js";
import fc from "fast-check";
import { endOfError, type HostEnd } from "./host.ts";
import { judgeProcessEnd } from "./verdict.ts";
import { LineSplitter } from "./line_splitter.ts";
import { Allowance } from "./allowance.ts";

Deno.test("endOfError() tells refused imports, no programs, exhausted memory and errors apart", () => {
  const cases: [string, boolean, HostEnd["kind"]][] = [
    [
      'Requires read access to "/etc/passwd", run again with the --allow-read flag',
      false,
      "import",
    ],
    ['Import "lodash" not a dependency', false, "import"],
    ["npm specifiers were requested; but --no-npm is specified", false, "import"],
    ["SyntaxError: Expression expected\n  |\n1 | const x = ;", false, "syntax"],
    ["Uncaught SyntaxError: Illegal return statement", false, "syntax"],
    ["Uncaught SyntaxError: Unexpected end of JSON input", true, "crash"],
    ["Uncaught (in promise) SyntaxError: Unexpected token ';'", false, "crash"],
    ['Uncaught (in promise) TypeError: Requires read access to "/x"', false, "import"],
    ['Uncaught (in promise) TypeError: Unsupported scheme "foo" for module', true, "import"],
    ['Uncaught (in promise) NotCapable: Requires read access to "/x"', false, "crash"],
    ["Uncaught (in promise) RangeError: Array buffer allocation failed", false, "memory"],
    ["Uncaught RangeError: Array buffer allocation failed", true, "memory"],
    ["Uncaught (in promise) RangeError: Maximum call stack size exceeded", false, "crash"],
    ["Uncaught (in promise) Error: RangeError: Array buffer allocation failed", false, "crash"],
    ["Uncaught (in promise) null", false, "crash"],
  ];
  for (const [text, running, kind] of cases) {
    assertEquals(endOfError(text, running).kind, kind, text);
  }
  assertEquals(
    endOfError("Uncaught \x1b[0m\x1b[36mError\x1b[0m: x", true).detail,
    "Uncaught Error: x",
  );
  assertEquals(endOfError("x".repeat(5000), true).detail.length, 1000);
});

Deno.test("judgeProcessEnd() names the way a process ended without a last word", () => {
  const heap =
    "#\n# Fatal JavaScript out of memory: Reached heap limit\n#\n==== C stack trace ====\n";
  const cases: [number, string | null, string, string][] = [
    [133, "SIGTRAP", heap, "memory"],
    [133, "SIGTRAP", "", "memory"],
    [133, "SIGTRAP", "# Check failed: x != y.", "crash"],
    [134, "SIGABRT", "memory allocation of 65536 bytes failed", "memory"],
    [134, "SIGABRT", "", "crash"],
    [139, "SIGSEGV", "", "crash"],
    [137, "SIGKILL", "", "exit"],
    [143, "SIGTERM", "", "exit"],
    [0, null, "", "exit"],
    [3, null, "error: bad option", "exit"],
  ];
  for (const [code, signal, stderr, kind] of cases) {
    assertEquals(judgeProcessEnd({ code, signal }, stderr).kind, kind, `${signal} ${stderr}`);
  }
  assertMatch(
    judgeProcessEnd({ code: 133, signal: "SIGTRAP" }, heap).detail,
    /^Memory exhausted: Fatal JavaScript out of memory: Reached heap limit/,
  );
});

Deno.test("LineSplitter gives the same lines wherever the stream is cut", () => {
  fc.assert(fc.property(
    fc.array(fc.string({ unit: "grapheme", maxLength: 20 }).map((s) => s.replaceAll("\n", "")), {
      maxLength: 20,
    }),
    fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
    (texts, cuts) => {
      const bytes = new TextEncoder().encode(texts.map((text) => `${text}\n`).join(""));
      const splitter = new LineSplitter(1000);
      const lines: string[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const length = cuts[i % cuts.length]!;
        lines.push(...splitter.push(bytes.subarray(at, at + length)));
        at += length;
      }
      assertEquals(lines, texts);
    },
  ));
});

Deno.test("LineSplitter says tooLong at the first byte too many, after the lines before", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const splitter = new LineSplitter(4);
  const steps = splitter.push(bytes("ab\nabcd\nabcde"));
  assertEquals([steps.next(), steps.next(), steps.next()], [
    { done: false, value: "ab" },
    { done: false, value: "abcd" },
    { done: true, value: "tooLong" },
  ]);
  const pieces = new LineSplitter(4);
  assertEquals(pieces.push(bytes("abcd")).next(), { done: true, value: "ok" });
  assertEquals(pieces.push(bytes("e")).next(), { done: true, value: "tooLong" });
});

Deno.test("Allowance gives its burst at once, then its rate", () => {
  const allowance = new Allowance(3, 2, 0);
  assertEquals([0, 0, 0, 0, 400, 500, 600].map((at) => allowance.take(at)), [
    true,
    true,
    true,
    false,
    false,
    true,
    false,
  ]);
  assertEquals([9000, 9000, 9000, 9000].map((at) => allowance.take(at)), [true, true, true, false]);
});

/** Starts the host by itself, with this source as image. */
async function withHost(
  source: string,
  body: (child: Deno.ChildProcess, writer: WritableStreamDefaultWriter) => Promise<void>,
): Promise<Deno.CommandStatus> {
  const file = await Deno.makeTempFile({ suffix: ".mjs" });
  await Deno.writeTextFile(file, source);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-config",
      "--no-lock",
      "--unstable-worker-options",
      `--allow-read=${file}`,
      new URL("host.ts", import.meta.url).pathname,
      file,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  try {
    await body(child, writer);
    await child.stdout.cancel();
    return await child.status;
  } finally {
    await writer.close().catch(() => {});
    await Deno.remove(file);
  }
}

const ORDER = { nonce: "n", boot: {}, maxLineBytes: 1000, maxMessagesPerSecond: 10 };

Deno.test("runHost() ends when the vehicle process is gone, also with an image in a busy loop", async () => {
  const status = await withHost("postMessage(1); for (;;);", async (child, writer) => {
    await writer.write(new TextEncoder().encode(`${JSON.stringify(ORDER)}\n`));
    const reader = child.stdout.getReader();
    const { value } = await reader.read(); // The image runs.
    assertEquals(new TextDecoder().decode(value), '\nn{"message":1}\n');
    reader.releaseLock();
    await writer.close();
  });
  assertEquals(status.code, 71);
});

Deno.test("runHost() starts nothing without a readable order", async () => {
  for (const order of ["", "no json\n", "x".repeat(20_000)]) {
    const status = await withHost("postMessage(1)", async (_child, writer) => {
      await writer.write(new TextEncoder().encode(order)).catch(() => {});
      await writer.close().catch(() => {});
    });
    assertEquals(status.code, 72, order.slice(0, 10));
  }
});
