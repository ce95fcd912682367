/**
 * The worker runner on real child processes: every way an image can end.
 *
 * @module
 */
import { assert, assertEquals, assertLess, assertMatch } from "@std/assert/mod.js";
import { MAX_WORKER_IMAGE_BYTES } from "shared/limits.ts";
import type { ImageEnd } from "vehicle/ports.ts";
import { buildOne } from "vehicle/firmware/build.ts";
import type { Fault } from "vehicle/firmware/faulty.ts";
import {
  BOOT,
  imageOf,
  imagesIn,
  processesNaming,
  Recorder,
  withWorkerRunner,
} from "./runner_harness.ts";
import { findProgram } from "./runner_child.ts";

const PRLIMIT = findProgram("prlimit");
const NO_PRLIMIT = PRLIMIT === undefined ? " (skipped: no prlimit)" : "";

/** How a faulty image ends, or `runs` if it does not end by itself. */
const FAULT_ENDS: Record<Fault, ImageEnd["kind"] | "runs"> = {
  throw: "crash",
  lateThrow: "crash",
  hang: "runs",
  silent: "runs",
  memory: "memory",
  buffers: "memory",
  import: "import",
  syntax: "syntax",
  selfTest: "runs",
  exit: "runs",
  flood: "crash",
};

for (const [fault, kind] of Object.entries(FAULT_ENDS) as [Fault, ImageEnd["kind"] | "runs"][]) {
  const needsLimit = fault === "buffers";
  Deno.test({
    name: `WorkerRunner: image with fault "${fault}" ${
      kind === "runs" ? "goes on without word of an end" : `ends as ${kind}`
    }${needsLimit ? NO_PRLIMIT : ""}`,
    ignore: needsLimit && PRLIMIT === undefined,
    fn: () =>
      withWorkerRunner(async ({ start, runDir }) => {
        const { recorder, run } = start(await buildOne("body", { version: "1.3.0", fault }));
        if (kind === "runs") await checkRunning(recorder, fault);
        else {
          await recorder.until(() => recorder.ends.length > 0);
          assertEquals(recorder.ends.map((end) => end.kind), [kind], recorder.ends[0]?.detail);
          assert(!recorder.ends[0]!.detail.includes(runDir), recorder.ends[0]!.detail);
          assert(recorder.ends[0]!.detail.length > 0 && recorder.ends[0]!.detail.length < 1200);
        }
        await run.kill();
        assertEquals(recorder.ends.length, kind === "runs" ? 0 : 1);
        assertEquals(processesNaming(runDir), []);
        assertEquals(imagesIn(runDir), []);
      }),
  });
}

async function checkRunning(recorder: Recorder, fault: Fault): Promise<void> {
  await recorder.until(() => recorder.selfTest !== undefined);
  assertEquals(recorder.selfTest?.ok, fault !== "selfTest");
  await new Promise((resolve) => setTimeout(resolve, 1700));
  if (fault === "selfTest") assert(recorder.beats >= 2);
  else assertEquals(recorder.beats, fault === "silent" ? 0 : 1);
}

Deno.test("WorkerRunner starts the sample firmware, which proves itself and beats each second", () =>
  withWorkerRunner(async ({ start, runDir }) => {
    const began = performance.now();
    const runs = [];
    for (const name of ["ivi", "cluster", "body"] as const) {
      const image = await buildOne(name, { version: "1.1.0" });
      runs.push({ ...start(image), name });
    }
    for (const { recorder, name } of runs) {
      await recorder.until(() => recorder.beats >= 3 && recorder.titles.length >= 3);
      assertEquals(recorder.selfTest?.ok, true, recorder.selfTest?.detail);
      assertEquals(recorder.ends, []);
      assertMatch(recorder.titles[0]!, / 1\.1\.0$/, name);
    }
    assertLess(performance.now() - began, 15_000);
    assertEquals(imagesIn(runDir).length, 3);
    await Promise.all(runs.map(({ run }) => run.kill()));
    assertEquals(processesNaming(runDir), []);
  }));

Deno.test("WorkerRunner.start() refuses an image that is larger than the ECU's memory", () =>
  withWorkerRunner(async ({ runner, runDir }) => {
    const recorder = new Recorder();
    let reads = 0;
    const lengthBytes = MAX_WORKER_IMAGE_BYTES + 1;
    const run = runner.start(
      { ...imageOf(""), lengthBytes, read: () => (reads++, new Uint8Array(0)) },
      BOOT,
      recorder,
    );
    assertEquals(recorder.ends, []); // Never inside start().
    await recorder.until(() => recorder.ends.length > 0);
    assertEquals(recorder.ends.map(({ kind }) => kind), ["memory"]);
    assertEquals([reads, processesNaming(runDir).length], [0, 0]);
    await run.kill();
  }));

Deno.test("WorkerRunner.start() refuses bytes that changed after the proof", () =>
  withWorkerRunner(async ({ runner, runDir }) => {
    const recorder = new Recorder();
    const proved = imageOf("postMessage({type:'heartbeat'})");
    const other = imageOf("postMessage({type:'display'}); ");
    const run = runner.start({ ...proved, read: other.read }, BOOT, recorder);
    await recorder.until(() => recorder.ends.length > 0);
    assertMatch(recorder.ends[0]!.detail, /bytes changed after the proof/);
    assertEquals([recorder.messages, imagesIn(runDir)], [[], []]);
    await run.kill();
  }));

Deno.test("WorkerRunner tells a slot that cannot be read, and a host that cannot be started", async () => {
  await withWorkerRunner(async ({ runner }) => {
    const recorder = new Recorder();
    const read = () => {
      throw new Error("sector 9 is unreadable");
    };
    const run = runner.start({ ...imageOf("1"), read }, BOOT, recorder);
    await recorder.until(() => recorder.ends.length > 0);
    assertMatch(recorder.ends[0]!.detail, /sector 9 is unreadable/);
    await run.kill();
  });
  await withWorkerRunner(async ({ start }) => {
    const { recorder } = start("1");
    await recorder.until(() => recorder.ends.length > 0);
    assertMatch(recorder.ends[0]!.detail, /^Cannot start the image: /);
  }, { prlimit: null, hostCommand: () => ["/nowhere/no-such-host"] });
});

Deno.test("WorkerRunner.kill() at any moment leaves no process, no copy and no callback", () =>
  withWorkerRunner(async ({ start, runDir }) => {
    const image = await buildOne("body", { version: "1.0.0" });
    for (const delayMs of [-1, 0, 2, 10, 40, 80, 160, 320]) {
      const { recorder, run } = start(image);
      if (delayMs >= 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      const gone = run.kill();
      const before = recorder.messages.length;
      await gone;
      await run.kill(); // Twice is the same as once.
      assertEquals([recorder.messages.length, recorder.ends.length], [before, 0]);
      assertEquals([processesNaming(runDir), imagesIn(runDir)], [[], []]);
    }
  }));

Deno.test("WorkerRunner tells text that is no program from a program that stumbles over text", () =>
  withWorkerRunner(async ({ start }) => {
    const cases: [string | Uint8Array, ImageEnd["kind"]][] = [
      ["const x = ;", "syntax"],
      ["return 5", "syntax"],
      ["let a; let a;", "syntax"],
      [new Uint8Array(3000).map((_, i) => i * 37), "syntax"],
      ['JSON.parse("{")', "crash"],
      ['setTimeout(() => { postMessage({}); JSON.parse("{"); })', "crash"],
      ["throw null", "crash"],
      ["Promise.reject(new Error('late'))", "crash"],
      ["(function f() { f(); })()", "crash"],
      ["await Deno.readTextFile('/etc/passwd')", "crash"],
    ];
    for (const [source, kind] of cases) {
      const { recorder } = start(source);
      await recorder.until(() => recorder.ends.length > 0);
      assertEquals(recorder.ends[0]!.kind, kind, `${source}: ${recorder.ends[0]!.detail}`);
    }
  }));

Deno.test("WorkerRunner says once that prlimit is missing, and runs without it", async () => {
  const logs: string[] = [];
  const log = (line: string) => void logs.push(line);
  for (let i = 0; i < 2; i++) {
    await withWorkerRunner(async ({ start }) => {
      const { recorder } = start(
        "postMessage({ type: 'heartbeat' }); await new Promise(() => {});",
      );
      await recorder.until(() => recorder.beats > 0);
    }, { prlimit: null, log });
  }
  assertEquals(logs.length, 1);
  assertMatch(logs[0]!, /prlimit \(util-linux\) is missing/);
});
