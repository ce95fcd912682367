/**
 * Carriers that the server makes by itself: when, in which order, and for whom. A maker that
 * obeys stands in for the encoder, which has tests of its own.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { MIB } from "shared/limits.ts";
import { sha256Hex } from "shared/node/digest.ts";
import type { Campaign, DeltaJob } from "shared/protocol/api.ts";
import type { Carrier } from "shared/protocol/common.ts";
import { until } from "../fixture_test.ts";
import { ecuReport, OTHER_VIN, sampleBytes, vehicleReport, VIN } from "../samples_test.ts";
import {
  apply,
  diskBytes,
  edited,
  FRESH,
  ivi,
  jobs,
  LATER,
  OLD,
  published,
  told,
  world,
} from "./delta_world_test.ts";

Deno.test("a release can be fetched at once as a container, and only the head of it takes room", async () => {
  const { test, maker, secret } = await world();
  await using _ = test;
  maker.gate = new Promise(() => {});
  const image = new Uint8Array(4 * MIB + 70_000);
  image.set(sampleBytes(MIB, 3), MIB); // Zeros around, and a last segment that is not whole.
  image.set(sampleBytes(70_000, 4), 4 * MIB);
  const { sha256 } = await test.publish("ivi-rpi4", "1.0.0", { sha256: await test.upload(image) });
  await test.report(secret, vehicleReport(1, [ivi(null, null)]));
  const { carriers, release } = (await told(test, secret)).ecus.ivi!;
  const [carrier] = carriers as [Carrier];
  assertEquals(carriers.map(({ format, baseSha256 }) => [format, baseSha256]), [
    ["container", undefined],
  ]);
  assert(carrier.lengthBytes < MIB + 70_000 + 8_000, "zeros do not travel");
  const whole = await apply(test, secret, { carrier, root: release.merkle.root, base: null });
  assertEquals(sha256Hex(whole), sha256);

  const path = `/carriers/${carrier.carrierSha256}`;
  const file = new Uint8Array(await (await test.asVehicle(secret, path)).arrayBuffer());
  const headBytes = file.length - MIB - 70_000;
  const etag = `"${carrier.carrierSha256}"`;
  for (
    const [from, to] of [
      [0, 0],
      [headBytes - 3, headBytes + 3],
      [headBytes + MIB - 5, headBytes + MIB + 5],
      [headBytes + 12_345, file.length - 1],
      [file.length - 1, file.length - 1],
    ] as const
  ) {
    const headers = { range: `bytes=${from}-${to}`, "if-range": etag };
    const answer = await test.asVehicle(secret, path, { headers });
    assertEquals(answer.status, 206);
    assertEquals(answer.headers.get("etag"), etag);
    assertEquals(answer.headers.get("content-range"), `bytes ${from}-${to}/${file.length}`);
    assertEquals(new Uint8Array(await answer.arrayBuffer()), file.slice(from, to + 1));
  }
  assertEquals(diskBytes(test) - image.length, headBytes, "the head is all that was stored");
});

Deno.test("publishing makes the compressed image, then deltas from what vehicles run, and tells of them", async () => {
  const { test, maker, secret } = await world();
  await using _ = test;
  const old = await published(test, "1.0.0", OLD);
  await test.report(secret, vehicleReport(1, [ivi(old, 1)]));
  const fresh = await published(test, "1.1.0", FRESH);
  assertEquals(
    maker.asked,
    [
      ...[[old, null], [old, null]] as const,
      ...[[fresh, null], [fresh, old], [fresh, null]] as const,
    ].map(([sha256, base]) => [sha256, base] as [string, string | null]),
  );
  const [best, delta, full] = await jobs(test) as [DeltaJob, DeltaJob, DeltaJob];
  assertEquals([full.effort, delta.effort, best.effort], ["fast", "best", "best"]);
  assertEquals([full.state, full.reason, full.baseSha256], ["dropped", "larger", null]);
  assertEquals([delta.state, delta.baseSha256, delta.doneBytes], ["kept", old, FRESH.length]);
  assertEquals(delta.fullBytes! > FRESH.length && delta.lengthBytes! < 2 * MIB, true);

  const target = (await told(test, secret)).ecus.ivi!;
  const carrier = target.carriers.find(({ baseSha256 }) => baseSha256 === old)!;
  assertEquals([carrier.carrierSha256, carrier.format], [delta.carrierSha256!, "container"]);
  const { root } = target.release.merkle;
  assertEquals(await apply(test, secret, { carrier, root, base: OLD }), FRESH);
  const saved = test.server.core.metrics.total("ota_delta_saved_bytes_total");
  assertEquals(saved, delta.fullBytes! - delta.lengthBytes!);

  const announced = await test.server.core.ports.records.read((tables) => tables.carriersOf(fresh));
  assertEquals(announced.filter(({ baseSha256 }) => baseSha256 === old).length, 1);
  const other = await test.enrol(OTHER_VIN);
  await test.report(other, vehicleReport(1, [ivi(null, null)], null, OTHER_VIN));
  const without = (await told(test, other, OTHER_VIN)).ecus.ivi!.carriers;
  assert(without.every(({ baseSha256 }) => baseSha256 === undefined), "it has no such base");

  const again = await published(test, "1.2.0", FRESH);
  assertEquals([again, maker.asked.length], [fresh, 5], "the same image has its carriers");
});

Deno.test("a vehicle is held while its delta is made, and one that cannot use it is not", async () => {
  const { test, maker, secret } = await world();
  await using _ = test;
  const old = await published(test, "1.0.0", OLD);
  await test.report(secret, vehicleReport(1, [ivi(old, 1)]));
  const other = await test.enrol(OTHER_VIN);
  await test.report(other, vehicleReport(1, [ivi(null, null)], null, OTHER_VIN));
  const gate = Promise.withResolvers<void>();
  maker.gate = gate.promise;
  const sha256 = await test.upload(FRESH);
  const { campaign } = await test.publish("ivi-rpi4", "1.1.0", { sha256 });
  assertEquals((await told(test, other, OTHER_VIN)).campaign, campaign, "it runs nothing");
  assertEquals((await told(test, secret)).campaign, null);
  const held = async () => {
    const { vehicles } = await test.get<Campaign>(`/api/v1/campaigns/${campaign}`);
    return vehicles.find(({ vin }) => vin === VIN);
  };
  const row = await held();
  assertEquals(row?.state, "assigned");
  assert(Date.parse(row!.heldUntil!) > Date.now(), row!.heldUntil);
  gate.resolve();
  await test.server.core.deltas.idle();
  await until("the vehicle to be told", async () => (await held())?.heldUntil === undefined);
  const now = await told(test, secret);
  assertEquals(now.campaign, campaign);
  assert(now.ecus.ivi!.carriers.some(({ baseSha256 }) => baseSha256 === old));
});

Deno.test("two releases at once share the maker: the first carriers of each come before later ones", async () => {
  const { test, maker, secret } = await world();
  await using _ = test;
  const first = await published(test, "1.0.0", OLD);
  const second = await published(test, "1.1.0", LATER);
  await test.publish("cluster-sim", "1.0.0", { sha256: first });
  await test.report(
    secret,
    vehicleReport(1, [ivi(first, 1), ecuReport("cluster", "cluster-sim", { sha256: first })]),
  );
  await test.server.core.deltas.idle();
  const before = maker.asked.length;
  const gate = Promise.withResolvers<void>();
  maker.gate = gate.promise;
  const [a, b] = [edited(OLD, 5), edited(OLD, 6)];
  const [A, B] = await Promise.all([test.upload(a), test.upload(b)]);
  await Promise.all([
    test.publish("ivi-rpi4", "2.0.0", { sha256: A }),
    test.publish("cluster-sim", "2.0.0", { sha256: B }),
  ]);
  gate.resolve();
  await test.server.core.deltas.idle();
  const asked = maker.asked.slice(before).map(([sha256, base]) =>
    [
      sha256 === A ? "A" : "B",
      base === null ? "full" : base === first ? "first" : base === second ? "second" : base,
    ].join(" ")
  );
  assertEquals(asked.slice(0, 2).toSorted(), ["A full", "B full"]);
  assertEquals(asked.slice(2, 4).toSorted(), ["A first", "B first"], "what runs comes first");
  assertEquals(asked[4], "A second", "then what came before");
  assertEquals(asked.slice(5).toSorted(), ["A full", "B full"], "for which nobody waits");
  await Promise.all(
    [published(test, "3.0.0", OLD), published(test, "3.1.0", OLD)].map((made) =>
      made.catch(() => undefined)
    ),
  );
});

Deno.test("a delta comes before the better compression of a release that waits longer", async () => {
  const { test, maker, secret } = await world();
  await using _ = test;
  const old = await published(test, "1.0.0", OLD);
  await test.report(secret, vehicleReport(1, [ivi(old, 1)]));
  const before = maker.asked.length;
  const gate = Promise.withResolvers<void>();
  maker.gate = gate.promise;
  const other = edited(OLD, 5);
  const hurry = await test.upload(other);
  await test.publish("cluster-sim", "1.0.0", { sha256: hurry });
  await test.publish("ivi-rpi4", "1.1.0", { sha256: await test.upload(FRESH) });
  gate.resolve();
  await test.server.core.deltas.idle();
  const fresh = sha256Hex(FRESH);
  assertEquals(maker.asked.slice(before), [
    ...[[hurry, null], [fresh, null], [fresh, old]] as [string, string | null][],
    ...[[hurry, null], [fresh, null]] as [string, null][],
  ]);
});
