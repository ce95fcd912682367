/**
 * What happens when a carrier cannot be made: canceled, crashed, no room, a server that ends, files
 * that are gone, records of an older server.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import { DatabaseSync } from "node:sqlite";
import { UpdateFailure } from "shared/failure.ts";
import { DELTA_JOB_MS } from "shared/limits.ts";
import { sha256Hex } from "shared/node/digest.ts";
import type { DeltaJob } from "shared/protocol/api.ts";
import { assertRefused, until } from "../fixture_test.ts";
import { backToVersion } from "../old_records_test.ts";
import { NOTES, vehicleReport } from "../samples_test.ts";
import {
  apply,
  FRESH,
  ivi,
  jobs,
  LATER,
  OLD,
  published,
  temporary,
  told,
  world,
} from "./delta_world_test.ts";

Deno.test("canceling a delta lets its vehicle go at once, with the full image", async () => {
  const { test, maker, secret } = await world();
  await using _ = test;
  const old = await published(test, "1.0.0", OLD);
  await test.report(secret, vehicleReport(1, [ivi(old, 1)]));
  maker.gate = new Promise(() => {});
  await test.publish("ivi-rpi4", "1.1.0", { sha256: await test.upload(FRESH) });
  assertEquals((await told(test, secret)).campaign, null);
  // A job is marked as running before its maker has said anything.
  await until("the first job to run", async () => (await jobs(test))[2]!.doneBytes > 0);
  const [best, delta, full] = await jobs(test) as [DeltaJob, DeltaJob, DeltaJob];
  assertEquals([full.state, full.doneBytes], ["running", Math.floor(FRESH.length / 2)]);
  assertEquals(delta.state, "queued");

  const cancel = (job: string) => test.post(`/api/v1/deltas/${job}/cancel`);
  const viewer = { authorization: `Bearer ${await test.person("viewer")}` };
  const asViewer = { method: "POST", headers: viewer };
  const refused = await test.ask(`/api/v1/deltas/${delta.job}/cancel`, asViewer);
  await assertRefused(refused, 403, "forbidden");
  const canceled: DeltaJob = await (await cancel(delta.job)).json();
  assertEquals([canceled.state, canceled.reason], ["dropped", "canceled"]);
  assertEquals((await told(test, secret)).campaign, "c2", "nothing to wait for");
  assertEquals((await (await cancel(best.job)).json()).reason, "canceled");
  const running: DeltaJob = await (await cancel(full.job)).json();
  assertEquals([running.state, running.reason, maker.ended], ["dropped", "canceled", 1]);
  await assertRefused(await cancel(full.job), 409, "wrongState");
  await assertRefused(await cancel("d99"), 404, "notFound");
  await assertRefused(await cancel("../d1"), 404, "notFound");
  await test.server.core.deltas.idle();
  assertEquals(temporary(test), []);
});

Deno.test("whatever ends a job, its release stays, nothing is left behind, and the next one runs", async () => {
  const { test, maker, secret } = await world();
  await using _ = test;
  const old = await published(test, "1.0.0", OLD);
  await test.report(secret, vehicleReport(1, [ivi(old, 1)]));
  const crash = new UpdateFailure("deltaMakerCrashed", "maker", "Cannot make a carrier: signal 9");
  const full = new UpdateFailure("storeFull", "store", "Cannot make a carrier: the medium is full");
  maker.failures.push(crash, full);
  const fresh = await published(test, "1.1.0", FRESH);
  const ends = (await jobs(test)).slice(1, 3).map((job) => [job.state, job.failure?.name]);
  assertEquals(ends, [["dropped", "storeFull"], ["dropped", "deltaMakerCrashed"]]);
  assertEquals((await told(test, secret)).ecus.ivi!.release.sha256, fresh);

  maker.failures.push(new Error("a bug"));
  await published(test, "1.2.0", LATER);
  const last = (await jobs(test)).slice(1, 4).map((job) => [job.reason, job.failure?.name]);
  assertEquals(last, [[null, undefined], [null, undefined], ["failed", "internal"]]);
  assertEquals(temporary(test), []);

  // Publishing the same image again tries again what failed.
  const before = maker.asked.length;
  await published(test, "1.3.0", FRESH);
  assertEquals(maker.asked.slice(before, before + 2).map(([, base]) => base), [null, old]);
});

Deno.test("a server that ends in the middle of a job begins it anew, and gives up what always ends it", async () => {
  const { test, maker } = await world();
  await using _ = test;
  await published(test, "1.0.0", OLD);
  maker.gate = new Promise(() => {});
  await test.publish("ivi-rpi4", "1.1.0", { sha256: await test.upload(FRESH) });
  await until("a job to run", async () => (await jobs(test))[2]?.state === "running");
  await test.restart();
  assertEquals([maker.ended, temporary(test).length <= 1], [1, true]);
  await until("it to run again", async () => (await jobs(test))[2]?.state === "running");

  // As a crash leaves it: begun, and never ended.
  const { records } = test.server.core.ports;
  const [, , { job }] = await jobs(test) as [DeltaJob, DeltaJob, DeltaJob];
  await test.server.stop();
  const { openRecords } = await import("../adapters/records_sqlite.ts");
  const store = openRecords(`${test.config.data}/records.sqlite`);
  await store.write(async (tables) => {
    const row = (await tables.deltaJob(job))!;
    assertEquals([row.state, row.attempts], ["queued", 0], "a clean end counts for nothing");
    await tables.putDeltaJob({ ...row, state: "running", attempts: 3 });
  });
  store.close();
  assert(records !== undefined);
  maker.gate = undefined;
  await test.restart();
  await test.server.core.deltas.idle();
  const [, delta, given] = await jobs(test) as [DeltaJob, DeltaJob, DeltaJob];
  assertEquals([given.state, given.failure?.name], ["dropped", "deltaMakerCrashed"]);
  assertMatch(given.failure!.message, /ended 3 times/);
  assertEquals(delta.state, "kept");
});

Deno.test("a job whose end could not be written down is begun anew when the records work again", async () => {
  const { test, maker } = await world();
  await using _ = test;
  await published(test, "1.0.0", OLD);
  const { records } = test.server.core.ports;
  const write = records.write.bind(records);
  const gate = Promise.withResolvers<void>();
  maker.gate = gate.promise;
  await test.publish("ivi-rpi4", "1.1.0", { sha256: await test.upload(FRESH) });
  await until("a job to run", async () => (await jobs(test))[2]?.state === "running");
  let refused = 0;
  records.write = () => {
    refused++;
    records.write = write;
    return Promise.reject(new UpdateFailure("storeFull", "store", "Cannot keep the records: full"));
  };
  gate.resolve();
  await test.server.core.deltas.idle();
  assertEquals(refused, 1);
  const ends = (await jobs(test)).slice(0, 3).map(({ state, reason }) => [state, reason]);
  assertEquals(ends, [["dropped", "larger"], ["kept", null], ["dropped", "larger"]]);
  assertEquals(temporary(test), []);
});

Deno.test("an image that is gone or damaged fails its job only, and an image is no delta of itself", async () => {
  const { test, maker, secret } = await world();
  await using _ = test;
  const old = await published(test, "1.0.0", OLD);
  await test.report(secret, vehicleReport(1, [ivi(old, 1)]));
  await published(test, "1.0.1", OLD);
  assertEquals(maker.asked.length, 2, "nothing to make from an image to itself");
  await Deno.remove(`${test.config.data}/blobs/${old.slice(0, 2)}/${old}`);
  const fresh = await published(test, "1.1.0", FRESH);
  const [, delta, full] = await jobs(test) as [DeltaJob, DeltaJob, DeltaJob];
  assertEquals([delta.baseSha256, delta.failure?.name], [old, "imageUnknown"]);
  assertEquals([full.state, full.reason], ["dropped", "larger"]);
  assertEquals((await told(test, secret)).ecus.ivi!.release.sha256, fresh);

  const one = await published(test, "2.0.0", Uint8Array.of(7));
  await test.report(secret, vehicleReport(2, [ivi(fresh, 3, "1.1.0")]));
  const { carriers, release } = (await told(test, secret)).ecus.ivi!;
  const { root } = release.merkle;
  const made = await apply(test, secret, { carrier: carriers[0]!, root, base: null });
  assertEquals([release.sha256, [...made]], [one, [7]]);

  // An image that changed on the disk is not offered under its name.
  const path = `${test.config.data}/blobs/${fresh.slice(0, 2)}/${fresh}`;
  const third = await test.upload(LATER);
  await Deno.writeFile(`${test.config.data}/blobs/${third.slice(0, 2)}/${third}`, FRESH);
  const answer = await test.post("/api/v1/releases", {
    ...{ hardware: "ivi-rpi4", version: "3.0.0", notes: NOTES, sha256: third },
  });
  await assertRefused(answer, 500, "storedFileDamaged");
  assert((await Deno.stat(path)).isFile);
});

Deno.test("records of a time without containers get one for each image, before vehicles hear of it", async () => {
  const { test, secret } = await world();
  await using _ = test;
  const old = await published(test, "1.0.0", OLD);
  await test.report(secret, vehicleReport(1, [ivi(null, null)]));
  await test.server.stop();
  // What schema version 2 knew: the bare image, and nothing else.
  const file = `${test.config.data}/records.sqlite`;
  await backToVersion(file, 2);
  const db = new DatabaseSync(file);
  db.exec("DELETE FROM carriers WHERE json_extract(body, '$.format') = 'container'");
  db.close();
  await test.restart();
  await test.server.core.deltas.idle();
  const { carriers, release } = (await told(test, secret)).ecus.ivi!;
  const { root } = release.merkle;
  const carrier = carriers[0]!;
  assertEquals(sha256Hex(await apply(test, secret, { carrier, root, base: null })), old);
});

Deno.test("a job that takes for ever is ended, told as too slow, and the next one has its turn", async () => {
  const { test, maker } = await world();
  await using _ = test;
  const { clock } = test.server.core.deltas.ports;
  const sleep = clock.sleep.bind(clock);
  clock.sleep = (ms, signal) => ms === DELTA_JOB_MS ? Promise.resolve() : sleep(ms, signal);
  maker.gate = new Promise(() => {});
  await published(test, "1.0.0", OLD);
  const ended = await jobs(test);
  assertEquals(
    ended.map(({ state, reason, failure }) => `${state} ${reason} ${failure?.name}`),
    ended.map(() => "dropped failed deltaMakerTooSlow"),
  );
  assertEquals([ended.length, maker.ended, temporary(test)], [2, 2, []]);
});
