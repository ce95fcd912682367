/**
 * Full media, on either side at each step: a named failure or patience, and all is well again
 * when there is room.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import type { DeltaJob, Release } from "shared/protocol/api.ts";
import { sha256Hex } from "shared/node/digest.ts";
import { startServer } from "server/compose.ts";
import { assertRefused, TestServer } from "server/fixture_test.ts";
import { ecuReport, NOTES, vehicleReport } from "server/samples_test.ts";
import { bsdiff } from "../scripts/bsdiff_encoder.ts";
import { ecu, firmware, JourneyWorld } from "./journey_world.ts";
import { noMount, SmallDisk } from "./small_disk.ts";

const skipped = await noMount();
const ignore = skipped !== "";
const MIB = 2 ** 20;

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: name + skipped, ignore, fn });
}

function random(bytes: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) crypto.getRandomValues(all.subarray(at, at + 65_536));
  return all;
}

/** A server whose data lies on a small disk. */
async function onDisk(
  megabytes: number,
  work: (test: TestServer, disk: SmallDisk) => Promise<void>,
): Promise<void> {
  await using disk = SmallDisk.mount(megabytes);
  await using server = await TestServer.start({ data: `${disk.path}/server` });
  await work(server, disk);
}

test("server: an upload that can't fit is refused before its first byte", async () => {
  await onDisk(80, async (test) => {
    const bytes = random(20 * MIB);
    const begunMs = performance.now();
    const answer = await test.ask(`/api/v1/uploads/${sha256Hex(bytes)}`, {
      method: "PUT",
      body: bytes,
    });
    const problem = await assertRefused(answer, 507, "storeFull");
    assertMatch(problem.detail, /bytes are needed with the reserve/);
    console.log(`    refused after ${(performance.now() - begunMs).toFixed(0)} ms`);
  });
});

test("server: a disk that fills in mid-upload is told, what arrived is kept, and the upload goes on", async () => {
  await onDisk(90, async (test, disk) => {
    const bytes = random(8 * MIB);
    const path = `/api/v1/uploads/${sha256Hex(bytes)}`;
    const half = 4 * MIB;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        controller.enqueue(bytes.subarray(0, half));
        // Filled when the first half lies there: admission could not know of it.
        const there = async () =>
          Number((await test.ask(path, { method: "HEAD" })).headers.get("upload-offset"));
        while (await there() < half) await new Promise((resolve) => setTimeout(resolve, 10));
        disk.fill();
        controller.enqueue(bytes.subarray(half));
        controller.close();
      },
    }, { highWaterMark: 0 });
    const range = { "content-range": `bytes 0-${bytes.length - 1}/${bytes.length}` };
    await assertRefused(
      await test.ask(path, { method: "PUT", body, headers: range }),
      507,
      "storeFull",
    );
    disk.free();
    const { headers } = await test.ask(path, { method: "HEAD" }); // No body comes with it.
    const offset = Number(headers.get("upload-offset"));
    assert(offset >= half && offset < bytes.length, `${offset} bytes are kept`);
    const rest = await test.ask(path, {
      method: "PUT",
      body: bytes.subarray(offset),
      headers: { "content-range": `bytes ${offset}-${bytes.length - 1}/${bytes.length}` },
    });
    assertEquals((await rest.json()).complete, true);
  });
});

test("server: a disk that fills at the proof of a patch is told, nothing is left, and it works with room", async () => {
  await onDisk(90, async (test, disk) => {
    const base = random(2 * MIB);
    const target = base.slice();
    target.set(random(1000), MIB);
    await test.publish("ivi-rpi4", "1.0.0", { sha256: await test.upload(base) });
    const patchSha256 = await test.upload(bsdiff(base, target));
    await test.server.core.deltas.idle(); // Else what it makes of the first image comes and goes.
    disk.fill(MIB);
    const patch = { hardware: "ivi-rpi4", version: "1.1.0", patchSha256, deltaFrom: "1.0.0" };
    const notes = { notes: NOTES };
    await assertRefused(
      await test.post("/api/v1/releases", { ...patch, ...notes }),
      507,
      "storeFull",
    );
    const left = [...Deno.readDirSync(`${test.config.data}/uploads`)];
    assertEquals(left.map(({ name }) => name), []);
    disk.free();
    const { sha256 } = await test.publish("ivi-rpi4", "1.1.0", { patchSha256, deltaFrom: "1.0.0" });
    assertEquals(sha256, sha256Hex(target));
  });
});

test("server: a disk that fills while a carrier is made ends that job only, and leaves nothing of it", async () => {
  await onDisk(120, async (test, disk) => {
    const image = random(12 * MIB).map((byte) => byte >> 6); // A quarter of it is left, slowly.
    const { sha256 } = await test.publish("ivi-rpi4", "1.0.0", {
      sha256: await test.upload(image),
    });
    const best = async () =>
      (await test.get<DeltaJob[]>("/api/v1/deltas"))
        .find(({ effort }) => effort === "best")!;
    while ((await best()).state !== "running") await new Promise((go) => setTimeout(go, 10));
    disk.fill(MIB / 2); // Room for records, not for 3 MB.
    await test.server.core.deltas.idle();
    const { state, reason, failure } = await best();
    assertEquals([state, reason, failure?.name], ["dropped", "failed", "storeFull"]);
    assertEquals([...Deno.readDirSync(`${test.config.data}/uploads`)].map(({ name }) => name), []);
    disk.free();
    const release = await test.get<Release>("/api/v1/releases/ivi-rpi4/1.0.0");
    assertEquals(release.sha256, sha256);
    assert(
      release.carriers.some(({ lengthBytes }) => lengthBytes < image.length / 2),
      "in a hurry",
    );
  });
});

test("server: full records refuse changes by name, still answer questions, and go on with room", async () => {
  await onDisk(80, async (test, disk) => {
    const secret = await test.enrol();
    const report = (seq: number) => vehicleReport(seq, [ecuReport("ivi", "ivi-rpi4", {})]);
    assertEquals((await test.report(secret, report(1))).status, 200);
    disk.fill();
    let refused: Response | undefined;
    for (let n = 0; refused === undefined && n < 5000; n++) { // The log of SQLite has some room yet.
      const answer = await test.post("/api/v1/hardware", { hardware: `full-${n}` });
      if (answer.ok) await answer.body?.cancel();
      else refused = answer;
    }
    await assertRefused(refused!, 507, "storeFull");
    assertEquals((await test.report(secret, report(2))).status, 507);
    assertEquals(
      (await test.get<unknown[]>("/api/v1/vehicles")).length,
      1,
      "reading needs no room",
    );
    assertEquals(await (await fetch(`${test.http}/readyz`)).json(), { ok: true });
    disk.free();
    assertEquals((await test.report(secret, report(3))).status, 200);
    const after = await test.post("/api/v1/hardware", { hardware: "with-room" });
    assertEquals(after.status, 201, await after.text());
  });
});

test("server: it does not start on a full disk, says to free space, and loses nothing", async () => {
  await onDisk(80, async (test, disk) => {
    await test.publish("ivi-rpi4", "1.0.0", { sha256: await test.upload(random(1000)) });
    await test.server.stop();
    disk.fill();
    const error = await assertRejects(() => startServer(test.config, () => {}), UpdateFailure);
    assertMatch(error.message, /medium is full; free space on it/);
    disk.free();
    test.server = await startServer(test.config, () => {});
    assertEquals((await test.get<unknown[]>("/api/v1/releases")).length, 1);
  });
});

test("vehicle: a slot that can't be written fails as storageFull, is journalled and reported, also through a restart on the full disk", async () => {
  await using disk = SmallDisk.mount(64);
  await using world = new JourneyWorld([
    ecu("ivi", "ivi-rpi4", { runner: "opaque", trialSeconds: 0, slotBytes: 64 * MIB }),
    ecu("body", "body-sim", { trialSeconds: 1 }),
  ]);
  world.vehicleData = `${disk.path}/vehicle`;
  await world.start();
  const small = await world.publish(firmware("body-1.0.0"), "body-sim", "1.0.0");
  await world.watch(small.campaign, 0);
  const image = `${world.folder}/image`;
  await Deno.writeFile(image, random(20 * MIB));

  disk.fill(5 * MIB);
  const begunMs = performance.now();
  const large = await world.publish(image, "ivi-rpi4", "1.0.0");
  const watched = await world.ota("watch", "--campaign", large.campaign, "--timeout", "60");
  assertEquals(watched.code, 1, watched.stderr);
  console.log(
    `    storageFull at the publisher after ${((performance.now() - begunMs) / 1000).toFixed(1)} s`,
  );
  const failed = (await world.ecus()).ivi!;
  assertEquals([failed.state, failed.failure?.name], ["failed", "storageFull"]);

  disk.fill(); // To the last byte now.
  await world.vehicle.kill();
  await world.startVehicle();
  const shown = await world.hmi(({ phase }) => phase === "failed");
  assertEquals(shown.result?.failure?.name, "storageFull", "the journal had room of its own");
  const body = shown.ecus.find(({ serial }) => serial === "body")!;
  assertEquals([body.state, body.version], ["confirmed", "1.0.0"]);

  disk.free();
  await Deno.writeFile(image, random(20 * MIB));
  const next = await world.publish(image, "ivi-rpi4", "1.1.0");
  await world.watch(next.campaign, 0);
  assertEquals((await world.ecus()).ivi!.version, "1.1.0");
});

/** A program with 3 MiB behind it, for which there is room in the slot and none beside it. */
async function longFirmware(world: JourneyWorld): Promise<string> {
  const text = await Deno.readTextFile(firmware("body-1.1.0"));
  await Deno.writeTextFile(`${world.folder}/image`, `${text}\n//${"x".repeat(3 * MIB)}`);
  return `${world.folder}/image`;
}

test("vehicle: a trial without room to be loaded goes back as storageFull, and the same release installs when it is offered with room", async () => {
  await using disk = SmallDisk.mount(40);
  const body = ecu("body", "body-sim", { trialSeconds: 1 });
  await using world = new JourneyWorld([body], "ask");
  world.vehicleData = `${disk.path}/vehicle`;
  await world.start();
  const install = async (campaign: string) => {
    await world.hmi((shown) => shown.phase === "ready" && shown.offer?.campaign === campaign);
    await world.press("accept", campaign);
  };
  const first = await world.publish(firmware("body-1.0.0"), "body-sim", "1.0.0");
  await install(first.campaign);
  await world.watch(first.campaign, 0);

  const large = await world.publish(await longFirmware(world), "body-sim", "1.1.0");
  await world.hmi((shown) => shown.phase === "ready" && shown.offer?.campaign === large.campaign);
  disk.fill(2 * MIB);
  const begunMs = performance.now();
  await install(large.campaign);
  await world.watch(large.campaign, 6);
  console.log(
    `    storageFull at the publisher after ${((performance.now() - begunMs) / 1000).toFixed(1)} s`,
  );
  const failed = (await world.ecus()).body!;
  assertEquals([failed.state, failed.failure?.name], ["rolledBack", "storageFull"]);
  assertEquals(failed.version, "1.0.0");

  disk.free();
  const [again] = await world.json("offer", large.release) as [{ campaign: string }];
  await install(again.campaign);
  await world.watch(again.campaign, 0);
  assertEquals((await world.ecus()).body!.version, "1.1.0");
});

test("vehicle: a confirmed image without room to be loaded says so by name, and runs by itself with room", async () => {
  await using disk = SmallDisk.mount(40);
  await using world = new JourneyWorld([ecu("body", "body-sim", { trialSeconds: 1 })]);
  world.vehicleData = `${disk.path}/vehicle`;
  await world.start();
  const { campaign } = await world.publish(await longFirmware(world), "body-sim", "1.1.0");
  await world.watch(campaign, 0);
  await world.vehicle.stop();
  disk.fill(2 * MIB);
  await world.startVehicle();
  const begunMs = performance.now();
  const told = await world.hmi(({ ecus }) => ecus[0]!.failure !== null);
  assertEquals([told.ecus[0]!.failure!.name, told.ecus[0]!.version], ["storageFull", "1.1.0"]);
  console.log(
    `    storageFull on the screen after ${((performance.now() - begunMs) / 1000).toFixed(1)} s`,
  );
  disk.free();
  const well = await world.hmi(({ ecus, displays }) =>
    ecus[0]!.failure === null && "body" in displays
  );
  assertEquals(well.ecus[0]!.version, "1.1.0");
  console.log(
    `    it runs again ${((performance.now() - begunMs) / 1000).toFixed(1)} s after that`,
  );
});

test("vehicle: it does not begin its life on a full disk, and says to free space", async () => {
  await using disk = SmallDisk.mount(4); // Less than the journal reserves.
  await using world = new JourneyWorld([ecu("ivi", "ivi-rpi4")]);
  world.vehicleData = `${disk.path}/vehicle`;
  const error = await assertRejects(() => world.start(), Error);
  assertMatch(error.message, /it ended with code 5/);
  assertMatch(error.message, /(full|No space|ENOSPC)[\s\S]*(free space|Free space)/i);
});
