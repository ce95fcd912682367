/**
 * Which way an image takes: the cheapest whose base runs; and another one from where it stopped,
 * in the middle of an update, when that does not hold.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { concatBytes } from "shared/bytes.ts";
import { OPERATION } from "shared/delta/container_format.ts";
import { MAX_ODD_ANSWERS } from "shared/limits.ts";
import { carrierOf, container, joined, type SimCarrier, SMALL } from "./sim_container.ts";
import {
  asked,
  BASE,
  BASE_SHA256,
  DELTA,
  DELTA_SHA256,
  ends,
  fetched,
  from,
  FULL,
  FULL_SHA256,
  IMAGE,
  onBase,
  SHA256,
  told,
  withDelta,
} from "./sim_delta.ts";
import { imageBytes, nextImage, release } from "./sim_release.ts";
import { SimVehicle } from "./sim_vehicle.ts";

Deno.test("the simulated delta has segments of all kinds", () => {
  const operations = new Set(
    DELTA.offsets.slice(0, -1).map((at, i) => DELTA.offsets[i + 1]! - at),
  );
  assert(operations.has(0) && operations.has(8) && operations.size >= 4);
  assert(DELTA.bytes.length < FULL.bytes.length / 2);
});

Deno.test("a delta from the image that runs is taken, and only the delta travels", async () => {
  const vehicle = await onBase();
  vehicle.offer("c3", withDelta(DELTA));
  await ends(vehicle);
  assertEquals(asked(vehicle), [["delta", 0, DELTA.bytes.length]]);
  assertEquals(vehicle.log, []);
});

Deno.test("a delta that is cut goes on at the exact byte, in its head and in its payloads", async () => {
  const vehicle = await onBase();
  const second = DELTA.offsets[0]! + 5;
  vehicle.backend.fault(DELTA_SHA256, { kind: "cut", afterBytes: 100 }, {
    kind: "cut",
    afterBytes: second - 100,
  });
  vehicle.offer("c3", withDelta(DELTA));
  await ends(vehicle);
  assertEquals(vehicle.backend.requests.map(({ offset }) => offset), [0, 100, second]);
});

Deno.test("a delta larger than the full container is not taken", async () => {
  const vehicle = await onBase();
  const foreign = container(IMAGE, SMALL, imageBytes("good", 6400, 99)); // Nothing is alike.
  const bytes = concatBytes(foreign.bytes, new Uint8Array(FULL.bytes.length));
  vehicle.offer("c3", withDelta({ bytes, carrier: carrierOf(bytes, SHA256, BASE_SHA256) }));
  await ends(vehicle);
  assertEquals(fetched(vehicle), [FULL_SHA256]);
});

Deno.test("a delta whose base does not run is not taken", async () => {
  const vehicle = await onBase();
  const carrier = { ...DELTA.carrier, baseSha256: "ab".repeat(32) };
  vehicle.offer("c3", withDelta({ ...DELTA, carrier }));
  await ends(vehicle);
  assertEquals(fetched(vehicle), [FULL_SHA256]);
});

Deno.test("a delta whose base rotted in the slot that runs comes after the base was healed", async () => {
  const vehicle = await onBase();
  vehicle.power.ecus["body"]![vehicle.ecu("body").inventory().running!.slot].flip(1, 9);
  vehicle.offer("c3", withDelta(DELTA));
  await ends(vehicle);
  assertEquals(asked(vehicle), [["delta", 0, DELTA.bytes.length]]);
  assertEquals(vehicle.backend.leaves.requests.map(({ what }) => what), ["list", 1]);
  assertEquals(told(vehicle, "deltaBaseDiffers"), 0);
});

Deno.test("a segment that is damaged once on its way is fetched again, and nothing before it", async () => {
  for (const [segment, at] of DELTA.offsets.slice(0, -1).entries()) {
    if (DELTA.offsets[segment + 1] === at) continue; // ZERO has no payload.
    const vehicle = await onBase();
    vehicle.backend.fault(DELTA_SHA256, { kind: "wrong", at });
    vehicle.offer("c3", withDelta(DELTA));
    await ends(vehicle);
    const { length } = DELTA.bytes;
    assertEquals(asked(vehicle), [["delta", 0, length], ["delta", at, length - at]]);
    assertEquals(told(vehicle, "containerDamaged"), 1);
  }
});

Deno.test("a segment that stays damaged goes over to the full container at that very segment", async () => {
  for (const [segment, at] of DELTA.offsets.slice(0, -1).entries()) {
    if (DELTA.offsets[segment + 1] === at) continue;
    const vehicle = await onBase();
    const damaged = DELTA.bytes.slice();
    damaged[at]! ^= 1;
    vehicle.offer("c3", withDelta(DELTA));
    vehicle.backend.carriers.set(DELTA_SHA256, damaged);
    await ends(vehicle);
    const { length } = DELTA.bytes;
    const travelled = [["delta", 0, length], ["delta", at, length - at]];
    assertEquals(asked(vehicle), [...travelled, ...from(FULL, segment)]);
    assertEquals(told(vehicle, "containerDamaged"), 2);
  }
});

Deno.test("a delta that the server lost in the middle goes over to the full container at the segment it had come to", async () => {
  const vehicle = await onBase();
  const afterBytes = DELTA.offsets[3]! + 3;
  vehicle.backend.fault(DELTA_SHA256, { kind: "cut", afterBytes }, {
    kind: "refuses",
    failure: "carrierMissing",
  });
  vehicle.offer("c3", withDelta(DELTA));
  const seen = new Set<string>();
  await vehicle.until(() => {
    const { progress } = vehicle.screen().ecus.find(({ serial }) => serial === "body")!;
    if (progress !== null) {
      seen.add(`${progress.via} ${progress.doneBytes} of ${progress.totalBytes}`);
    }
    return vehicle.journal().concluded === "c3";
  }, "c3 is concluded");
  await ends(vehicle);
  assertEquals(asked(vehicle), [
    ["delta", 0, afterBytes],
    ["delta", afterBytes, 0],
    ...from(FULL, 3),
  ]);
  // What remains is what the full container has from there on, and what came is not forgotten.
  const left = FULL.bytes.length - FULL.offsets[3]!;
  const total = afterBytes + FULL.offsets[0]! + left;
  assert(seen.has(`full ${total} of ${total}`), [...seen].join("\n"));
});

Deno.test("a segment that gives other bytes than the release has is never written, and the full container goes on there", async () => {
  const { segmentBytes } = SMALL;
  const made = DELTA.offsets.slice(0, -1).map((at, i) => {
    const payload = DELTA.bytes.slice(at, DELTA.offsets[i + 1]);
    const image = IMAGE.subarray(i * segmentBytes, (i + 1) * segmentBytes);
    if (i !== 4) return { operation: operationOf(i), payload };
    return {
      operation: OPERATION.raw,
      payload: image.map((byte, at) => at === 600 ? ~byte : byte),
    };
  });
  const lying = joined(IMAGE, SMALL, { made, base: BASE });
  const vehicle = await onBase();
  vehicle.offer("c3", withDelta(lying));
  await ends(vehicle);
  assertEquals(asked(vehicle), [...from(lying, 0), from(lying, 4).at(-1)!, ...from(FULL, 4)]);
  assertEquals(told(vehicle, "leafDiffers"), 2);
});

/** Operation of a segment of the delta, as its head says. */
function operationOf(segment: number): number {
  return DELTA.bytes[160 + 2 * 48 + 32 + 40 * segment]!;
}

Deno.test("a server that has another file under the name after a cut is found out, and the rest comes from the full container", async () => {
  const vehicle = await onBase();
  const afterBytes = DELTA.offsets[4]! + 1;
  const other = container(nextImage(BASE, 22), SMALL, BASE).bytes;
  const into = new Uint8Array(DELTA.bytes.length);
  into.set(other.subarray(0, into.length));
  vehicle.backend.fault(DELTA_SHA256, { kind: "cut", afterBytes }, { kind: "turns", into }, {
    kind: "turns",
    into,
  });
  vehicle.offer("c3", withDelta(DELTA));
  await ends(vehicle);
  const at = DELTA.offsets[4]!;
  const { length } = DELTA.bytes;
  assertEquals(asked(vehicle), [
    ["delta", 0, afterBytes],
    ["delta", afterBytes, length - afterBytes],
    ["delta", at, length - at],
    ...from(FULL, 4),
  ]);
});

Deno.test("a server whose file under the name gets another length is not listened to for long", async () => {
  const vehicle = await onBase();
  const afterBytes = DELTA.offsets[4]! + 1;
  const odd = { kind: "turns", into: FULL.bytes } as const;
  const faults = [{ kind: "cut", afterBytes } as const, ...Array(MAX_ODD_ANSWERS).fill(odd)];
  vehicle.backend.fault(DELTA_SHA256, ...faults);
  vehicle.offer("c3", withDelta(DELTA));
  await ends(vehicle);
  assertEquals(asked(vehicle), [
    ["delta", 0, afterBytes],
    ...Array(MAX_ODD_ANSWERS).fill(["delta", afterBytes, 0]),
    ...from(FULL, 4),
  ]);
});

Deno.test("a slot that keeps other bytes than a delta gave is written anew by the full container", async () => {
  const vehicle = await onBase();
  const { slot } = vehicle.ecu("body").inventory().running!;
  vehicle.disksOf("body")[slot === "A" ? "B" : "A"].worn.set(7, 1);
  vehicle.offer("c3", withDelta(DELTA));
  await ends(vehicle);
  assertEquals(asked(vehicle), [...from(DELTA, 0), ...from(FULL, 0)]);
  assertEquals(told(vehicle, "slotDigestDiffers"), 1);
});

Deno.test("storage that fails is no reason for another carrier", async () => {
  const vehicle = await onBase();
  const { A, B } = vehicle.disksOf("body");
  vehicle.power.failing.add(A).add(B);
  vehicle.offer("c3", withDelta(DELTA));
  await vehicle.settled("c3");
  assertEquals(vehicle.failures()["body"], "storageFailed");
  assertEquals(new Set(fetched(vehicle)), new Set([DELTA_SHA256]));
});

Deno.test("a second delta goes on where the first one failed, whatever its segments, then the full container", async () => {
  const vehicle = await onBase();
  const second = container(IMAGE, { leafBytes: 512, segmentBytes: 2048 }, BASE);
  vehicle.offer("c3", withDelta(DELTA, second));
  for (const [one, segment] of [[DELTA, 3], [second, 2]] as const) {
    const damaged = one.bytes.slice();
    damaged[one.offsets[segment]!]! ^= 1;
    vehicle.backend.carriers.set(one.carrier.carrierSha256, damaged);
  }
  await ends(vehicle);
  const again = (one: SimCarrier, segment: number) => from(one, segment).at(-1)!;
  assertEquals(asked(vehicle), [
    ...from(DELTA, 0),
    again(DELTA, 3),
    ...from(second, 1), // 3072 bytes are there, of which 2048 are a whole segment of this one.
    again(second, 2),
    ...from(FULL, 4),
  ]);
});

Deno.test("a power cut while a delta arrives goes on with the delta at the segment that was cut", async () => {
  for (const choice of ["old", "new", "torn"] as const) {
    const vehicle = await onBase();
    vehicle.backend.fault(DELTA_SHA256, { kind: "stall", afterBytes: DELTA.offsets[5]! + 1 });
    vehicle.offer("c3", withDelta(DELTA));
    await vehicle.pass(3000);
    vehicle.cut(() => choice);
    vehicle.backend.requests.length = 0;
    vehicle.powerOn();
    await ends(vehicle);
    assertEquals(asked(vehicle), from(DELTA, 5));
  }
});

Deno.test("a head of another image, met after a power cut, costs none of the segments that are there", async () => {
  const vehicle = await onBase();
  vehicle.backend.fault(DELTA_SHA256, { kind: "stall", afterBytes: DELTA.offsets[5]! + 1 });
  vehicle.offer("c3", withDelta(DELTA));
  await vehicle.pass(3000);
  vehicle.cut(() => "new");
  const other = container(nextImage(BASE, 22), SMALL, BASE).bytes;
  const into = new Uint8Array(DELTA.bytes.length);
  into.set(other.subarray(0, into.length));
  vehicle.backend.carriers.set(DELTA_SHA256, into);
  vehicle.backend.requests.length = 0;
  vehicle.powerOn();
  await ends(vehicle);
  assertEquals(told(vehicle, "deltaResultDiffers"), 1);
  assertEquals(asked(vehicle), [...from(DELTA, 5).slice(0, -1), ...from(FULL, 5)]);
});

Deno.test("screen and heartbeats go on between two segments, however many come at once", async () => {
  const vehicle = await SimVehicle.running({ slotBytes: 256 * 1024 });
  const base = imageBytes("good", 200 * 1024, 5);
  vehicle.offer("c2", { body: release("body-sim", 2, { bytes: base }) });
  await vehicle.settled("c2");
  const bytes = base.slice();
  bytes[100]! ^= 1;
  const one = container(bytes, SMALL, base); // 199 segments are copies: 8 bytes each.
  const { slot } = vehicle.ecu("body").inventory().running!;
  const disk = vehicle.disksOf("body")[slot === "A" ? "B" : "A"];
  const steps: number[] = [];
  let before = disk.operations;
  vehicle.offer("c3", { body: release("body-sim", 3, { bytes, deltas: [one] }) });
  await vehicle.clock.drive(() => {
    if (disk.operations > before) steps.push(disk.operations - before);
    before = disk.operations;
    return vehicle.journal().phase !== "preparing" && steps.length > 0;
  }, 60_000);
  assertEquals(steps, Array(200).fill(2), "a write and a sync, and then a breath");
  await vehicle.settled("c3");
});

Deno.test("a power cut after an update went over keeps what both carriers brought", async () => {
  const vehicle = await onBase();
  const damaged = DELTA.bytes.slice();
  damaged[DELTA.offsets[3]!]! ^= 1;
  vehicle.offer("c3", withDelta(DELTA));
  vehicle.backend.carriers.set(DELTA_SHA256, damaged);
  const stall = { kind: "stall", afterBytes: FULL.offsets[5]! - FULL.offsets[3]! } as const;
  const none = { kind: "ends", afterBytes: Infinity } as const; // For both parts of the head.
  vehicle.backend.fault(FULL_SHA256, none, none, stall);
  await vehicle.pass(3000);
  assertEquals(fetched(vehicle).at(-1), FULL_SHA256);
  vehicle.cut(() => "old");
  vehicle.backend.requests.length = 0;
  vehicle.powerOn();
  await ends(vehicle);
  // The delta is the cheapest way again: of what is still missing, it holds.
  assertEquals(asked(vehicle), from(DELTA, 5));
});

Deno.test("the same bytes under a new version install without a download", async () => {
  const vehicle = await onBase();
  vehicle.offer("c3", { body: release("body-sim", 3, { bytes: BASE }) });
  await ends(vehicle, BASE_SHA256);
  assertEquals(fetched(vehicle), []);
});

Deno.test("the same bytes as a running image that rotted are copied once it was healed", async () => {
  const vehicle = await onBase();
  vehicle.power.ecus["body"]![vehicle.ecu("body").inventory().running!.slot].flip(1, 9);
  const one = release("body-sim", 3, { bytes: BASE });
  vehicle.offer("c3", { body: one });
  await ends(vehicle, BASE_SHA256);
  assertEquals(fetched(vehicle), []);
  assertEquals(vehicle.backend.leaves.requests.map(({ what }) => what), ["list", 1]);
});
