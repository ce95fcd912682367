import { assert, assertEquals, assertRejects } from "@std/assert/mod.js";
import { Aedes } from "aedes";
import { type AddressInfo, createServer } from "node:net";
import type { IClientOptions } from "mqtt";
import type { Campaign, Vehicle } from "shared/protocol/api.ts";
import type { Announcement, Desired, EcuReport } from "shared/protocol/messages.ts";
import { announceTopic, SERVER_STATUS_TOPIC, vehicleTopic } from "shared/protocol/topics.ts";
import { TestServer, until } from "./fixture_test.ts";
import { TestVehicle } from "./mqtt_client_test.ts";
import { ecuReport, OTHER_VIN, sampleBytes, vehicleReport, VIN } from "./samples_test.ts";

function dropped(test: TestServer): number {
  return test.server.core.metrics.total("ota_mqtt_dropped_total");
}

function ivi(more: Partial<EcuReport>): EcuReport {
  return ecuReport("ivi", "ivi-rpi4", more);
}

Deno.test("the announcement is retained, also after a restart of the server, on the kept port", async () => {
  await using test = await TestServer.start();
  const sha256 = await test.upload(sampleBytes(1000));
  await test.publish("ivi-rpi4", "1.0.0", { sha256 });
  await test.publish("ivi-rpi4", "1.1.0", { sha256 });
  await test.publish("ivi-rpi4", "1.2.0", { sha256, draft: true });
  const secret = await test.enrol();
  const urls = test.server.urls;
  for (let round = 0; round < 2; round++) {
    await using vehicle = await TestVehicle.connect(test, secret);
    await vehicle.client.subscribeAsync(["ota/v1/announce/#", SERVER_STATUS_TOPIC], { qos: 1 });
    await until("the announcement", () => vehicle.heard.length >= 2);
    const announced = vehicle.heard.find(({ topic }) => topic === announceTopic("ivi-rpi4"))!;
    assertEquals([announced.retain, announced.qos], [true, 1]);
    const expected: Announcement = {
      ...{ v: 1, hardware: "ivi-rpi4", version: "1.1.0", counter: 2, type: "full" },
      ...{ deltasFrom: [], lengthBytes: 1000, sha256 },
    };
    assertEquals(JSON.parse(announced.text), expected);
    assertEquals(vehicle.last<{ state: string }>(SERVER_STATUS_TOPIC)?.state, "running");
    if (round === 0) {
      await test.restart();
      assertEquals(test.server.urls, urls);
    }
  }
});

Deno.test("QoS 2 announcements when configured", async () => {
  await using test = await TestServer.start({ qos: 2 });
  await test.publish("ivi-rpi4", "1.0.0", { sha256: await test.upload(sampleBytes(10)) });
  await using vehicle = await TestVehicle.connect(test, await test.enrol());
  await vehicle.client.subscribeAsync("ota/v1/announce/#", { qos: 2 });
  await until("the announcement", () => vehicle.heard.length > 0);
  assertEquals(vehicle.heard[0]!.qos, 2);
});

Deno.test("wrong name, wrong secret, foreign will: refused at the door", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const otherSecret = await test.enrol(OTHER_VIN);
  const attempts: IClientOptions[] = [
    { password: "wrong" },
    { password: otherSecret },
    { username: "admin", password: "x" },
    { username: "" },
    { username: "+" },
    { username: OTHER_VIN },
    {
      will: {
        topic: vehicleTopic(OTHER_VIN, "conn"),
        payload: "offline" as never,
        qos: 1,
        retain: true,
      },
    },
    { will: { topic: announceTopic("ivi-rpi4"), payload: "{}" as never, qos: 1, retain: true } },
    { keepalive: 0 },
    { keepalive: 301 },
  ];
  for (const attempt of attempts) {
    await assertRejects(() => TestVehicle.connect(test, secret, attempt), Error);
  }
  await using vehicle = await TestVehicle.connect(test, secret);
  assert(vehicle.client.connected);
});

Deno.test("a vehicle reads its own topics, announcements and the server, and nothing else", async () => {
  await using test = await TestServer.start();
  await using vehicle = await TestVehicle.connect(test, await test.enrol());
  const own = [`ota/v1/vehicle/${VIN}/#`, "ota/v1/announce/+", SERVER_STATUS_TOPIC];
  await vehicle.client.subscribeAsync(own);
  const foreign = [
    "#",
    "ota/#",
    "ota/v1/vehicle/+/desired",
    `ota/v1/vehicle/${OTHER_VIN}/#`,
    "$SYS/#",
  ];
  for (const filter of foreign) {
    await assertRejects(
      () => vehicle.client.subscribeAsync(filter),
      Error,
      "Subscribe error",
      filter,
    );
  }
  await using other = await TestVehicle.connect(test, await test.enrol(OTHER_VIN), {
    username: OTHER_VIN,
  });
  await other.publish(vehicleTopic(OTHER_VIN, "status"), "{}", true);
  await other.publish(vehicleTopic(OTHER_VIN, "conn"), "online", true);
  assertEquals(vehicle.heard.filter(({ topic }) => topic.includes(OTHER_VIN)), []);
  assertEquals(vehicle.closed, 0);
});

Deno.test("a refused publish is dropped and counted, and the line stays", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  await using vehicle = await TestVehicle.connect(test, secret);
  await using other = await TestVehicle.connect(test, await test.enrol(OTHER_VIN), {
    username: OTHER_VIN,
  });
  await other.client.subscribeAsync([`ota/v1/vehicle/${OTHER_VIN}/#`, "ota/v1/announce/#"]);
  const before = dropped(test);
  const foreign = [
    vehicleTopic(OTHER_VIN, "status"),
    vehicleTopic(VIN, "desired"),
    announceTopic("ivi-rpi4"),
    SERVER_STATUS_TOPIC,
    "$SYS/x",
    "x",
  ];
  for (const topic of foreign) await vehicle.publish(topic, "forged", true);
  assertEquals(dropped(test) - before, foreign.length);
  await vehicle.publish(vehicleTopic(VIN, "status"), "x".repeat(129 * 1024));
  await vehicle.publish(vehicleTopic(VIN, "conn"), "online", true);
  assertEquals(vehicle.closed, 0);
  assertEquals(other.heard.filter(({ text }) => text === "forged"), []);
  await using late = await TestVehicle.connect(test, secret);
  await late.client.subscribeAsync("ota/v1/announce/#");
  assertEquals(
    late.heard.filter(({ text }) => text === "forged"),
    [],
    "nothing forged is retained",
  );
});

Deno.test("a packet that is too large ends its own line only, before and after CONNECT", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  await using vehicle = await TestVehicle.connect(test, secret);
  await using witness = await TestVehicle.connect(test, secret);
  vehicle.client.publish(vehicleTopic(VIN, "status"), "x".repeat(200 * 1024), { qos: 1 });
  await until("the line to be cut", () => vehicle.closed > 0);
  const { hostname, port } = new URL(test.server.urls.mqtt);
  const socket = await Deno.connect({ hostname, port: Number(port) });
  // CONNECT that announces 200 MB.
  await socket.write(Uint8Array.of(0x10, 0x80, 0x80, 0x80, 0x64));
  assertEquals(await socket.read(new Uint8Array(10)).catch(() => null), null);
  socket.close();
  assertEquals(witness.closed, 0);
  const status = vehicleReport(1, [ivi({ state: "ready" })]);
  const padded = { ...status, padding: "y".repeat(120 * 1024) };
  await witness.publish(vehicleTopic(VIN, "status"), padded, true); // Large, and allowed.
  await until("the large status", async () => (await shown(test)).ecus.length === 1);
});

async function shown(test: TestServer): Promise<Vehicle> {
  return await test.get<Vehicle>(`/api/v1/vehicles/${VIN}`);
}

Deno.test("nobody can take over another's connection, and one vehicle has eight at most", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const otherSecret = await test.enrol(OTHER_VIN);
  await using first = await TestVehicle.connect(test, secret, { clientId: "gateway" });
  await using _ = await TestVehicle.connect(test, otherSecret, {
    username: OTHER_VIN,
    clientId: "gateway",
  });
  await using __ = await TestVehicle.connect(test, otherSecret, {
    username: OTHER_VIN,
    clientId: `${VIN}/gateway`,
  });
  await using stack = new AsyncDisposableStack();
  for (let i = 0; i < 7; i++) {
    stack.use(await TestVehicle.connect(test, secret, { clientId: `c${i}` }));
  }
  assertEquals(first.closed, 0);
  await assertRejects(() => TestVehicle.connect(test, secret, { clientId: "ninth" }), Error);
});

Deno.test("status shows progress live, states reach the campaign, lies and old news do not", async () => {
  await using test = await TestServer.start();
  const sha256 = await test.upload(sampleBytes(1000));
  await test.publish("ivi-rpi4", "1.0.0", { sha256 });
  const secret = await test.enrol();
  await using vehicle = await TestVehicle.connect(test, secret);
  await vehicle.client.subscribeAsync(`ota/v1/vehicle/${VIN}/desired`, { qos: 1 });
  await (await test.report(secret, vehicleReport(1, [ivi({})]))).body?.cancel();
  const desired = () => vehicle.last<Desired>(vehicleTopic(VIN, "desired"));
  await until("desired", () => desired()?.campaign === "c1");
  const progress = { doneBytes: 500, totalBytes: 1000, via: "full" as const };
  const say = (seq: number, more: Partial<EcuReport>) =>
    vehicle.publish(vehicleTopic(VIN, "status"), vehicleReport(seq, [ivi(more)], "c1"), true);
  await say(5, { state: "downloading", progress });
  await until("progress", async () => (await shown(test)).ecus[0]?.progress?.doneBytes === 500);
  assertEquals((await shown(test)).ecus[0]!.state, "downloading");
  const campaign = () => test.get<Campaign>("/api/v1/campaigns/c1");
  await until("campaign", async () => (await campaign()).vehicles[0]?.state === "downloading");

  await say(4, { state: "failed" });
  await say(6, { state: "confirmed", version: "1.0.0", counter: 1, sha256 });
  await until(
    "the claim to be read",
    async () => (await campaign()).vehicles[0]?.state === "trial",
  );
  assertEquals((await campaign()).state, "running");
  assertEquals((await shown(test)).ecus[0]!.state !== "confirmed", true);

  // On trial, told by a manifest; then an older word comes late by MQTT. It may not undo the trial,
  // nor may the digest on trial pass for a confirmed one.
  const trial = { state: "trial" as const, version: "1.0.0", counter: 1, sha256 };
  const borrowed = { ...ivi(trial), slots: ivi({}).slots };
  await (await test.report(secret, vehicleReport(8, [borrowed], "c1"))).body?.cancel();
  await say(7, { state: "ready" });
  const unreadable = dropped(test); // Messages are taken in order: what comes after it was taken.
  await vehicle.publish(vehicleTopic(VIN, "status"), "{");
  await until("the late word to be read", () => dropped(test) > unreadable);
  assertEquals((await campaign()).vehicles[0]!.state, "trial");

  const before = dropped(test);
  const topic = vehicleTopic(VIN, "status");
  await vehicle.publish(topic, vehicleReport(9, [ivi({ state: "failed" })], "c1", OTHER_VIN));
  await vehicle.publish(topic, "{");
  await vehicle.publish(topic, { ...vehicleReport(9, []), v: 2 });
  await vehicle.publish(vehicleTopic(VIN, "conn"), "flying");
  await vehicle.publish(vehicleTopic(VIN, "event"), { v: 1, id: "no" });
  await until("five drops", () => dropped(test) - before >= 4);
  assertEquals((await campaign()).vehicles[0]!.state, "trial");
  assertEquals(vehicle.closed, 0);
});

Deno.test("events are kept once; conn, will and a silent line tell whether a vehicle is online", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  assertEquals((await shown(test)).conn, "never");
  const will = {
    topic: vehicleTopic(VIN, "conn"),
    payload: "offline" as never,
    qos: 1,
    retain: true,
  };
  const vehicle = await TestVehicle.connect(test, secret, { will: will as never });
  await until("online", async () => (await shown(test)).online);
  const event = {
    v: 1,
    id: "0123-abcd",
    seq: 1,
    at: new Date().toISOString(),
    ecu: "ivi",
    state: "ready",
  };
  for (let i = 0; i < 3; i++) await vehicle.publish(vehicleTopic(VIN, "event"), event, true);
  const events = () => test.get<unknown[]>(`/api/v1/vehicles/${VIN}/events`);
  await until("the event", async () => (await events()).length > 0);
  assertEquals(await events(), [event]);
  await vehicle.publish(vehicleTopic(VIN, "conn"), "rebooting", true);
  await until("rebooting", async () => (await shown(test)).conn === "rebooting");
  await vehicle.client.endAsync(); // A clean end: the will is not sent.
  assertEquals((await shown(test)).conn, "rebooting");
  const again = await TestVehicle.connect(test, secret, { will: will as never });
  await until("online again", async () => (await shown(test)).online);
  again.client.stream.destroy();
  await until("offline", async () => (await shown(test)).conn === "offline");
  await again.client.endAsync(true);
  await test.restart();
  const { conn, lastSeenAt } = await shown(test);
  assertEquals([conn, lastSeenAt !== null], ["offline", true]);
});

Deno.test("a vehicle that is enrolled again is cut off when its new secret is used", async () => {
  await using test = await TestServer.start();
  const old = await test.enrol();
  await using before = await TestVehicle.connect(test, old);
  const fresh = await test.enrol();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(before.closed, 0);
  await using after = await TestVehicle.connect(test, fresh);
  await until("the old line to be cut", () => before.closed > 0);
  await assertRejects(() => TestVehicle.connect(test, old), Error);
  assertEquals(after.client.connected || after.closed > 0, true);
});

Deno.test("another broker instead of the embedded one: announced to, and listened to", async () => {
  const broker = await Aedes.createBroker();
  const server = createServer((socket) => void broker.handle(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  {
    const url = `mqtt://server:hidden@127.0.0.1:${port}`;
    await using test = await TestServer.start({ broker: { url } });
    assertEquals(test.server.urls.mqtt, `mqtt://127.0.0.1:${port}`, "without user and password");
    await until("the line", () => test.server.core.ready);
    await test.publish("ivi-rpi4", "1.0.0", { sha256: await test.upload(sampleBytes(10)) });
    const secret = await test.enrol();
    await using vehicle = await TestVehicle.connect(test, secret);
    await vehicle.client.subscribeAsync(["ota/v1/announce/#", SERVER_STATUS_TOPIC]);
    const announced = () => vehicle.last<Announcement>(announceTopic("ivi-rpi4"))?.version;
    await until("the announcement", () => announced() === "1.0.0");
    await vehicle.publish(vehicleTopic(VIN, "conn"), "online", true);
    await until("online", async () => (await shown(test)).online);
    await vehicle.publish(vehicleTopic(VIN, "status"), vehicleReport(1, [ivi({ state: "ready" })]));
    await until("the status", async () => (await shown(test)).ecus[0]?.state === "ready");
    await test.server.core.close();
    const status = () => vehicle.last<{ state: string }>(SERVER_STATUS_TOPIC)?.state;
    await until("stopping", () => status() === "stopping");
  }
  await new Promise<void>((resolve) => broker.close(resolve));
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
