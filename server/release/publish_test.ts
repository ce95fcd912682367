import { assertEquals, assertStringIncludes } from "@std/assert/mod.js";
import type { Campaign, Hardware, Release } from "shared/protocol/api.ts";
import { leafHash, merkleRoot } from "shared/merkle.ts";
import { toHex } from "shared/bytes.ts";
import { sha256Hex } from "shared/node/digest.ts";
import vector from "../../tests/vectors/bsdiff40.json" with { type: "json" };
import { assertRefused, TestServer } from "../fixture_test.ts";
import { NOTES, sampleBytes } from "../samples_test.ts";

const IMAGE = sampleBytes(200_000);

function body(version: string, more: Record<string, unknown>): Record<string, unknown> {
  return { hardware: "ivi-rpi4", version, notes: NOTES, ...more };
}

/** What a patch test needs: two images and a true patch between them. */
async function patchWorld(): Promise<{ old: Bytes; fresh: Bytes; patch: Bytes }> {
  const old = sampleBytes(150_000);
  const fresh = old.slice();
  for (let i = 0; i < fresh.length; i += 1000) fresh[i]! ^= 0xFF;
  const patch = await bsdiff(old, fresh);
  return { old, fresh, patch };
}
type Bytes = Uint8Array<ArrayBuffer>;

const HAS_BSDIFF = await new Deno.Command("bsdiff", { stderr: "null" }).output()
  .then(() => true, () => false);

async function bsdiff(old: Bytes, fresh: Bytes): Promise<Bytes> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/old`, old);
    await Deno.writeFile(`${folder}/new`, fresh);
    const args = [`${folder}/old`, `${folder}/new`, `${folder}/patch`];
    assertEquals((await new Deno.Command("bsdiff", { args }).output()).success, true);
    return await Deno.readFile(`${folder}/patch`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("publishing makes release, campaign and announcement data, and says so in one answer", async () => {
  await using test = await TestServer.start();
  const sha256 = await test.upload(IMAGE);
  const published = await test.publish("ivi-rpi4", "1.0.0", { sha256 });
  assertEquals(published, {
    release: "ivi-rpi4/1.0.0",
    campaign: "c1",
    counter: 1,
    sha256,
    carrierAdded: false,
  });
  const release = await test.get<Release>("/api/v1/releases/ivi-rpi4/1.0.0");
  const leaves = [0, 1, 2, 3].map((i) => leafHash(IMAGE.subarray(i * 65536, (i + 1) * 65536)));
  assertEquals(release.merkleRoot, toHex(merkleRoot(leaves)));
  assertEquals([release.state, release.lengthBytes, release.notes], ["published", 200_000, NOTES]);
  assertEquals(release.carriers[0], {
    ...{ v: 1, carrierSha256: sha256, format: "raw", lengthBytes: 200_000, sha256 },
  });
  assertEquals(release.carriers.map(({ format }) => format), ["raw", "container"]);
  const again = await test.publish("ivi-rpi4", "1.1.0", { sha256 });
  assertEquals([again.counter, again.sha256], [2, sha256], "the same bytes, released again");
});

Deno.test("each rule of publishing refuses with its own failure, and nothing is left behind", async () => {
  await using test = await TestServer.start();
  const sha256 = await test.upload(IMAGE);
  await test.publish("ivi-rpi4", "1.0.0", { sha256, counter: 5 });
  const part = sampleBytes(100, 3);
  const partial = sha256Hex(part);
  const sent = await test.ask(`/api/v1/uploads/${partial}`, {
    method: "PUT",
    body: part.slice(0, 10),
    headers: { "content-range": "bytes 0-9/100" },
  });
  await sent.body?.cancel();
  const cases: [Record<string, unknown>, number, string][] = [
    [body("1.1.0", { sha256, notes: { ...NOTES, changes: " " } }), 422, "noteEmpty"],
    [body("1.1.0", { sha256, hardware: "toaster" }), 422, "hardwareUnknown"],
    [body("1.1.0", { sha256: "0".repeat(64) }), 422, "imageUnknown"],
    [body("1.1.0", { sha256: partial }), 409, "uploadIncomplete"],
    [body("1.0.0", { sha256 }), 409, "versionTaken"],
    [body("0.9.0", { sha256 }), 409, "versionNotHigher"],
    [body("1.1.0", { sha256, counter: 5 }), 409, "counterTaken"],
    [body("1.1.0", { sha256, counter: 4 }), 409, "counterNotHigher"],
    [body("1.1.0", { sha256, needs: ["body-sim/9"] }), 404, "releaseUnknown"],
    [body("1.1.0", { sha256, hardware: "../../etc" }), 400, "badRequest"],
    [body("../1", { sha256 }), 400, "badRequest"],
    [body("1.1.0", { sha256, v: 9 }), 400, "schemaUnknown"],
  ];
  for (const [request, status, name] of cases) {
    await assertRefused(await test.post("/api/v1/releases", request), status, name);
  }
  assertEquals((await test.get<Release[]>("/api/v1/releases")).length, 1);
  assertEquals((await test.get<Campaign[]>("/api/v1/campaigns")).length, 1);
  const huge = await test.post("/api/v1/releases", { x: "y".repeat(300_000) });
  await assertRefused(huge, 413, "requestTooLarge");
  const garbage = await test.ask("/api/v1/releases", { method: "POST", body: "{" });
  await assertRefused(garbage, 400, "badRequest");
});

Deno.test("two publishers with one version: one wins, the other one is told versionTaken", async () => {
  await using test = await TestServer.start();
  const sha256 = await test.upload(IMAGE);
  const answers = await Promise.all(
    [1, 2, 3].map(() => test.post("/api/v1/releases", body("1.0.0", { sha256 }))),
  );
  const statuses = answers.map(({ status }) => status).sort();
  assertEquals(statuses, [201, 409, 409]);
  for (const answer of answers) {
    if (answer.status === 409) await assertRefused(answer, 409, "versionTaken");
    else await answer.body?.cancel();
  }
});

Deno.test("drafts are offered as one bundle, and a bundle that makes no sense is refused", async () => {
  await using test = await TestServer.start();
  const sha256 = await test.upload(IMAGE);
  const ivi = await test.publish("ivi-rpi4", "1.0.0", { sha256, draft: true });
  const ivi2 = await test.publish("ivi-rpi4", "1.1.0", { sha256, draft: true });
  const cluster = await test.publish("cluster-sim", "1.0.0", { sha256, draft: true });
  assertEquals([ivi.campaign, cluster.campaign], [null, null]);
  assertEquals((await test.get<Campaign[]>("/api/v1/campaigns")).length, 0);
  const offer = (...releases: string[]) => test.post("/api/v1/campaigns", { releases });
  await assertRefused(await offer(ivi.release, ivi2.release), 422, "bundleInvalid");
  await assertRefused(await offer(ivi.release, ivi.release), 422, "bundleInvalid");
  await assertRefused(await offer(ivi.release, "body-sim/7"), 404, "releaseUnknown");
  await assertRefused(await offer(), 400, "badRequest");
  await assertRefused(await offer("../x"), 400, "badRequest");
  const draft = await test.get<Release>("/api/v1/releases/ivi-rpi4/1.0.0");
  assertEquals(draft.state, "draft", "a refused bundle publishes nothing");
  const answer = await offer(ivi2.release, cluster.release);
  const campaign: Campaign = await answer.json();
  assertEquals([answer.status, campaign.campaign, campaign.state], [201, "c1", "running"]);
  assertEquals(campaign.releases, [ivi2.release, cluster.release]);
  assertEquals((await test.get<Release>(`/api/v1/releases/${ivi2.release}`)).state, "published");
});

Deno.test("hardware ids: built in, added once, and never a path", async () => {
  await using test = await TestServer.start();
  const ids = (await test.get<Hardware[]>("/api/v1/hardware")).map(({ hardware }) => hardware);
  assertEquals(ids, ["body-sim", "cluster-sim", "ivi-rpi4"]);
  const added = await test.post("/api/v1/hardware", { hardware: "seat-7" });
  assertEquals([added.status, await added.json()], [201, { hardware: "seat-7", origin: "added" }]);
  const again = await test.post("/api/v1/hardware", { hardware: "seat-7" });
  assertEquals([again.status, (await again.json()).origin], [200, "added"]);
  for (const hardware of ["../x", "a/b", "", ".hidden", "x".repeat(64), "+", "#"]) {
    await assertRefused(await test.post("/api/v1/hardware", { hardware }), 400, "badRequest");
  }
});

Deno.test({
  name: "a patch alone makes a release, and for a version that exists it adds a carrier",
  ignore: !HAS_BSDIFF,
  fn: async () => {
    await using test = await TestServer.start();
    const { old, fresh, patch } = await patchWorld();
    const base = await test.upload(old);
    const patchSha256 = await test.upload(patch);
    await test.publish("ivi-rpi4", "1.0.0", { sha256: base });
    const made = await test.publish("ivi-rpi4", "1.1.0", { patchSha256, deltaFrom: "1.0.0" });
    assertEquals([made.sha256, made.counter, made.campaign], [sha256Hex(fresh), 2, "c2"]);
    const carrier = {
      ...{ v: 1, carrierSha256: patchSha256, format: "bsdiff40", lengthBytes: patch.length },
      ...{ sha256: made.sha256, baseSha256: base },
    };
    const release = await test.get<Release>("/api/v1/releases/ivi-rpi4/1.1.0");
    const given = release.carriers.filter(({ format }) => format !== "container");
    assertEquals(given[0]!.format, "raw");
    assertEquals(given[1] as unknown, carrier);
    // The same patch again is no new carrier; one from another base is.
    const again = await test.post(
      "/api/v1/releases",
      body("1.1.0", { patchSha256, deltaFrom: "1.0.0" }),
    );
    assertEquals([again.status, (await again.json()).carrierAdded], [200, false]);
    await test.publish("ivi-rpi4", "1.0.1", { sha256: patchSha256, counter: 9 });
    const second = await test.upload(await bsdiff(patch, fresh));
    const added = await test.publish("ivi-rpi4", "1.1.0", {
      patchSha256: second,
      deltaFrom: "1.0.1",
    });
    assertEquals([added.carrierAdded, added.campaign, added.counter], [true, null, 2]);
    const now = await test.get<Release>("/api/v1/releases/ivi-rpi4/1.1.0");
    assertEquals(now.carriers.filter(({ format }) => format !== "container").length, 3);
  },
});

Deno.test({
  name: "a patch is refused with its reason, and leaves nothing behind",
  ignore: !HAS_BSDIFF,
  fn: async () => {
    await using test = await TestServer.start();
    const { old, fresh, patch } = await patchWorld();
    const base = await test.upload(old);
    const patchSha256 = await test.upload(patch);
    const other = await test.upload(sampleBytes(50_000, 9));
    await test.publish("ivi-rpi4", "1.0.0", { sha256: base });
    await test.publish("ivi-rpi4", "2.0.0", { sha256: other });
    await test.server.core.deltas.idle();
    const before = countBlobs(test);
    const cut = await test.upload(patch.slice(0, patch.length - 7));
    const bent = patch.slice();
    bent[bent.length >> 1]! ^= 0x10;
    const damaged = await test.upload(bent);
    const cases: [Record<string, unknown>, number, string][] = [
      [{ patchSha256, deltaFrom: "9.9.9" }, 422, "baseUnknown"],
      [{ patchSha256: "0".repeat(64), deltaFrom: "1.0.0" }, 422, "imageUnknown"],
      [{ patchSha256: cut, deltaFrom: "1.0.0" }, 422, "patchDamaged"],
      [{ patchSha256: damaged, deltaFrom: "1.0.0" }, 422, "patchDamaged"],
      [{ patchSha256: other, deltaFrom: "1.0.0" }, 422, "patchDamaged"],
      [{ patchSha256, deltaFrom: "1.0.0", sha256: other }, 422, "patchResultDiffers"],
      [{ patchSha256, deltaFrom: "2.0.0", sha256: sha256Hex(fresh) }, 422, "patchResultDiffers"],
    ];
    for (const [more, status, name] of cases) {
      await assertRefused(await test.post("/api/v1/releases", body("3.0.0", more)), status, name);
    }
    const existing = body("2.0.0", { patchSha256, deltaFrom: "1.0.0" });
    await assertRefused(await test.post("/api/v1/releases", existing), 422, "patchResultDiffers");
    const unread = body("3.0.0", { patchSha256: other, deltaFrom: "1.0.0" });
    const problem = await assertRefused(
      await test.post("/api/v1/releases", unread),
      422,
      "patchDamaged",
    );
    assertStringIncludes(problem.detail, "BSDIFF40");
    assertEquals(countBlobs(test), before + 2, "only the two damaged patches that were uploaded");
    assertEquals([...Deno.readDirSync(`${test.config.data}/uploads`)], []);
    assertEquals((await test.get<Release[]>("/api/v1/releases")).length, 2);
  },
});

Deno.test("a frozen BSDIFF40 patch is proved without any tool", async () => {
  await using test = await TestServer.start();
  const [base, patch, image] = [vector.base, vector.patch, vector.image].map((text) =>
    Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  ) as [Bytes, Bytes, Bytes];
  await test.publish("body-sim", "1.0", { sha256: await test.upload(base) });
  const patchSha256 = await test.upload(patch);
  const made = await test.publish("body-sim", "1.1", { patchSha256, deltaFrom: "1.0" });
  assertEquals(made.sha256, sha256Hex(image));
});

function countBlobs(test: TestServer): number {
  const folder = `${test.config.data}/blobs`;
  return [...Deno.readDirSync(folder)]
    .reduce((sum, { name }) => sum + [...Deno.readDirSync(`${folder}/${name}`)].length, 0);
}
