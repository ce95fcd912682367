/**
 * Patches that publishers upload: containers are proved and kept as they are, BSDIFF40 is proved
 * and made into a container, and nothing that lies gets in.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import { readArray } from "shared/delta/random_read.ts";
import { MIB } from "shared/limits.ts";
import { nodeHash, sha256Digest, sha256Hex } from "shared/node/digest.ts";
import type { DeltaJob, Release } from "shared/protocol/api.ts";
import vector from "../../tests/vectors/bsdiff40.json" with { type: "json" };
import { encodeContainer } from "../delta/encode.ts";
import { nodeEncodeCodecs } from "../delta/node_codecs.ts";
import { assertRefused, TestServer } from "../fixture_test.ts";
import { NOTES, sampleBytes, vehicleReport } from "../samples_test.ts";
import { type Bytes, edited, ivi, jobs, temporary, told, world } from "./delta_world_test.ts";

const OLD = sampleBytes(MIB + 70_000, 1);
const FRESH = edited(edited(OLD, 5), MIB + 9);

/** What `ota delta` would write. */
function container(
  base: Bytes | null,
  image: Bytes,
  geometry: { leafBytes?: number; segmentBytes?: number } = {},
): Bytes {
  const payloads: Uint8Array[] = [];
  const { head } = encodeContainer({
    ...{ base: base && readArray(base), image: readArray(image), codecs: nodeEncodeCodecs },
    ...{ hash: nodeHash, newDigest: sha256Digest, effort: "fast", ...geometry },
  }, { write: (bytes) => void payloads.push(bytes.slice()) });
  const parts = [head, ...payloads];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

Deno.test("an uploaded container makes its image, and travels as it is", async () => {
  const { test, maker, secret } = await world();
  await using _ = test;
  const base = await test.upload(OLD);
  await test.publish("ivi-rpi4", "1.0.0", { sha256: base });
  await test.report(secret, vehicleReport(1, [ivi(base, 1)]));
  const patch = container(OLD, FRESH);
  const patchSha256 = await test.upload(patch);
  const made = await test.publish("ivi-rpi4", "1.1.0", { patchSha256, deltaFrom: "1.0.0" });
  assertEquals([made.sha256, made.carrierAdded], [sha256Hex(FRESH), false]);
  const { carriers } = (await told(test, secret)).ecus.ivi!;
  const delta = carriers.find(({ baseSha256 }) => baseSha256 === base)!;
  assertEquals([delta.format, delta.carrierSha256], ["container", patchSha256]);
  const answer = await test.asVehicle(secret, `/carriers/${patchSha256}`);
  assertEquals(new Uint8Array(await answer.arrayBuffer()), patch);
  await test.server.core.deltas.idle();
  const pairs = maker.asked.filter(([image, from]) => image === made.sha256 && from === base);
  assertEquals(pairs, [], "there is one already");

  const again = { patchSha256, deltaFrom: "1.0.0" };
  assertEquals((await test.publish("ivi-rpi4", "1.1.0", again)).carrierAdded, false);
  await test.publish("ivi-rpi4", "1.0.5", {
    sha256: await test.upload(edited(OLD, 77)),
    counter: 9,
  });
  const other = await test.upload(container(edited(OLD, 77), FRESH));
  const more = { patchSha256: other, deltaFrom: "1.0.5" };
  assertEquals((await test.publish("ivi-rpi4", "1.1.0", more)).carrierAdded, true);
});

Deno.test("a container that lies is refused with its reason, and nothing is left behind", async () => {
  await using test = await TestServer.start();
  await test.publish("ivi-rpi4", "1.0.0", { sha256: await test.upload(OLD) });
  await test.publish("ivi-rpi4", "2.0.0", { sha256: await test.upload(FRESH) });
  await test.server.core.deltas.idle();
  const good = container(OLD, edited(OLD, 3));
  const bent = (at: number) => edited(good, at);
  const length = good.slice();
  new DataView(length.buffer).setBigUint64(16, 2n ** 45n, true);
  const named = bent(33);
  named.set(nodeHash(named.subarray(0, 256)), 256); // Else its first part has not its digest.
  const cases: [string, Bytes, Record<string, unknown>, string, RegExp][] = [
    ["cut off", good.slice(0, -3), {}, "patchDamaged", /ends before segment/],
    ["a head that is cut off", good.slice(0, 100), {}, "patchDamaged", /cut off/],
    ["longer", new Uint8Array([...good, 0]), {}, "patchDamaged", /bytes after its last payload/],
    ["a bent payload", bent(good.length - 1), {}, "patchDamaged", /digest/],
    ["a bent leaf hash", bent(400), {}, "patchDamaged", /digest|root/],
    ["a bent head", bent(40), {}, "patchDamaged", /digest/],
    ["a length of terabytes", length, {}, "patchDamaged", /./],
    ["a digest that is not its own", named, {}, "patchDamaged", /says/],
    ["a later version", edited(good, 8), {}, "patchDamaged", /version/],
    ["small leaves", container(OLD, FRESH, { leafBytes: 4096 }), {}, "patchDamaged", /leaves of/],
    ["a full image", container(null, FRESH), {}, "patchDamaged", /full image/],
    ["another base", good, { deltaFrom: "2.0.0" }, "baseUnknown", /starts from image/],
    ["another image", good, { sha256: "0".repeat(64) }, "patchResultDiffers", /makes image/],
  ];
  for (const [what, bytes, more, name, why] of cases) {
    const answer = await test.post("/api/v1/releases", {
      ...{ hardware: "ivi-rpi4", version: "3.0.0", notes: NOTES, deltaFrom: "1.0.0" },
      ...{ patchSha256: await test.upload(bytes), ...more },
    });
    const problem = await assertRefused(answer, 422, name);
    assertMatch(problem.detail, why, what);
  }
  assertEquals(temporary(test), []);
  assertEquals((await test.get<Release[]>("/api/v1/releases")).length, 2);
  const made = await test.publish("ivi-rpi4", "3.0.0", {
    ...{ patchSha256: await test.upload(good), deltaFrom: "1.0.0" },
  });
  assertEquals(made.sha256, sha256Hex(edited(OLD, 3)), "the good one is good");
});

Deno.test("a BSDIFF40 patch is made into a container by the encoder, and only that is told to vehicles", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const [old, patch, image] = [vector.base, vector.patch, vector.image].map((text) =>
    Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  ) as [Bytes, Bytes, Bytes];
  const base = await test.upload(old);
  await test.publish("ivi-rpi4", "1.0", { sha256: base });
  await test.report(secret, vehicleReport(1, [ivi(base, 1, "1.0")]));
  const patchSha256 = await test.upload(patch);
  await test.publish("ivi-rpi4", "1.1", { patchSha256, deltaFrom: "1.0" });
  await test.server.core.deltas.idle();
  const release = await test.get<Release>("/api/v1/releases/ivi-rpi4/1.1");
  assertEquals(release.sha256, sha256Hex(image));
  assert(release.carriers.some(({ format }) => format === "bsdiff40"), "people can still have it");
  const job = (await jobs(test)).find((each: DeltaJob) =>
    each.baseSha256 === base && each.sha256 === release.sha256
  )!;
  assertEquals([job.state, job.failure], ["kept", null]);
  const { carriers } = (await told(test, secret)).ecus.ivi!;
  assert(carriers.every(({ format }) => format === "container"), JSON.stringify(carriers));
  assertEquals(carriers.find(({ baseSha256 }) => baseSha256)!.carrierSha256, job.carrierSha256);
});
