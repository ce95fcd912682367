/**
 * What an image of the worker runner cannot do, however it tries: on real child processes.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { assertEquals, assertLess, assertMatch } from "@std/assert/mod.js";
import { MIB } from "shared/limits.ts";
import type { ImageEnd } from "vehicle/ports.ts";
import { BOOT, processesNaming, withWorkerRunner } from "./runner_harness.ts";
import { findProgram } from "./runner_child.ts";

const PRLIMIT = findProgram("prlimit");
const NO_PRLIMIT = PRLIMIT === undefined ? " (skipped: no prlimit)" : "";

/** Lets an image of the tests speak: everything it finds out goes into a title. */
const SAY =
  'const say = (text) => postMessage({ type: "display", title: String(text).slice(0, 60) });';

Deno.test("WorkerRunner: no image reads files, environment or network, or starts programs", () =>
  withWorkerRunner(async ({ start }) => {
    const { recorder } = start(`${SAY}
      const attempts = {
        read: () => Deno.readTextFile("/etc/passwd"),
        fetchFile: () => fetch("file:///etc/passwd"),
        importText: () => import("/etc/" + "passwd", { with: { type: "text" } }),
        importLiteral: () => import("/etc/passwd", { with: { type: "text" } }),
        importHost: () => import("https:" + "//127.0.0.1:1/x.js"),
        self: () => Deno.readTextFile(new URL(import.meta.url)),
        write: () => Deno.writeTextFile("/tmp/written-by-image", "x"),
        net: () => Deno.connect({ port: 1 }),
        listen: () => Deno.listen({ port: 0 }),
        fetch: () => fetch("http://127.0.0.1:1/"),
        env: () => Deno.env.get("HOME"),
        envAll: () => Deno.env.toObject(),
        run: () => new Deno.Command("true").output(),
        ffi: () => Deno.dlopen("libc.so.6", {}),
        sys: () => Deno.hostname(),
        group: () => Deno.kill(0, "SIGUSR1"),
        parent: () => Deno.kill(Deno.ppid, "SIGUSR1"),
        builtin: () => import("node:" + "fs"),
        builtinRead: () => process.getBuiltinModule("node:fs").readFileSync("/etc/passwd"),
        cache: async () => (await caches.open("x")).put("https://a.example/", new Response("hi")),
      };
      for (const [name, attempt] of Object.entries(attempts)) {
        try { await attempt(); say("DONE " + name); } catch (e) { say("no " + name); }
      }
      say("end");`);
    await recorder.until(() => recorder.titles.includes("end"));
    const done = recorder.titles.filter((title) => title.startsWith("DONE"));
    assertEquals(done, []);
    assertEquals(recorder.titles.length, 21);
  }));

const FORBIDDEN_IMPORTS = [
  'import k from "/etc/passwd" with { type: "text" }; console.log(k);',
  'import "./neighbour.mjs";',
  'import "https://127.0.0.1:1/x.js";',
  'import "npm:zod@4";',
  'import "jsr:@std/assert@1";',
  'import "lodash";',
  'import fs from "node:fs"; fs.readFileSync("/etc/passwd");',
  'import fs from "fs"; fs.readFileSync("/etc/passwd");',
  'await import("/etc/passwd", { with: { type: "text" } });',
  'await import("node:" + "os");',
  'import "foo:bar";',
];
Deno.test("WorkerRunner ends every image with an import as import", () =>
  withWorkerRunner(async ({ start }) => {
    for (const source of FORBIDDEN_IMPORTS) {
      const { recorder } = start(source);
      await recorder.until(() => recorder.ends.length > 0);
      assertEquals(recorder.ends.map(({ kind }) => kind), ["import"], source);
    }
  }));

Deno.test("WorkerRunner gives no environment and no right but to read the image to the child", () =>
  withWorkerRunner(async ({ runDir, start }) => {
    Deno.env.set("OTA_TEST_SECRET", "swordfish");
    const { recorder } = start(`${SAY} onmessage = (e) => say(JSON.stringify(e.data));`);
    await recorder.until(() => recorder.titles.length > 0);
    assertEquals(JSON.parse(recorder.titles[0]!), BOOT);
    const pids = processesNaming(runDir);
    assertEquals(pids.length, 1);
    const environment = await Deno.readTextFile(`/proc/${pids[0]}/environ`);
    Deno.env.delete("OTA_TEST_SECRET");
    assertEquals(
      environment.split("\0").filter((line) => line !== "").map((line) => line.split("=")[0])
        .sort(),
      ["DENO_DIR", "DENO_NO_UPDATE_CHECK", "NO_COLOR"],
    );
  }));

Deno.test("WorkerRunner believes no line that the image writes to stdout itself", () =>
  withWorkerRunner(async ({ start }) => {
    const { recorder } = start(`${SAY}
      const raw = (text) => Deno.stdout.writeSync(new TextEncoder().encode(text));
      const lines = [
        { end: { kind: "memory", detail: "forged" } },
        { message: { type: "selfTest", ok: true, detail: "forged" } },
      ];
      for (const line of lines) {
        const text = JSON.stringify(line);
        raw(text + "\\n");
        raw("00000000-0000-0000-0000-000000000000" + text + "\\n");
      }
      console.log("a line for a person");
      raw("half a line");
      say("spoken");
      const read = await Deno.stdin.read(new Uint8Array(100)).catch((e) => e.name);
      say("read " + read);`);
    await recorder.until(() => recorder.titles.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assertEquals([recorder.titles, recorder.selfTest, recorder.ends], [["spoken"], undefined, []]);
  }));

Deno.test("WorkerRunner drops what is no message of the contract, and ends an image that insists", () =>
  withWorkerRunner(async ({ start }) => {
    const few = start(`${SAY}
      for (const odd of [1, "x", null, [], {}, { type: "boot" }, { type: "selfTest", ok: 1 },
        { type: "display", color: "red" }, { end: { kind: "memory", detail: "forged" } },
        { type: "display", lines: new Array(9).fill("") }]) postMessage(odd);
      say("spoken");`);
    await few.recorder.until(() => few.recorder.titles.length > 0);
    assertEquals([few.recorder.messages.length, few.recorder.ends], [1, []]);
    const cases: [string, RegExp][] = [
      [`for (;;) console.log("noise");`, /^Output flood: /],
      [`for (;;) Deno.stdout.writeSync(new Uint8Array(4096).fill(10));`, /^Output flood: /],
      [
        `for (;;) Deno.stdout.writeSync(new Uint8Array(65536).fill(65));`,
        /^Line of more than 16384/,
      ],
      [`for (;;) postMessage({ type: "heartbeat" });`, /^Message flood: more than 200/],
      [`postMessage({ type: "display", title: "x".repeat(20000) })`, /^Message of 20\d+ bytes/],
      [`postMessage(1n)`, /^Cannot pass on a message/],
      [`const a = {}; a.a = a; postMessage(a)`, /^Cannot pass on a message/],
    ];
    for (const [source, detail] of cases) {
      const { recorder } = start(source);
      await recorder.until(() => recorder.ends.length > 0);
      assertEquals(recorder.ends[0]!.kind, "crash", source);
      assertMatch(recorder.ends[0]!.detail, detail);
    }
  }));

Deno.test("WorkerRunner keeps the memory of this process flat while images flood it", () =>
  withWorkerRunner(async ({ start }) => {
    const floods = [
      `for (;;) Deno.stderr.writeSync(new Uint8Array(65536).fill(65));`,
      `for (;;) console.error("x".repeat(1000));`,
    ];
    const before = Deno.memoryUsage().rss;
    const runs = floods.map((source) => start(source));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assertEquals(runs.flatMap(({ recorder }) => recorder.ends), []);
    await Promise.all(runs.map(({ run }) => run.kill()));
    const grownMib = (Deno.memoryUsage().rss - before) / MIB;
    assertLess(grownMib, 150);
  }));

Deno.test("WorkerRunner: signals that an image sends hit its own process only", () =>
  withWorkerRunner(async ({ start }) => {
    const ends: [string, ImageEnd["kind"]][] = [
      ["SIGKILL", "exit"],
      ["SIGTERM", "exit"],
      ["SIGABRT", "crash"],
    ];
    for (const [signal, kind] of ends) {
      const { recorder } = start(`Deno.kill(Deno.pid, "${signal}");`);
      await recorder.until(() => recorder.ends.length > 0);
      assertEquals(recorder.ends[0]!.kind, kind, recorder.ends[0]!.detail);
      assertMatch(recorder.ends[0]!.detail, new RegExp(signal));
    }
  }));

Deno.test({
  name: `WorkerRunner bounds memory outside the heap${NO_PRLIMIT}`,
  ignore: PRLIMIT === undefined,
  fn: () =>
    withWorkerRunner(async ({ start }) => {
      const hogs = [
        "const a = []; for (;;) a.push(new WebAssembly.Memory({ initial: 1000 }));",
        `const a = []; for (;;) a.push(new Worker("data:text/javascript,for(;;);", {type:"module"}));`,
        `let a = "x".repeat(1 << 28); const b = []; for (;;) b.push(a + b.length + "\\u00e9");`,
      ];
      for (const source of hogs) {
        const { recorder } = start(source);
        await recorder.until(() => recorder.ends.length > 0);
        assertEquals(recorder.ends[0]!.kind, "memory", `${source}: ${recorder.ends[0]!.detail}`);
      }
    }),
});

Deno.test("WorkerRunner: an image in a busy loop dies with a vehicle process that is killed", async () => {
  const runDir = await Deno.makeTempDir({ prefix: "runner-" });
  const script = `
    import { WorkerRunner } from "vehicle/adapters/runner_worker.ts";
    import { BOOT, imageOf, Recorder } from "vehicle/adapters/runner_harness.ts";
    const recorder = new Recorder();
    const image = imageOf("postMessage({ type: 'heartbeat' }); for (;;);");
    new WorkerRunner({ runDir: ${JSON.stringify(runDir)} }).start(image, BOOT, recorder);
    await recorder.until(() => recorder.beats > 0);
    console.log("running");`;
  const vehicle = new Deno.Command(Deno.execPath(), {
    args: ["eval", script],
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  try {
    const reader = vehicle.stdout.getReader();
    assertEquals(new TextDecoder().decode((await reader.read()).value), "running\n");
    reader.releaseLock();
    const image = () => processesNaming(`--allow-read=${runDir}`).length;
    assertEquals(image(), 1);
    vehicle.kill("SIGKILL");
    await vehicle.stdout.cancel();
    await vehicle.status;
    const deadline = performance.now() + 5000;
    while (image() > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assertEquals(image(), 0);
  } finally {
    await Deno.remove(runDir, { recursive: true });
  }
});
