import { assert, assertEquals, assertStringIncludes } from "@std/assert/mod.js";
import { sha256Hex } from "shared/node/digest.ts";
import { assertRefused, TestServer, until } from "../fixture_test.ts";
import { sampleBytes } from "../samples_test.ts";

const BYTES = sampleBytes(300_000);
const SHA = sha256Hex(BYTES);
const PATH = `/api/v1/uploads/${SHA}`;

function piece(
  test: TestServer,
  from: number,
  to: number,
  options: { bytes?: Uint8Array<ArrayBuffer>; total?: number; path?: string } = {},
): Promise<Response> {
  const { bytes = BYTES, total = BYTES.length, path = PATH } = options;
  return test.ask(path, {
    method: "PUT",
    body: bytes.slice(from, to),
    headers: { "content-range": `bytes ${from}-${to - 1}/${total}` },
  });
}

async function offset(test: TestServer, path = PATH): Promise<number | null> {
  const answer = await test.ask(path, { method: "HEAD" });
  return answer.status === 404 ? null : Number(answer.headers.get("upload-offset"));
}

/** Files that are neither whole nor an upload that may go on. */
function leftovers(test: TestServer): string[] {
  return [...Deno.readDirSync(`${test.config.data}/uploads`)].map(({ name }) => name);
}

/** A PUT on a socket of our own: headers say one thing, and the line is cut after `sent` bytes. */
async function cutPut(test: TestServer, from: number, sent: number): Promise<void> {
  const { hostname, port } = new URL(test.http);
  const socket = await Deno.connect({ hostname, port: Number(port) });
  const head = `PUT ${PATH} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n` +
    `Authorization: Bearer ${test.token}\r\nContent-Length: ${BYTES.length - from}\r\n` +
    `Content-Range: bytes ${from}-${BYTES.length - 1}/${BYTES.length}\r\n\r\n`;
  await socket.write(new TextEncoder().encode(head));
  for (let at = from; at < from + sent;) at += await socket.write(BYTES.subarray(at, from + sent));
  await until("the bytes to arrive", async () => (await offset(test)) === from + sent);
  socket.close();
}

Deno.test("an upload in one piece is proved, kept, and answered as complete from then on", async () => {
  await using test = await TestServer.start();
  assertEquals(await offset(test), null);
  const answer = await test.ask(PATH, { method: "PUT", body: BYTES });
  assertEquals([answer.status, answer.headers.get("etag")], [200, `"${SHA}"`]);
  const complete = { sha256: SHA, offset: 300_000, lengthBytes: 300_000, complete: true };
  assertEquals(await answer.json(), complete);
  assertEquals(await test.get(PATH), complete);
  assertEquals(await offset(test), 300_000);
  assertEquals(await (await piece(test, 0, 10)).json(), complete);
  const kept = `${test.config.data}/blobs/${SHA.slice(0, 2)}/${SHA}`;
  assertEquals(sha256Hex(await Deno.readFile(kept)), SHA);
  assertEquals(leftovers(test), []);
});

Deno.test("an upload in pieces goes on where it was, also after a restart of the server", async () => {
  await using test = await TestServer.start();
  const first = await piece(test, 0, 100_000);
  assertEquals([first.status, (await first.json()).complete], [202, false]);
  await test.restart();
  assertEquals(await offset(test), 100_000);
  assertEquals((await (await piece(test, 100_000, 200_000)).json()).offset, 200_000);
  const last = await piece(test, 200_000, 300_000);
  assertEquals([last.status, (await last.json()).complete], [200, true]);
});

Deno.test("a line that is cut keeps what arrived, and the upload goes on from there", async () => {
  await using test = await TestServer.start();
  await cutPut(test, 0, 70_000);
  // The server may need a moment to notice: until then the upload is busy.
  let answer = await piece(test, 70_000, 300_000);
  for (; answer.status === 409; answer = await piece(test, 70_000, 300_000)) {
    await assertRefused(answer, 409, "uploadBusy");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assertEquals((await answer.json()).complete, true);
});

Deno.test("a whole upload begins anew over what a cut one left", async () => {
  await using test = await TestServer.start();
  await (await piece(test, 0, 100_000)).body?.cancel();
  const answer = await test.ask(PATH, { method: "PUT", body: BYTES });
  assertEquals((await answer.json()).complete, true);
});

Deno.test("wrong bytes are refused with uploadDigestDiffers, and nothing of them is kept", async () => {
  await using test = await TestServer.start();
  const wrong = BYTES.slice();
  wrong[299_999]! ^= 1;
  for (
    const send of [
      () => test.ask(PATH, { method: "PUT", body: wrong }),
      async () => {
        await (await piece(test, 0, 100_000)).body?.cancel();
        return await piece(test, 100_000, 300_000, { bytes: wrong });
      },
    ]
  ) {
    const problem = await assertRefused(await send(), 422, "uploadDigestDiffers");
    assertStringIncludes(problem.detail, sha256Hex(wrong));
    assertEquals([await offset(test), leftovers(test)], [null, []]);
  }
  assertEquals(await test.upload(BYTES), SHA);
});

Deno.test("pieces of two files that are mixed up are refused at the end, not kept", async () => {
  await using test = await TestServer.start();
  const other = sampleBytes(300_000, 7);
  await (await piece(test, 0, 100_000)).body?.cancel();
  await (await piece(test, 100_000, 200_000, { bytes: other })).body?.cancel();
  await assertRefused(await piece(test, 200_000, 300_000), 422, "uploadDigestDiffers");
  assertEquals(leftovers(test), []);
});

Deno.test("a piece at the wrong place is refused, tells the offset, and changes nothing", async () => {
  await using test = await TestServer.start();
  await (await piece(test, 0, 100_000)).body?.cancel();
  for (const from of [0, 50_000, 200_000]) {
    const answer = await piece(test, from, 300_000);
    assertEquals(answer.headers.get("upload-offset"), "100000");
    await assertRefused(answer, 409, "uploadOffsetDiffers");
  }
  assertEquals(await offset(test), 100_000);
  const longer = await piece(test, 100_000, 200_000, { total: 400_000 });
  await assertRefused(longer, 409, "uploadLengthDiffers");
  assertEquals(await offset(test), 100_000);
});

Deno.test("an empty file is refused with uploadEmpty, however it is sent", async () => {
  await using test = await TestServer.start();
  const path = `/api/v1/uploads/${sha256Hex(new Uint8Array(0))}`;
  await assertRefused(await test.ask(path, { method: "PUT", body: "" }), 422, "uploadEmpty");
  const headers = { "content-range": "bytes 0-0/0" };
  await assertRefused(await test.ask(path, { method: "PUT", headers }), 422, "uploadEmpty");
  assertEquals(leftovers(test), []);
});

Deno.test("a file above the largest image is refused before a byte of it is read", async () => {
  await using test = await TestServer.start();
  const answer = await piece(test, 0, 10, { total: 17 * 1024 ** 3 });
  await assertRefused(answer, 413, "requestTooLarge");
  assertEquals(leftovers(test), []);
});

Deno.test("a file that the medium has no room for is refused with storeFull", async () => {
  await using test = await TestServer.start();
  const { blobs } = test.server.core.ports;
  blobs.freeBytes = () => Promise.resolve(1000);
  await assertRefused(await piece(test, 0, 10), 507, "storeFull");
  assertEquals(leftovers(test), []);
});

Deno.test("a second writer is refused with uploadBusy while the first one sends", async () => {
  await using test = await TestServer.start();
  let go: () => void = () => {};
  const slow = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(BYTES.subarray(0, 100_000));
      await new Promise<void>((resolve) => go = resolve);
      controller.enqueue(BYTES.subarray(100_000));
      controller.close();
    },
  });
  const headers = { "content-range": `bytes 0-299999/300000` };
  const first = test.ask(PATH, { method: "PUT", body: slow, headers });
  await until("the first piece", async () => (await offset(test)) === 100_000);
  await assertRefused(await piece(test, 100_000, 300_000), 409, "uploadBusy");
  await assertRefused(await test.ask(PATH, { method: "DELETE" }), 409, "uploadBusy");
  go();
  assertEquals((await (await first).json()).complete, true);
});

Deno.test("a body longer than its piece is refused, and nothing of the request is kept", async () => {
  await using test = await TestServer.start();
  const stream = new Blob([BYTES]).stream();
  const headers = { "content-range": "bytes 0-99999/300000" };
  const answer = await test.ask(PATH, { method: "PUT", body: stream, headers });
  await assertRefused(answer, 409, "uploadLengthDiffers");
  assertEquals(await offset(test), 0);
  const short = new Blob([BYTES.subarray(0, 5)]).stream();
  const cut = await test.ask(PATH, { method: "PUT", body: short, headers });
  await assertRefused(cut, 409, "uploadIncomplete");
  assertEquals(await offset(test), 5);
});

Deno.test("an upload can be given up, and a bad name never reaches the disk", async () => {
  await using test = await TestServer.start();
  await (await piece(test, 0, 10)).body?.cancel();
  assertEquals((await test.ask(PATH, { method: "DELETE" })).status, 204);
  await assertRefused(await test.ask(PATH, { method: "DELETE" }), 404, "notFound");
  const names = [
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e",
    SHA.toUpperCase(),
    SHA.slice(1),
    `${SHA}%00`,
    `${SHA}.part`,
    "%252e%252e%252f",
    "con",
  ];
  for (const name of names) {
    for (const method of ["GET", "PUT", "DELETE"]) {
      const body = method === "PUT" ? "x" : null;
      const answer = await test.ask(`/api/v1/uploads/${name}`, { method, body });
      assert([400, 404].includes(answer.status), `${method} ${name}: ${answer.status}`);
      await answer.body?.cancel();
    }
  }
  assertEquals(leftovers(test), []);
});

Deno.test("a server that died between the last byte and its proof finishes when asked", async () => {
  await using test = await TestServer.start();
  await Deno.writeFile(`${test.config.data}/uploads/${SHA}.300000.part`, BYTES);
  assertEquals(await offset(test), 300_000);
  assertEquals((await test.get<{ complete: boolean }>(PATH)).complete, true);
  const other = sha256Hex(sampleBytes(10));
  await Deno.writeFile(`${test.config.data}/uploads/${other}.300000.part`, BYTES);
  assertEquals(await offset(test, `/api/v1/uploads/${other}`), null);
  assertEquals(leftovers(test), []);
});

Deno.test("a start removes uploads that nobody touched for a week, and results in the making", async () => {
  await using test = await TestServer.start();
  const folder = `${test.config.data}/uploads`;
  await Deno.writeFile(`${folder}/${SHA}.300000.part`, BYTES.subarray(0, 5));
  const old = `${folder}/${"a".repeat(64)}.9.part`;
  await Deno.writeFile(old, BYTES.subarray(0, 5));
  const weekAgo = new Date(Date.now() - 8 * 24 * 3600_000);
  await Deno.utime(old, weekAgo, weekAgo);
  await Deno.writeFile(`${folder}/3.tmp`, BYTES);
  await test.restart();
  assertEquals(leftovers(test), [`${SHA}.300000.part`]);
  assertEquals(await offset(test), 5);
});
