/**
 * Disks that are slow, up to standing still for a while: nobody takes that for a fault of
 * somebody else. Prints what it took; no figure is asserted.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { assert, assertEquals } from "@std/assert/mod.js";
import mqtt from "mqtt";
import { vehicleTopic } from "shared/protocol/topics.ts";
import { BadDiskWorld, type DiskOrders } from "./bad_disk.ts";
import { ecu, firmware, VIN } from "./journey_world.ts";

const seconds = (sinceMs: number) => ((performance.now() - sinceMs) / 1000).toFixed(1);

for (const syncMs of [50, 500]) {
  Deno.test(`vehicle: an update is confirmed when every sync takes ${syncMs} ms`, async () => {
    await using world = await new BadDiskWorld([ecu("ivi", "ivi-rpi4")]).withDisks();
    world.disk("vehicle", { syncMs });
    const begunMs = performance.now();
    const { campaign } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
    await world.watch(campaign, 0);
    console.log(`    confirmed after ${seconds(begunMs)} s`);
  });
}

Deno.test("vehicle: from consent to confirmation with syncs of 3 s, nearly as long as a heartbeat may be late", async () => {
  const ecus = [ecu("body", "body-sim"), ecu("ivi", "ivi-rpi4")];
  await using world = await new BadDiskWorld(ecus, "ask").withDisks();
  const { campaign } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
  await world.hmi(({ phase }) => phase === "ready");
  world.disk("vehicle", { syncMs: 3000 });
  const begunMs = performance.now();
  await world.press("accept", campaign);
  const watched = await world.ota("watch", "--campaign", campaign, "--timeout", "200");
  assertEquals(watched.code, 0, watched.stderr);
  console.log(`    confirmed after ${seconds(begunMs)} s`);
});

/** Two ECUs: while the second one boots, the image of the first is on trial. */
const PAIR = [
  ecu("body", "body-sim", { trialSeconds: 5 }),
  ecu("ivi", "ivi-rpi4", { trialSeconds: 2 }),
];

/** Offers both, and holds the vehicle up once, in the sync of the second boot. */
async function stalledTrial(world: BadDiskWorld, body: string, ms: number): Promise<string> {
  const releases = [
    await world.publish(firmware(body), "body-sim", "1.1.0", "--draft"),
    await world.publish(firmware("ivi-1.1.0"), "ivi-rpi4", "1.1.0", "--draft"),
  ];
  const [offered] = await world.json("offer", ...releases.map(({ release }) => release));
  const { campaign } = offered as { campaign: string };
  await world.hmi((shown) => shown.phase === "ready" && shown.offer?.campaign === campaign);
  // Of the boot record of the head unit: armed by the first sync, its try taken by the second.
  world.disk("vehicle", { path: "ivi/boot.disk", stall: { id: "boot", ms, after: 1 } });
  await world.press("accept", campaign);
  return campaign;
}

/** What the broker tells of a vehicle's line, word by word. */
class ConnWords implements AsyncDisposable {
  readonly #words: string[] = [];
  readonly #client: mqtt.MqttClient;
  #wake = Promise.withResolvers<void>();

  private constructor(client: mqtt.MqttClient) {
    this.#client = client;
    client.on("message", (_topic, payload) => {
      this.#words.push(new TextDecoder().decode(payload));
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
  }

  static async of(world: BadDiskWorld, vin: string): Promise<ConnWords> {
    const options = { username: vin, password: world.secret() };
    const client = await mqtt.connectAsync(world.server.urls.mqtt, options);
    const words = new ConnWords(client);
    await client.subscribeAsync(vehicleTopic(vin, "conn"));
    return words;
  }

  /** The next word. */
  async next(): Promise<string> {
    while (this.#words.length === 0) await this.#wake.promise;
    return this.#words.shift()!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }
}

async function runningPair(world: BadDiskWorld): Promise<void> {
  for (const [name, hardware] of [["body", "body-sim"], ["ivi", "ivi-rpi4"]] as const) {
    const { campaign } = await world.publish(firmware(`${name}-1.0.0`), hardware, "1.0.0");
    await world.hmi((shown) => shown.phase === "ready" && shown.offer?.campaign === campaign);
    await world.press("accept", campaign);
    await world.watch(campaign, 0);
  }
}

Deno.test("vehicle: held up for 50 s by one sync while an image is on trial, it rolls nothing back, and comes back to broker, server and screen", async () => {
  await using world = await new BadDiskWorld(PAIR, "ask").withDisks();
  await runningPair(world);
  const begunMs = performance.now();
  const campaign = await stalledTrial(world, "body-1.1.0", 50_000);
  while (world.stalledAt("boot") === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const stalledMs = performance.now();
  await using words = await ConnWords.of(world, VIN);
  assertEquals(await words.next(), "rebooting"); // Retained: its last word before.
  assertEquals(await words.next(), "offline"); // Its will: the broker has given it up.
  console.log(`    given up by the broker ${seconds(stalledMs)} s after its last word`);
  const watched = await world.ota("watch", "--campaign", campaign, "--timeout", "120");
  assertEquals(watched.code, 0, watched.stderr);
  console.log(`    confirmed ${seconds(begunMs)} s after consent, stalled for 50 s of it`);
  const shown = await world.hmi(({ phase }) => phase === "succeeded");
  assertEquals(shown.ecus.map(({ version, state }) => [version, state]), [
    ["1.1.0", "confirmed"],
    ["1.1.0", "confirmed"],
  ]);
  assertEquals(await words.next(), "online");
  console.log(`    online again ${seconds(stalledMs)} s after its last word`);
  const [vehicle] = await world.json("vehicles") as [{ online: boolean }];
  assertEquals(vehicle.online, true);
  assert(!world.vehicle.logs.some((line) => /imageHung|rollBack/.test(line)));
});

Deno.test("vehicle: an image that hangs while the vehicle is held up for 20 s is caught, and all go back", async () => {
  await using world = await new BadDiskWorld(PAIR, "ask").withDisks();
  await runningPair(world);
  const campaign = await stalledTrial(world, "faulty-hang", 20_000);
  await world.watch(campaign, 6);
  assertEquals(world.stalledAt("boot")?.endsWith("ivi/boot.disk"), true);
  const { body, ivi } = await world.ecus();
  assertEquals([body!.state, body!.failure?.name], ["rolledBack", "imageHung"]);
  assertEquals([body!.version, ivi!.version], ["1.0.0", "1.0.0"]);
});

Deno.test("vehicle: an image that takes longer than BOOT_TIMEOUT_MS into memory is not taken for hung", async () => {
  await using world = await new BadDiskWorld([ecu("ivi", "ivi-rpi4")]).withDisks();
  world.disk("vehicle", { path: "/run/", writeMs: 12_000 });
  const begunMs = performance.now();
  const { campaign } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
  await world.watch(campaign, 0);
  console.log(`    confirmed after ${seconds(begunMs)} s`);
  assert(performance.now() - begunMs > 12_000);
});

/** A server whose disk is slow, with an upload of some MiB, and a vehicle that fetches it. */
async function slowServer(orders: DiskOrders): Promise<void> {
  const opaque = ecu("ivi", "ivi-rpi4", { runner: "opaque", trialSeconds: 0 });
  await using world = await new BadDiskWorld([opaque]).withDisks();
  const image = `${world.folder}/image`;
  await Deno.writeFile(image, crypto.getRandomValues(new Uint8Array(65_536)));
  const first = await world.publish(image, "ivi-rpi4", "1.0.0");
  await world.watch(first.campaign, 0);
  world.disk("server", orders);
  const begunMs = performance.now();
  let [most, asked] = [0, 0];
  const stop = new AbortController();
  const asking = (async () => { // Somebody who looks on meanwhile.
    while (!stop.signal.aborted) {
      const atMs = performance.now();
      const answer = await fetch(`${world.server.urls.http}/readyz`);
      assertEquals(answer.status, 200, await answer.text());
      most = Math.max(most, performance.now() - atMs);
      asked++;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  asking.catch(() => {}); // Awaited below; when something else fails first, that is the news.
  const pieces = Array.from({ length: 128 }, () => crypto.getRandomValues(new Uint8Array(65_536)));
  await Deno.writeFile(image, new Uint8Array(await new Blob(pieces).arrayBuffer()));
  const next = await world.publish(image, "ivi-rpi4", "1.1.0");
  console.log(`    8 MiB published after ${seconds(begunMs)} s`);
  await world.watch(next.campaign, 0);
  console.log(`    confirmed after ${seconds(begunMs)} s`);
  stop.abort();
  await asking;
  console.log(`    ${asked} others were answered meanwhile, the slowest in ${most.toFixed(0)} ms`);
  if (orders.stall !== undefined) assert(world.stalledAt(orders.stall.id) !== undefined);
}

for (const syncMs of [50, 500]) {
  Deno.test(`server: publishers wait and vehicles are served when every sync takes ${syncMs} ms`, () =>
    slowServer({ syncMs }));
}

Deno.test("server: one commit of 20 s holds all of it up, fails nothing, and all goes on", () =>
  slowServer({ path: "ota.db", stall: { id: "commit", ms: 20_000, after: 1 } }));

Deno.test("server: one sync of 20 s of an upload holds up nobody else", () =>
  slowServer({ path: "/uploads/", stall: { id: "upload", ms: 20_000 } }));
