import { assertEquals, assertRejects } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import { enrol } from "./identity_file.ts";
import { ServerPlaces } from "./server_places.ts";

const VIN = "WVWZZZ1JZXW000001";

/** A server whose answers never end, and how many bytes were taken of them. */
async function withEndlessServer(
  body: (url: string, given: () => number) => Promise<void>,
): Promise<void> {
  let given = 0;
  const chunk = new Uint8Array(64 * 1024).fill(0x20);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            given += chunk.length;
            if (given > 64 * 2 ** 20) controller.error(new Error("enough"));
            else controller.enqueue(chunk);
          },
        }),
      ),
  );
  try {
    await body(`http://127.0.0.1:${server.addr.port}`, () => given);
  } finally {
    await server.shutdown();
  }
}

Deno.test("an answer without an end is not read to the end when the server is looked for", async () => {
  await withEndlessServer(async (url, given) => {
    const last = { v: 1, device: "http://127.0.0.1:1", broker: "mqtt://127.0.0.1:1" } as const;
    const places = new ServerPlaces(url, last);
    assertEquals(await places.endpoints(new AbortController().signal), last);
    assertEquals(given() < 32 * 2 ** 20, true, `${given()} bytes were taken`);
  });
});

Deno.test("an answer without an end is no identity", async () => {
  await withEndlessServer(async (url, given) => {
    const asked = enrol("/nonexistent/identity.json", { server: url, vin: VIN, token: "t" });
    await assertRejects(() => asked, UpdateFailure, "more than");
    assertEquals(given() < 32 * 2 ** 20, true, `${given()} bytes were taken`);
  });
});
