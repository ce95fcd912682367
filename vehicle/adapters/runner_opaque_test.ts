/**
 * The opaque runner with real commands.
 *
 * @module
 */
import { assert, assertEquals, assertLess, assertMatch, assertThrows } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import type { EcuProfile } from "shared/protocol/ecu.ts";
import { BOOT, imageOf, imagesIn, processesNaming, Recorder } from "./runner_harness.ts";
import { runnerFactory } from "./runner_factory.ts";
import { OpaqueRunner } from "./runner_opaque.ts";
import { WorkerRunner } from "./runner_worker.ts";

const IMAGE = imageOf("any bytes", "/dev/slots/b");

async function withSelfTest(
  selfTest: string | readonly string[] | undefined,
  body: (recorder: Recorder, kill: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const recorder = new Recorder();
  const run = new OpaqueRunner(selfTest === undefined ? {} : { selfTest }).start(
    IMAGE,
    BOOT,
    recorder,
  );
  assertEquals(recorder.messages, []); // Never inside start().
  try {
    await body(recorder, () => run.kill());
  } finally {
    await run.kill();
  }
  assertEquals(recorder.ends, []);
}

async function result(selfTest: string | readonly string[]): Promise<[boolean, string]> {
  let answer: [boolean, string] = [false, "none"];
  await withSelfTest(selfTest, async (recorder) => {
    await recorder.until(() => recorder.selfTest !== undefined);
    answer = [recorder.selfTest!.ok, recorder.selfTest!.detail];
  });
  return answer;
}

Deno.test("OpaqueRunner without a self-test takes any bytes and beats for them", () =>
  withSelfTest(undefined, async (recorder, kill) => {
    await recorder.until(() => recorder.beats >= 3);
    assertEquals(recorder.selfTest?.ok, true);
    assertEquals(recorder.messages.filter(({ type }) => type === "selfTest").length, 1);
    await kill();
    const { beats } = recorder;
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assertEquals(recorder.beats, beats);
  }));

Deno.test("OpaqueRunner passes or fails by the exit code, in string and array form", async () => {
  assertEquals(await result("exit 0"), [true, "Self-test: exit code 0"]);
  assertEquals(await result("echo out; echo err >&2; exit 1"), [
    false,
    "Self-test: exit code 1\nout\nerr",
  ]);
  assertEquals(await result(["true"]), [true, "Self-test: exit code 0"]);
  assertEquals(await result(["sh", "-c", 'exit "$1"', "x", "3"]), [
    false,
    "Self-test: exit code 3",
  ]);
  assertEquals(await result("kill -9 $$"), [false, "Self-test: ended by SIGKILL"]);
});

Deno.test("OpaqueRunner fails a self-test whose command is missing", async () => {
  const [ok, detail] = await result(["/nowhere/no-such-test", "a"]);
  assertEquals(ok, false);
  assertMatch(detail, /^Self-test: exit code 127\n.*\/nowhere\/no-such-test/);
  const [okString, detailString] = await result("/nowhere/no-such-test a");
  assertEquals(okString, false);
  assertMatch(detailString, /^Self-test: exit code 127\n.*not found/);
  assertEquals((await result([""]))[0], false);
});

Deno.test("OpaqueRunner tells the self-test what it tests, and nothing else", async () => {
  Deno.env.set("OTA_TEST_SECRET", "swordfish");
  const [ok, detail] = await result(["env"]);
  Deno.env.delete("OTA_TEST_SECRET");
  assert(ok);
  const lines = detail.split("\n").slice(1).filter((line) => !line.startsWith("PATH="));
  assertEquals(
    lines.sort(),
    [
      "OTA_IMAGE_BYTES=9",
      "OTA_IMAGE_FILE=/dev/slots/b",
      `OTA_SERIAL=${BOOT.serial}`,
      `OTA_SHA256=${IMAGE.sha256}`,
      `OTA_SLOT=${BOOT.slot}`,
      `OTA_VERSION=${BOOT.version}`,
    ].sort(),
  );
});

Deno.test("OpaqueRunner bounds what a self-test prints", async () => {
  const [ok, detail] = await result("yes 0123456789 | head -c 5000000; echo last; exit 4");
  assertEquals([ok, detail.length <= 2000], [false, true]);
  assertMatch(detail, /^Self-test: exit code 4\n/);
});

Deno.test("OpaqueRunner beats while a self-test runs, and kill() ends it and what it started", async () => {
  const mark = `sleeper-${crypto.randomUUID()}`;
  await withSelfTest(
    ["sh", "-c", `sh -c 'sleep 60; : ${mark}' & sleep 60; : ${mark}`],
    async (recorder, kill) => {
      await recorder.until(() => recorder.beats >= 2);
      assertEquals(processesNaming(mark).length, 2);
      const began = performance.now();
      await kill();
      assertLess(performance.now() - began, 1000);
      assertEquals([processesNaming(mark), recorder.selfTest], [[], undefined]);
    },
  );
});

Deno.test("OpaqueRunner ends what a self-test left behind, and does not wait for who holds its output", async () => {
  const mark = `leftover-${crypto.randomUUID()}`;
  assertEquals((await result(`sh -c 'sleep 60; : ${mark}' & exit 0`))[0], true);
  assertEquals(processesNaming(mark), []);
  const began = performance.now();
  assertEquals((await result(`setsid sh -c 'sleep 3; : ${mark}' & sleep 0.3`))[0], true);
  assertEquals(processesNaming(mark).length, 1);
  assertLess(performance.now() - began, 2500);
  for (const pid of processesNaming(mark)) Deno.kill(pid, "SIGKILL");
});

Deno.test("OpaqueRunner.kill() before the self-test has started runs nothing", async () => {
  const file = await Deno.makeTempFile();
  await Deno.remove(file);
  const recorder = new Recorder();
  await new OpaqueRunner({ selfTest: `touch ${file}` }).start(IMAGE, BOOT, recorder).kill();
  assertEquals(recorder.messages, []);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assertThrows(() => Deno.statSync(file), Deno.errors.NotFound);
});

Deno.test("runnerFactory() maps the profile's word and empties the folder of old copies only", async () => {
  const runDir = await Deno.makeTempDir();
  const profile: EcuProfile = {
    serial: "ivi",
    hardware: "ivi-rpi4",
    runner: "worker",
    slotBytes: 1024,
    restartRank: 1,
  };
  try {
    await Deno.writeTextFile(`${runDir}/ivi-0123456789abcdef.mjs`, "old");
    await Deno.writeTextFile(`${runDir}/notes.txt`, "not ours");
    const make = runnerFactory({ runDir });
    assertEquals(imagesIn(runDir), []);
    assertEquals(await Deno.readTextFile(`${runDir}/notes.txt`), "not ours");
    assert(make(profile) instanceof WorkerRunner);
    assert(make({ ...profile, runner: "opaque", selfTest: "true" }) instanceof OpaqueRunner);
    const failure = assertThrows(() => make({ ...profile, runner: "process" }), UpdateFailure);
    assertEquals([failure.failure, failure.subject], ["badRequest", "ivi"]);
    assertMatch(failure.message, /^Cannot make the runner of "ivi": "process" comes with/);
  } finally {
    await Deno.remove(runDir, { recursive: true });
  }
});
