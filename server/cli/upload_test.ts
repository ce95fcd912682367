import { assert, assertEquals, assertRejects } from "@std/assert/mod.js";
import { MIB } from "shared/limits.ts";
import { type FailureName, FAILURES } from "shared/failure.ts";
import { sha256Hex } from "shared/node/digest.ts";
import { ApiClient } from "./client.ts";
import { CommandError, EXIT } from "./exit.ts";
import { Progress } from "./progress.ts";
import { digestFile, Piece, uploadFile } from "./upload.ts";

/** A file of 40 MiB: two whole pieces and a part of a third. */
const BYTES = new Uint8Array(40 * MIB).map((_, i) => i * 7 + (i >> 8));
const SHA256 = sha256Hex(BYTES);

function problem(status: number, name: FailureName): Response {
  const { code, remedy } = FAILURES[name];
  const body = { type: "x", title: name, status, detail: `Cannot: ${name}`, code, name, remedy };
  return Response.json(body, { status, headers: { "content-type": "application/problem+json" } });
}

/** The upload route as the contract says it, with faults on demand. */
class Route {
  readonly #file = new Uint8Array(BYTES.length);
  offset = 0;
  requests: string[] = [];
  /** Answers instead of the route, once each. */
  faults: Response[] = [];

  readonly handle = async (request: Request): Promise<Response> => {
    assertEquals(new URL(request.url).pathname, `/api/v1/uploads/${SHA256}`);
    assertEquals(request.headers.get("authorization"), "Bearer secret");
    if (request.method === "HEAD") {
      this.requests.push("HEAD");
      if (this.offset === 0) return new Response(null, { status: 404 });
      const headers = { "upload-offset": `${this.offset}`, "upload-length": `${BYTES.length}` };
      return new Response(null, { headers });
    }
    const range = request.headers.get("content-range")!;
    this.requests.push(range.split("/")[0]!.slice(6));
    const fault = this.faults.shift();
    if (fault !== undefined) {
      await request.body?.cancel();
      return fault;
    }
    try {
      for await (const piece of request.body!) {
        this.#file.set(piece, this.offset);
        this.offset += piece.length;
      }
    } catch {
      return problem(400, "badRequest"); // The line broke: nobody reads this.
    }
    if (this.offset < BYTES.length) return new Response("{}", { status: 202 });
    assertEquals(sha256Hex(this.#file), SHA256);
    return new Response("{}", { status: 200 });
  };
}

/** A line to the server that breaks when so many bytes have gone over it in all. */
function brokenLine(port: number, breaks: number[]): { port: number; close(): Promise<void> } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let moved = 0;
  const mayPass = (bytes: number) => {
    moved += bytes;
    if (breaks.length === 0 || moved < breaks[0]!) return true;
    breaks.shift();
    return false;
  };
  const relays = (async () => {
    const open: Promise<void>[] = [];
    for await (const near of listener) open.push(relay(near, port, mayPass));
    await Promise.all(open);
  })();
  const close = async () => {
    listener.close();
    await relays;
  };
  return { port: (listener.addr as Deno.NetAddr).port, close };
}

async function relay(
  near: Deno.TcpConn,
  port: number,
  mayPass: (bytes: number) => boolean,
): Promise<void> {
  const far = await Deno.connect({ hostname: "127.0.0.1", port });
  const copy = async (from: Deno.Conn, to: Deno.Conn, counted: boolean) => {
    const buffer = new Uint8Array(65536);
    try {
      for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
        if (counted && !mayPass(n)) break;
        for (let rest = buffer.subarray(0, n); rest.length > 0;) {
          rest = rest.subarray(await to.write(rest));
        }
      }
    } catch {
      // One side closed while the other was served: both are closed below.
    }
    for (const conn of [from, to]) close(conn);
  };
  const close = (conn: Deno.Conn) => {
    try {
      conn.close();
    } catch {
      // The other direction closed it.
    }
  };
  await Promise.all([copy(near, far, true), copy(far, near, false)]);
}

interface Outcome {
  readonly path: string;
  readonly route: Route;
  readonly notes: string[];
  readonly pauses: number[];
  readonly last: () => number;
  readonly run: () => Promise<void>;
}

async function withRoute(
  test: (outcome: Outcome) => Promise<void>,
  breaks: number[] = [],
): Promise<void> {
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, BYTES);
  const route = new Route();
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
  const server = Deno.serve(options, route.handle);
  const line = brokenLine(server.addr.port, breaks);
  const client = new ApiClient(`http://127.0.0.1:${line.port}`, "secret");
  const [notes, pauses]: [string[], number[]] = [[], []];
  let last = 0;
  const progress = new Progress({
    ...{ label: "Up", totalBytes: BYTES.length, terminal: false, now: () => 0 },
    write: () => {},
  });
  const update = progress.update.bind(progress);
  progress.update = (done) => update(last = done);
  try {
    await test({
      ...{ path, route, notes, pauses, last: () => last },
      run: () =>
        uploadFile(client, { path, sha256: SHA256, lengthBytes: BYTES.length }, {
          progress,
          note: (text) => notes.push(text),
          sleep: (ms) => Promise.resolve(void pauses.push(ms)),
        }),
    });
  } finally {
    await server.shutdown();
    await line.close();
    await Deno.remove(path);
  }
}

const PIECES = ["0-16777215", "16777216-33554431", "33554432-41943039"];

Deno.test("digestFile() tells digest and length", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, BYTES.subarray(0, 3 * MIB + 5));
  const quiet = new Progress({
    ...{ label: "", totalBytes: 1, terminal: false, now: () => 0, write: () => {} },
  });
  const sha256 = sha256Hex(BYTES.subarray(0, 3 * MIB + 5));
  assertEquals(await digestFile(path, quiet), { sha256, lengthBytes: 3 * MIB + 5 });
  await Deno.remove(path);
});

Deno.test("uploadFile() asks first, then sends pieces of 16 MiB", async () => {
  await withRoute(async ({ route, run, last, notes }) => {
    await run();
    assertEquals(route.requests, ["HEAD", ...PIECES]);
    assertEquals([last(), notes.length], [BYTES.length, 0]);
  });
});

Deno.test("uploadFile() sends nothing that the server has", async () => {
  await withRoute(async ({ route, run, last }) => {
    route.offset = BYTES.length;
    await run();
    assertEquals([route.requests, last()], [["HEAD"], BYTES.length]);
  });
});

Deno.test("uploadFile() waits and goes on where the server stands, when another one sends", async () => {
  await withRoute(async ({ route, run, notes, pauses }) => {
    route.faults = [problem(409, "uploadBusy"), problem(409, "uploadOffsetDiffers")];
    await run();
    assertEquals(route.requests, ["HEAD", PIECES[0]!, "HEAD", PIECES[0]!, "HEAD", ...PIECES]);
    assertEquals([notes.length, pauses], [2, [500, 1000]]);
  });
});

Deno.test("uploadFile() gives up when nothing moves, after pauses that grow", async () => {
  await withRoute(async ({ route, run, pauses }) => {
    route.faults = Array.from({ length: 20 }, () => problem(409, "uploadBusy"));
    const error = await assertRejects(run, CommandError);
    assertEquals([error.exit, error.facts.name], [EXIT.refused, "uploadBusy"]);
    assertEquals(pauses, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  });
});

Deno.test("uploadFile() does not repeat what is refused", async () => {
  await withRoute(async ({ route, run, pauses }) => {
    route.faults = [problem(422, "uploadDigestDiffers")];
    const error = await assertRejects(run, CommandError, "uploadDigestDiffers");
    assertEquals([error.exit, pauses.length], [EXIT.refused, 0]);
  });
});

Deno.test("uploadFile() goes on from what arrived when the line breaks", async () => {
  await withRoute(async ({ route, run, notes, pauses }) => {
    await run();
    assert(route.requests.length > 5, route.requests.join(" "));
    const offsets = route.requests.filter((line) => line !== "HEAD").map(parseFloat);
    assertEquals(offsets, offsets.toSorted((a, b) => a - b)); // Never back to the beginning.
    assert(offsets.some((offset) => offset % (16 * MIB) !== 0), "resumed inside a piece");
    assertEquals(route.offset, BYTES.length);
    assert(notes.length >= 2 && pauses.every((ms) => ms === 500), notes.join("; "));
  }, [10 * MIB, 25 * MIB]);
});

Deno.test("uploadFile() tells that the server went away, after all attempts", async () => {
  await withRoute(async ({ run, pauses }) => {
    const error = await assertRejects(run, CommandError, "Cannot reach");
    assertEquals([error.exit, pauses.length], [EXIT.unreachable, 8]);
  }, Array.from({ length: 20 }, () => 0));
});

Deno.test("uploadFile() says so when the file became shorter meanwhile", async () => {
  await withRoute(async ({ run, path }) => {
    await Deno.truncate(path, 5 * MIB);
    await assertRejects(run, RangeError, "became shorter");
  });
});

Deno.test("a piece that is canceled while the file is read has no fault, and leaves nothing open", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, BYTES);
  for (let i = 0; i < 6; i++) {
    const piece = new Piece(path, 0, BYTES.length, () => {});
    const reader = piece.stream.getReader();
    if (i % 2 === 0) await reader.read(); // Then the file is open already.
    const pending = reader.read();
    await Promise.resolve(); // A stream pulls only after it has started.
    await reader.cancel();
    await pending;
    await new Promise((resolve) => setTimeout(resolve, 100));
    assertEquals(piece.fault, undefined);
  }
  await Deno.remove(path);
});
