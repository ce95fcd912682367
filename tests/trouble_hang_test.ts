/**
 * Programs that hang: their supervisor notices, ends them, starts them again and says why.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import { runSupervised } from "shared/host/supervisor.ts";
import { RESTART_POLICY } from "shared/restart_policy.ts";
import { ROOT } from "../scripts/process.ts";
import { ecu, firmware, JourneyWorld, VIN } from "./journey_world.ts";

/** Longer than a start takes on a busy machine: a program answers when it has been loaded. */
const SILENCE_MS = 12_000;
const POLICY = { ...RESTART_POLICY, silenceMs: SILENCE_MS };
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Makes a program stand still in a loop when a file is put there, once. */
async function withHang(folder: string): Promise<string> {
  const script = `${folder}/hang.ts`;
  await Deno.writeTextFile(
    script,
    `const timer = setInterval(() => {
      try { Deno.renameSync("${folder}/hang", "${folder}/hung"); } catch { return; }
      for (;;);
    }, 50);
    Deno.unrefTimer(timer); // The program begins when nothing of a preload is left to be done.`,
  );
  return script;
}

/** Puts the file there, and waits until the program hangs. */
async function hang(folder: string): Promise<void> {
  await Deno.remove(`${folder}/hung`).catch(() => {});
  await Deno.writeTextFile(`${folder}/hang`, "");
  while (!await Deno.stat(`${folder}/hung`).then(() => true, () => false)) await pause(20);
}

Deno.test("a vehicle whose event loop stands still is ended and started again, says why, and its update goes on", async () => {
  await using world = await new JourneyWorld([ecu("ivi", "ivi-rpi4", { trialSeconds: 3 })])
    .start();
  await world.vehicle.stop();
  const hmi = new URL(world.vehicle.hmi).host;
  const args = [
    ...["run", "-A", "--quiet", "--preload", await withHang(world.folder)],
    ...[`${ROOT}vehicle/main.ts`, "--data", world.vehicleData, "--hmi", hmi],
    ...["--server", world.server.urls.http, "--vin", VIN, "--consent", "auto"],
    ...["--profile", `${world.folder}/profile.json`],
  ];
  const stop = new AbortController();
  const supervised = runSupervised({ program: Deno.execPath(), args }, stop.signal, POLICY);
  try {
    const { campaign } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
    await until(() => world.hmi(({ phase }) => phase === "trial"));
    await hang(world.folder);
    const begunMs = performance.now();
    await world.watch(campaign, 0);
    console.log(
      `    confirmed ${((performance.now() - begunMs) / 1000).toFixed(1)} s after it hung`,
    );
    const listed = await world.ota("vehicles");
    assertMatch(
      listed.stdout,
      /\(vehicle\) +restarted .*hung: its event loop stood still for 12 s/,
    );
  } finally {
    stop.abort();
    assertEquals(await supervised, 0);
  }
});

Deno.test("a server that is stopped by a signal nobody lifts is ended and started again, and says why", async () => {
  await using world = await new JourneyWorld([ecu("ivi", "ivi-rpi4")]).start();
  const { http, device, mqtt } = world.server.urls;
  await world.server.stop();
  const args = [
    ...["run", "-A", "--quiet", `${ROOT}server/main.ts`, "--data", `${world.folder}/server`],
    ...["--http", new URL(http).host, "--device", new URL(device).host],
    ...["--mqtt", new URL(mqtt).host],
  ];
  const stop = new AbortController();
  const supervised = runSupervised({ program: Deno.execPath(), args }, stop.signal, POLICY);
  try {
    const pid = await until(() => listener(`${world.folder}/server`));
    await until(() => fetch(`${http}/readyz`).then((answer) => answer.body?.cancel()));
    // Longer than the silence, in good health: nothing happens.
    await pause(1.5 * SILENCE_MS);
    assertEquals(await listener(`${world.folder}/server`), pid);
    Deno.kill(pid, "SIGSTOP");
    const next = await until(async () => {
      const found = await listener(`${world.folder}/server`);
      assert(found !== pid);
      return found;
    });
    assert(next !== pid);
    await until(() => fetch(`${http}/readyz`).then((answer) => answer.body?.cancel()));
    const { campaign } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
    await world.watch(campaign, 0);
    const answer = await fetch(`${http}/metrics`, {
      headers: { authorization: `Bearer ${await token(http)}` },
    });
    assertMatch(await answer.text(), /^ota_server_restarts_total 1$/m);
  } finally {
    stop.abort();
    assertEquals(await supervised, 0);
  }
});

Deno.test("a program that is too busy for anything is given up by its policy, with the reason", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headunit-ota-hang-" });
  const file = `${folder}/busy.ts`;
  await Deno.writeTextFile(
    file,
    `Deno.writeTextFileSync("${folder}/told", Deno.args.join(" "), { append: true });
    for (;;);`,
  );
  const policy = {
    ...{ firstPauseMs: 1, maxPauseMs: 2, maxStarts: 2, steadyMs: 60_000 },
    ...{ windowMs: 600_000, silenceMs: 3000 },
  };
  const command = { program: Deno.execPath(), args: ["run", "-A", "--quiet", file] };
  assertEquals(await runSupervised(command, new AbortController().signal, policy), 1);
  const told = await Deno.readTextFile(`${folder}/told`);
  assertMatch(told, /hung: its event loop stood still for 3 s/);
  await Deno.remove(folder, { recursive: true });
});

/** Tries again until it works. */
async function until<T>(attempt: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + 60_000;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw error;
      await pause(50);
    }
  }
}

/** The process that runs on a data folder. */
async function listener(folder: string): Promise<number> {
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const line = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    if (line.includes(`--data\0${folder}\0`)) return Number(name);
  }
  throw new Error(`nobody runs on ${folder}`);
}

async function token(http: string): Promise<string> {
  const answer = await fetch(`${http}/api/v1/login`, {
    method: "POST",
    body: JSON.stringify({ user: "admin", password: "journey-password" }),
  });
  return (await answer.json()).token;
}
