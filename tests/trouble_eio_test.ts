/**
 * Disks that fail (EIO), on either side at each step: patience, or a failure by its name;
 * nothing is confirmed that is not sound, and all is well again when the disk is.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import { MIB } from "shared/limits.ts";
import { sha256Hex } from "shared/node/digest.ts";
import { FileDisk } from "vehicle/adapters/disk_file.ts";
import { BootRecordStore } from "vehicle/bootloader/boot_record.ts";
import { BadDiskWorld, type DiskOrders } from "./bad_disk.ts";
import { ecu, firmware } from "./journey_world.ts";

const seconds = (sinceMs: number) => ((performance.now() - sinceMs) / 1000).toFixed(1);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function running(): Promise<BadDiskWorld> {
  const world = await new BadDiskWorld([ecu("ivi", "ivi-rpi4", { trialSeconds: 2 })], "ask")
    .withDisks();
  await install(world, "1.0.0");
  return world;
}

async function offered(world: BadDiskWorld, version: string): Promise<string> {
  const { campaign } = await world.publish(firmware(`ivi-${version}`), "ivi-rpi4", version);
  return campaign;
}

async function accept(world: BadDiskWorld, campaign: string): Promise<void> {
  await world.hmi((shown) => shown.phase === "ready" && shown.offer?.campaign === campaign);
  await world.press("accept", campaign);
}

async function install(world: BadDiskWorld, version: string): Promise<void> {
  const campaign = await offered(world, version);
  await accept(world, campaign);
  await world.watch(campaign, 0);
  assertEquals((await world.ecus()).ivi!.version, version);
}

for (const fail of ["write", "sync", "read"] as const) {
  Deno.test(`vehicle: a slot that gives EIO at every ${fail} fails as storageFailed, and takes the next release when it is well`, async () => {
    await using world = await running();
    world.disk("vehicle", { path: "/slot", fail: [fail] });
    const begunMs = performance.now();
    const campaign = await offered(world, "1.1.0");
    const watched = await world.ota("watch", "--campaign", campaign, "--timeout", "60");
    assertEquals(watched.code, 1, watched.stderr);
    console.log(`    storageFailed at the publisher after ${seconds(begunMs)} s`);
    const { ivi } = await world.ecus();
    assertEquals([ivi!.state, ivi!.failure?.name], ["failed", "storageFailed"]);
    assertMatch(ivi!.failure!.message, /disk .*slot/);
    assertEquals(ivi!.version, "1.0.0");
    world.disk("vehicle");
    await install(world, "1.2.0");
  });
}

Deno.test("vehicle: a journal that gives EIO at the commit point confirms nothing; the screen stays, and it goes on when the disk is well", async () => {
  await using world = await running();
  const campaign = await offered(world, "1.1.0");
  await accept(world, campaign);
  await world.hmi(({ phase }) => phase === "trial");
  world.disk("vehicle", { path: "gateway.disk", fail: ["sync"] });
  await world.vehicleSays(/trialAll: storageFailed/);
  await pause(3000);
  const shown = await world.hmi(() => true);
  assertEquals([shown.phase, shown.ecus[0]!.state], ["trial", "trial"]);
  using boot = new FileDisk(`${world.vehicleData}/ecus/ivi/boot.disk`, MIB);
  const record = new BootRecordStore(boot).read();
  const tried = [record.A, record.B].find(({ image }) => image?.version === "1.1.0")!;
  assertEquals([tried.successful, tried.unbootable], [false, false]);
  world.disk("vehicle");
  await world.watch(campaign, 0);
});

Deno.test("vehicle: a journal that fails through a power cut at the commit point ends on one image wholly", async () => {
  await using world = await running();
  const campaign = await offered(world, "1.1.0");
  await accept(world, campaign);
  await world.hmi(({ phase }) => phase === "trial");
  world.disk("vehicle", { path: "gateway.disk", fail: ["sync"] });
  await world.vehicleSays(/trialAll: storageFailed/);
  await world.vehicle.kill();
  world.disk("vehicle");
  await world.startVehicle();
  await world.watch(campaign, 0); // The trial is made again.
});

Deno.test("vehicle: a boot record that gives EIO at the confirmation is waited out", async () => {
  await using world = await running();
  const campaign = await offered(world, "1.1.0");
  await accept(world, campaign);
  await world.hmi(({ phase }) => phase === "trial");
  world.disk("vehicle", { path: "/boot.disk", fail: ["write", "sync"] });
  await world.vehicleSays(/confirmAll: storageFailed/);
  const { ivi } = await world.ecus();
  assert(ivi!.state !== "confirmed");
  world.disk("vehicle");
  await world.watch(campaign, 0);
});

Deno.test("vehicle: a boot record that gives EIO at the start is told by its name, and the ECU runs by itself when it is well", async () => {
  await using world = await running();
  await world.vehicle.stop();
  world.disk("vehicle", { path: "/boot.disk", fail: ["read"] });
  await world.startVehicle();
  const { ecus: [ivi] } = await world.hmi(({ ecus }) => ecus[0]?.failure != null);
  assertEquals([ivi!.failure!.name, ivi!.version], ["storageFailed", null]);
  assertMatch(ivi!.failure!.message, /Cannot read disk .*boot\.disk/);
  let told = (await world.ecus()).ivi!;
  while (told.failure === null) told = await pause(200).then(async () => (await world.ecus()).ivi!);
  assertEquals([told.failure?.name, told.version], ["storageFailed", null]);
  world.disk("vehicle");
  // The trouble is over with the image's first sign of life.
  await world.hmi(({ ecus: [one] }) => one?.version === "1.0.0" && (one.failure ?? null) === null);
  while (told.version === null) told = await pause(200).then(async () => (await world.ecus()).ivi!);
  assertEquals(told.version, "1.0.0");
});

/** What the publisher's tool says while the server's disk fails, and that all is well after. */
async function serverFails(orders: DiskOrders, left: readonly RegExp[]): Promise<void> {
  await using world = await running();
  world.disk("server", orders);
  const begunMs = performance.now();
  const args = ["--hardware", "ivi-rpi4", "--version", "1.1.0", "--notes", "x"];
  const refused = await world.ota("publish", firmware("ivi-1.1.0"), ...args);
  assertEquals(refused.code, 1, refused.stderr);
  assertMatch(refused.stderr, /1109 storeFailed/);
  console.log(`    storeFailed at the publisher after ${seconds(begunMs)} s`);
  const sha256 = sha256Hex(await Deno.readFile(firmware("ivi-1.1.0")));
  const server = `${world.folder}/server`;
  const kept = [`${server}/uploads`, `${server}/blobs/${sha256.slice(0, 2)}`].flatMap((folder) => {
    try {
      return [...Deno.readDirSync(folder)].map(({ name }) => name);
    } catch {
      return []; // There is no such folder.
    }
  }).filter((name) => name.startsWith(sha256));
  assertEquals(kept.length, left.length, kept.join());
  left.forEach((pattern, index) => assertMatch(kept[index]!, pattern));
  const screen = await world.hmi(() => true);
  assertEquals(screen.ecus[0]!.version, "1.0.0");
  world.disk("server");
  await install(world, "1.1.0");
}

Deno.test("server: EIO at an upload's sync is told as storeFailed, and nothing is kept that is not on the disk", () =>
  serverFails({ path: "/uploads/", fail: ["sync"] }, []));

Deno.test("server: EIO at the sync of its folder is told as storeFailed, and a name that may not last is taken away", () =>
  serverFails({ path: "/blobs", fail: ["sync"] }, []));

Deno.test("server: EIO at an upload's write is told as storeFailed, and the upload goes on later", () =>
  serverFails({ path: "/uploads/", fail: ["write"] }, [/[.]part$/]));

Deno.test("server: EIO at reading an upload back is told as storeFailed, and it is read again later", () =>
  serverFails({ path: "/uploads/", fail: ["read"] }, [/[.]part$/]));

Deno.test("server: EIO at the records' commit is told as storeFailed, what is stored stays, and reading goes on", () =>
  serverFails({ path: "ota.db", fail: ["sync"] }, [/^[0-9a-f]{64}$/]));

Deno.test("server: EIO at a carrier's read is waited out by the vehicle", async () => {
  await using world = await running();
  await world.vehicle.stop();
  const campaign = await offered(world, "1.1.0"); // Publishing reads stored files itself.
  world.disk("server", { path: "/blobs/", fail: ["read"] });
  await world.startVehicle();
  const said = (what: RegExp) => world.vehicle.logs.some((line) => what.test(line));
  while (!said(/downloadInterrupted|serverUnreachable/)) await pause(50);
  world.disk("server");
  await accept(world, campaign);
  await world.watch(campaign, 0);
});

const noStrace = await findStrace();

Deno.test({
  name:
    `server: EIO of the kernel under the records is told as storeFailed, and they are sound after${noStrace}`,
  ignore: noStrace !== "",
  async fn() {
    await using world = await running();
    const trace = await straced(world.server.pid, "fsync,fdatasync", ":error=EIO");
    const refused = await world.ota("hardware", "add", "never-added");
    assertEquals(refused.code, 1, refused.stderr);
    assertMatch(refused.stderr, /storeFailed|disk I\/O error/);
    assertEquals((await world.ecus()).ivi!.version, "1.0.0", "reading goes on");
    await trace.stop();
    await world.json("hardware", "add", "added-later");
    await world.server.kill();
    await world.startServer();
    await install(world, "1.1.0");
  },
});

/** Why there is no system call tracer that may look into other processes; empty if there is. */
async function findStrace(): Promise<string> {
  const sleeper = new Deno.Command("sleep", { args: ["60"] }).spawn();
  try {
    await (await straced(sleeper.pid, "fsync")).stop();
    return "";
  } catch {
    return " (skipped: no strace)";
  } finally {
    sleeper.kill("SIGKILL");
    await sleeper.status;
  }
}

/** Has the kernel's answers to some system calls of a process changed, until it is stopped. */
async function straced(
  pid: number,
  calls: string,
  inject = "",
): Promise<{ stop(): Promise<void> }> {
  const child = new Deno.Command("strace", {
    args: ["-f", "-p", String(pid), "-e", `trace=${calls}`]
      .concat(inject === "" ? [] : ["-e", `inject=${calls}${inject}`]),
    ...{ stdin: "null", stdout: "null", stderr: "piped" },
  }).spawn();
  let begun = "";
  const attached = Promise.withResolvers<void>();
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      // Its beginning is kept, not its end: calls that follow may come in the same piece.
      if (begun.length < 1000) begun += text;
      if (/attached/.test(begun)) attached.resolve();
    }
    attached.reject(new Error(`Cannot trace ${pid}: ${begun}`));
  })();
  await attached.promise;
  return {
    async stop() {
      child.kill("SIGINT");
      await reading;
      await child.status;
    },
  };
}
