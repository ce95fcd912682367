/**
 * Single leaves for vehicles that heal a slot: whole, proved, for whom they are meant, and computed
 * once.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { concatBytes } from "shared/bytes.ts";
import { LEAF_BYTES } from "shared/limits.ts";
import { nodeHash } from "shared/node/digest.ts";
import type { Release } from "shared/protocol/api.ts";
import { parseChunk, proveChunk, proveLeafList } from "shared/protocol/chunk.ts";
import type { TrialLog, VehicleEvent } from "shared/protocol/messages.ts";
import { assertRefused, TestServer } from "./fixture_test.ts";
import { ecuReport, sampleBytes, vehicleReport, VIN } from "./samples_test.ts";

const IMAGE = sampleBytes(5 * LEAF_BYTES + 1234);
const COUNT = 6;

/** A vehicle with an `ivi-rpi4`, and a release for it. */
async function world() {
  const test = await TestServer.start();
  const sha256 = await test.upload(IMAGE);
  await test.publish("ivi-rpi4", "1.0.0", { sha256 });
  const secret = await test.enrol();
  await test.report(secret, vehicleReport(1, [ecuReport("ivi", "ivi-rpi4", {})]));
  const [release] = await test.get<Release[]>("/api/v1/releases");
  const root = release!.merkleRoot;
  const ask = (path: string, who = secret) => test.asVehicle(who, `/chunks/${path}`);
  const bytes = async (path: string) => {
    const answer = await ask(path);
    assertEquals(answer.status, 200, path);
    return new Uint8Array(await answer.arrayBuffer());
  };
  return { test, secret, sha256, root, ask, bytes };
}

Deno.test("every leaf comes with a proof, the list has the root, and all leaves are the image", async () => {
  const { test, root, bytes } = await world();
  await using _ = test;
  const list = await bytes(root);
  proveLeafList(list, { root, count: COUNT }, nodeHash);
  const leaves: Uint8Array[] = [];
  for (let index = 0; index < COUNT; index++) {
    const chunk = parseChunk(await bytes(`${root}/${index}`));
    proveChunk(chunk, { root, index, count: COUNT }, nodeHash);
    leaves.push(chunk.bytes);
  }
  assertEquals(concatBytes(...leaves), IMAGE);
});

Deno.test("leaves are refused without a secret, beyond the end, of unknown roots and of other hardware", async () => {
  const { test, root, ask, secret } = await world();
  await using _ = test;
  await assertRefused(await ask(root, "nobody"), 401, "unauthenticated");
  await assertRefused(await ask(`${root}/${COUNT}`), 404, "notFound");
  await assertRefused(await ask("ab".repeat(32)), 404, "notFound");
  await assertRefused(await ask("nonsense"), 400, "badRequest");
  await assertRefused(await ask(`${root}/x`), 404, "notFound");
  const foreign = await test.upload(sampleBytes(1000, 9));
  await test.publish("cluster-sim", "1.0.0", { sha256: foreign });
  const draft = await test.upload(sampleBytes(2000, 8));
  await test.publish("ivi-rpi4", "3.0.0", { sha256: draft, draft: true });
  const releases = await test.get<Release[]>("/api/v1/releases");
  for (const hidden of ["cluster-sim/1.0.0", "ivi-rpi4/3.0.0"]) {
    const other = releases.find(({ release }) => release === hidden)!.merkleRoot;
    await assertRefused(await ask(other), 404, "notFound");
    await assertRefused(await ask(`${other}/0`), 404, "notFound");
  }
  // With a cluster it is its own.
  const both = [ecuReport("ivi", "ivi-rpi4", {}), ecuReport("cluster", "cluster-sim", {})];
  await test.report(secret, vehicleReport(2, both));
  const now = await ask(
    releases.find(({ release }) => release === "cluster-sim/1.0.0")!.merkleRoot,
  );
  assertEquals([now.status, (await now.arrayBuffer()).byteLength], [200, 32]);
});

Deno.test("the list is computed once, kept beside the image, and made anew when it was damaged", async () => {
  const { test, root, sha256, bytes } = await world();
  await using _ = test;
  const path = `${test.config.data}/blobs/${sha256.slice(0, 2)}/${sha256}.leaves`;
  const list = await bytes(root);
  assertEquals(new Uint8Array(Deno.readFileSync(path)), list);
  const { mtime } = Deno.statSync(path);
  await test.restart();
  assertEquals(await bytes(root), list);
  assertEquals(Deno.statSync(path).mtime, mtime, "it was read, not written");
  const damaged = list.slice();
  damaged[5]! ^= 1;
  Deno.writeFileSync(path, damaged);
  await test.restart();
  assertEquals(await bytes(root), list);
  assertEquals(new Uint8Array(Deno.readFileSync(path)), list);
});

Deno.test("a leaf that changed on the server's disk is not given out", async () => {
  const { test, root, sha256, ask, bytes } = await world();
  await using _ = test;
  await bytes(root);
  const path = `${test.config.data}/blobs/${sha256.slice(0, 2)}/${sha256}`;
  const image = IMAGE.slice();
  image[LEAF_BYTES + 7]! ^= 1;
  Deno.chmodSync(path, 0o600);
  Deno.writeFileSync(path, image);
  await assertRefused(await ask(`${root}/1`), 500, "storedFileDamaged");
  await bytes(`${root}/2`);
});

Deno.test("the log of a failed trial becomes one event, however often it is told", async () => {
  const { test, secret, sha256 } = await world();
  await using _ = test;
  const log: TrialLog = {
    v: 1,
    id: "cd".repeat(32),
    ecu: "ivi",
    at: "2026-01-01T00:00:00Z",
    version: "1.0.0",
    counter: 1,
    sha256,
    failure: "imageCrashed",
    detail: "it threw",
    lines: ["2 heartbeats"],
  };
  for (const seq of [2, 3]) {
    const report = vehicleReport(seq, [ecuReport("ivi", "ivi-rpi4", { state: "rolledBack" })]);
    assertEquals((await test.report(secret, { ...report, trialLogs: [log] })).status, 200);
  }
  const events = await test.get<VehicleEvent[]>(`/api/v1/vehicles/${VIN}/events`);
  const told = events.filter((event) => event.log !== undefined);
  assertEquals(told.length, 1);
  assertEquals([told[0]!.log, told[0]!.failure?.name, told[0]!.state], [
    log,
    "imageCrashed",
    "rolledBack",
  ]);
  assert(told[0]!.failure!.message.includes("it threw"));
});
