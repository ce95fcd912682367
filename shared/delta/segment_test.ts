import { assertEquals, assertThrows } from "@std/assert/mod.js";
import { makeContainer, type SegmentPlan } from "../../tests/container_writer.ts";
import { concatBytes } from "../bytes.ts";
import { type FailureName, UpdateFailure } from "../failure.ts";
import { nodeCodecs } from "../node/codecs.ts";
import { nodeHash } from "../node/digest.ts";
import { containerHeadBytes, OPERATION, parseContainerHead } from "./container.ts";
import { type RandomRead, readArray } from "./random_read.ts";
import { applySegment, SegmentScratch } from "./segment.ts";
import { CODEC, maxPiecesBytes, writeAddPayload, writePieces } from "./segment_write.ts";
import { VarintReader, VarintWriter } from "./segment_varint.ts";

const SEGMENT = 512;
const BASE = Uint8Array.from({ length: 1000 }, (_, i) => i * 7);
const NOTHING = new Uint8Array(0);
const MAX = Number.MAX_SAFE_INTEGER;

/** Applies one payload as the only segment of an image. */
function apply(
  plan: SegmentPlan,
  image: Uint8Array,
  base: RandomRead | null = readArray(BASE),
  scratch = new SegmentScratch(SEGMENT),
): Uint8Array {
  const file = makeContainer({
    ...{ image, base: BASE, leafBytes: SEGMENT, segmentBytes: SEGMENT, plan: () => plan },
  });
  const head = parseContainerHead(file.subarray(0, containerHeadBytes(file)), {
    ...{ hash: nodeHash, maxImageBytes: image.length },
  });
  const tools = { codecs: nodeCodecs, hash: nodeHash, out: new Uint8Array(SEGMENT), scratch };
  return applySegment(head, 0, plan.payload, base, tools).slice();
}

function add(payload: Uint8Array): SegmentPlan {
  return { operation: OPERATION.add, payload };
}

/** An ADD payload with raw streams, whatever they hold. */
function streams(pieces: Uint8Array, difference = NOTHING, literals = NOTHING): SegmentPlan {
  const raw = (bytes: Uint8Array) => ({
    codec: CODEC.raw,
    stored: bytes,
    rawBytes: bytes.length,
  });
  return add(
    writeAddPayload(0, {
      pieces: raw(pieces),
      difference: raw(difference),
      literals: raw(literals),
    }),
  );
}

/** A piece stream of numbers as they come: literal bytes, length and flag, signed offset. */
function numbers(...list: (readonly [literal: number, length: number, offset: number])[]) {
  const writer = new VarintWriter();
  for (const [literal, length, offset] of list) {
    writer.unsigned(literal);
    writer.unsigned(length);
    writer.signed(offset);
  }
  return writer.bytes.slice();
}

function assertRefused(
  plan: SegmentPlan,
  words: string,
  failure: FailureName = "containerDamaged",
): void {
  const error = assertThrows(() => apply(plan, new Uint8Array(100)), UpdateFailure, words);
  assertEquals(error.failure, failure, error.message);
}

Deno.test("ADD joins pieces, differences and literals", () => {
  const image = concatBytes(
    Uint8Array.of(1, 2, 3),
    BASE.subarray(500, 540),
    BASE.slice(3, 30).map((byte, i) => byte + i),
    Uint8Array.of(9),
  );
  const pieces = [
    { literalBytes: 3, pieceBytes: 40, baseOffset: 500, hasDifference: false },
    { literalBytes: 0, pieceBytes: 27, baseOffset: 3, hasDifference: true },
  ];
  const difference = Uint8Array.from({ length: 27 }, (_, i) => i);
  const plan = streams(writePieces(pieces, 0), difference, Uint8Array.of(1, 2, 3, 9));
  assertEquals(apply(plan, image), image);
});

Deno.test("ADD refuses pieces that cannot be", () => {
  const all = numbers([0, 200, 0]);
  assertRefused(streams(numbers([0, 0, 0]), NOTHING, new Uint8Array(100)), "an empty piece");
  assertRefused(streams(numbers([0, 1, 0]), NOTHING, new Uint8Array(100)), "an empty piece");
  assertRefused(streams(numbers([0, 202, 0])), "longer than their segment");
  assertRefused(streams(numbers([0, MAX, 0])), "longer than their segment");
  assertRefused(streams(numbers([MAX, 2, 0])), "longer than their segment");
  assertRefused(streams(numbers([0, 100, 0], [0, 102, 0])), "longer than their segment");
  assertRefused(streams(numbers([0, 200, -1])), "outside the base");
  assertRefused(streams(numbers([0, 200, 901])), "outside the base");
  assertRefused(streams(numbers([0, 200, 2 ** 52 - 1])), "outside the base");
  assertRefused(streams(numbers([0, 200, -(2 ** 52)])), "outside the base");
  assertRefused(streams(numbers([0, 100, 940], [0, 100, 0])), "outside the base");
  assertRefused(streams(all, Uint8Array.of(1)), "difference");
  assertRefused(streams(numbers([0, 201, 0]), new Uint8Array(99)), "difference");
  assertRefused(streams(all, NOTHING, Uint8Array.of(1)), "literal bytes");
  assertRefused(streams(numbers([0, 198, 0])), "literal bytes");
  assertRefused(streams(numbers([5, 190, 0]), NOTHING, new Uint8Array(4)), "too few literal");
  assertRefused(streams(all.subarray(0, all.length - 1)), "ends too early");
  assertRefused(streams(concatBytes(all, Uint8Array.of(0))), "ends too early");
});

Deno.test("ADD refuses stream heads that lie", () => {
  const head = (...values: number[]) => add(Uint8Array.from(values));
  assertRefused(head(), "payload of segment");
  assertRefused(head(0), "ends too early");
  assertRefused(head(200, 3, 0, 0, 3, 0, 0, 3, 0, 100), "transform 200", "containerTooNew");
  assertRefused(head(0, 4, 0, 0, 3, 0, 0, 3, 0, 100), "codec 4", "containerTooNew");
  assertRefused(head(0, 3, 0, 0, 3, 0, 0, 3, 0, 101), "a stream of 101");
  assertRefused(head(0, 3, 0, 0, 3, 0, 0, 3, 1, 100, 7), "that stand for");
  assertRefused(head(0, 3, 0, 0, 3, 0, 0, 0, 1, 2, 7), "that stand for");
  assertRefused(head(0, 3, 0, 0, 3, 0, 0, 1, 0, 0), "that stand for");
  assertRefused(head(0, 3, 0, 0, 3, 0, 0, 3, 0, 100, 7), "do not fill");
  assertRefused(head(0, 3, 0, 0, 3, 0, 0, 0, 9, 9, 7), "do not fill");
  assertRefused(head(0, 3, 0x80, 0, 0), "too long"); // 0 in two bytes.
  assertRefused(head(0, 3, 0, 255, 255, 255, 255, 255, 255, 255, 255, 1), "too long");
  assertRefused(head(0, 3, 0, 255, 255, 255, 255, 255, 255, 255, 15), "a stream of");
  const long = maxPiecesBytes(SEGMENT) + 1;
  const writer = new VarintWriter();
  for (const value of [0, 3, 0]) writer.byte(value);
  writer.unsigned(long);
  assertRefused(add(concatBytes(writer.bytes, Uint8Array.of(3, 0, 0, 3, 0, 100))), `of ${long}`);
});

Deno.test("COPY refuses to read outside the base, and needs the right one", () => {
  const copy = (offset: bigint) => {
    const payload = new Uint8Array(8);
    new DataView(payload.buffer).setBigUint64(0, offset, true);
    return { operation: OPERATION.copy, payload };
  };
  const image = BASE.slice(900);
  assertEquals(apply(copy(900n), image), image);
  assertRefused(copy(901n), "outside the base");
  assertRefused(copy(2n ** 53n - 1n), "outside the base");
  assertRefused(copy(2n ** 53n), "beyond 2^53");
  assertRefused(copy(2n ** 64n - 1n), "beyond 2^53");
  for (const base of [null, readArray(BASE.subarray(1)), readArray(concatBytes(BASE, BASE))]) {
    const error = assertThrows(() => apply(copy(900n), image, base), UpdateFailure);
    assertEquals(error.failure, "deltaBaseDiffers");
  }
  const other = readArray(BASE.map((byte) => byte + 1));
  const error = assertThrows(() => apply(copy(900n), image, other), UpdateFailure);
  assertEquals(error.failure, "leafDiffers");
});

Deno.test("applySegment() proves what every operation makes", () => {
  const wrong = Uint8Array.from({ length: 100 }, () => 5);
  const raw = (codec: 0 | 3) => ({ codec, stored: codec === 3 ? NOTHING : wrong, rawBytes: 100 });
  const none = { codec: CODEC.zeros, stored: NOTHING, rawBytes: 0 };
  const literal = writeAddPayload(0, { pieces: none, difference: none, literals: raw(0) });
  for (
    const plan of [
      { operation: OPERATION.raw, payload: wrong },
      add(literal),
    ]
  ) assertRefused(plan, "leaf 0", "leafDiffers");
  const image = new Uint8Array(100).fill(1);
  const zero = { operation: OPERATION.zero, payload: NOTHING };
  assertEquals(assertThrows(() => apply(zero, image), UpdateFailure).failure, "leafDiffers");
});

Deno.test("varints come back as they went, in the shortest form", () => {
  const values = [0, 1, 127, 128, 16383, 16384, 2 ** 31, 2 ** 32, 2 ** 49 + 1, MAX - 1, MAX];
  const signed = [0, -1, 1, -64, 64, 2 ** 33, -(2 ** 33), 2 ** 52 - 1, -(2 ** 52)];
  const writer = new VarintWriter();
  for (const value of values) writer.unsigned(value);
  for (const value of signed) writer.signed(value);
  const reader = new VarintReader(writer.bytes);
  assertEquals(values.map(() => reader.unsigned()), values);
  assertEquals(signed.map(() => reader.signed()), signed);
  assertEquals(reader.done, true);
  for (
    const bytes of [[255, 255, 255, 255, 255, 255, 255, 127], [
      128,
      128,
      128,
      128,
      128,
      128,
      128,
      16,
    ]]
  ) {
    const long = new VarintReader(Uint8Array.from(bytes)); // 2^56 - 1, and 2^53 itself.
    assertThrows(() => long.unsigned(), UpdateFailure, "too long");
  }
});

Deno.test("working memory that served one base serves another", () => {
  const scratch = new SegmentScratch(SEGMENT);
  const pieces = writePieces(
    [{ literalBytes: 0, pieceBytes: 100, baseOffset: 50, hasDifference: false }],
    0,
  );
  for (const base of [BASE, BASE.map((byte) => byte ^ 255)]) {
    const image = base.slice(50, 150);
    assertEquals(apply(streams(pieces), image, readArray(base), scratch), image);
  }
});
