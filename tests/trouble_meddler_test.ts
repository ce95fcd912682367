/**
 * A proxy that meddles with answers: whatever it does, the vehicle is patient or fails by name
 * within a bound, and never installs other bytes.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { assertEquals } from "@std/assert/mod.js";
import type { FailureName } from "shared/failure.ts";
import { MAX_ODD_ANSWERS } from "shared/limits.ts";
import { ecu, firmware, JourneyWorld } from "./journey_world.ts";
import { downloads, IMAGE } from "./trouble_carrier.ts";
import { type Trouble, TroubleProxy } from "./trouble_proxy.ts";

const ALL = IMAGE.length;
const SHORT: Trouble = { kind: "short", afterBytes: 20_000 };
const header = (fields: Record<string, string | null>, status?: number): Trouble => ({
  ...{ kind: "header", fields },
  ...(status === undefined ? {} : { status }),
});
const range = (text: string | null) => header({ "content-range": text });

/** What a line may do to the second request, which goes on at byte 20,000. */
const MEDDLING: readonly [name: string, trouble: Trouble, odd?: FailureName][] = [
  ["the whole file when a range was asked for", { kind: "noRange" }],
  [
    "a range that begins elsewhere",
    range(`bytes 0-${ALL - 1}/${ALL}`),
    "carrierLengthDiffers",
  ],
  ["status 200 over a part", header({}, 200), "carrierLengthDiffers"],
  ["an earlier range", { kind: "otherRange", from: 7000 }, "carrierLengthDiffers"],
  ["a later range", { kind: "otherRange", from: 50_000 }, "carrierLengthDiffers"],
  [
    "a Content-Range of another length",
    range(`bytes 20000-${ALL - 1}/70000`),
    "carrierLengthDiffers",
  ],
  ["a Content-Range that is none", range("lines 1-2"), "carrierLengthDiffers"],
  ["no Content-Range", range(null), "carrierLengthDiffers"],
  ["a Content-Range without the length", range(`bytes 20000-${ALL - 1}/*`)],
  ["no Content-Length", header({ "content-length": null })],
  ["a Content-Length that is too short", header({ "content-length": "1000" })],
  ["a Content-Length that is too long", header({ "content-length": "50000" })],
  ["a Content-Length that is none", header({ "content-length": "many" })],
  ["a packed body", { kind: "gzip" }, "carrierDigestDiffers"],
  ["a body said to be packed", header({ "content-encoding": "gzip" }), "carrierDigestDiffers"],
  [
    "a body said to be packed as nobody does",
    header({ "content-encoding": "rot13" }),
    "carrierDigestDiffers",
  ],
  ["an ETag of another file", header({ etag: '"another"' }), "carrierDigestDiffers"],
  ["no ETag", header({ etag: null })],
  ["an empty answer", header({ "content-length": "0" }, 204), "carrierLengthDiffers"],
  ["a redirect elsewhere", header({ location: "http://127.0.0.1:1/" }, 302)],
  ["an answer to a condition", header({}, 304)],
];

/** Requests that are meddled with: what is not odd is waited out for as long as it takes. */
const LONG = 8;

for (const [name, trouble, odd] of MEDDLING) {
  Deno.test(`meddling once: ${name} does no harm`, async () => {
    const paused = await downloads({ troubles: [SHORT, trouble] });
    assertEquals(paused[0], "downloadInterrupted");
    if (odd !== undefined) assertEquals(paused[1], odd);
  });
  const end = odd === undefined ? "is waited out" : `ends as ${odd}`;
  Deno.test(`meddling without end: ${name} ${end}`, async () => {
    const times = odd === undefined ? LONG : MAX_ODD_ANSWERS;
    const troubles = [SHORT, ...Array(times).fill(trouble)];
    await downloads({ troubles, ...(odd === undefined ? { some: true } : { fails: odd }) });
  });
}

Deno.test("on real processes: a line that swaps bytes and ranges again and again installs the right image in the end", async () => {
  await using world = new JourneyWorld([ecu("ivi", "ivi-rpi4")]);
  const proxy = world.proxy = new TroubleProxy();
  await world.start();
  const left: Trouble[] = [
    { kind: "otherBytes" }, // Found by reading the slot back; fetched anew.
    SHORT,
    { kind: "otherRange", from: 3 },
    { kind: "header", fields: { etag: '"another"' } },
    { kind: "gzip" },
    { kind: "otherBytes" },
    SHORT,
    { kind: "noRange" },
  ];
  proxy.trouble = (path) => path.startsWith("/carriers/") ? left.shift() : undefined;
  const begunMs = performance.now();
  const { campaign, sha256 } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
  await world.watch(campaign, 0);
  assertEquals(left, []);
  assertEquals((await world.ecus()).ivi!.sha256, sha256);
  console.log(`    confirmed after ${((performance.now() - begunMs) / 1000).toFixed(1)} s`);
});

Deno.test("on real processes: a line that always swaps bytes fails as containerDamaged, and the next release installs", async () => {
  await using world = new JourneyWorld([ecu("ivi", "ivi-rpi4")]);
  const proxy = world.proxy = new TroubleProxy();
  await world.start();
  proxy.trouble = (path) => path.startsWith("/carriers/") ? { kind: "otherBytes" } : undefined;
  const begunMs = performance.now();
  const { campaign } = await world.publish(firmware("ivi-1.0.0"), "ivi-rpi4", "1.0.0");
  const watched = await world.ota("watch", "--campaign", campaign, "--timeout", "60");
  assertEquals(watched.code, 1, watched.stderr);
  const { ivi } = await world.ecus();
  assertEquals([ivi!.state, ivi!.failure?.name], ["failed", "containerDamaged"]);
  console.log(`    told after ${((performance.now() - begunMs) / 1000).toFixed(1)} s`);
  proxy.trouble = () => undefined;
  const good = await world.publish(firmware("ivi-1.1.0"), "ivi-rpi4", "2.0.0");
  await world.watch(good.campaign, 0);
  assertEquals((await world.ecus()).ivi!.version, "2.0.0");
});
