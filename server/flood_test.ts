/**
 * Floods by somebody who has the secret of one vehicle, or none: they may cost themselves, and
 * nobody else.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import type { BlobFile } from "./ports.ts";
import { assertRefused, PASSWORD, TestServer, until } from "./fixture_test.ts";
import { TestVehicle } from "./mqtt_client_test.ts";
import { sampleBytes, VIN } from "./samples_test.ts";

Deno.test("pipelined requests that are never read leave no file open", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const sha256 = await test.upload(sampleBytes(3_000_000));
  await test.publish("ivi-rpi4", "1.0.0", { sha256 });
  const open = new Set<BlobFile>();
  const { blobs } = test.server.core.ports;
  const really = blobs.open.bind(blobs);
  blobs.open = async (name) => {
    const file = await really(name);
    const close = file.close.bind(file);
    open.add(file);
    file.close = () => {
      open.delete(file);
      close();
    };
    return file;
  };
  const { hostname, port } = new URL(test.device);
  for (const requests of [4, 200]) {
    using line = await Deno.connect({ hostname, port: Number(port) });
    const request =
      `GET /carriers/${sha256} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}` +
      "\r\n\r\n";
    await line.write(new TextEncoder().encode(request.repeat(requests)));
    if (requests === 4) await until("some files to be open", () => open.size >= 2);
    else await line.readable.pipeTo(new WritableStream()).catch(() => {}); // It is cut.
  }
  await until("all files to be closed", () => open.size === 0);
  const answer = await test.asVehicle(secret, `/carriers/${sha256}`);
  assertEquals((await answer.bytes()).length, 3_000_000, "others go on");
});

Deno.test("connections of one vehicle that come all at once are bounded like others", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const vehicles = (await Promise.allSettled(
    Array.from({ length: 40 }, (_, i) => TestVehicle.connect(test, secret, { clientId: `c${i}` })),
  )).flatMap((each) => each.status === "fulfilled" ? [each.value] : []);
  await until("the rest to be cut", () => vehicles.filter((each) => each.closed === 0).length <= 8);
  assert(vehicles.some((each) => each.closed === 0), "some stay");
  for (const vehicle of vehicles) await vehicle[Symbol.asyncDispose]();
});

/** One MQTT packet by hand: a client of a library would release what it sent. */
function packet(head: number, ...parts: readonly (string | readonly number[])[]): Uint8Array {
  const body = parts.flatMap((part) => {
    if (typeof part !== "string") return part;
    const bytes = new TextEncoder().encode(part);
    return [bytes.length >> 8, bytes.length & 0xff, ...bytes];
  });
  return Uint8Array.of(head, body.length, ...body); // Below 128 bytes, as all of these are.
}

Deno.test("messages of QoS 2 that are never released end the connection", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const { hostname, port } = new URL(test.server.urls.mqtt);
  using line = await Deno.connect({ hostname, port: Number(port) });
  await line.write(packet(0x10, "MQTT", [4, 0xC2, 0, 30], "c", VIN, secret));
  await line.read(new Uint8Array(4));
  for (let id = 1; id <= 40; id++) {
    const event = packet(0x34, `ota/v1/vehicle/${VIN}/event`, [0, id], [0x7B, 0x7D]);
    await line.write(event).catch(() => undefined); // It may be cut by now.
  }
  const answers = await new Response(line.readable).bytes().catch(() => new Uint8Array(0));
  assert(answers.length / 4 <= 16, `${answers.length / 4} were taken`);
});

Deno.test("a flood of logins by made-up names is turned away, and does not queue up", async () => {
  await using test = await TestServer.start();
  const login = (user: string) =>
    fetch(`${test.http}/api/v1/login`, {
      method: "POST",
      body: JSON.stringify({ user, password: PASSWORD }),
    });
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => login(`nobody${i}`)));
  const refused = answers.filter(({ status }) => status === 429);
  assertEquals(refused.length, 36, "four are checked at a time");
  for (const answer of answers) {
    if (answer.status !== 429) await answer.body?.cancel();
    else await assertRefused(answer, 429, "tooManyAttempts");
  }
  const after = await login("admin");
  assertEquals(after.status, 200, "the operator gets in as soon as a place is free");
  await after.body?.cancel();
});

Deno.test("an upload that is dropped while it is sent gives no fault of the server", async () => {
  await using test = await TestServer.start();
  const path = `/api/v1/uploads/${"e".repeat(64)}`;
  const put = (range: string, body: string) =>
    test.ask(path, { method: "PUT", headers: { "content-range": range }, body });
  for (let i = 0; i < 40; i++) {
    const answers = [
      await put("bytes 0-4/10", "01234"),
      ...await Promise.all([test.ask(path, { method: "DELETE" }), put("bytes 5-9/10", "56789")]),
    ];
    for (const answer of answers) {
      assert(answer.status < 500, `${answer.status} ${await answer.clone().text()}`);
      await answer.body?.cancel();
    }
  }
});

Deno.test("a body that breaks off is no fault of the server", async () => {
  await using test = await TestServer.start();
  const { hostname, port } = new URL(test.http);
  {
    using line = await Deno.connect({ hostname, port: Number(port) });
    const head = "POST /api/v1/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n{";
    await line.write(new TextEncoder().encode(head));
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  assertEquals(test.log.filter((line) => line.includes("Cannot answer")), []);
});
