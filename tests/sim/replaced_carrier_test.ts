/**
 * A full carrier that was made in a hurry is removed, a day after a better one took its place,
 * while a slow vehicle still fetches it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { constants } from "node:zlib";
import { OPERATION } from "shared/delta/container_format.ts";
import { encodeBrotli } from "shared/node/codecs_encode.ts";
import { joined, SMALL } from "./sim_container.ts";
import { asked, ends, from, FULL, IMAGE, onBase, withDelta } from "./sim_delta.ts";

/** The image once more, each segment compressed: the cheapest way for a vehicle without its base. */
const HURRIED = joined(IMAGE, SMALL, {
  made: Array.from({ length: Math.ceil(IMAGE.length / SMALL.segmentBytes) }, (_, i) => {
    const bytes = IMAGE.subarray(i * SMALL.segmentBytes, (i + 1) * SMALL.segmentBytes);
    const payload = encodeBrotli(bytes, { [constants.BROTLI_PARAM_QUALITY]: 9 });
    return { operation: OPERATION.brotli, payload };
  }),
});

Deno.test("a full carrier that is removed in mid-download: the vehicle goes on by itself with another one, where it was", async () => {
  assert(HURRIED.bytes.length < FULL.bytes.length, "it is the cheaper one");
  const name = HURRIED.carrier.carrierSha256;
  for (const segment of [1, 3]) {
    const vehicle = await onBase();
    const afterBytes = HURRIED.offsets[segment]! + 3;
    vehicle.backend.fault(name, { kind: "cut", afterBytes }, {
      kind: "refuses",
      failure: "carrierMissing",
    });
    vehicle.offer("c3", withDelta(HURRIED));
    await ends(vehicle);
    assertEquals(asked(vehicle), [
      [name, 0, afterBytes],
      [name, afterBytes, 0],
      ...from(FULL, segment),
    ]);
  }
});
