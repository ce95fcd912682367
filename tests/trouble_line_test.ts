/**
 * A line in trouble: each leads to patience or to a named failure, and is noticed in time.
 * Prints how long that took; no figure is asserted.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { assert, assertEquals, assertRejects } from "@std/assert/mod.js";
import { concatBytes } from "shared/bytes.ts";
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import { systemClock } from "shared/host/clock_system.ts";
import { MAX_ODD_ANSWERS } from "shared/limits.ts";
import type { VehicleReport } from "shared/protocol/messages.ts";
import type { HttpBackend } from "vehicle/adapters/backend_http.ts";
import { ServerPlaces } from "vehicle/adapters/server_places.ts";
import { downloadCarrier } from "vehicle/gateway/download.ts";
import type { Backend } from "vehicle/ports.ts";
import { ecu, firmware, JourneyWorld, VIN } from "./journey_world.ts";
import {
  type Case,
  downloadTest,
  fastClock,
  IDENTITY,
  IMAGE,
  SHA256,
  withLine,
} from "./trouble_carrier.ts";
import { type Trouble, TroubleProxy } from "./trouble_proxy.ts";

const SHORT: Trouble = { kind: "short", afterBytes: 20_000 };

const CASES: readonly Case[] = [
  { name: "404", troubles: [{ kind: "status", status: 404 }], fails: "carrierMissing" },
  {
    name: "500, then 503",
    troubles: [{ kind: "status", status: 500 }, { kind: "status", status: 503 }],
    patient: ["serverUnreachable", "serverUnreachable"],
  },
  { name: "401", troubles: [{ kind: "status", status: 401 }], patient: ["serverRefused"] },
  { name: "a short body", troubles: [SHORT], patient: ["downloadInterrupted"] },
  {
    name: "a body that stalls",
    troubles: [{ kind: "stall", afterBytes: 20_000 }],
    patient: ["downloadTooSlow"],
  },
  { name: "no answer at all", troubles: [{ kind: "silence" }], patient: ["downloadTooSlow"] },
  {
    name: "a body that drips",
    troubles: [{ kind: "drip", bytes: 40, everyMs: 20 }],
    patient: ["downloadTooSlow"],
  },
  {
    name: "an endless body each time",
    troubles: Array(MAX_ODD_ANSWERS).fill({ kind: "endless" }),
    patient: Array(MAX_ODD_ANSWERS - 1).fill("carrierLengthDiffers"),
    fails: "carrierLengthDiffers",
  },
];

for (const each of CASES) downloadTest(each);

Deno.test("download: a part is asked for by both its ends, and no more is taken, also of a whole file", async () => {
  await withLine(async (backend, proxy) => {
    const part = async (offset: number, endBytes: number) => {
      const got: Uint8Array[] = [];
      const download = { carrierSha256: SHA256, lengthBytes: IMAGE.length, offset, endBytes };
      const { signal } = new AbortController();
      const onPause = (failure: UpdateFailure) =>
        assertEquals(failure.failure, "downloadInterrupted");
      const stream = downloadCarrier(backend, fastClock(50), { ...download, signal, onPause });
      for await (const bytes of stream) got.push(bytes);
      return concatBytes(...got);
    };
    assertEquals(await part(0, 960), IMAGE.slice(0, 960));
    assertEquals(await part(960, 961), IMAGE.slice(960, 961));
    assertEquals(await part(40_000, 60_000), IMAGE.slice(40_000));
    const left: Trouble[] = [{ kind: "short", afterBytes: 100 }];
    proxy.trouble = (path) => path.startsWith("/carriers/") ? left.shift() : undefined;
    assertEquals(await part(500, 1500), IMAGE.slice(500, 1500), "a cut goes on to the same end");
    const asked = proxy.passed.filter(({ path }) => path.startsWith("/carriers/"));
    assertEquals(asked.map(({ range }) => range), [
      "bytes=0-959",
      "bytes=960-960",
      "bytes=40000-",
      "bytes=500-1499",
      "bytes=600-1499",
    ]);
    assertEquals(await wholeInstead(backend, 0, 960), IMAGE.slice(0, 960));
  });
});

/** A server may answer a range with the whole file (RFC 9110 14.2). */
async function wholeInstead(
  { targets, manifest, leafHashes, leaf }: HttpBackend,
  offset: number,
  endBytes: number,
): Promise<Uint8Array> {
  const whole: Backend = {
    targets,
    manifest,
    leafHashes,
    leaf,
    carrier: () =>
      Promise.resolve({ offset: 0, totalBytes: IMAGE.length, body: ReadableStream.from([IMAGE]) }),
  };
  const got: Uint8Array[] = [];
  const download = { carrierSha256: SHA256, lengthBytes: IMAGE.length, offset, endBytes };
  const { signal } = new AbortController();
  const stream = downloadCarrier(whole, systemClock, { ...download, signal, onPause() {} });
  for await (const bytes of stream) got.push(bytes);
  return concatBytes(...got);
}

Deno.test("targets, reports and the way to the server: silence and endless answers end in time", async () => {
  const { signal } = new AbortController();
  const targets = (backend: HttpBackend) => backend.targets(signal);
  const manifest = (backend: HttpBackend) =>
    backend.manifest({ v: 1, vin: VIN } as VehicleReport, signal);
  const cases: [string, Trouble, (backend: HttpBackend) => Promise<unknown>, FailureName][] = [
    ["targets", { kind: "silence" }, targets, "serverUnreachable"],
    ["targets", { kind: "stall", afterBytes: 9 }, targets, "serverUnreachable"],
    ["targets", { kind: "endless" }, targets, "metadataInvalid"],
    ["targets", { kind: "status", status: 500 }, targets, "serverUnreachable"],
    ["manifest", { kind: "silence" }, manifest, "serverUnreachable"],
    ["manifest", { kind: "status", status: 404 }, manifest, "carrierMissing"],
  ];
  // All at once, since they wait, each on a line of its own.
  await Promise.all(
    cases.map(([what, trouble, ask, failure]) =>
      withLine(async (backend, proxy) => {
        proxy.trouble = (path) => path.startsWith("/api/") ? undefined : trouble;
        const begunMs = performance.now();
        const error = await assertRejects(() => ask(backend), UpdateFailure);
        assertEquals([what, trouble.kind, error.failure], [what, trouble.kind, failure]);
        const seconds = ((performance.now() - begunMs) / 1000).toFixed(1);
        console.log(`    ${what}, ${trouble.kind}: ${failure} after ${seconds} s`);
      })
    ),
  );
  await withLine(async (_backend, proxy) => {
    proxy.trouble = () => ({ kind: "status", status: 500 });
    const places = new ServerPlaces(proxy.url, { ...IDENTITY, device: "http://127.0.0.1:1" });
    const { device } = await places.endpoints(signal);
    assertEquals(device, "http://127.0.0.1:1", "where it was at enrolment is tried instead");
  });
});

Deno.test("on real processes: every request meets each trouble once, and the update ends confirmed", async () => {
  await using world = new JourneyWorld([ecu("ivi", "ivi-rpi4")]);
  const proxy = world.proxy = new TroubleProxy();
  await world.start();
  const left: Record<string, Trouble[]> = {
    "/carriers/": [
      { kind: "status", status: 500 },
      SHORT,
      { kind: "stall", afterBytes: 30_000 },
    ],
    "/manifest": [{ kind: "short", afterBytes: 0 }, { kind: "silence" }, {
      kind: "status",
      status: 404,
    }],
    "/metadata/": [{ kind: "status", status: 503 }, { kind: "silence" }, { kind: "endless" }],
  };
  proxy.trouble = (path) =>
    Object.entries(left).find(([prefix]) => path.startsWith(prefix))?.[1].shift();
  const { campaign } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
  await world.watch(campaign, 0);
  assertEquals(left["/carriers/"], []);
  for (const { path, range, trouble, noticedMs } of proxy.passed) {
    if (trouble === null || trouble === "status") continue;
    const where = path.replace(/[0-9a-f]{64}/, "…");
    console.log(
      `    ${where} ${range ?? ""} ${trouble}: given up after ${
        ((noticedMs ?? 0) / 1000).toFixed(1)
      } s`,
    );
  }
});

Deno.test("on real processes: what can't be healed fails by its name, and the next release installs", async () => {
  await using world = new JourneyWorld([ecu("ivi", "ivi-rpi4")]);
  const proxy = world.proxy = new TroubleProxy();
  await world.start();
  const cases: [Trouble, FailureName][] = [
    [{ kind: "status", status: 404 }, "carrierMissing"],
    [{ kind: "endless" }, "containerDamaged"], // Its first bytes are no head: no more is taken.
    [{ kind: "header", fields: { "content-length": "5" } }, "carrierLengthDiffers"],
  ];
  for (const [index, [trouble, failure]] of cases.entries()) {
    proxy.trouble = (path) => path.startsWith("/carriers/") ? trouble : undefined;
    const bytes = new TextEncoder().encode(
      await Deno.readTextFile(firmware("ivi-1.0.0")) + `//${index}`,
    );
    await Deno.writeFile(`${world.folder}/image`, bytes);
    const begunMs = performance.now();
    const { campaign } = await world.publish(`${world.folder}/image`, "ivi-rpi4", `1.0.${index}`);
    const watched = await world.ota("watch", "--campaign", campaign, "--timeout", "60");
    assertEquals(watched.code, 1, watched.stderr);
    const { ivi } = await world.ecus();
    assertEquals([trouble.kind, ivi!.state, ivi!.failure?.name], [trouble.kind, "failed", failure]);
    console.log(
      `    ${trouble.kind}: ${failure} at the publisher after ${
        ((performance.now() - begunMs) / 1000).toFixed(1)
      } s`,
    );
  }
  proxy.trouble = () => undefined;
  const good = await world.publish(firmware("ivi-1.1.0"), "ivi-rpi4", "2.0.0");
  await world.watch(good.campaign, 0);
  assert((await world.ecus()).ivi!.version === "2.0.0");
});
