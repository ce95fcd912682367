import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import fc from "fast-check";
import { brotliCompressSync, constants } from "node:zlib";
import vector from "../../tests/vectors/container.json" with { type: "json" };
import { concatBytes, equalBytes } from "../bytes.ts";
import { UpdateFailure } from "../failure.ts";
import { MIB } from "../limits.ts";
import { nodeCodecs, plainZstd } from "./codecs.ts";
import { encodeBrotli, encodeZstd, hasZstdEncoder } from "./codecs_encode.ts";

type Decode = (stored: Uint8Array, rawBytes: number) => Uint8Array;
const ZSTD: readonly (readonly [string, Decode])[] = [
  ["node:zlib", (stored, rawBytes) => nodeCodecs.zstd(stored, rawBytes)],
  ["plain", (stored, rawBytes) => plainZstd(stored, rawBytes)],
];
const ignore = !hasZstdEncoder(); // Deno 2.6: the vectors are decoded there, nothing is made.

const bytesOf = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
const frameOf = (raw: Uint8Array, level = 3) =>
  encodeZstd(raw, { [constants.ZSTD_c_compressionLevel]: level });
const brotliOf = (raw: Uint8Array) => encodeBrotli(raw, { [constants.BROTLI_PARAM_QUALITY]: 5 });

/** Bytes that compress, by words from a short list. */
function text(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed | 1;
  for (let at = 0; at < length;) {
    state = Math.imul(state, 0x41C64E6D) + 12345 >>> 0;
    const word = state >>> 26;
    for (let i = 0; i < 3 + word % 9 && at < length; i++) bytes[at++] = word * 7 + i * i;
    if (at < length && word % 4 === 0) bytes[at++] = state >>> 16;
  }
  return bytes;
}

function assertRefused(decode: () => unknown, words = ""): void {
  const error = assertThrows(decode, UpdateFailure, words);
  assertEquals(error.failure, "containerDamaged");
}

/** A frame by hand: this window descriptor, no content size, then these blocks. */
function frame(windowDescriptor: number, ...blocks: Uint8Array[]): Uint8Array {
  return concatBytes(Uint8Array.of(0x28, 0xB5, 0x2F, 0xFD, 0, windowDescriptor), ...blocks);
}

/** A block of one byte that is repeated. */
function repeated(length: number, last: boolean): Uint8Array {
  const header = length << 3 | 1 << 1 | (last ? 1 : 0);
  return Uint8Array.of(header & 255, header >> 8 & 255, header >> 16, 7);
}

Deno.test("both zstd decoders give the segment of the frozen container", () => {
  const image = bytesOf(vector.image);
  const index = vector.segments.findIndex(({ operation }) => operation === 3);
  const segment = image.subarray(index * 512, (index + 1) * 512);
  const stored = bytesOf(vector.segments[index]!.payload);
  for (const [name, decode] of ZSTD) assertEquals(decode(stored, 512), segment, name);
});

Deno.test({
  name: "plainZstd() gives what went in, for any bytes and level",
  ignore,
  fn() {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 3000 }),
      fc.tuple(fc.integer({ min: 1, max: 300_000 }), fc.nat()).map(([n, seed]) => text(n, seed)),
    );
    fc.assert(
      fc.property(bytes, fc.constantFrom(-7, 1, 3, 9, 19, 22), (raw, level) => {
        assert(equalBytes(plainZstd(frameOf(raw, level), raw.length), raw));
      }),
      { numRuns: 60 },
    );
  },
});

Deno.test({
  name: "plainZstd() accepts of damaged frames only what node:zlib decodes to the same bytes",
  ignore,
  fn() {
    const raws = [text(700, 1), text(70_000, 2), new Uint8Array(5000).fill(9)];
    const frames = raws.map((raw) => frameOf(raw, 19));
    const any = fc.tuple(fc.nat(2), fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1 }));
    fc.assert(
      fc.property(any, ([which, flips]) => {
        const [stored, rawBytes] = [frames[which]!.slice(), raws[which]!.length];
        for (const [at, bit] of flips) stored[at % stored.length]! ^= 1 << bit;
        const results = ZSTD.map(([, decode]) => {
          try {
            return decode(stored, rawBytes);
          } catch (error) {
            assert(error instanceof UpdateFailure, String(error));
            return null;
          }
        });
        if (results[0] && results[1]) assert(equalBytes(results[0], results[1]));
        else assert(results[1] === null, "node:zlib refuses it");
      }),
      { numRuns: 1000 },
    );
  },
});

Deno.test({
  name: "zstd takes exactly one frame of exactly the length",
  ignore,
  fn() {
    const raw = text(50_000, 3);
    const stored = frameOf(raw);
    const skippable = Uint8Array.of(0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0);
    for (const [, decode] of ZSTD) {
      assertEquals(decode(stored, raw.length), raw);
      assertRefused(() => decode(stored, raw.length - 1), "stands for 50000");
      assertRefused(() => decode(stored, raw.length + 1), "stands for 50000");
      assertRefused(() => decode(concatBytes(stored, stored), raw.length), "bytes behind");
      assertRefused(() => decode(concatBytes(stored, skippable), raw.length), "bytes behind");
      assertRefused(() => decode(concatBytes(skippable, stored), raw.length), "magic");
      for (let cut = 0; cut < stored.length; cut += cut < 50 ? 1 : 997) {
        assertRefused(() => decode(stored.subarray(0, cut), raw.length));
      }
      assertRefused(() => decode(stored.subarray(0, stored.length - 1), raw.length), "cut off");
    }
  },
});

Deno.test("zstd refuses giant windows, dictionaries and bombs before they cost memory", () => {
  const ok = frame(80, repeated(1000, true)); // 2^20
  const bomb = frame(80, ...Array.from({ length: 250 }, (_, i) => repeated(131072, i === 249)));
  const giant = frame(0xFF, repeated(1000, true));
  const twice = frame(88, repeated(1000, true)); // 2^21
  const block = frame(0, repeated(1025, true)); // More than its window of 1 KiB.
  const dictionary = ok.slice();
  dictionary[4] = 1;
  const claim = Uint8Array.of(0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0);
  for (const [name, decode] of ZSTD) {
    if (name === "plain" || !ignore) assertEquals(decode(ok, 1000), new Uint8Array(1000).fill(7));
    assertRefused(() => decode(bomb, MIB));
    assertRefused(() => decode(bomb, 1));
    assertRefused(() => decode(giant, 1000), "window");
    assertRefused(() => decode(twice, 1000), "window");
    assertRefused(() => decode(block, 1025), "too large");
    assertRefused(() => decode(dictionary, 1000), "dictionary");
    assertRefused(() => decode(claim, 1000), "stands for 4294967296");
    assertRefused(() => decode(frame(80), 0), "cut off");
    assertRefused(() => decode(frame(80, Uint8Array.of(7, 0, 0)), 0), "reserved block");
  }
});

Deno.test("zstd refuses a match from before the beginning, and work beyond the output", () => {
  /** One literal, then one match of three bytes; the last byte has the bits of its distance. */
  const sequence = (bits: number) => {
    const content = [0x08, 65, 1, 0x54, 1, 2, 0, bits];
    return frame(80, Uint8Array.of(content.length << 3 | 2 << 1 | 1, 0, 0, ...content));
  };
  for (const [name, decode] of ZSTD) {
    if (name === "plain" || !ignore) {
      assertEquals(decode(sequence(0b100), 4), new Uint8Array(4).fill(65), name);
    }
    assertRefused(() => decode(sequence(0b101), 4)); // Distance 2, and one byte is there.
    assertRefused(() => decode(sequence(0b111), 4));
    assertRefused(() => decode(sequence(0b1000), 4)); // A bit is left.
    assertRefused(() => decode(sequence(0b10), 4)); // One is missing.
    assertRefused(() => decode(sequence(0b100), 5));
  }
  assertRefused(() => plainZstd(sequence(0b101), 4), "too far back");
  assertRefused(() => plainZstd(sequence(0b1000), 4), "do not end");
  assertRefused(() => plainZstd(sequence(0b100), 3), "too many bytes");
});

Deno.test("brotli takes exactly one stream of exactly the length", () => {
  const raw = text(50_000, 4);
  const stored = brotliOf(raw);
  assertEquals(nodeCodecs.brotli(stored, raw.length), raw);
  assertRefused(() => nodeCodecs.brotli(stored, raw.length - 1));
  assertRefused(() => nodeCodecs.brotli(stored, raw.length + 1));
  assertRefused(() => nodeCodecs.brotli(concatBytes(stored, Uint8Array.of(0)), raw.length));
  assertRefused(() => nodeCodecs.brotli(concatBytes(stored, stored), raw.length));
  assertRefused(() => nodeCodecs.brotli(new Uint8Array(0), 1));
  for (let cut = 1; cut < stored.length; cut += cut < 20 ? 1 : 997) {
    assertRefused(() => nodeCodecs.brotli(stored.subarray(0, cut), raw.length));
  }
  // Here all bytes are out already, and only the mark of the end is missing.
  const unfinished = brotliOf(new Uint8Array(3).fill(65));
  assertRefused(() => nodeCodecs.brotli(unfinished.subarray(0, unfinished.length - 1), 3));
});

Deno.test("brotli refuses giant windows and bombs", () => {
  const zeros = new Uint8Array(32 * MIB);
  const bomb = brotliOf(zeros);
  assert(bomb.length < 1024, `${bomb.length} bytes`);
  assertRefused(() => nodeCodecs.brotli(bomb, MIB));
  for (const [windowLog, large] of [[21, 0], [24, 0], [26, 1], [30, 1]] as const) {
    const wide = brotliCompressSync(text(9000, 5), {
      params: {
        [constants.BROTLI_PARAM_LGWIN]: windowLog,
        [constants.BROTLI_PARAM_LARGE_WINDOW]: large,
      },
    });
    assertRefused(() => nodeCodecs.brotli(wide, 9000), "window");
  }
  const small = encodeBrotli(text(9000, 5), { [constants.BROTLI_PARAM_LGWIN]: 10 });
  assertEquals(nodeCodecs.brotli(small, 9000), text(9000, 5));
});

Deno.test({
  name: "nodeCodecs decode into an array that is given, and touch nothing else of it",
  ignore,
  fn() {
    const raw = text(1000, 6);
    for (const [codec, stored] of [["zstd", frameOf(raw)], ["brotli", brotliOf(raw)]] as const) {
      const memory = new Uint8Array(1200).fill(42);
      const into = memory.subarray(100, 1100);
      assert(nodeCodecs[codec](stored, 1000, into) === into);
      assertEquals(into, raw);
      assert(memory.subarray(0, 100).every((byte) => byte === 42));
      assert(memory.subarray(1100).every((byte) => byte === 42));
    }
  },
});
