/**
 * The compiled programs: made, run, and led through updates. What `deno task compile` needs to
 * embed is named by DENORT_BIN.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import { z } from "zod";
import { processesNaming } from "vehicle/adapters/runner_harness.ts";
import { readDenort } from "../scripts/bundle_runtime.ts";
import { emulatorOf, verify } from "../scripts/bundle_verify.ts";
import { ROOT, type Running } from "../scripts/process.ts";
import { ecu, firmware, JourneyWorld, VIN } from "./journey_world.ts";

const denort = await readDenort(Deno.env.get("DENORT_BIN"), Deno.build.arch).catch(() => undefined);
const ignore = denort === undefined;
const skipped = ignore ? " (skipped: no denort)" : "";
const PASSWORD = "journey-password";

/** Runs `deno task compile`. */
async function compile(args: readonly string[], env: Record<string, string> = {}) {
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "scripts/compile.ts", ...args],
    cwd: ROOT,
    env,
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code: output.code, stdout: text(output.stdout), stderr: text(output.stderr) };
}

let made: Promise<void> | undefined;
/** Compiles both programs, once for all tests of this file. */
function compiled(): Promise<void> {
  return made ??= (async () => {
    const { code, stdout, stderr } = await compile([]);
    assertEquals(code, 0, stderr);
    assertMatch(stdout, /dist\/headunit: [\d.]+ MiB, Deno [\d.]+, self-test ok/);
    assertMatch(stdout, /dist\/ota-server: [\d.]+ MiB, Deno [\d.]+, self-test ok/);
  })();
}

/** Starts a compiled program in a folder, with next to no environment, until it is ready. */
async function start<T>(
  name: "headunit" | "ota-server",
  args: readonly string[],
  { cwd, ready, env = {} }: { cwd: string; ready: z.ZodType<T>; env?: Record<string, string> },
): Promise<Running & { readonly ready: T }> {
  const child = new Deno.Command(`${ROOT}dist/${name}`, {
    args: ["--json", "--lifeline", ...args],
    cwd,
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const logs: string[] = [];
  const first = Promise.withResolvers<string>();
  const keep = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>, told?: typeof first) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      logs.push(text);
      told?.resolve(text);
    }
    told?.reject(new Error(`${name} ended: ${logs.join("")}`));
  };
  const read = Promise.all([keep(child.stdout, first), keep(child.stderr)]);
  const ended = child.status.then(async ({ code }) => {
    await read;
    await child.stdin.close().catch(() => {});
    return code;
  });
  const signal = (kind: Deno.Signal) => {
    try {
      child.kill(kind);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended.
    }
    return ended;
  };
  return {
    ...{ pid: child.pid, logs, ended },
    stop: () => signal("SIGTERM"),
    kill: async () => void await signal("SIGKILL"),
    ready: ready.parse(JSON.parse(await first.promise)),
  };
}

/** The journeys' world, made of compiled programs. */
class CompiledWorld extends JourneyWorld {
  override async startServer(): Promise<void> {
    const [cwd, any] = [this.folder, "127.0.0.1:0"];
    const ready = z.object({ http: z.url(), device: z.url(), mqtt: z.string() });
    const args = ["--data", "server", "--http", any, "--device", any, "--mqtt", any];
    const env = { OTA_ADMIN_PASSWORD: PASSWORD };
    const running = await start("ota-server", args, { cwd, ready, env });
    this.server = Object.assign(running, { urls: running.ready, password: PASSWORD });
  }

  override async startVehicle(enrol?: string): Promise<void> {
    const [cwd, ready] = [this.folder, z.object({ hmi: z.url() })];
    const running = await start("headunit", [
      ...["--data", `${cwd}/vehicle`, "--server", this.server.urls.http, "--vin", VIN],
      ...["--profile", "profile.json", "--consent", "auto", "--hmi", "127.0.0.1:0"],
      ...(enrol === undefined ? [] : ["--enrol", enrol]),
    ], { cwd, ready });
    this.vehicle = Object.assign(running, { hmi: running.ready.hmi });
  }
}

Deno.test({
  name: `compiled server and head unit lead an image to confirmed, take bad ones back, go on ` +
    `after a restart, and leave no process behind${skipped}`,
  ignore,
  async fn() {
    await compiled();
    const selfTest = ["/usr/bin/test", "-n", "an argument with spaces"];
    await using world = await new CompiledWorld([
      ecu("ivi", "ivi-rpi4"),
      ecu("cluster", "cluster-sim", { runner: "opaque", selfTest, trialSeconds: 0 }),
    ]).start();
    const large = `${world.folder}/large.bin`;
    const bytes = new Uint8Array(10_000_000).map((_, i) => (i * i) >> 7);
    await Deno.writeFile(large, bytes); // Many pieces: each must arrive as it was.
    for (const [image, hardware] of [[firmware("ivi-1.0.0"), "ivi-rpi4"], [large, "cluster-sim"]]) {
      const { campaign } = await world.publish(image!, hardware!, "1.0.0");
      await world.watch(campaign, 0);
    }
    const failures = {
      throw: "imageCrashed",
      syntax: "imageSyntax",
      import: "imageImports",
      memory: "memoryExhausted",
      hang: "imageHung",
      selfTest: "selfTestFailed",
    };
    let minor = 1;
    for (const [kind, failure] of Object.entries(failures)) {
      const bad = await world.publish(firmware(`faulty-${kind}`), "ivi-rpi4", `2.${minor++}.0`);
      await world.watch(bad.campaign, 6);
      const { ivi, cluster } = await world.ecus();
      assertEquals([kind, ivi!.state, ivi!.failure?.name], [kind, "rolledBack", failure]);
      assertEquals([ivi!.version, cluster!.version], ["1.0.0", "1.0.0"]);
    }
    assertEquals([await world.vehicle.stop(), await world.server.stop()], [0, 0]);
    assertEquals(processesNaming(world.folder), [], "nothing of theirs runs any more");
    await world.startServer();
    await world.startVehicle();
    const good = await world.publish(firmware("ivi-1.1.0"), "ivi-rpi4", "3.0.0");
    await world.watch(good.campaign, 0);
    assertEquals((await world.ecus()).ivi!.version, "3.0.0");
    await world.vehicle.kill();
    while (processesNaming(`${world.folder}/vehicle`).length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 20)); // Each image ends by its lifeline.
    }
  },
});

Deno.test({
  name: `compiled server makes a delta by itself, in a bounded process, and the head unit takes ` +
    `it${skipped}`,
  ignore,
  async fn() {
    await compiled();
    await using world = await new CompiledWorld([
      ecu("cluster", "cluster-sim", { runner: "opaque", trialSeconds: 0 }),
    ]).start();
    const bytes = new Uint8Array(10_000_000).map((_, i) => (i * i) >> 7);
    const image = `${world.folder}/image`;
    await Deno.writeFile(image, bytes);
    const first = await world.publish(image, "cluster-sim", "1.0.0");
    await world.watch(first.campaign, 0);
    await Deno.writeFile(image, bytes.fill(7, 5_000_000, 5_000_100));
    const second = await world.publish(image, "cluster-sim", "1.1.0");
    const bounds = new Set<string>();
    const look = setInterval(() => {
      for (const pid of processesNaming("--delta-child")) bounds.add(dataLimit(pid));
    }, 5);
    const via = await world.hmi(({ ecus }) =>
      ecus.some(({ progress }) => progress !== null && progress.via !== "full")
    ).finally(() => clearInterval(look));
    assertEquals(via.ecus[0]!.progress?.via, "delta");
    await world.watch(second.campaign, 0);
    assert(bounds.has(String(4 * 2 ** 30)), `${[...bounds]}`);
    const { cluster } = await world.ecus();
    assertEquals([cluster!.version, cluster!.sha256], ["1.1.0", second.sha256]);
  },
});

/** How much memory for data a process may take. */
function dataLimit(pid: number): string {
  try {
    const limits = Deno.readTextFileSync(`/proc/${pid}/limits`);
    return /Max data size +(\S+)/.exec(limits)?.[1] ?? "";
  } catch {
    return ""; // It has just ended.
  }
}

/** Tries everything that an image must not be able to do, and shows what it could. */
const BURGLAR = (folder: string) => `
  const identity = ${JSON.stringify(`${folder}/vehicle/identity.json`)};
  const attempts = {
    json: () => import("file://" + identity, { with: { type: "json" } }),
    path: () => import(identity, { with: { type: "json" } }),
    script: () => import("file://${folder}/profile.mjs"),
    text: () => import("file:///etc/passwd", { with: { type: "text" } }),
    host: () => import("https://127.0.0.1:1/x.js"),
    read: () => Deno.readTextFile(identity),
    builtin: () => process.getBuiltinModule("node:fs").readFileSync(identity),
    node: async () => (await import("node:fs")).readFileSync(identity),
    require: async () => (await import("node:module")).createRequire("file:///x.js")(identity),
    vfs: () => Deno.readDirSync("/tmp/deno-compile-headunit"),
    write: () => Deno.writeTextFile("${folder}/written", "x"),
    net: () => Deno.connect({ port: 1 }),
    listen: () => Deno.listen({ port: 0 }),
    fetch: () => fetch("http://127.0.0.1:1/"),
    env: () => Deno.env.get("PATH"),
    run: () => new Deno.Command("/bin/sh").output(),
    self: () => new Deno.Command("/proc/self/exe").output(),
    prlimit: () => new Deno.Command("/usr/bin/prlimit").output(),
    sqlite: async () => new (await import("node:sqlite")).DatabaseSync("${folder}/x.db"),
    ffi: () => Deno.dlopen("libc.so.6", {}),
    sys: () => Deno.hostname(),
    parent: () => Deno.kill(Deno.ppid, "SIGUSR1"),
    cache: async () => (await caches.open("x")).put("https://a.example/", new Response("hi")),
    storage: () => localStorage.setItem("a", "b"),
    request: () => Deno.permissions.request({ name: "read" }).then((s) => {
      if (s.state !== "granted") throw new Error(s.state);
    }),
  };
  const done = [];
  for (const [name, attempt] of Object.entries(attempts)) {
    try { await attempt(); done.push(name); } catch { /* As it should be. */ }
  }
  postMessage({ type: "selfTest", ok: true, detail: "tried" });
  setInterval(() => {
    postMessage({ type: "heartbeat" });
    postMessage({ type: "display", title: "done: " + done.join(" ") });
  }, 200);`;

Deno.test({
  name: `an image in the compiled head unit opens no file, also by no import${skipped}`,
  ignore,
  async fn() {
    await compiled();
    await using world = await new CompiledWorld([ecu("ivi", "ivi-rpi4")]).start();
    const image = `${world.folder}/burglar.bin`;
    await Deno.writeTextFile(`${world.folder}/profile.mjs`, "export default 1;");
    await Deno.writeTextFile(image, BURGLAR(world.folder));
    const { campaign } = await world.publish(image, "ivi-rpi4", "1.0.0");
    await world.watch(campaign, 0);
    const { displays } = await world.hmi(({ displays }) => displays.ivi?.type === "display");
    const shown = displays.ivi!;
    assert(shown.type === "display");
    assertEquals(shown.title, "done: ");
  },
});

Deno.test({
  name: `compile refuses a Deno that does not fit, another processor's runtime, and what is no ` +
    `runtime at all${skipped}`,
  ignore,
  async fn() {
    const only = ["--only", "ota-server"];
    const other = await compile(only, { OTA_COMPILE_DENO: "2.0.0" });
    assertEquals(other.code, 1);
    assertMatch(other.stderr, /Cannot compile with Deno 2\.0\.0: DENORT_BIN is of Deno/);
    const target = Deno.build.arch === "x86_64" ? "aarch64" : "x86_64";
    const foreign = await compile([...only, "--target", `${target}-unknown-linux-gnu`]);
    assertEquals(foreign.code, 1);
    assertMatch(foreign.stderr, new RegExp(`Cannot compile for ${target}: DENORT_BIN`));
    const none = await compile(only, { DENORT_BIN: "/bin/sh" });
    assertEquals(none.code, 1);
    assertMatch(none.stderr, /it is no denort of Linux/);
    assertEquals((await compile(["--only", "nothing"])).code, 2);
  },
});

const armDenort = Deno.env.get("DENORT_BIN_AARCH64");
const emulator = emulatorOf("aarch64");
const noArm = armDenort === undefined || Deno.build.arch === "aarch64"
  ? " (skipped: no denort of another processor)"
  : "missing" in emulator
  ? ` (skipped: ${emulator.missing})`
  : "";

Deno.test({
  name: `what is compiled for a Raspberry Pi passes its self-test under an emulator${noArm}`,
  ignore: noArm !== "",
  async fn() {
    const args = ["--target", "aarch64-unknown-linux-gnu"];
    const { code, stdout, stderr } = await compile(args, { DENORT_BIN: armDenort! });
    assertEquals(code, 0, stderr);
    for (const name of ["headunit", "ota-server"]) {
      assertMatch(stdout, new RegExp(`dist/${name}-aarch64: .* self-test ok`));
    }
  },
});

Deno.test("verify() believes no exit code, only the right answer", async () => {
  const folder = await Deno.makeTempDir();
  const cases: [string, { arch: string }, RegExp][] = [
    ["exit 0", { arch: "x" }, /answered no JSON: ""/],
    [`echo '{"arch":"y"}'`, { arch: "x" }, /answered arch "y", wanted "x"/],
    ["echo broken >&2; exit 1", { arch: "x" }, /ended with code 1: broken/],
    ["kill -SEGV $$", { arch: "x" }, /ended with SIGSEGV/],
  ];
  try {
    for (const [script, wanted, reason] of cases) {
      const file = `${folder}/program`;
      await Deno.writeTextFile(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      const verdict = await verify(file, wanted, { argv: [], env: {} });
      assert(verdict.kind === "failed", script);
      assertMatch(verdict.reason, reason);
    }
    await Deno.writeTextFile(`${folder}/program`, `#!/bin/sh\necho '{"arch":"x","more":1}'\n`);
    const right = await verify(`${folder}/program`, { arch: "x" }, { argv: [], env: {} });
    assertEquals(right.kind, "ok");
    const absent = await verify(`${folder}/program`, {}, { missing: "there is no emulator" });
    assertEquals(absent, { kind: "notRun", reason: "there is no emulator" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
