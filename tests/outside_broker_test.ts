/**
 * The chain with Debian's Mosquitto in place of the broker inside the server: passwords and access
 * list as `ota broker mosquitto` writes them, restarts of either side, and a broker without QoS 2.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert/mod.js";
import type { Vehicle } from "shared/protocol/api.ts";
import { bundleIsConfirmed, partnersGoBack } from "./journey_steps.ts";
import { ecu, firmware, JourneyWorld, THREE, VIN } from "./journey_world.ts";
import { Mosquitto } from "./mosquitto_world.ts";
import { hasProgram } from "./real_images.ts";

const OTHER = "WVWZZZ1JZXW000002";
const STATUS = "ota/v1/server/status";
/** A wait ends with a failure after this. */
const PATIENCE_MS = 30_000;
const missing = ["mosquitto", "mosquitto_sub", "mosquitto_pub", "mosquitto_passwd"]
  .filter((name) => !hasProgram(name));
const skipped = missing.length === 0 ? "" : ` (skipped: no ${missing.join(", ")})`;

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `Mosquitto: ${name}${skipped}`, ignore: skipped !== "", fn });
}

function outside(...args: ConstructorParameters<typeof JourneyWorld>): JourneyWorld {
  const world = new JourneyWorld(...args);
  world.broker = new Mosquitto(world.folder);
  return world;
}

/** Enrols one more vehicle, as its program would; answers its secret. */
async function enrolOther(world: JourneyWorld, vin = OTHER): Promise<string> {
  const [{ token }] = await world.json("enrol", "--vin", vin) as [{ token: string }];
  const answer = await fetch(`${world.server.urls.http}/enrol`, {
    method: "POST",
    body: JSON.stringify({ v: 1, vin, token }),
  });
  const { secret, broker } = await answer.json();
  assertEquals(broker, `mqtt://127.0.0.1:${world.broker!.port}`, "without the server's password");
  return secret;
}

/** Waits until something holds. One look may start a program, so it is time that is bounded. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end;) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Cannot go on with the test: waited in vain for ${what}`);
}

/** The broker reads its passwords when it gets to it: asks until it lets the vehicle in. */
async function letIn(broker: Mosquitto, vin: string, secret: string): Promise<void> {
  await until(`the broker to know ${vin}`, async () => {
    return (await broker.sub(vin, secret, [STATUS], { seconds: 2, count: 1 })).code === 0;
  });
}

async function isOnline(world: JourneyWorld, vin = VIN): Promise<boolean> {
  const vehicles = await world.json("vehicles") as Pick<Vehicle, "vin" | "online">[];
  return vehicles.find((one) => one.vin === vin)!.online;
}

test("a bundle for three ECUs is confirmed, a bad one takes its partners back, the will says offline", async () => {
  await using world = await outside(THREE, "ask").start();
  await bundleIsConfirmed(world);
  await world.vehicle.stop();
  world.consent = "auto";
  await world.startVehicle();
  await partnersGoBack(world, "1.1.0");
  await until("online", () => isOnline(world));
  await world.vehicle.kill();
  await until("offline, by the will", async () => !await isOnline(world));
  const conn = `ota/v1/vehicle/${VIN}/conn`;
  const heard = await world.broker!.sub(VIN, world.secret(), [conn], { seconds: 5, count: 1 });
  assertEquals(heard.out, `${conn} offline\n`);
});

test("a vehicle sees and writes its own topics only, and nobody comes in without a secret", async () => {
  await using world = await outside(THREE).start();
  const broker = world.broker!;
  await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
  await until("online", () => isOnline(world));
  const secret = await enrolOther(world);
  await letIn(broker, OTHER, secret);

  const all = ["#", "ota/v1/vehicle/+/#", `ota/v1/vehicle/${VIN}/#`, "ota/v1/server/#", "$SYS/#"];
  const spied = await broker.sub(OTHER, secret, all, { seconds: 2 });
  const topics = new Set(spied.out.trim().split("\n").map((line) => line.split(" ")[0]));
  topics.delete(`ota/v1/vehicle/${OTHER}/desired`); // Its own, once the server has settled it.
  assertEquals([...topics].sort(), ["ota/v1/announce/ivi-rpi4", STATUS]);

  const [own, foreign] = [OTHER, VIN].map((vin) => `ota/v1/vehicle/${vin}`);
  const forbidden = [`${foreign}/conn`, `${foreign}/status`, `${own}/desired`, STATUS]
    .concat("ota/v1/announce/ivi-rpi4", "ota/v1/announce/forged", "ota/v1/server/probe");
  for (const topic of forbidden) await broker.pub(OTHER, secret, topic, "forged");
  await broker.pub(OTHER, secret, `${foreign}/conn`, "offline");
  await broker.pub(OTHER, secret, `${own}/conn`, "online");
  await until("its own word to arrive", () => isOnline(world, OTHER));
  const { user, password } = serverLogin(broker);
  const kept = await broker.sub(user, password, ["ota/v1/#"], { seconds: 2 });
  assert(!kept.out.includes("forged"), kept.out);
  assertStringIncludes(kept.out, `${foreign}/conn online`);
  await until("the server to be back, and not to believe the other", () => isOnline(world));

  // With the other's client id: its line stays, as the log shows below.
  const taking = await broker.sub(OTHER, secret, [STATUS], { seconds: 2, count: 1, id: VIN });
  assertEquals(taking.code, 0);

  for (const [name, word] of [[VIN, secret], [OTHER, "wrong"], ["admin", "journey-password"]]) {
    const heard = await broker.sub(name!, word!, [STATUS], { seconds: 2 });
    assert(heard.code !== 0 && heard.out === "", heard.err);
  }
  const log = await broker.stop();
  assertStringIncludes(log, `as ${VIN} `);
  assert(!log.includes("Error") && !log.includes(`${VIN} already connected`), log);
});

/** The server's connection is replaced by this one's, and comes back. */
function serverLogin(broker: Mosquitto): { readonly user: string; readonly password: string } {
  const { OTA_BROKER_USER: user, OTA_BROKER_PASSWORD: password } = broker.serverEnv;
  return { user: user!, password: password! };
}

test("a vehicle that is enrolled again keeps its old secret until the new one is used", async () => {
  await using world = await outside(THREE).start();
  const broker = world.broker!;
  const old = await enrolOther(world);
  await letIn(broker, OTHER, old);
  const ask = (secret: string) =>
    fetch(`${world.server.urls.device}/metadata/director/${OTHER}/targets.json`, {
      headers: { authorization: `Bearer ${secret}` },
    }).then(async (answer) => (await answer.body?.cancel(), answer.status));
  assertEquals(await ask(old), 200);
  const fresh = await enrolOther(world);
  await letIn(broker, OTHER, old);
  // A long listener with the old secret is cut once the new one has been used.
  const listening = broker.sub(OTHER, old, [`ota/v1/vehicle/${OTHER}/#`], { seconds: 30 });
  assertEquals(await ask(fresh), 200);
  await letIn(broker, OTHER, fresh);
  const refused = await broker.sub(OTHER, old, [STATUS], { seconds: 2 });
  assertEquals([refused.code === 0, refused.out], [false, ""]);
  assert((await listening).code !== 27, "cut, not timed out");

  // Mosquitto's own tool reads the file, and agrees on what a password looks like.
  const file = `${broker.folder}/passwords`;
  const { success } = await new Deno.Command("mosquitto_passwd", {
    args: ["-b", file, "another", "a-password"],
    stdin: "null",
    stderr: "null",
  }).output();
  assert(success);
  const lines = (await Deno.readTextFile(file)).trim().split("\n");
  assertEquals(lines.length, 4);
  for (const line of lines) {
    assertMatch(line, /^[\w-]+:\$7\$\d+\$[A-Za-z0-9+/]{16}\$[A-Za-z0-9+/]{86}==$/);
  }
  assertEquals((await Deno.stat(file)).mode! & 0o007, 0, "not for everybody");
});

test("what is retained is right after a restart of the broker, of the server, and after a restore", async () => {
  await using world = await outside(THREE).start();
  const broker = world.broker!;
  const secret = await enrolOther(world);
  await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
  await world.server.stop();
  const copy = `${world.folder}/backup`;
  await copyFolder(`${world.folder}/server`, copy);
  await world.startServer();
  await world.json("hardware", "add", "gone-hw");
  await world.publish(firmware("body-1.0.0"), "gone-hw", "9.0.0");
  await world.publish(firmware("ivi-1.1.0"), "ivi-rpi4", "1.1.0");

  const announced = async () => {
    const heard = await broker.sub(OTHER, secret, ["ota/v1/announce/+", STATUS], { seconds: 2 });
    return heard.out.trim().split("\n").map((line) => {
      const { version, state } = JSON.parse(line.slice(line.indexOf("{")));
      return `${line.split(" ")[0]!.slice("ota/v1/".length)} ${version ?? state}`;
    }).sort();
  };
  const now = ["announce/gone-hw 9.0.0", "announce/ivi-rpi4 1.1.0", "server/status running"];
  const says = (wanted: string[]) =>
    until(wanted.join(), async () => `${await announced().catch(() => "")}` === `${wanted}`);
  await says(now);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    await broker.stop(signal); // Nothing persists: the server says it all again.
    await broker.start();
    await says(now);
  }
  await world.server.kill();
  await says([...now.slice(0, 2), "server/status gone"]);
  await Deno.remove(`${world.folder}/server`, { recursive: true });
  await Deno.rename(copy, `${world.folder}/server`);
  await world.startServer(); // The broker still keeps what was said after the backup.
  await says(["announce/ivi-rpi4 1.0.0", "server/status running"]);
});

/** With its rights, as `cp -a` does: keys that others may read keep the server from starting. */
async function copyFolder(source: string, target: string): Promise<void> {
  const { mode } = await Deno.stat(source);
  await Deno.mkdir(target, { mode: mode! & 0o777 });
  for await (const { name, isDirectory } of Deno.readDir(source)) {
    if (isDirectory) await copyFolder(`${source}/${name}`, `${target}/${name}`);
    else await Deno.copyFile(`${source}/${name}`, `${target}/${name}`);
  }
}

test("a restart of the broker in mid-download is survived, and the vehicle is heard again", async () => {
  const opaque = { runner: "opaque", trialSeconds: 0, slotBytes: 512 * 2 ** 20 } as const;
  await using world = await outside([ecu("ivi", "ivi-rpi4", opaque)], "ask").start();
  const image = `${world.folder}/image`;
  {
    using file = await Deno.open(image, { write: true, create: true });
    const piece = new Uint8Array(65_536);
    for (let i = 0; i < 4800; i++) await file.write(crypto.getRandomValues(piece)); // 315 MB.
  }
  const { campaign } = await world.publish(image, "ivi-rpi4", "1.0.0");
  await world.hmi(({ progress }) => (progress?.doneBytes ?? 0) > 10_000_000);
  await world.broker!.stop("SIGKILL");
  const { progress } = await world.hmi(({ phase }) => phase !== "upToDate");
  assert(progress !== null && progress.doneBytes < progress.totalBytes, "in mid-download");
  await until("nobody to be online", async () => !await isOnline(world));
  await world.broker!.start();
  await world.hmi(({ phase }) => phase === "ready");
  await until("the vehicle on the new line", () => isOnline(world));
  await world.press("accept", campaign);
  await world.watch(campaign, 0);
  assertEquals((await world.ecus()).ivi!.state, "confirmed");
});

for (const limit of [1, 2] as const) {
  test(`asked for QoS 2, a broker with max_qos ${limit} is ${limit === 1 ? "noticed" : "used with it"}`, async () => {
    await using world = outside(THREE);
    const broker = world.broker!;
    broker.extra = [`max_qos ${limit}`];
    world.serverArgs = ["--qos", "2"];
    await world.start();
    const secret = await enrolOther(world);
    await letIn(broker, OTHER, secret);
    const status = await broker.sub(OTHER, secret, [STATUS], { seconds: 5, count: 1 });
    const said = world.server.logs.filter((line) => line.startsWith("Cannot publish with QoS 2"));
    if (limit === 1) {
      assertStringIncludes(status.out, '"lastError":"the broker does without QoS 2');
      assertEquals(said.length, 1, world.server.logs.join("\n"));
      assertStringIncludes(said[0]!, "grants a subscription QoS 1");
    } else {
      assert(!status.out.includes("lastError"), status.out);
      assertEquals(said, []);
    }
    const { campaign } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
    await world.watch(campaign, 0);
    const args = ["-F", "%q", "-t", "ota/v1/announce/ivi-rpi4"];
    const quality = await broker.sub(OTHER, secret, [], { seconds: 5, count: 1, more: args });
    assertEquals(quality.out.trim(), String(limit));
  });
}

const noTls = hasProgram("openssl") ? skipped : " (skipped: no openssl)";
Deno.test({
  name:
    `Mosquitto: over TLS an update is confirmed, and a foreign CA refused with the remedy${noTls}`,
  ignore: noTls !== "",
  fn: overTls,
});

async function overTls(): Promise<void> {
  await using world = outside(THREE);
  const broker = world.broker!;
  const [foreign, ca] = [await broker.useTls(), broker.ca!];
  await world.start();
  assertEquals(world.server.urls.mqtt, `mqtts://127.0.0.1:${broker.port}`);
  const { campaign } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
  await world.watch(campaign, 0);
  await until("online", () => isOnline(world));

  const remedy = /no CA that is trusted here signed its certificate.*DENO_CERT=FILE/;
  broker.ca = foreign;
  await world.vehicle.stop();
  await world.startVehicle();
  await until(
    "the vehicle to say why",
    () => Promise.resolve(world.vehicle.logs.some((line) => remedy.test(line))),
  );
  await world.server.stop();
  await world.startServer();
  await until(
    "the server to say why",
    () => Promise.resolve(world.server.logs.some((line) => remedy.test(line))),
  );
  const ready = await fetch(`${world.server.urls.http}/readyz`);
  assertEquals([ready.status, (await ready.json()).name], [503, "preconditionFailed"]);

  broker.ca = ca;
  await world.vehicle.stop();
  await world.server.stop();
  await world.startServer();
  await world.startVehicle();
  await until("online again", () => isOnline(world));
}

test("wrong settings are refused with the remedy, and no password is printed", async () => {
  await using world = outside(THREE);
  const broker = world.broker!;
  world.serverArgs = [];
  await Deno.remove(broker.folder);
  const failed = await world.start().then(() => "", (error: Error) => error.message);
  assert(!failed.includes(serverLogin(broker).password));
  assertMatch(failed, /code 5[\s\S]*Cannot write ".*passwords": .*make its folder/);
  world.broker = undefined;
  await world.startServer();
  await world.ota("login", "--server", world.server.urls.http);
  const inside = await world.ota(...broker.otaArgs);
  assertEquals(inside.code, 5, inside.stderr);
  assertMatch(inside.stderr, /this server runs its own/);
});
