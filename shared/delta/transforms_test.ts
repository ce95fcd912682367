import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import fc from "fast-check";
import { concatBytes } from "../bytes.ts";
import { UpdateFailure } from "../failure.ts";
import { changedWord, TRANSFORMS, WORD_KINDS, wordChange } from "./transforms.ts";

/** Little-endian words as bytes. */
function words(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

/** Adds a stream to a copy of base bytes, piece by piece; `aligned` for all of them. */
function added(
  transform: number,
  stream: Uint8Array,
  base: Uint8Array,
  pieces: readonly (readonly [at: number, length: number])[] = [[0, base.length]],
  aligned = true,
): Uint8Array {
  const target = base.slice();
  const adder = TRANSFORMS[transform]!(stream);
  for (const [at, length] of pieces) adder.add(target, at, length, aligned);
  adder.end();
  return target;
}

/** A64 words of each kind, as they stand in a program. */
const BL = 0x94000123, ADRP = 0xB0000541, ADD = 0x91048020, CBZ = 0xB4000180, DATA = 0x00012340;

Deno.test("each kind of A64 word is told by its top byte", () => {
  const kinds = [DATA, BL, ADRP, ADD, CBZ].map((word) => WORD_KINDS[word >>> 24]);
  assertEquals(kinds, [0, 1, 2, 3, 4]);
  const more = {
    LDR: 0xF9400C41,
    STR: 0xB9001C20,
    B: 0x17FFFFF0,
    ADR: 0x10000080,
    BEQ: 0x54000040,
  };
  const found = Object.values(more).map((word) => WORD_KINDS[word >>> 24]);
  assertEquals(found, [3, 3, 1, 2, 4]);
});

Deno.test("a word's change leads back to the word, whatever both are", () => {
  const word = fc.integer({ min: 0, max: 0xFFFFFFFF });
  fc.assert(fc.property(fc.constantFrom(0, 1, 2, 3, 4), word, word, (kind, from, to) => {
    const change = wordChange(kind, from, to);
    assertEquals(changedWord(kind, from, change) >>> 0, to);
    assertEquals(change === 0, from === to);
  }));
});

Deno.test("the same shift of what is pointed to is the same change, whatever carries", () => {
  const imm26 = (imm: number) => (0x94000000 | (imm & 0x3FFFFFF)) >>> 0;
  assertEquals(wordChange(1, imm26(-1), imm26(4)), wordChange(1, imm26(1000), imm26(1005)));
  const page = (imm: number) => (0x90000000 | (imm & 3) << 29 | (imm >> 2 & 0x7FFFF) << 5) >>> 0;
  for (const imm of [0, 1, 2, 3, 0x1FFFFF]) {
    assertEquals(wordChange(2, page(imm), page(imm + 1)), 1);
  }
  const imm12 = (imm: number) => (0x91000000 | (imm & 0xFFF) << 10) >>> 0;
  assertEquals(wordChange(3, imm12(0xFF0), imm12(0x010)), wordChange(3, imm12(0), imm12(0x20)));
});

Deno.test("transform 0 adds byte by byte, modulo 256", () => {
  const base = Uint8Array.of(250, 1, 2, 9, 9, 100);
  const result = added(0, Uint8Array.of(10, 0, 255, 1), base, [[0, 3], [5, 1]]);
  assertEquals([...result], [4, 1, 1, 9, 9, 101]);
});

// Frozen: these bytes mean this for ever (docs/container.md).
Deno.test("transform 1 adds words by kind, and bytes that fill no word", () => {
  const base = concatBytes(words(DATA, BL, DATA, ADRP, BL, ADD, CBZ, BL), Uint8Array.of(7, 8));
  const stream = Uint8Array.from([
    // Of each list: bytes of gaps, changes, dictionary, escapes.
    ...[1, 1, 0, 1, 2, 2, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1],
    // Gaps: DATA 0 (its first whole word is the second), BL 0 and 1, ADRP, ADD, CBZ 0; bytes 2.
    ...[0, 0, 1, 0, 0, 0, 2],
    ...[0x00, 0xFF, 0xFF, 0xFF], // DATA - 256.
    ...[5, 0, 0, 0, 0, 0], // BL + 5, twice by index.
    ...[1, 0, 0, 0], // ADRP + 1 page.
    ...[0xE0, 0x0E, 0, 0], // ADD - 0x120.
    ...[2, 0, 8, 0], // CBZ + 2, register bit 0 flipped.
    ...[3], // The byte + 3.
  ]);
  const result = added(1, stream, base, [[2, 18], [20, 14]]);
  const expected = concatBytes(
    words(DATA, BL + 5, DATA - 256, 0xD0000541, BL, 0x91000020, 0xB40001C1, BL + 5),
    Uint8Array.of(10, 8),
  );
  assertEquals([...result], [...expected]);
});

Deno.test("transform 1 takes words of a piece that is not aligned as data", () => {
  const stream = Uint8Array.from([
    ...[1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ...[1, 0xFF, 0xFF, 0xFF, 0xFF],
  ]);
  const result = added(1, stream, words(BL, BL, BL), [[0, 12]], false);
  assertEquals([...result], [...words(BL, BL - 1, BL)]);
});

Deno.test("transforms 2 and 3 add halfwords and bytes", () => {
  const base = Uint8Array.of(1, 0xFF, 0xFF, 3, 4, 0xFE, 0xFF);
  const halfwords = Uint8Array.from([2, 2, 0, 2, 1, 1, 0, 1, 0, 0, 1, 1, 0, 2, 1, 200]);
  // From byte 1: the odd byte 1, the halfwords 2 and 4, the odd byte 6.
  const result = added(2, halfwords, base, [[1, 6]]);
  assertEquals([...result], [1, 0xFF, 0x00, 4, 6, 0xFF, 0xC7]);
  const bytes = added(3, Uint8Array.from([2, 2, 0, 2, 1, 3, 1, 9]), base, [[0, 7]]);
  assertEquals([...bytes], [1, 0, 0xFF, 3, 4, 7, 0xFF]);
});

Deno.test("a stream that does not fit its pieces is damaged, never more", () => {
  const bases = [words(BL, DATA, ADRP, ADD, CBZ, BL, BL, DATA), new Uint8Array(64).fill(9)];
  const valid = [
    Uint8Array.from([1, 2, 3, 4]),
    Uint8Array.from([
      ...[1, 1, 0, 1, 2, 2, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      ...[0, 0, 1, 0, 9, 9, 9, 9, 5, 0, 0, 0, 0, 255, 7, 7, 7, 7, 1, 0, 0, 0],
    ]),
    Uint8Array.from([2, 2, 1, 1, 1, 1, 0, 1, 0, 0, 3, 7, 7, 0, 255, 8, 8, 5]),
    Uint8Array.from([2, 2, 0, 2, 1, 3, 1, 9]),
  ];
  const pieces = [[0, 4], [5, 20], [25, 7]] as const;
  let [damaged, applied] = [0, 0];
  const attempt = (transform: number, stream: Uint8Array) => {
    for (const base of bases) {
      try {
        const result = added(transform, stream, base, pieces);
        assertEquals(result.length, base.length);
        applied++;
      } catch (error) {
        assert(error instanceof UpdateFailure, String(error));
        assertEquals(error.failure, "containerDamaged");
        damaged++;
      }
    }
  };
  for (const [transform, stream] of valid.entries()) {
    for (let length = 0; length < stream.length; length++) {
      attempt(transform, stream.subarray(0, length));
    }
    for (let at = 0; at < stream.length; at++) {
      for (const value of [0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF]) {
        attempt(transform, stream.map((byte, i) => i === at ? value : byte));
      }
    }
    attempt(transform, concatBytes(stream, Uint8Array.of(0)));
  }
  assert(damaged > 100 && applied > 10, `${damaged} damaged, ${applied} applied`);
});

Deno.test("changes that no piece has, and a gap beyond its bounds, are refused", () => {
  const base = new Uint8Array(8);
  const refuse = (transform: number, ...stream: number[]) => {
    assertThrows(() => added(transform, Uint8Array.from(stream), base), UpdateFailure);
  };
  refuse(3, 1, 1, 0, 1, 8, 1); // A ninth byte.
  refuse(3, 1, 1, 1, 0, 8, 1, 0); // The same, by its index.
  refuse(3, 5, 1, 0, 1, 0x80, 0x80, 0x80, 0x80, 1, 1); // A gap of 2^28.
  refuse(3, 2, 1, 0, 1, 0x81, 0, 1); // A gap of 1 that is not in its shortest form.
  refuse(3, 1, 1, 1, 0, 0, 1, 1); // Index 1 of a dictionary of one.
  refuse(3, 1, 1, 1, 0, 0, 1, 255); // An escape without a value.
  refuse(3, 1, 2, 0, 2, 0, 1, 1); // More changes than gaps.
  refuse(3, 2, 1, 0, 1, 0, 0, 1); // More gaps than changes.
  refuse(0, 1, 2, 3); // Too few for transform 0.
  refuse(0, ...new Array(9).fill(0)); // Too many.
});
