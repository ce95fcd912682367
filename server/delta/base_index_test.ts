import { assert, assertEquals } from "@std/assert/mod.js";
import { BaseIndex, hashAt, mayMatch, NO_ENTRY } from "./base_index.ts";
import { randomBytes } from "./encode_harness.ts";

/** Adds a base in parts, each with the end of the one before, as the encoder does. */
function indexOf(base: Uint8Array, stepBytes: number, windowBytes: number, partBytes: number) {
  const index = new BaseIndex(base.length, { stepBytes, windowBytes });
  for (let at = 0; at < base.length; at += partBytes) {
    const before = Math.min(at, windowBytes - 1);
    index.add(base.subarray(at - before, at + partBytes), at - before, before);
  }
  return index;
}

/** Where an index says that a window may lie. */
function placesOf(index: BaseIndex, bytes: Uint8Array, at: number): number[] {
  const hash = hashAt(bytes, at, index.windowBytes);
  const places: number[] = [];
  for (let entry = index.first(hash); entry !== NO_ENTRY; entry = index.next(entry)) {
    if (mayMatch(entry, hash)) places.push(index.offset(entry));
  }
  return places;
}

Deno.test("the index finds every window at its step, across the borders of parts", () => {
  const base = randomBytes(5000, 1);
  for (const [stepBytes, windowBytes] of [[1, 8], [1, 12], [4, 12], [8, 16]] as const) {
    for (const partBytes of [5000, 700, 16]) {
      const index = indexOf(base, stepBytes, windowBytes, partBytes);
      for (let at = 0; at + windowBytes <= base.length; at += stepBytes) {
        assert(placesOf(index, base, at).includes(at), `${at} of parts of ${partBytes}`);
      }
    }
  }
});

Deno.test("the index has all places of a window, and none of what repeats one word", () => {
  const base = new Uint8Array(600);
  const window = randomBytes(12, 2);
  for (const at of [40, 200, 411]) base.set(window, at);
  const index = indexOf(base, 1, 12, 100);
  assertEquals(placesOf(index, window, 0).sort((a, b) => a - b), [40, 200, 411]);
  assertEquals(hashAt(base, 300, 12), 0);
});

Deno.test("the index knows the longest run of zeros, also across parts", () => {
  const base = randomBytes(4000, 3).map((byte) => byte | 1);
  base.fill(0, 100, 300).fill(0, 1500, 2600).fill(0, 3990);
  for (const partBytes of [4000, 700, 512]) {
    const { zerosAt, zerosBytes } = indexOf(base, 1, 8, partBytes);
    assertEquals([zerosAt, zerosBytes], [1500, 1100], `parts of ${partBytes}`);
  }
  const { zerosAt, zerosBytes } = indexOf(new Uint8Array(1000), 1, 8, 300);
  assertEquals([zerosAt, zerosBytes], [0, 1000]);
});
