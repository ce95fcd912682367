/**
 * Vehicles that lie about what they run: what a forged report can cost the maker of deltas.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import { MAX_BASES_PER_VEHICLE, MAX_DELTAS } from "shared/limits.ts";
import { ecuReport, OTHER_VIN, sampleBytes, vehicleReport, VIN } from "../samples_test.ts";
import { FRESH, ivi, OLD, published, world } from "./delta_world_test.ts";

Deno.test("a vehicle that says it runs an image of other hardware, or none at all, causes no delta from it", async () => {
  const { test, maker, secret } = await world();
  await using _ = test;
  const old = await published(test, "1.0.0", OLD);
  const foreign = await test.upload(sampleBytes(300_000, 5));
  await test.publish("cluster-sim", "1.0.0", { sha256: foreign });
  const unreleased = await test.upload(sampleBytes(300_000, 6));
  const claims = [foreign, unreleased, "ab".repeat(32), old].map((sha256, i) =>
    ecuReport(`ivi${i}`, "ivi-rpi4", { sha256, counter: 1, version: "1.0.0" })
  );
  assertEquals((await test.report(secret, vehicleReport(1, claims))).status, 200);
  await test.server.core.deltas.idle();
  const before = maker.asked.length;
  const fresh = await published(test, "1.1.0", FRESH);
  assertEquals(maker.asked.slice(before), [[fresh, null], [fresh, old], [fresh, null]]);
});

Deno.test("one vehicle with many ECUs is no fleet: what most vehicles run comes first", async () => {
  const { test, secret } = await world();
  await using _ = test;
  const rare = await published(test, "1.0.0", OLD);
  const common = await published(test, "1.1.0", FRESH);
  const many = Array.from(
    { length: 20 },
    (_, i) =>
      ecuReport(`ivi${i}`, "ivi-rpi4", { sha256: rare, counter: 2 ** 31, version: "1.0.0" }),
  );
  assertEquals((await test.report(secret, vehicleReport(1, many))).status, 200);
  for (const vin of [OTHER_VIN, `${VIN.slice(0, -1)}3`]) {
    const report = vehicleReport(1, [ivi(common, 2, "1.1.0")], null, vin);
    assertEquals((await test.report(await test.enrol(vin), report)).status, 200);
  }
  const bases = await test.server.core.ports.records.read((tables) =>
    tables.basesInField("ivi-rpi4", { limit: MAX_DELTAS, each: MAX_BASES_PER_VEHICLE })
  );
  assertEquals(bases.map(({ sha256 }) => sha256), [common, rare]);
});
