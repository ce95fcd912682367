import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import fc from "fast-check";
import { concatBytes, fromHex } from "../bytes.ts";
import { readArray } from "../delta/random_read.ts";
import { UpdateFailure } from "../failure.ts";
import { bunzip2 } from "./bunzip2.ts";

/** "hello, hello, hello\n" by bzip2 1.0.8, and nothing at all by the same. */
const HELLO = fromHex(
  "425a6839314159265359cb52e5670000055100001040040244a00021243108602f1844c715178bb9229c2848" +
    "65a972b380",
);
const EMPTY = fromHex("425a683917724538509000000000");

function decode(stream: Uint8Array): Uint8Array {
  return concatBytes(...bunzip2(readArray(stream), 0, stream.length));
}

/** Bits, most significant first. */
function pack(...fields: readonly (readonly [value: number, bits: number])[]): Uint8Array {
  const bits = fields.flatMap(([value, count]) =>
    Array.from({ length: count }, (_, i) => Math.floor(value / 2 ** (count - 1 - i)) % 2)
  );
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, i) => bytes[i >> 3]! |= bit << (7 - i % 8));
  return bytes;
}

/** A block of one letter whose run length has so many digits, all of them RUNA. */
function streamWithRun(digits: number): Uint8Array {
  const code = [[1, 5], [0, 1], [0b100, 3], [0, 1]] as const; // Of 1, 2 and 2 bits.
  return pack(
    ...[[0x425A6839, 32], [0x314159265359, 48], [0, 32], [0, 1], [0, 24]] as const,
    ...[[0x8000, 16], [0x4000, 16], [2, 3], [2, 15], [0, 2], ...code, ...code] as const,
    ...Array.from({ length: digits }, () => [0, 1] as const),
    ...[[0b11, 2], [0x177245385090, 48], [0, 32], [0, 64]] as const,
  );
}

Deno.test("bunzip2() reads what bzip2 wrote", () => {
  assertEquals(new TextDecoder().decode(decode(HELLO)), "hello, hello, hello\n");
  assertEquals(decode(EMPTY).length, 0);
});

Deno.test("bunzip2() refuses run lengths around 2^31 and 2^32, and does not expand them", () => {
  for (let digits = 20; digits < 50; digits++) {
    assertThrows(() => decode(streamWithRun(digits)), UpdateFailure);
  }
});

Deno.test("bunzip2() refuses every cut and every appended byte", () => {
  for (let length = 0; length < HELLO.length; length++) {
    assertThrows(() => decode(HELLO.subarray(0, length)), UpdateFailure);
  }
  assertThrows(() => decode(concatBytes(HELLO, Uint8Array.of(0))), UpdateFailure, "bytes follow");
});

Deno.test("bunzip2() ends in a failure or in the true bytes when any bits are flipped", () => {
  const truth = decode(HELLO);
  fc.assert(
    fc.property(fc.array(fc.nat(HELLO.length * 8 - 1), { minLength: 1, maxLength: 6 }), (flips) => {
      const stream = HELLO.slice();
      for (const bit of flips) stream[bit >> 3]! ^= 1 << (bit & 7);
      try {
        assertEquals(decode(stream), truth);
      } catch (error) {
        assert(error instanceof UpdateFailure && error.failure === "deltaDamaged", String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
