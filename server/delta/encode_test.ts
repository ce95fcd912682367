import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import fc from "fast-check";
import { concatBytes, equalBytes } from "shared/bytes.ts";
import { OPERATION } from "shared/delta/container.ts";
import { CODEC } from "shared/delta/segment_write.ts";
import { KIB, MIB, SEGMENT_BYTES } from "shared/limits.ts";
import { EncodeGivenUp } from "./encode.ts";
import { encode, type Encoded, randomBytes, roundTrip, SMALL } from "./encode_harness.ts";
import { nodeEncodeCodecs } from "./node_codecs.ts";

const NONE = new Uint8Array(0);

/** Copies with some bytes changed. */
function changed(bytes: Uint8Array, every: number): Uint8Array {
  return bytes.map((byte, i) => i % every === every >> 1 ? byte ^ 0x10 : byte);
}

/** Bytes behind the head. */
function payloadBytes({ file, head }: Encoded): number {
  return file.length - head.headBytes;
}

/** Blocks of the bytes in another order. */
function reordered(bytes: Uint8Array, blockBytes: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += blockBytes) {
    blocks.push(bytes.subarray(at, at + blockBytes));
  }
  return concatBytes(...blocks.toSorted((a, b) => a[0]! - b[0]! || a[1]! - b[1]!));
}

Deno.test("encode makes what applies, for pairs at the edges", async (t) => {
  const some = randomBytes(40_000, 1);
  const zeros = new Uint8Array(30_000);
  const periodic = new Uint8Array(50_000).map((_, i) => i % 7 === 0 ? i % 3 : 5);
  const pairs: Record<string, readonly [Uint8Array, Uint8Array]> = {
    "both empty": [NONE, NONE],
    "empty base": [NONE, some],
    "empty image": [some, NONE],
    "one byte each": [Uint8Array.of(1), Uint8Array.of(2)],
    "one byte from much": [some, Uint8Array.of(7)],
    "much from one byte": [Uint8Array.of(7), some],
    "the same": [some, some.slice()],
    "zeros from zeros": [zeros, new Uint8Array(35_000)],
    "zeros from bytes": [some, zeros],
    "bytes from zeros": [zeros, some],
    "nothing in common": [some, randomBytes(41_000, 2)],
    "a prefix": [some, concatBytes(randomBytes(777, 3), some)],
    "a suffix": [some, concatBytes(some, randomBytes(777, 4))],
    "without its begin": [some, some.subarray(1234)],
    "without its end": [some, some.subarray(0, 31_000)],
    "blocks reordered": [some, reordered(some, 1000)],
    "bits flipped": [some, changed(some, 300)],
    "a bit of each byte flipped": [some, some.map((byte) => byte ^ 1)],
    "periodic": [periodic, changed(periodic, 900).subarray(3)],
    "all 0xFF": [new Uint8Array(20_000).fill(255), new Uint8Array(20_001).fill(255)],
  };
  for (const [name, [base, image]] of Object.entries(pairs)) {
    await t.step(name, () => {
      roundTrip(base, image, SMALL);
      roundTrip(base, image);
      roundTrip(base, image, { ...SMALL, effort: "fast" });
      roundTrip(null, image, SMALL);
    });
  }
});

Deno.test("encode finds what a base has, wherever it is", async (t) => {
  const base = randomBytes(200_000, 9);
  const cost = (image: Uint8Array) => payloadBytes(roundTrip(base, image, { segmentBytes: MIB }));
  await t.step("the same image is copied, not stored", () => {
    const { operations } = roundTrip(base, base, SMALL);
    assert(operations.every((operation) => operation === OPERATION.copy));
  });
  await t.step("moved by an odd number of bytes", () => {
    assert(cost(concatBytes(randomBytes(13, 1), base)) < 100);
  });
  await t.step("blocks of 500 bytes in another order", () => {
    assert(cost(reordered(base, 500)) < 400 * 12);
  });
  await t.step("runs of 64 bytes between new ones", () => {
    const parts = Array.from({ length: 500 }, (_, i) => [
      randomBytes(64, 100 + i),
      base.subarray(i * 397, i * 397 + 64),
    ]);
    assert(cost(concatBytes(...parts.flat())) < 500 * (64 + 14));
  });
  await t.step("runs of 11 bytes between new ones, in a base that is compressed", () => {
    const parts = Array.from({ length: 500 }, (_, i) => [
      randomBytes(64, 100 + i),
      base.subarray(i * 397, i * 397 + 11),
    ]);
    // An index over 12 bytes finds none of them, and all of it would be new.
    assert(cost(concatBytes(...parts.flat())) < 500 * (64 + 9));
  });
  await t.step("one byte in a hundred changed", () => {
    assert(cost(changed(base, 100)) < 2000 * 1.5);
  });
  await t.step("moved, and one byte in a hundred changed", () => {
    assert(cost(concatBytes(randomBytes(13, 1), changed(base, 100))) < 2000 * 1.5);
  });
  await t.step("zeros where there were none", () => {
    const image = base.slice().fill(0, 50_000, 150_000);
    assert(cost(image) < 200);
  });
});

Deno.test("encode is never longer than the image, nor much longer than without a base", async (t) => {
  await t.step("nothing in common", () => {
    const encoded = roundTrip(randomBytes(90_000, 1), randomBytes(80_000, 2));
    assert(payloadBytes(encoded) <= 80_000);
  });
  await t.step("much in common, and yet shorter alone", () => {
    const periodic = (seed: number) =>
      randomBytes(300_000, seed).map((byte, i) => byte % 20 === 0 ? byte : i % 7);
    const [base, image] = [periodic(1), periodic(2)];
    assert(payloadBytes(roundTrip(base, image)) <= payloadBytes(roundTrip(null, image)));
  });
});

Deno.test("encode goes over borders of segments and pages", () => {
  const base = randomBytes(3 * SEGMENT_BYTES + 4321, 5);
  const image = concatBytes(randomBytes(100, 6), base.subarray(0, 2 * MIB), base);
  const encoded = roundTrip(base, image);
  assert(payloadBytes(encoded) < 1000);
});

Deno.test("encode makes the same container whether the base is kept whole or in pages", () => {
  const base = randomBytes(700_000, 11);
  const image = concatBytes(reordered(base, 10_000), changed(base, 500), randomBytes(5000, 12));
  const geometry = { leafBytes: 4 * KIB, segmentBytes: 64 * KIB };
  const whole = roundTrip(base, image, geometry);
  const paged = roundTrip(base, image, { ...geometry, residentBytes: 192 * KIB });
  assert(equalBytes(whole.file, paged.file));
});

Deno.test("encode makes the same container every time", () => {
  const base = randomBytes(100_000, 21);
  const image = changed(reordered(base, 3000), 700);
  assert(equalBytes(encode(base, image, SMALL).file, encode(base, image, SMALL).file));
});

Deno.test("encode gives up exactly when the container is larger than allowed", () => {
  const [base, image] = [randomBytes(50_000, 31), randomBytes(50_000, 32)];
  const { file } = encode(base, image, SMALL);
  encode(base, image, { ...SMALL, giveUpAboveBytes: file.length });
  for (const giveUpAboveBytes of [file.length - 1, 100, 0]) {
    assertThrows(() => encode(base, image, { ...SMALL, giveUpAboveBytes }), EncodeGivenUp);
  }
  assertThrows(() => encode(base, NONE, { giveUpAboveBytes: 100 }), EncodeGivenUp);
});

Deno.test("encode tells of progress up to all bytes of both images", () => {
  const told: (readonly [number, number])[] = [];
  const onProgress = (done: number, total: number) => void told.push([done, total]);
  encode(randomBytes(10_000, 1), randomBytes(20_000, 2), { ...SMALL, onProgress });
  assert(told.every(([done], i) => i === 0 || done > told[i - 1]![0]));
  assert(told.every(([, total]) => total === 30_000));
  assertEquals(told.at(-1), [30_000, 30_000]);
});

Deno.test("encode does without zstd where the runtime has none", () => {
  const base = randomBytes(60_000, 41);
  const text = new TextEncoder().encode("so it goes on, and on, and on; ".repeat(40_000));
  const image = concatBytes(changed(base, 90), text);
  const codecs = { ...nodeEncodeCodecs, zstd: null };
  for (const effort of ["fast", "best"] as const) {
    const { file, head, operations } = roundTrip(base, image, { codecs, effort });
    for (const [i, operation] of operations.entries()) {
      assert(operation !== OPERATION.zstd);
      if (operation !== OPERATION.add) continue;
      assert(
        codecsOf(file.subarray(head.segments.payloadOffset(i))).every((codec) =>
          codec !== CODEC.zstd
        ),
      );
    }
  }
});

/** The codecs of the three streams of an ADD payload. */
function codecsOf(payload: Uint8Array): number[] {
  const codecs: number[] = [];
  for (let at = 1; codecs.length < 3;) {
    codecs.push(payload[at++]!);
    for (let numbers = 0; numbers < 2; at++) if (payload[at]! < 0x80) numbers++;
  }
  return codecs;
}

/** An edit of an image, as releases differ. */
const edit = fc.record({
  kind: fc.constantFrom("insert", "remove", "change", "move", "zero"),
  at: fc.nat(20_000),
  length: fc.oneof(fc.nat(40), fc.nat(6000)),
  seed: fc.nat(1000),
});

function edited(
  image: Uint8Array,
  { kind, at: wish, length, seed }: typeof edit extends fc.Arbitrary<infer T> ? T : never,
): Uint8Array {
  const at = wish % (image.length + 1);
  const [before, part, after] = [
    image.subarray(0, at),
    image.subarray(at, at + length),
    image.subarray(at + length),
  ];
  switch (kind) {
    case "insert":
      return concatBytes(before, randomBytes(length, seed), part, after);
    case "remove":
      return concatBytes(before, after);
    case "change":
      return concatBytes(
        before,
        part.map((byte, i) => i % 8 === seed % 8 ? byte + seed : byte),
        after,
      );
    case "move":
      return concatBytes(part, before, after);
    default:
      return concatBytes(before, part.map(() => 0), after);
  }
}

Deno.test("encode makes what applies, for any edits", () => {
  fc.assert(
    fc.property(
      fc.nat(20_000),
      fc.nat(1000),
      fc.array(edit, { maxLength: 6 }),
      fc.constantFrom<object>(
        { leafBytes: 512, segmentBytes: 512 },
        { leafBytes: 512, segmentBytes: 4096 },
        { leafBytes: 1024, segmentBytes: 8192, residentBytes: 0 },
        {},
        { effort: "fast" },
      ),
      (length, seed, edits, options) => {
        // Half of it is noise, half repeats: both kinds of chains.
        const base = randomBytes(length, seed).map((byte, i) => i % 512 < 256 ? byte : byte & 3);
        const image = edits.reduce(edited, base);
        roundTrip(base, image, options);
      },
    ),
    { numRuns: 60 },
  );
});
