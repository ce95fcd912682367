import { assertEquals } from "@std/assert/mod.js";
import { concatBytes } from "shared/bytes.ts";
import { DOWNLOAD_WINDOW_MS } from "shared/limits.ts";
import { SimBackend } from "../../tests/sim/sim_backend.ts";
import { SimClock } from "../../tests/sim/sim_clock.ts";
import { imageBytes } from "../../tests/sim/sim_release.ts";
import { downloadCarrier } from "./download.ts";

const FILE = imageBytes("good", 100_000, 1);

/** Downloads in virtual time; between two pieces the taker is busy for so long. */
async function take(busyMs: number, range: { offset: number; endBytes?: number }) {
  const world = new SimClock();
  const clock = world.life();
  const backend = new SimBackend();
  backend.carriers.set("file", FILE);
  const pauses: string[] = [];
  const got: Uint8Array[] = [];
  const stream = downloadCarrier(backend.port(clock), clock, {
    carrierSha256: "file",
    lengthBytes: FILE.length,
    ...range,
    signal: new AbortController().signal,
    onPause: ({ failure }) => pauses.push(failure),
  });
  let done = false;
  const run = (async () => {
    for await (const bytes of stream) {
      got.push(bytes);
      await clock.sleep(busyMs);
    }
    done = true;
  })();
  await world.drive(() => done, 3_600_000);
  await run;
  return { bytes: concatBytes(...got), pauses, requests: backend.requests };
}

Deno.test("downloadCarrier() does not blame the line for the time its taker needs", async () => {
  const { bytes, pauses, requests } = await take(2 * DOWNLOAD_WINDOW_MS, { offset: 0 });
  assertEquals([bytes, pauses, requests.length], [FILE, [], 1]);
});

Deno.test("downloadCarrier() asks for nothing when nothing is missing", async () => {
  for (const range of [{ offset: FILE.length }, { offset: 70, endBytes: 70 }]) {
    const { bytes, requests } = await take(0, range);
    assertEquals([bytes.length, requests], [0, []]);
  }
});

Deno.test("downloadCarrier() brings exactly what lies between two places", async () => {
  const { bytes, requests } = await take(0, { offset: 30_000, endBytes: 70_001 });
  assertEquals(bytes, FILE.subarray(30_000, 70_001));
  assertEquals(requests.map(({ sentBytes }) => sentBytes), [40_001]);
});
