/**
 * Heads of containers that are not what the Director and the offer say: refused before a byte is
 * written, and the full container brings the image.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import { concatBytes, fromHex } from "shared/bytes.ts";
import type { FailureName } from "shared/failure.ts";
import { sha256Hex } from "shared/node/digest.ts";
import { carrierOf, container, type SimCarrier, SMALL } from "./sim_container.ts";
import {
  BASE,
  BASE_SHA256,
  DELTA,
  ends,
  fetched,
  FULL_SHA256,
  IMAGE,
  onBase,
  SHA256,
  told,
  withDelta,
} from "./sim_delta.ts";
import type { SimDelta } from "./sim_release.ts";

/** Makes the head of a container say something else; its own digest is right again. */
function changed(one: SimCarrier, change: (head: Uint8Array, view: DataView) => void): SimDelta {
  const bytes = one.bytes.slice();
  change(bytes, new DataView(bytes.buffer));
  const end = 160 + 2 * 48;
  bytes.set(fromHex(sha256Hex(bytes.subarray(0, end))), end);
  return { bytes, carrier: carrierOf(bytes, SHA256, BASE_SHA256) };
}

const OTHER = IMAGE.slice();
OTHER[5000]! ^= 1;
const as = (one: SimCarrier): SimDelta => ({
  bytes: one.bytes,
  carrier: carrierOf(one.bytes, SHA256, BASE_SHA256),
});
const filled = (bytes: Uint8Array): SimDelta => ({
  bytes,
  carrier: carrierOf(bytes, SHA256, BASE_SHA256),
});

/** What it is, what is told, how many requests it is worth. */
const HEADS: readonly (readonly [string, SimDelta, FailureName, number])[] = [
  [
    "what is no container at all",
    filled(new TextEncoder().encode("this is no container, whatever the metadata says")),
    "containerDamaged",
    2,
  ],
  [
    "a container that is cut off in its head",
    filled(DELTA.bytes.slice(0, 300)),
    "carrierLengthDiffers",
    1,
  ],
  [
    "a container that is cut off in its payloads",
    filled(DELTA.bytes.slice(0, -1)),
    "carrierLengthDiffers",
    1,
  ],
  [
    "a container with bytes behind its payloads",
    filled(concatBytes(DELTA.bytes, new Uint8Array(1))),
    "carrierLengthDiffers",
    1,
  ],
  [
    "a container of another image",
    as(container(OTHER, SMALL, BASE)),
    "deltaResultDiffers",
    1,
  ],
  [
    "a container of a longer image",
    as(container(concatBytes(IMAGE, Uint8Array.of(1)), SMALL, BASE)),
    "deltaResultDiffers",
    1,
  ],
  [
    "a container of an image of 2 ** 52 bytes",
    changed(DELTA, (_, view) => view.setBigUint64(16, 2n ** 52n, true)),
    "containerDamaged",
    2,
  ],
  [
    "a container of the right root and another digest",
    changed(DELTA, (head) => head[40]! ^= 1),
    "deltaResultDiffers",
    1,
  ],
  [
    "a container whose root is not the one of its leaves",
    changed(DELTA, (head) => head[70]! ^= 1),
    "containerDamaged",
    2,
  ],
  [
    "a container from another base than the offer says",
    as(container(IMAGE, SMALL, BASE.with(300, 7))),
    "deltaBaseDiffers",
    1,
  ],
  [
    "a container with a base of which the offer says nothing",
    { bytes: DELTA.bytes, carrier: carrierOf(DELTA.bytes, SHA256) },
    "deltaBaseDiffers",
    1,
  ],
  [
    "a container of another geometry",
    as(container(IMAGE, { leafBytes: 1024, segmentBytes: 1024 }, BASE)),
    "deltaResultDiffers",
    1,
  ],
  ["a container of version 2", changed(DELTA, (head) => head[8] = 2), "containerTooNew", 1],
  [
    "a head that never ends",
    changed(DELTA, (_, view) => view.setBigUint64(160 + 8, 2n ** 40n, true)),
    "containerDamaged",
    2,
  ],
  [
    "a head longer than its file",
    changed(DELTA, (_, view) => view.setBigUint64(160 + 8, 2n ** 20n, true)),
    "carrierLengthDiffers",
    1,
  ],
];
for (const [words, one, failure, requests] of HEADS) {
  Deno.test(`${words} is told as ${failure}, writes nothing, and goes over to the full container`, async () => {
    const vehicle = await onBase();
    const { body } = withDelta(one);
    // Some of these files are larger than the full one, and would be asked for after it.
    const carrier = { ...one.carrier, lengthBytes: one.bytes.length };
    const deltas = [{ ...one, carrier }];
    vehicle.offer("c3", { body: { ...body, deltas } });
    const { slot } = vehicle.ecu("body").inventory().running!;
    const disk = vehicle.disksOf("body")[slot === "A" ? "B" : "A"];
    const begun = disk.operations;
    await vehicle.until(
      () => fetched(vehicle).includes(FULL_SHA256),
      "the full container is asked for",
    );
    const before = disk.operations;
    await ends(vehicle);
    assertEquals(fetched(vehicle), [
      ...Array(requests).fill(one.carrier.carrierSha256),
      FULL_SHA256,
    ]);
    assertEquals(told(vehicle, failure), requests);
    assertEquals([before, disk.operations > begun], [begun, true]);
    assertEquals(vehicle.backend.requests.at(-1)!.offset, 0, "no segment was kept");
  });
}
