/**
 * One carrier behind a line in trouble: real sockets, and a clock that makes waits short.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { assertEquals, assertRejects } from "@std/assert/mod.js";
import { concatBytes } from "shared/bytes.ts";
import type { Clock } from "shared/clock.ts";
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import { systemClock } from "shared/host/clock_system.ts";
import { sha256Hex } from "shared/node/digest.ts";
import { HttpBackend } from "vehicle/adapters/backend_http.ts";
import { ServerPlaces } from "vehicle/adapters/server_places.ts";
import { downloadCarrier } from "vehicle/gateway/download.ts";
import { VIN } from "./journey_world.ts";
import { type Trouble, TroubleProxy } from "./trouble_proxy.ts";

/** The machine's clock, so many times as fast: a stall of 15 s is noticed in 0.3 s. */
export function fastClock(times: number): Clock {
  return {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic() * times,
    sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
  };
}

/** The carrier. */
export const IMAGE = crypto.getRandomValues(new Uint8Array(60_000));
/** Its digest. */
export const SHA256 = sha256Hex(IMAGE);
/** Whose it is. */
export const IDENTITY = {
  v: 1,
  vin: VIN,
  secret: "s".repeat(43),
  broker: "mqtt://127.0.0.1:1",
} as const;

/** A server with one carrier, behind a line in trouble. */
export async function withLine<T>(
  work: (backend: HttpBackend, proxy: TroubleProxy) => Promise<T>,
): Promise<T> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname, origin: url } = new URL(request.url);
    if (pathname === "/api/v1/endpoints") {
      return Response.json({ v: 1, device: url, broker: IDENTITY.broker });
    }
    const headers = { etag: `"${SHA256}"` };
    const asked = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
    if (asked === null) return new Response(IMAGE, { headers });
    const [from, last] = [Number(asked[1]), Number(asked[2] || IMAGE.length - 1)];
    return new Response(IMAGE.slice(from, last + 1), {
      status: 206,
      headers: { ...headers, "content-range": `bytes ${from}-${last}/${IMAGE.length}` },
    });
  });
  try {
    await using proxy = new TroubleProxy();
    proxy.server = `http://127.0.0.1:${server.addr.port}`;
    const places = new ServerPlaces(proxy.url, { ...IDENTITY, device: proxy.url });
    return await work(new HttpBackend({ ...IDENTITY, device: proxy.url }, places), proxy);
  } finally {
    await server.shutdown();
  }
}

/** What a line does, and what comes of it. */
export interface Case {
  readonly name: string;
  /** What is done to the first answers for the carrier; those after them are good. */
  readonly troubles: readonly Trouble[];
  /** What is waited out on the way. */
  readonly patient?: readonly FailureName[];
  /** The failure at the end; none: the image arrives. */
  readonly fails?: FailureName;
}

/**
 * Makes the test of one case.
 *
 * @param each The case.
 */
export function downloadTest(each: Case): void {
  const end = each.fails === undefined ? "is waited out" : `ends as ${each.fails}`;
  Deno.test(`download: ${each.name} ${end}`, async () => {
    assertEquals(await downloads(each), [...each.patient ?? []]);
  });
}

/**
 * Downloads the carrier through the troubles of one case, and checks how that ends.
 *
 * @param each The case.
 * @returns What was waited out on the way.
 */
export function downloads(
  { troubles, fails, some }: Omit<Case, "name" | "patient"> & {
    /** The carrier may arrive before every trouble was met. */
    readonly some?: boolean;
  },
): Promise<FailureName[]> {
  return withLine(async (backend, proxy) => {
    const clock = fastClock(50);
    const left = [...troubles];
    proxy.trouble = (path) => path.startsWith("/carriers/") ? left.shift() : undefined;
    const got: Uint8Array[] = [];
    const paused: FailureName[] = [];
    const begunMs = clock.monotonic();
    const noticed: string[] = [];
    const stream = downloadCarrier(backend, clock, {
      carrierSha256: SHA256,
      lengthBytes: IMAGE.length,
      offset: 0,
      signal: new AbortController().signal,
      onPause(failure) {
        paused.push(failure.failure);
        const seconds = ((clock.monotonic() - begunMs) / 1000).toFixed(1);
        noticed.push(`${failure.failure} at ${seconds} s`);
      },
    });
    const run = async () => {
      for await (const bytes of stream) got.push(bytes.slice());
    };
    if (fails === undefined) await run();
    else assertEquals((await assertRejects(run, UpdateFailure)).failure, fails);
    if (fails === undefined) assertEquals(sha256Hex(concatBytes(...got)), SHA256);
    if (some !== true) assertEquals(left.length, 0, "every trouble was met");
    const seconds = ((clock.monotonic() - begunMs) / 1000).toFixed(1);
    console.log(`    noticed: ${[...noticed, `${fails ?? "arrived"} at ${seconds} s`].join(", ")}`);
    return paused;
  });
}
