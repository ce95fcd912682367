import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import vector from "../../tests/vectors/container.json" with { type: "json" };
import { makeContainer, raw, zero } from "../../tests/container_writer.ts";
import { InvariantError } from "../assert.ts";
import { concatBytes, equalBytes } from "../bytes.ts";
import { type FailureName, UpdateFailure } from "../failure.ts";
import { nodeCodecs } from "../node/codecs.ts";
import { nodeHash, sha256Hex } from "../node/digest.ts";
import { type ApplierOptions, ContainerApplier } from "./apply.ts";
import { type ContainerHead, containerHeadBytes, parseContainerHead } from "./container.ts";
import { readArray } from "./random_read.ts";

const bytesOf = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
const [BASE, IMAGE, FILE] = [vector.base, vector.image, vector.file].map(bytesOf) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const HEAD = headOf(FILE);
const TRUSTED = { root: HEAD.imageRoot, imageBytes: IMAGE.length, imageSha256: sha256Hex(IMAGE) };

function headOf(file: Uint8Array): ContainerHead {
  const head = file.subarray(0, containerHeadBytes(file));
  return parseContainerHead(head, { hash: nodeHash, maxImageBytes: 2 ** 20 });
}

function applier(options: Partial<ApplierOptions> = {}): ContainerApplier {
  return new ContainerApplier({
    ...{ trusted: TRUSTED, base: readArray(BASE) },
    tools: { codecs: nodeCodecs, hash: nodeHash },
    ...options,
  });
}

function pushAll(to: ContainerApplier, chunk: Uint8Array): Uint8Array {
  return concatBytes(...[...function* () {
    for (const { bytes } of to.push(chunk)) yield bytes.slice();
  }()]);
}

function assertFails(run: () => unknown, failure: FailureName, words = ""): void {
  assertEquals(assertThrows(run, UpdateFailure, words).failure, failure);
}

Deno.test("ContainerApplier gives a segment as soon as its last byte is there, not before", () => {
  const to = applier();
  let at = 0;
  const push = (until: number) => {
    const indices = [];
    for (const { index } of to.push(FILE.subarray(at, until))) indices.push(index);
    at = until;
    return indices;
  };
  assertEquals(push(HEAD.headBytes - 1), []);
  assertEquals([to.head, to.nextSegment], [null, 0]);
  assertEquals(push(HEAD.headBytes), [0], "ZERO has no payload: it comes with the head");
  assertEquals(to.head?.imageSha256, sha256Hex(IMAGE));
  assertEquals(push(HEAD.segments.payloadOffset(2) - 1), []);
  assertEquals(push(HEAD.segments.payloadOffset(2)), [1]);
  assertEquals(push(HEAD.segments.payloadOffset(5) + 1), [2, 3, 4]);
  assertEquals([to.nextSegment, to.done], [5, false]);
  assertFails(() => to.end(), "containerDamaged", "before segment 5");
  assertEquals(push(FILE.length), [5, 6, 7, 8, 9]);
  assert(to.done);
  to.end();
});

Deno.test("ContainerApplier takes the file byte by byte", () => {
  const to = applier();
  const made = [];
  for (const byte of FILE) made.push(pushAll(to, Uint8Array.of(byte)));
  to.end();
  assert(equalBytes(concatBytes(...made), IMAGE));
});

Deno.test("ContainerApplier goes on at any segment with a known head", () => {
  for (let startSegment = 0; startSegment <= HEAD.segments.count; startSegment++) {
    const to = applier({ head: HEAD, startSegment });
    const made = pushAll(to, FILE.subarray(HEAD.segments.payloadOffset(startSegment)));
    to.end();
    assert(equalBytes(made, IMAGE.subarray(startSegment * 512)), `from ${startSegment}`);
  }
});

Deno.test("ContainerApplier refuses another image than the trusted one before the first byte", () => {
  const root = nodeHash(Uint8Array.of(1));
  for (
    const trusted of [
      { ...TRUSTED, root },
      { ...TRUSTED, imageBytes: IMAGE.length - 1 },
      { ...TRUSTED, imageBytes: IMAGE.length + 1 },
      { ...TRUSTED, imageSha256: sha256Hex(BASE) },
    ]
  ) {
    assertFails(() => pushAll(applier({ trusted }), FILE), "deltaResultDiffers");
    assertFails(() => applier({ trusted, head: HEAD }), "deltaResultDiffers");
  }
  const trusted = { ...TRUSTED, segmentBytes: 1024 };
  assertFails(() => applier({ trusted, head: HEAD }), "containerDamaged", "segments have 512");
  assertFails(() => applier({ head: HEAD, startSegment: 11 }), "containerDamaged", "segment 11");
});

Deno.test("ContainerApplier refuses what is no container with the first 16 bytes", () => {
  assertFails(() => pushAll(applier(), IMAGE.subarray(0, 16)), "containerDamaged", "magic");
  assertFails(() => applier().end(), "containerDamaged", "head is cut off");
});

Deno.test("ContainerApplier refuses bytes behind the end", () => {
  const longer = concatBytes(FILE, Uint8Array.of(0));
  assertFails(() => pushAll(applier(), longer), "containerDamaged", "after its last");
  const to = applier();
  pushAll(to, FILE);
  assertFails(() => pushAll(to, Uint8Array.of(0)), "containerDamaged", "after its last");
});

Deno.test("ContainerApplier brings segments that need no byte with an empty chunk", () => {
  const image = new Uint8Array(2000);
  image.fill(3, 512, 1024);
  const file = makeContainer({
    ...{ image, base: null, leafBytes: 512, segmentBytes: 512 },
    plan: ({ index, bytes }) => index === 1 ? raw(bytes) : zero(),
  });
  const head = headOf(file);
  const trusted = { root: head.imageRoot, imageBytes: 2000 };
  const to = applier({ head, trusted, base: null, startSegment: 2 });
  assertEquals(pushAll(to, new Uint8Array(0)), new Uint8Array(2000 - 1024));
  to.end();
  const whole = applier({ trusted, base: null });
  assertEquals(pushAll(whole, file), image);
  whole.end();
});

Deno.test("ContainerApplier is not used on after a failure, nor while a push is not done", () => {
  const damaged = FILE.slice();
  damaged[HEAD.segments.payloadOffset(2)]! ^= 1;
  const to = applier();
  assertFails(() => pushAll(to, damaged), "containerDamaged", "segment 2");
  assertEquals(to.nextSegment, 2, "what is proved stays proved");
  assertThrows(() => pushAll(to, FILE), InvariantError);
  const other = applier();
  other.push(FILE).next();
  assertThrows(() => other.end(), InvariantError);
});
