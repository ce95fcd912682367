/**
 * An announcement names only what can be fetched when it is heard.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import { sha256Hex } from "shared/node/digest.ts";
import type { Announcement } from "shared/protocol/messages.ts";
import { announceTopic } from "shared/protocol/topics.ts";
import vector from "../../tests/vectors/bsdiff40.json" with { type: "json" };
import { childDeltaMaker } from "../adapters/delta_maker.ts";
import { TestServer, until } from "../fixture_test.ts";
import { TestVehicle } from "../mqtt_client_test.ts";
import type { DeltaMaker } from "../ports_delta.ts";
import { type Bytes, edited, PROSE, published, world } from "../release/delta_world_test.ts";

const TOPIC = announceTopic("ivi-rpi4");

/** Hears what is announced from now on, and what is retained. */
async function listen(test: TestServer): Promise<TestVehicle> {
  const vehicle = await TestVehicle.connect(test, await test.enrol());
  await vehicle.client.subscribeAsync(TOPIC, { qos: 1 });
  return vehicle;
}

Deno.test("a BSDIFF40 patch is announced as a delta when the container made of it is there, not before", async () => {
  const gate = Promise.withResolvers<void>();
  const gated = (folder: string): DeltaMaker => {
    const maker = childDeltaMaker(folder);
    const canceled = ({ signal }: { signal: AbortSignal }) =>
      new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    return {
      make: async (task, options) => {
        await Promise.race([gate.promise, canceled(options)]);
        return await maker.make(task, options);
      },
    };
  };
  await using test = await TestServer.start({}, gated);
  const [old, patch] = [vector.base, vector.patch].map((text) =>
    Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  ) as [Bytes, Bytes];
  await test.publish("ivi-rpi4", "1.0.0", { sha256: await test.upload(old) });
  const patchSha256 = await test.upload(patch);
  await test.publish("ivi-rpi4", "1.1.0", { patchSha256, deltaFrom: "1.0.0" });
  await using vehicle = await listen(test);
  const heard = () => vehicle.last<Announcement>(TOPIC);
  await until("the announcement", () => heard()?.version === "1.1.0");
  assertEquals([heard()!.type, heard()!.deltasFrom], ["full", []]);
  gate.resolve();
  await until("the delta to be announced", () => heard()?.type === "delta");
  assertEquals(heard()!.deltasFrom, [sha256Hex(old)]);
  await test.server.core.deltas.idle();
});

Deno.test("a delta that a better full carrier makes useless is no longer announced", async () => {
  const { test, maker } = await world();
  await using _ = test;
  const old = await published(test, "1.0.0", PROSE);
  const gate = Promise.withResolvers<void>();
  maker.gates.push(undefined, undefined, gate.promise);
  maker.packs.set("best", 4);
  await test.publish("ivi-rpi4", "1.1.0", { sha256: await test.upload(edited(PROSE, 7)) });
  await using vehicle = await listen(test);
  const heard = () => vehicle.last<Announcement>(TOPIC);
  await until("the delta to be announced", () => heard()?.type === "delta");
  assertEquals(heard()!.deltasFrom, [old]);
  gate.resolve();
  await until("it to be taken back", () => heard()?.type === "full");
  assertEquals(heard()!.deltasFrom, []);
  await test.server.core.deltas.idle();
});
