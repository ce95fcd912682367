/**
 * Files that nothing refers to go, and no other; whatever the power does in between.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import type { Clock } from "shared/clock.ts";
import { RETIRED_FILE_MS, UNPUBLISHED_UPLOAD_MS } from "shared/limits.ts";
import { sha256Hex } from "shared/node/digest.ts";
import type { Storage } from "shared/protocol/storage.ts";
import { openBlobs } from "../adapters/blobs_fs.ts";
import { openRecords } from "../adapters/records_sqlite.ts";
import { type TestServer, until } from "../fixture_test.ts";
import { sampleBytes, vehicleReport } from "../samples_test.ts";
import type { BlobStore, RecordStore } from "../ports.ts";
import { Metrics } from "../metrics.ts";
import { Collector } from "./collector.ts";
import { apply, edited, ivi, jobs, PROSE, published, told, world } from "./delta_world_test.ts";
import { Uploads } from "./uploads.ts";

const SECOND = 1000;

/** The system's clock, as it will go later. */
function later(clock: Clock, byMs: number): Clock {
  return {
    now: () => clock.now() + byMs,
    monotonic: () => clock.monotonic(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
}

/** A look as the server itself would take it later. */
function collectorAt(test: TestServer, byMs: number): Collector {
  const { uploads, metrics, ports } = test.server.core;
  const { records, blobs, clock, log } = ports;
  return new Collector({ records, blobs, uploads, metrics, log, clock: later(clock, byMs) });
}

function path(data: string, sha256: string): string {
  return `${data}/blobs/${sha256.slice(0, 2)}/${sha256}`;
}

async function isThere(data: string, sha256: string): Promise<boolean> {
  return await Deno.stat(path(data, sha256)).then(() => true, () => false);
}

/** A server with a release whose fast full carrier and delta a better full one has replaced. */
async function superseded() {
  const { test, maker, secret } = await world();
  const old = await published(test, "1.0.0", PROSE);
  maker.packs.set("fast", 1);
  const gate = Promise.withResolvers<void>();
  maker.gates.push(undefined, undefined, gate.promise);
  const image = edited(PROSE, 7);
  const { sha256 } = await test.publish("ivi-rpi4", "1.1.0", { sha256: await test.upload(image) });
  await until("two carriers", async () => (await jobs(test))[1]?.state !== "queued");
  const [, delta, fast] = await jobs(test);
  maker.packs.set("best", 9);
  return { test, secret, old, image, sha256, gate, delta: delta!, fast: fast! };
}

Deno.test("a full carrier made in a hurry is still sent when a better one is there, and goes after a day", async () => {
  const { test, secret, sha256, image, gate, fast } = await superseded();
  await using _ = test;
  assertEquals([fast.state, fast.effort], ["kept", "fast"]);
  await test.report(secret, vehicleReport(1, [ivi(null, null)]));
  const before = (await told(test, secret)).ecus.ivi!;
  const carrier = before.carriers.find((each) => each.carrierSha256 === fast.carrierSha256)!;
  gate.resolve();
  await test.server.core.deltas.idle();
  await until("the vehicle to be told of the better one", async () => {
    const { carriers } = (await told(test, secret)).ecus.ivi!;
    return !carriers.some(({ carrierSha256 }) => carrierSha256 === fast.carrierSha256);
  });
  assertEquals(
    (await told(test, secret)).ecus.ivi!.carriers.length,
    2,
    "the best, and the instant",
  );
  const { root } = before.release.merkle;
  const fetched = await apply(test, secret, { carrier, root, base: null });
  assertEquals(sha256Hex(fetched), sha256, "who was told of it can still fetch it");

  assertEquals(await collectorAt(test, RETIRED_FILE_MS - 60 * SECOND).collect(), {
    ...{ files: 0, bytes: 0 },
  });
  assertEquals(await isThere(test.config.data, fast.carrierSha256!), true);
  const freed = await collectorAt(test, RETIRED_FILE_MS + SECOND).collect();
  assertEquals(freed, { files: 1, bytes: fast.lengthBytes! });
  assertEquals(await isThere(test.config.data, fast.carrierSha256!), false);
  const gone = await test.asVehicle(secret, `/carriers/${fast.carrierSha256}`);
  assertEquals(gone.status, 404);
  await gone.body?.cancel();
  assertEquals(await collectorAt(test, 30 * RETIRED_FILE_MS).collect(), { files: 0, bytes: 0 });
  const now = (await told(test, secret)).ecus.ivi!;
  for (const each of now.carriers) {
    assertEquals(await apply(test, secret, { carrier: each, root, base: null }), image);
  }

  const storage = await test.get<Storage>("/api/v1/storage");
  assertEquals([storage.freedFiles, storage.freedBytes], [1, fast.lengthBytes!]);
  const metrics = await (await test.ask("/metrics")).text();
  assert(metrics.includes(`ota_collected_bytes_total ${fast.lengthBytes}\n`), metrics);
});

Deno.test("a file that is being fetched stays until the download ends, however long that takes", async () => {
  const { test, gate, fast } = await superseded();
  await using _ = test;
  gate.resolve();
  await test.server.core.deltas.idle();
  const file = await test.server.core.ports.blobs.open(fast.carrierSha256!);
  assertEquals((await collectorAt(test, 2 * RETIRED_FILE_MS).collect()).files, 0);
  const bytes = new Uint8Array(fast.lengthBytes!);
  assertEquals(await file.readInto(0, bytes), fast.lengthBytes);
  assertEquals(sha256Hex(bytes), fast.carrierSha256);
  file.close();
  assertEquals((await collectorAt(test, 2 * RETIRED_FILE_MS).collect()).files, 1);
});

Deno.test("an upload that nobody publishes goes after a week, unless somebody asks for it again", async () => {
  const { test } = await world();
  await using _ = test;
  const bytes = sampleBytes(50_000, 9);
  const sha256 = await test.upload(bytes);
  const look = (byMs: number) => collectorAt(test, byMs).collect();
  assertEquals((await look(0)).files, 0);
  assertEquals((await look(UNPUBLISHED_UPLOAD_MS - 60 * SECOND)).files, 0);
  assertEquals((await test.get<{ complete: boolean }>(`/api/v1/uploads/${sha256}`)).complete, true);
  assertEquals((await look(UNPUBLISHED_UPLOAD_MS + SECOND)).files, 0, "its week begins anew");
  const freed = await look(2 * UNPUBLISHED_UPLOAD_MS + 2 * SECOND);
  assertEquals(freed, { files: 1, bytes: 50_000 });
  assertEquals((await test.ask(`/api/v1/uploads/${sha256}`, { method: "HEAD" })).status, 404);
  assertEquals(await test.upload(bytes), sha256, "it can be sent again");
  await test.publish("ivi-rpi4", "1.0.0", { sha256 });
  assertEquals((await look(9 * UNPUBLISHED_UPLOAD_MS)).files, 0, "a release keeps it");
  assertEquals((await look(19 * UNPUBLISHED_UPLOAD_MS)).files, 0);
  assertEquals(await isThere(test.config.data, sha256), true);
});

Deno.test("what vehicles run, drafts, jobs that wait and uploads under way stay; a given-up upload goes", async () => {
  const { test, maker, secret } = await world();
  await using _ = test;
  const runs = await test.upload(sampleBytes(40_000, 21));
  await test.report(secret, vehicleReport(1, [ivi(runs, 1)]));
  const draft = await test.upload(sampleBytes(41_000, 22));
  await test.publish("ivi-rpi4", "1.0.0", { sha256: draft, draft: true });
  maker.gate = new Promise(() => {});
  const wanted = await test.upload(sampleBytes(42_000, 23));
  await test.publish("ivi-rpi4", "1.1.0", { sha256: wanted });
  const part = sampleBytes(43_000, 24);
  const half = await test.ask(`/api/v1/uploads/${sha256Hex(part)}`, {
    ...{ method: "PUT", body: part.slice(0, 1000) },
    headers: { "content-range": "bytes 0-999/43000" },
  });
  assertEquals(half.status, 202);
  await half.body?.cancel();
  for (const byMs of [0, UNPUBLISHED_UPLOAD_MS - 60 * SECOND]) {
    assertEquals((await collectorAt(test, byMs).collect()).files, 0);
  }
  await test.server.core.uploads.unlessBusy(sha256Hex(part), async () => {
    assertEquals((await collectorAt(test, 9 * UNPUBLISHED_UPLOAD_MS).collect()).files, 0, "busy");
  });
  assertEquals(await collectorAt(test, 9 * UNPUBLISHED_UPLOAD_MS).collect(), {
    ...{ files: 1, bytes: 1000 },
  });
  for (const sha256 of [runs, draft, wanted]) {
    assertEquals(await isThere(test.config.data, sha256), true);
  }
});

/** A look in which something happens to a file when it is about to go. */
function interrupted(
  test: TestServer,
  byMs: number,
  at: { readonly marked?: () => Promise<unknown>; readonly leaving?: () => Promise<unknown> },
): Collector {
  const { ports } = collectorAt(test, byMs);
  const uploads = new Proxy(ports.uploads, {
    get: (target, name) =>
      name !== "unlessBusy"
        ? Reflect.get(target, name)
        : async (_: string, work: () => unknown) => {
          await at.marked?.();
          await work();
        },
  });
  const blobs = new Proxy(ports.blobs, {
    get: (target, name) => {
      if (name === "remove") {
        return async (sha256: string, untilMs: number) => {
          await at.leaving?.();
          return await target.remove(sha256, untilMs);
        };
      }
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return new Collector({ ...ports, uploads, blobs });
}

Deno.test("what is named again, published or stored anew after a look has marked it stays", async () => {
  const { test, secret } = await world();
  await using _ = test;
  const images = [41, 42, 43, 44].map((seed) => sampleBytes(50_000 + seed, seed));
  const [named, wanted, anew, asked] = await Promise.all(images.map((bytes) => test.upload(bytes)));
  assertEquals((await collectorAt(test, 0).collect()).files, 0);
  const weeks = UNPUBLISHED_UPLOAD_MS + SECOND;
  let once = true;
  const marked = async () => {
    if (!once) return;
    once = false;
    await test.report(secret, vehicleReport(1, [ivi(named!, 1)]));
    await test.get(`/api/v1/uploads/${asked}`);
    await test.publish("ivi-rpi4", "1.0.0", { sha256: wanted });
    await test.server.core.deltas.idle();
  };
  const { blobs } = test.server.core.ports;
  const leaving = async () => {
    const part = await blobs.createTemporary();
    await part.append(images[2]!);
    await blobs.commit(part, anew!);
    const then = new Date(Date.now() + weeks);
    await Deno.utime(path(test.config.data, anew!), then, then);
  };
  const freed = await interrupted(test, weeks, { marked, leaving }).collect();
  assertEquals([freed.files, once], [0, false]);
  for (const sha256 of [named!, wanted!, anew!, asked!]) {
    assertEquals(await isThere(test.config.data, sha256), true);
  }
  await assertWhole(test.config.data, test.server.core.ports.records);
});

class PowerCut extends Error {}

/** Cuts the power before one of the steps; counts them. */
function cutting(records: RecordStore, blobs: BlobStore, at: number) {
  const state = { steps: 0, removed: undefined as string | undefined };
  const step = () => {
    if (state.steps++ === at) throw new PowerCut();
  };
  const cutRecords: RecordStore = {
    read: (work) => records.read(work),
    write: async (work) => {
      step();
      return await records.write(work);
    },
    close: () => {},
  };
  const cutBlobs = new Proxy(blobs, {
    get(target, name) {
      if (name !== "remove") {
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      }
      return async (sha256: string, untilMs: number) => {
        step();
        state.removed = sha256;
        return await target.remove(sha256, untilMs);
      };
    },
  });
  return { state, records: cutRecords, blobs: cutBlobs };
}

/** What must hold at any time: each carrier and release that can be asked for has its files. */
async function assertWhole(data: string, records: RecordStore): Promise<void> {
  const names = await records.read((tables) => tables.referencedFiles());
  const vehicles = await records.read((tables) => tables.retired());
  for (const { sha256, carrier } of vehicles) if (carrier !== null) names.add(sha256);
  for (const name of names) {
    if (name === "") continue; // The base of a job that has none.
    const composite = await records.read((tables) => tables.composite(name));
    if (composite === undefined) assert(await isThere(data, name), `${name} is named and gone`);
  }
}

Deno.test("the power cut before any step loses no file that is named, and the next looks finish the work", async () => {
  const { test, gate, fast } = await superseded();
  const { config } = test;
  gate.resolve();
  await test.server.core.deltas.idle();
  const orphan = await test.upload(sampleBytes(60_000, 31));
  await test.server.stop();
  const snapshot = await Deno.makeTempDir({ prefix: "ota-cut-" });
  const seen = { cuts: 0, leaving: 0, back: 0 };
  for (let at = 0, over = false; !over; at++) {
    for (const comesBack of [false, true]) { // A removal that was not synced may be undone.
      const data = `${snapshot}/${at}-${comesBack}`;
      const copied = await new Deno.Command("cp", { args: ["-a", config.data, data] }).output();
      assertEquals(copied.success, true);
      const open = async () => {
        const records = openRecords(`${data}/records.sqlite`);
        return { records, blobs: await openBlobs(data, Date.now()) };
      };
      const look = async (stores: { records: RecordStore; blobs: BlobStore }, byMs: number) => {
        const clock = later(test.server.core.ports.clock, byMs);
        const metrics = new Metrics();
        const uploads = new Uploads({ ...stores, clock, metrics });
        const log = () => {};
        return await new Collector({ ...stores, uploads, clock, metrics, log }).collect();
      };
      const first = await open();
      const cut = cutting(first.records, first.blobs, at);
      const weeks = UNPUBLISHED_UPLOAD_MS + SECOND;
      over = await look(cut, 0).then(() => look(cut, weeks)).then(() => true, (error) => {
        if (!(error instanceof PowerCut)) throw error;
        return false;
      });
      if (!over) seen.cuts++;
      await assertWhole(data, first.records);
      first.records.close();
      const { removed } = cut.state;
      if (comesBack && removed !== undefined && !await isThere(data, removed)) {
        const rows = openRecords(`${data}/records.sqlite`);
        const row = await rows.read((tables) => tables.retiredFile(removed));
        rows.close();
        if (row !== undefined) { // Else its removal was synced.
          seen.back++;
          await Deno.copyFile(path(config.data, removed), path(data, removed));
          await Deno.utime(path(data, removed), new Date(0), new Date(0));
        }
      }
      const second = await open();
      await assertWhole(data, second.records);
      const left = await second.records.read((tables) => tables.retired());
      if (left.some(({ leaving }) => leaving)) seen.leaving++;
      await look(second, weeks);
      await look(second, 2 * weeks);
      await look(second, 4 * weeks);
      await assertWhole(data, second.records);
      const freed = await second.records.read((tables) => tables.freed());
      assertEquals(freed, { files: 2, bytes: fast.lengthBytes! + 60_000 }, `cut ${at}`);
      assertEquals(await second.records.read((tables) => tables.retired()), []);
      assertEquals(await isThere(data, fast.carrierSha256!), false);
      assertEquals(await isThere(data, orphan), false);
      second.records.close();
      await Deno.remove(data, { recursive: true });
    }
  }
  assert(seen.cuts >= 12 && seen.leaving >= 4 && seen.back >= 2, JSON.stringify(seen));
  await Deno.remove(snapshot, { recursive: true });
  await Deno.remove(config.data, { recursive: true });
});
