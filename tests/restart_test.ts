/**
 * Crashes: the server killed at every step of an update, supervised programs that come back,
 * programs that cannot live, and supervisors that die themselves.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert/mod.js";
import mqtt from "mqtt";
import type { BoardSnapshot, Vehicle } from "shared/protocol/api.ts";
import { SHOWN_MS } from "shared/supervise.ts";
import { TestServer } from "server/fixture_test.ts";
import type { Running } from "../scripts/process.ts";
import { ROOT } from "../scripts/process.ts";
import { axeViolations, launch, NOTICE, watchFaults } from "./browser.ts";
import { ecu, firmware, JourneyWorld, VIN } from "./journey_world.ts";
import { Gate, TroubleProxy } from "./trouble_proxy.ts";

/** Waits until a program has said something; it says it, or the test run ends it. */
async function said(program: Running, pattern: RegExp, from = 0): Promise<RegExpExecArray> {
  for (;;) {
    for (const line of program.logs.slice(from)) {
      const found = pattern.exec(line);
      if (found !== null) return found;
    }
    const ended = await Promise.race([program.ended, pause(50)]);
    if (ended === undefined) continue;
    throw new Error(`ended with ${ended} before it said ${pattern}: ${program.logs.join("\n")}`);
  }
}

function pause(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms));
}

function isAlive(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT"); // Changes nothing in a process that runs.
    return true;
  } catch {
    return false;
  }
}

async function isGone(pid: number): Promise<void> {
  while (isAlive(pid)) await pause(20);
}

/** The process that a supervisor runs now: the last one it told of. */
async function childOf(program: Running, count: number): Promise<number> {
  const started = () =>
    program.logs.flatMap((line) => /^supervisor: started process (\d+)$/.exec(line)?.[1] ?? []);
  while (started().length < count) await pause(20);
  return Number(started()[count - 1]);
}

Deno.test("the server is killed in each state of the vehicle, and the update ends confirmed", async () => {
  const profile = [ecu("ivi", "ivi-rpi4", { trialSeconds: 6 })];
  await using world = new JourneyWorld(profile, "ask");
  const proxy = world.proxy = new TroubleProxy();
  await world.start();
  const download = new Gate();
  const report = new Gate();
  proxy.trouble = (path, body) =>
    path.startsWith("/carriers/")
      ? { kind: "gate", afterBytes: 50_000, gate: download }
      : path === "/manifest" && body.includes('"state":"confirmed"')
      ? { kind: "gate", afterBytes: 0, gate: report }
      : undefined;
  const { campaign } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");

  await download.reached;
  assertEquals((await world.hmi(() => true)).ecus[0]!.state, "downloading");
  await world.server.kill();
  proxy.trouble = (path) =>
    path.startsWith("/carriers/") ? { kind: "short", afterBytes: 0 } : undefined;
  download.open();
  await world.startServer();
  proxy.trouble = (path, body) =>
    path === "/manifest" && body.includes('"state":"confirmed"')
      ? { kind: "gate", afterBytes: 0, gate: report }
      : undefined;

  await world.hmi(({ phase }) => phase === "ready");
  await world.server.kill();
  await world.hmi(({ brokerConnected }) => !brokerConnected);
  await world.press("accept", campaign); // The driver need not wait for a server.

  await world.hmi(({ phase }) => phase === "trial");
  await world.startServer();
  await world.server.kill(); // Once more, with the trial under way.
  await world.startServer();

  await report.reached; // The vehicle is done and says so: its report is on the line.
  await world.server.kill();
  proxy.trouble = () => undefined;
  report.open();
  await world.startServer();
  await world.watch(campaign, 0);
  assertEquals((await world.ecus()).ivi!.state, "confirmed");
});

Deno.test("supervised, server and vehicle come back on the same ports and say why; the update goes on", async () => {
  await using world = new JourneyWorld([ecu("ivi", "ivi-rpi4", { trialSeconds: 3 })]);
  world.supervise = true;
  await world.start();
  const { urls } = world.server;
  const { campaign } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
  await world.hmi(({ phase }) => phase === "trial");
  const first = await childOf(world.server, 1);
  Deno.kill(first, "SIGKILL");
  Deno.kill(await childOf(world.vehicle, 1), "SIGKILL");
  await childOf(world.server, 2);
  await said(
    world.server,
    /^\{"http"/,
    world.server.logs.findIndex((line) => /crashed/.test(line)),
  );
  await world.watch(campaign, 0);

  const token = await login(urls.http);
  const board = await snapshot(urls.http, token);
  assertEquals(board.server.lastError, "ended by SIGKILL");
  assert(Date.now() - Date.parse(board.server.lastErrorAt!) < 120_000);
  const metrics = await (await fetch(`${urls.http}/metrics`, { headers: bearer(token) })).text();
  assertMatch(metrics, /^ota_server_restarts_total 1$/m);
  const status = await retained(urls.mqtt, world.secret(), "ota/v1/server/status");
  assertEquals([status.state, status.lastError], ["running", "ended by SIGKILL"]);

  const [vehicle] = board.vehicles as [Vehicle];
  assertEquals([vehicle.lastError!.message, vehicle.lastError!.restarts], ["ended by SIGKILL", 1]);
  const listed = await world.ota("vehicles");
  assertMatch(listed.stdout, /\(vehicle\) +restarted .*ended by SIGKILL/);
  const [line] = await world.json("vehicles") as [Record<string, unknown>];
  assertEquals(
    Object.keys(line).sort(),
    ["ecus", "online", "vin"],
    "the contract's line is as it was",
  );

  // A second one on the same folders: refused once, with the remedy, and not tried again.
  for (
    const [entry, args] of [
      ["server/main.ts", [
        "--http",
        "127.0.0.1:0",
        "--device",
        "127.0.0.1:0",
        "--mqtt",
        "127.0.0.1:0",
      ]],
      ["vehicle/main.ts", ["--server", urls.http, "--vin", VIN]],
    ] as const
  ) {
    const data = `${world.folder}/${entry.split("/")[0]}`;
    for (const more of [[], ["--supervise"]]) {
      const second = await run(entry, ["--data", data, ...args, ...more]);
      assertEquals([entry, second.code], [entry, 5]);
      assertMatch(second.err, /another process does; stop it/);
      assertEquals((second.err.match(/started process/g) ?? []).length, more.length);
    }
  }
  assertEquals([world.server.urls, isAlive(first)], [urls, false]);
  // Started anew by a person, nothing is said any more.
  await world.server.stop();
  await world.startServer();
  assertEquals((await snapshot(urls.http, await login(urls.http))).server.lastError, undefined);
});

Deno.test({
  name: `the notice board shows why server and vehicle were restarted${NOTICE}`,
  ignore: NOTICE !== "",
  async fn() {
    await using world = new JourneyWorld([ecu("ivi", "ivi-rpi4")]);
    world.supervise = true;
    await world.start();
    for (const program of [world.server, world.vehicle]) {
      Deno.kill(await childOf(program, 1), "SIGKILL");
      await childOf(program, 2);
    }
    const readyAgain = world.server.logs.findIndex((line) => /crashed/.test(line));
    await said(world.server, /^\{"http"/, readyAgain);
    const browser = await launch();
    try {
      const page = await browser.newPage();
      const faults = watchFaults(page, (text) => text.includes("401")); // Nobody is logged in yet.
      await page.goto(world.server.urls.http);
      await page.fill("input[type=password]", "journey-password");
      await page.fill("input:not([type=password])", "admin");
      await page.keyboard.press("Enter");
      await page.click("[data-testid=page-vehicles]");
      const server = await page.textContent("[data-testid=server-error]");
      assertMatch(server!, /^restarted .+: ended by SIGKILL$/);
      const vehicle = await page.textContent(`[data-testid=error-${VIN}]`);
      assertMatch(vehicle!, /Restarted after a crash .+: ended by SIGKILL/);
      assertEquals([await axeViolations(page), faults], [[], []]);
    } finally {
      await browser.close();
    }
  },
});

Deno.test("a crash is told for a day, then the retained status is said anew without it", async () => {
  const at = new Date(Date.now() - SHOWN_MS + 3000).toISOString(); // Three seconds are left of it.
  const lastError = { at, message: "ended by SIGKILL", restarts: 4 };
  await using test = await TestServer.start({ lastError });
  const secret = await test.enrol();
  const status = () => retained(test.server.urls.mqtt, secret, "ota/v1/server/status");
  const first = await status();
  assertEquals([first.lastError, first.lastErrorAt], ["ended by SIGKILL", at]);
  assertMatch(await (await test.ask("/metrics")).text(), /^ota_server_restarts_total 4$/m);
  while ((await status()).lastError !== undefined) await pause(100);
  assertEquals((await snapshot(test.http, test.token)).server.lastError, undefined);
});

Deno.test("a supervisor that is stopped, or killed, leaves no orphan, and the folder can be used again", async () => {
  await using world = new JourneyWorld([ecu("ivi", "ivi-rpi4")]);
  world.supervise = true;
  await world.start();
  for (const program of [world.vehicle, world.server]) {
    const child = await childOf(program, 1);
    assert(isAlive(child));
    await program.kill();
    await isGone(child);
  }
  await world.startServer();
  await world.startVehicle();
  const [vehicle, server] = [await childOf(world.vehicle, 1), await childOf(world.server, 1)];
  assertEquals([await world.vehicle.stop(), await world.server.stop()], [0, 0]);
  assertEquals([isAlive(vehicle), isAlive(server)], [false, false]);
  // Also while it waits for a server that is not there, before it listens.
  const bare = `${world.folder}/new`;
  const waiting = spawn("vehicle/main.ts", [
    ...["--data", bare, "--server", world.server.urls.http, "--vin", VIN, "--enrol", "x"],
    ...["--supervise"],
  ]);
  const [, pid] = await until(waiting.stderr, /started process (\d+)[\s\S]*Cannot enrol/);
  waiting.kill("SIGKILL");
  await waiting.status;
  await isGone(Number(pid));
  await waiting.stdin.close().catch(() => {});
  await waiting.stdout.cancel();
});

Deno.test("an error that nobody caught ends server and vehicle with 1, said once with its stack", async () => {
  await using world = await new JourneyWorld([ecu("ivi", "ivi-rpi4")]).start();
  await world.vehicle.stop();
  await world.server.stop();
  const bombs = {
    thrown: "setTimeout(() => { throw new TypeError('bomb in a timer'); }, 100)",
    rejected: "setTimeout(() => void Promise.reject(new TypeError('bomb in a promise')), 100)",
  };
  for (const [name, code] of Object.entries(bombs)) {
    const file = `${world.folder}/${name}.ts`;
    // Armed when the program says that it is ready.
    await Deno.writeTextFile(
      file,
      `const say = console.log; console.log = (...a) => { say(...a); ${code}; };`,
    );
    const data = (part: string) => ["--data", `${world.folder}/${part}`];
    for (
      const [entry, args] of [
        ["server/main.ts", [...data("server"), ...anyPorts()]],
        ["vehicle/main.ts", [...data("vehicle"), "--server", world.server.urls.http, "--vin", VIN]],
      ] as const
    ) {
      const { code, err } = await run(entry, [...args], ["--preload", file]);
      assertEquals([entry, code], [entry, 1], err);
      assertMatch(err, /^fatal: TypeError: bomb in a (timer|promise)$/m);
      assertEquals(err.split("bomb in a").length - 1, 2, "the line for machines, and the stack");
      assertMatch(err, /^ {4}at .*(thrown|rejected)\.ts/m);
    }
  }
});

function anyPorts(): string[] {
  return ["--http", "--device", "--mqtt"].flatMap((flag) => [flag, "127.0.0.1:0"]);
}

function spawn(entry: string, args: readonly string[], runtime: readonly string[] = []) {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", ...runtime, entry, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function run(entry: string, args: readonly string[], runtime: readonly string[] = []) {
  const child = spawn(entry, args, runtime);
  const { code, stderr } = await child.output();
  await child.stdin.close().catch(() => {});
  return { code, err: new TextDecoder().decode(stderr) };
}

/** Reads until the text fits. */
async function until(stream: ReadableStream<Uint8Array>, pattern: RegExp): Promise<string[]> {
  let text = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream() as never)) {
    text += piece;
    const found = pattern.exec(text);
    if (found !== null) return found;
  }
  throw new Error(`the stream ended: ${text}`);
}

function bearer(token: string): HeadersInit {
  return { authorization: `Bearer ${token}` };
}

async function login(http: string): Promise<string> {
  const answer = await fetch(`${http}/api/v1/login`, {
    method: "POST",
    body: JSON.stringify({ user: "admin", password: "journey-password" }),
  });
  return (await answer.json()).token;
}

async function snapshot(http: string, token: string): Promise<BoardSnapshot> {
  const answer = await fetch(`${http}/events`, { headers: bearer(token) });
  const [, data] = await until(answer.body!, /event: snapshot[\s\S]*?data: ?(.*)\n\n/);
  assertStringIncludes(data!, '"v":1');
  return JSON.parse(data!);
}

async function retained(url: string, secret: string, topic: string) {
  const client = await mqtt.connectAsync(url, { username: VIN, password: secret });
  const message = new Promise<string>((resolve) =>
    client.on("message", (_topic, payload) => resolve(new TextDecoder().decode(payload)))
  );
  await client.subscribeAsync(topic);
  const text = await message;
  await client.endAsync(true);
  return JSON.parse(text);
}
