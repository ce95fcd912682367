/**
 * What one vehicle, or a line that is held open, may take of the server.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert/mod.js";
import { MAX_ECUS, MAX_HARDWARE_PER_VEHICLE, MAX_REPORT_SEQ } from "shared/limits.ts";
import type { Hardware } from "shared/protocol/api.ts";
import { ROUTES } from "./app.ts";
import { assertRefused, PASSWORD, TestServer, until } from "./fixture_test.ts";
import { ecuReport, OTHER_VIN, sampleBytes, vehicleReport, VIN } from "./samples_test.ts";

Deno.test("one vehicle makes only so many hardware ids known, and keeps nobody else from it", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const known = async () =>
    (await test.get<Hardware[]>("/api/v1/hardware")).filter(({ origin }) => origin === "reported");
  const ecus = (from: number) =>
    Array.from({ length: MAX_ECUS }, (_, i) => ecuReport(`e${i}`, `made-up-${from + i}`, {}));
  assertEquals((await test.report(secret, vehicleReport(1, ecus(0)))).status, 200);
  assertEquals((await known()).length, MAX_HARDWARE_PER_VEHICLE);
  await test.restart();
  assertEquals((await test.report(secret, vehicleReport(2, ecus(1000)))).status, 200, "is heard");
  assertEquals((await known()).length, MAX_HARDWARE_PER_VEHICLE);
  assertEquals(test.server.core.metrics.total("ota_hardware_ignored_total"), 1);
  const other = await test.enrol(OTHER_VIN);
  const report = vehicleReport(1, [ecuReport("a", "wheel-9", {})], null, OTHER_VIN);
  assertEquals((await test.report(other, report)).status, 200);
  assert((await known()).some(({ hardware }) => hardware === "wheel-9"));
});

Deno.test("the highest seq blocks a vehicle until it is enrolled again, and a higher one is none", async () => {
  await using test = await TestServer.start();
  const secret = await test.enrol();
  const report = (seq: number, by = secret) => test.report(by, vehicleReport(seq, []));
  await assertRefused(await report(2 ** 53 - 1), 400, "badRequest");
  await assertRefused(await report(MAX_REPORT_SEQ + 1), 400, "badRequest");
  assertEquals((await report(MAX_REPORT_SEQ)).status, 200);
  await assertRefused(await report(5), 409, "wrongState");
  const { fleet, ledger } = test.server.core;
  await fleet.status(vehicleReport(MAX_REPORT_SEQ, []));
  assertEquals(ledger.take(vehicleReport(6, [])), false);
  const fresh = await test.enrol();
  await assertRefused(await report(5), 409, "wrongState");
  assertEquals((await report(5, fresh)).status, 200);
  assertEquals(ledger.take(vehicleReport(6, [])), true);
});

Deno.test("bodies that trickle hold so many places of their address, given back with their lines", async () => {
  await using test = await TestServer.start();
  const { hostname, port } = new URL(test.http);
  const lines: Deno.Conn[] = [];
  const trickle = async () => {
    const line = await Deno.connect({ hostname, port: Number(port) });
    lines.push(line);
    const head = "POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{";
    await line.write(new TextEncoder().encode(head));
    return line;
  };
  const login = async () => {
    const answer = await test.post("/api/v1/login", { user: "admin", password: PASSWORD });
    await answer.body?.cancel();
    return answer.status;
  };
  for (let i = 0; i < 64; i++) await trickle();
  await until("every place to be taken", async () => await login() === 429);
  const refused = await (await trickle()).read(new Uint8Array(4096));
  assert(refused !== null, "one more is answered at once");
  await test.get("/api/v1/releases"); // What has no body goes on.
  for (const line of lines) line.close();
  await until("the places to be free", async () => await login() === 200);
  assertEquals(test.log.filter((line) => line.includes("Cannot answer")), []);
});

Deno.test("one vehicle has eight HTTP connections at most: the oldest give way, and no other vehicle's", async () => {
  await using test = await TestServer.start();
  const [secret, other] = [await test.enrol(), await test.enrol(OTHER_VIN)];
  const { hostname, port } = new URL(test.device);
  const buffer = new Uint8Array(4096);
  const ask = async (line: Deno.Conn, vin: string, by: string) => {
    const request = `GET /metadata/director/${vin}/targets.json HTTP/1.1\r\nHost: x\r\n` +
      `Authorization: Bearer ${by}\r\n\r\n`;
    await line.write(new TextEncoder().encode(request));
    return await line.read(buffer);
  };
  const open = async (vin = VIN, by = secret) => {
    const line = await Deno.connect({ hostname, port: Number(port) });
    assert(await ask(line, vin, by) !== null, "it is answered");
    return line;
  };
  const first = await open(OTHER_VIN, other);
  const lines = [];
  for (let i = 0; i < 12; i++) lines.push(await open());
  // A line that was cut has an end; one that stays would wait, so it is asked something.
  for (const line of lines.slice(0, 4)) {
    assertEquals(await line.read(buffer).catch(() => null), null);
  }
  for (const line of lines.slice(4)) assert(await ask(line, VIN, secret) !== null, "it stays");
  assert(await ask(first, OTHER_VIN, other) !== null, "another vehicle's stays");
  for (const line of [first, ...lines]) line.close();
});

Deno.test("every route that changes something has a bounded body, or reads none", () => {
  const reading = new Set<string>();
  for (const { method, path, body, handle } of ROUTES) {
    if (method === "GET" || path.startsWith("/api/v1/uploads/")) continue;
    const reads = /readBody|readAnyBody/.test(handle.toString());
    if (reads) reading.add(path);
    assertEquals(reads, body !== undefined, `${method} ${path}`);
  }
  assert(reading.has("/api/v1/login") && reading.has("/enrol"));
});

Deno.test("uploads at the same time are added up: the last that does not fit is refused", async () => {
  await using test = await TestServer.start();
  const { blobs } = test.server.core.ports;
  const MIB = 1024 * 1024;
  blobs.freeBytes = () => Promise.resolve(74 * MIB); // 10 MiB above the reserve.
  const { hostname, port } = new URL(test.http);
  const names = ["a", "b", "c"].map((letter) => letter.repeat(64));
  const path = (name: string) => `/api/v1/uploads/${name}`;
  const lines = [];
  for (const name of names) {
    const line = await Deno.connect({ hostname, port: Number(port) });
    lines.push(line);
    const head = `PUT ${path(name)} HTTP/1.1\r\nHost: localhost\r\n` +
      `Authorization: Bearer ${test.token}\r\nContent-Length: ${4 * MIB}\r\n\r\n0123456789`;
    await line.write(new TextEncoder().encode(head));
    if (name === names[2]) break;
    await until("it to begin", async () => {
      const answer = await test.ask(path(name), { method: "HEAD" });
      await answer.body?.cancel();
      return answer.headers.get("upload-offset") === "10";
    });
  }
  const buffer = new Uint8Array(4096);
  const count = await lines[2]!.read(buffer);
  const answer = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  assertStringIncludes(answer, "HTTP/1.1 507");
  assertStringIncludes(answer, "and what others send");
  for (const line of lines) line.close();
  // When one of them is gone, there is room again.
  await until("the lines to be let go", async () => {
    const bytes = sampleBytes(1000);
    const sent = await test.upload(bytes).then(() => true, () => false);
    return sent;
  });
  const range = { "content-range": `bytes 0-9/${9 * MIB}` };
  const put = { method: "PUT", headers: range, body: "0123456789" };
  const late = await test.ask(path("d".repeat(64)), put);
  assertEquals(late.status, 202, await late.text());
});
