/**
 * How long the board waits for an answer: as long as the server may work, and no longer where it
 * has nothing to do.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import { API } from "../hmi/board/adapters/api.ts";
import { PUBLISH_TIMEOUT_MS } from "shared/limits.ts";

Deno.test("the board waits for a release as long as the server may work on it, for others half a minute", async () => {
  const [fetched, timeout] = [globalThis.fetch, AbortSignal.timeout];
  const bounds: number[] = [];
  AbortSignal.timeout = (ms) => {
    bounds.push(ms);
    return new AbortController().signal;
  };
  globalThis.fetch = () => Promise.resolve(new Response("{}"));
  try {
    await API.publish({} as Parameters<typeof API.publish>[0]);
    await API.addHardware("ivi-rpi4");
  } finally {
    globalThis.fetch = fetched;
    AbortSignal.timeout = timeout;
  }
  assertEquals(bounds, [PUBLISH_TIMEOUT_MS, 30_000]);
  assertEquals(PUBLISH_TIMEOUT_MS >= 10 * 60_000, true);
});
