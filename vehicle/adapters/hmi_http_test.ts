import { assertEquals } from "@std/assert/mod.js";
import { HmiHttp } from "./hmi_http.ts";

/** A listener with an empty page. */
async function withScreen(body: (port: number) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "hmi-" });
  await Deno.writeTextFile(`${folder}/index.html`, "<!doctype html>");
  const hmi = new HmiHttp(folder);
  try {
    await body(hmi.listen("127.0.0.1", 0));
  } finally {
    await hmi.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** The status line's number that a request gets; fetch() may not set these fields. */
async function statusOf(port: number, ...fields: readonly string[]): Promise<number> {
  using line = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = ["GET /api/events HTTP/1.1", `Host: 127.0.0.1:${port}`, ...fields, "", ""];
  await line.write(new TextEncoder().encode(head.join("\r\n")));
  const bytes = new Uint8Array(64);
  const count = await line.read(bytes);
  return Number(new TextDecoder().decode(bytes.subarray(0, count ?? 0)).split(" ")[1]);
}

Deno.test("the event stream is not opened for pages of other sites, which would hold its places", async () => {
  await withScreen(async (port) => {
    assertEquals(await statusOf(port, "Origin: http://evil.example"), 400);
    assertEquals(await statusOf(port, "Sec-Fetch-Site: cross-site"), 400);
    assertEquals(await statusOf(port, "Sec-Fetch-Site: same-site"), 400, "another port");
    assertEquals(await statusOf(port, "Sec-Fetch-Site: same-origin"), 200);
    assertEquals(await statusOf(port), 200, "curl");
  });
});
