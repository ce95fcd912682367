/**
 * What bounds the making of carriers: time, the queue, and what one vehicle may ask for.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import {
  DELTA_JOB_MS,
  MAX_BASES_PER_VEHICLE,
  MAX_DELTAS,
  MAX_QUEUED_DELTA_JOBS,
} from "shared/limits.ts";
import { until } from "../fixture_test.ts";
import type { RecordStore, ReleaseRow } from "../ports.ts";
import type { DeltaJobRow } from "../ports_delta.ts";
import { openRecords } from "../adapters/records_sqlite.ts";
import { newVehicle } from "../access/enrolment.ts";
import { ecuReport, NOTES, vehicleReport } from "../samples_test.ts";
import { DeltaJobs } from "./delta_jobs.ts";
import { queueDeltas } from "./delta_plan.ts";
import { edited, FRESH, jobs, OLD, PROSE, published, world } from "./delta_world_test.ts";

const AT = "2026-01-01T00:00:00.000Z";

/** A digest that stands for a number. */
const digest = (n: number) => n.toString(16).padStart(64, "0");

/** Records with releases 1.0.0, 1.0.1… of one hardware id: image n is `digest(n)`. */
class Desk implements AsyncDisposable {
  private constructor(readonly folder: string, readonly records: RecordStore) {}

  static async open(releases: number): Promise<Desk> {
    const folder = await Deno.makeTempDir({ prefix: "ota-bounds-" });
    const desk = new Desk(folder, openRecords(`${folder}/records.sqlite`));
    for (let i = 1; i <= releases; i++) await desk.release("ivi-rpi4", i, digest(i));
    return desk;
  }

  async release(hardware: string, counter: number, sha256: string): Promise<ReleaseRow> {
    const version = `1.0.${counter}`;
    const row: ReleaseRow = {
      ...{ release: `${hardware}/${version}`, hardware, version, counter, sha256, notes: NOTES },
      ...{ rxswin: [], needs: [], state: "published", createdAt: AT, createdBy: "admin" },
    };
    await this.records.write(async (tables) => {
      await tables.putBlob({ sha256, lengthBytes: 1, merkleRoot: sha256 });
      await tables.putRelease(row);
    });
    return row;
  }

  /** A vehicle says what its ECUs of a hardware id run. */
  async reports(number: number, images: readonly string[], hardware = "ivi-rpi4"): Promise<void> {
    const vin = `WVWZZZ1JZXW${String(number).padStart(6, "0")}`;
    const ecus = images.map((sha256, i) => ecuReport(`e${i}`, hardware, { sha256, counter: 1 }));
    const report = vehicleReport(1, ecus, null, vin);
    await this.records.write((tables) => tables.putVehicle({ ...newVehicle(vin), report }));
  }

  queue(row: ReleaseRow, bounds?: Parameters<typeof queueDeltas>[3]): Promise<string[]> {
    return this.records.write((tables) => queueDeltas(tables, row, AT, bounds));
  }

  jobsOf({ sha256 }: ReleaseRow): Promise<DeltaJobRow[]> {
    return this.records.read((tables) => tables.deltaJobsOf(sha256));
  }

  waiting(): Promise<number> {
    return this.records.read((tables) => tables.queuedDeltaJobs());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.records.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("a job that takes too long is ended and dropped with its failure, and the next one runs", async () => {
  const { test, maker } = await world();
  await using _ = test;
  await published(test, "1.0.0", OLD);
  const { deltas } = test.server.core;
  await deltas.stop();
  await test.publish("ivi-rpi4", "1.1.0", { sha256: await test.upload(FRESH) });
  maker.gates.push(new Promise(() => {}));
  const asked = maker.asked.length;
  const { clock } = deltas.ports;
  const waits: number[] = [];
  const slow = async (ms: number, signal?: AbortSignal) => {
    if (ms < 60_000) return await clock.sleep(ms, signal);
    waits.push(ms); // The first is over while its job runs, the others never.
    if (waits.length === 1) await until("the job to run", () => maker.asked.length > asked);
    else await clock.sleep(ms, signal);
  };
  const bounded = new DeltaJobs({
    ...deltas.ports,
    clock: { now: () => clock.now(), monotonic: () => clock.monotonic(), sleep: slow },
  });
  bounded.start();
  try {
    await bounded.idle();
    const [, delta, ended] = await jobs(test);
    assertEquals([ended!.state, ended!.reason], ["dropped", "failed"]);
    assertEquals(ended!.failure?.name, "deltaMakerTooSlow");
    assertEquals(waits, [DELTA_JOB_MS, DELTA_JOB_MS, DELTA_JOB_MS]);
    assertEquals([maker.ended, delta!.state], [1, "kept"]);
  } finally {
    await bounded.stop();
  }
});

Deno.test("a better full carrier makes a kept delta that is no smaller a dropped one", async () => {
  const { test, maker } = await world();
  await using _ = test;
  await published(test, "1.0.0", PROSE);
  const gate = Promise.withResolvers<void>();
  maker.gates.push(undefined, undefined, gate.promise);
  maker.packs.set("best", 4);
  await test.publish("ivi-rpi4", "1.1.0", { sha256: await test.upload(edited(PROSE, 7)) });
  await until("the delta to be kept", async () => (await jobs(test))[1]?.state === "kept");
  const [, kept] = await jobs(test);
  gate.resolve();
  await test.server.core.deltas.idle();
  const [full, delta] = await jobs(test);
  assert(kept!.lengthBytes! >= full!.lengthBytes!, "the world is as it should be");
  assertEquals(full!.state, "kept");
  assertEquals([delta!.state, delta!.reason], ["dropped", "larger"]);
  assertEquals([delta!.carrierSha256, delta!.fullBytes], [null, full!.lengthBytes]);
  const carriers = await test.server.core.ports.records.read((tables) =>
    tables.carriersOf(delta!.sha256)
  );
  assert(!carriers.some(({ carrierSha256 }) => carrierSha256 === kept!.carrierSha256));
});

Deno.test("no more jobs wait than the queue holds, and the first ones of a new release still get in", async () => {
  await using desk = await Desk.open(3);
  const bounds = { maxQueued: 5, maxDeltas: 64 };
  await desk.reports(1, [digest(1), digest(2)]);
  const first = await desk.release("ivi-rpi4", 4, digest(4));
  assertEquals((await desk.queue(first, bounds)).length, 5, "full, three deltas, full again");
  const second = await desk.release("ivi-rpi4", 5, digest(5));
  await desk.queue(second, bounds);
  assertEquals(await desk.waiting(), 5);
  const state = async (row: ReleaseRow) =>
    (await desk.jobsOf(row)).map(({ rank, state }) => `${rank} ${state}`);
  assertEquals(await state(second), ["0 queued", "1 queued"]);
  const left = ["0 queued", "1 queued", "2 queued", "3 dropped", "65 dropped"];
  assertEquals(await state(first), left);
  await desk.records.write(async (tables) => {
    for (const job of await tables.deltaJobsOf(second.sha256)) {
      await tables.putDeltaJob({ ...job, state: "dropped", reason: "larger" });
    }
  });
  assertEquals((await desk.queue(first, bounds)).length, 2, "what gave way is asked for anew");
});

Deno.test("the queue as the product has it holds 1024 jobs, and not one more", async () => {
  await using desk = await Desk.open(0);
  assertEquals(MAX_QUEUED_DELTA_JOBS, 1024);
  for (let i = 1; i <= 600; i++) {
    await desk.queue(await desk.release(`hw-${i}`, 1, digest(i)));
  }
  assertEquals(await desk.waiting(), 1024);
  const ranks = new Map<number, number>();
  for (let i = 1; i <= 600; i++) {
    for (const { rank, state } of await desk.records.read((t) => t.deltaJobsOf(digest(i)))) {
      if (state === "queued") ranks.set(rank, (ranks.get(rank) ?? 0) + 1);
    }
  }
  assertEquals([...ranks], [[0, 600], [65, 424]], "each release has its first carrier");
});

Deno.test("forged vehicles that report many bases neither fill the queue nor starve what a fleet runs", async () => {
  await using desk = await Desk.open(200);
  const unknown = Array.from({ length: 64 }, (_, i) => digest(0xF0000 + i));
  for (let i = 0; i < 20; i++) await desk.reports(i, unknown); // Nobody has these.
  const foreign = Array.from({ length: 64 }, (_, i) => digest(0xE0000 + i));
  for (const [i, sha256] of foreign.entries()) await desk.release("other", i + 1, sha256);
  for (let i = 20; i < 40; i++) await desk.reports(i, foreign); // Images of another hardware id.
  const claims = (from: number) => Array.from({ length: 64 }, (_, i) => digest(from + i));
  for (let i = 40; i < 52; i++) await desk.reports(i, claims(1 + (i * 7) % 130)); // True ones.
  const real = digest(150);
  for (let i = 100; i < 120; i++) await desk.reports(i, [real]); // The fleet.
  const fresh = await desk.release("ivi-rpi4", 201, digest(201));
  await desk.queue(fresh);
  const bases = (await desk.jobsOf(fresh)).filter(({ baseSha256 }) => baseSha256 !== null);
  assert(bases.length <= Math.min(MAX_DELTAS, 12 * MAX_BASES_PER_VEHICLE + 2), `${bases.length}`);
  assertEquals(
    bases.map(({ baseSha256 }) => baseSha256!).filter((each) =>
      unknown.includes(each) || foreign.includes(each)
    ),
    [],
  );
  assertEquals(bases[0]!.baseSha256, real, "what most vehicles run comes first");
  assertEquals(bases.at(-1)!.baseSha256, digest(200), "the release before has its place");
  const one = claims(1);
  await using alone = await Desk.open(200);
  await alone.reports(1, [...one, ...one].slice(0, 64));
  const counted = await alone.records.read((t) =>
    t.basesInField("ivi-rpi4", { limit: MAX_DELTAS, each: MAX_BASES_PER_VEHICLE })
  );
  assertEquals(counted, [64, 63, 62, 61].map((n) => ({ sha256: digest(n), vehicles: 1 })));
});

Deno.test("many forged vehicles leave the release before its place", async () => {
  await using desk = await Desk.open(120);
  for (let i = 0; i < 100; i++) await desk.reports(i, [digest(1 + i)]);
  const fresh = await desk.release("ivi-rpi4", 121, digest(121));
  await desk.queue(fresh);
  const bases = (await desk.jobsOf(fresh)).flatMap(({ baseSha256 }) => baseSha256 ?? []);
  assertEquals([bases.length, bases.at(-1)], [MAX_DELTAS, digest(120)]);
});
