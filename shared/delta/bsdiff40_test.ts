import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import fc from "fast-check";
import vector from "../../tests/vectors/bsdiff40.json" with { type: "json" };
import { concatBytes } from "../bytes.ts";
import { UpdateFailure } from "../failure.ts";
import { bunzip2 } from "../node/bunzip2.ts";
import { applyBsdiff40, isBsdiff40, readBsdiff40Header } from "./bsdiff40.ts";
import { readArray } from "./random_read.ts";

const [BASE, IMAGE, PATCH] = [vector.base, vector.image, vector.patch].map((text) =>
  Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
) as [Uint8Array, Uint8Array, Uint8Array];

function apply(patch: Uint8Array, base = BASE, maxImageBytes = 4096): Uint8Array {
  const options = { bunzip2, maxImageBytes };
  return concatBytes(...applyBsdiff40(readArray(patch), readArray(base), options));
}

/** The patch with a 64-bit header field replaced. */
function withField(at: number, value: bigint): Uint8Array {
  const patch = PATCH.slice();
  new DataView(patch.buffer).setBigUint64(at, value, true);
  return patch;
}

Deno.test("applyBsdiff40() gives the image byte for byte from a patch of Debian's bsdiff", () => {
  assertEquals(apply(PATCH), IMAGE);
  assertEquals(readBsdiff40Header(readArray(PATCH)).imageBytes, IMAGE.length);
});

Deno.test("applyBsdiff40() with another base gives another image and no error, as bspatch", () => {
  const other = apply(PATCH, BASE.map((byte) => byte ^ 1));
  assertEquals(other.length, IMAGE.length);
  assert(other.some((byte, i) => byte !== IMAGE[i]));
  assertEquals(apply(PATCH, new Uint8Array(0)).length, IMAGE.length);
});

Deno.test("applyBsdiff40() refuses an image longer than allowed before it makes one", () => {
  const error = assertThrows(() => apply(PATCH, BASE, IMAGE.length - 1), UpdateFailure);
  assertEquals(error.failure, "imageTooLarge");
});

Deno.test("applyBsdiff40() refuses lengths that are negative, beyond the file or beyond 2^53", () => {
  for (const at of [8, 16, 24]) {
    for (const value of [1n << 63n | 5n, (1n << 63n) - 1n, 1n << 53n, BigInt(PATCH.length) * 9n]) {
      const error = assertThrows(() => apply(withField(at, value)), UpdateFailure);
      assert(["deltaDamaged", "imageTooLarge"].includes(error.failure));
    }
  }
});

Deno.test("applyBsdiff40() refuses every cut of a patch", () => {
  for (let length = 0; length < PATCH.length; length++) {
    assertThrows(() => apply(PATCH.subarray(0, length)), UpdateFailure);
  }
  assertThrows(() => apply(concatBytes(PATCH, Uint8Array.of(1))), UpdateFailure);
});

Deno.test("applyBsdiff40() ends in a failure or in the true image when any bits are flipped", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(PATCH.length * 8 - 1), { minLength: 1, maxLength: 4 }), (flips) => {
      const patch = PATCH.slice();
      for (const bit of flips) patch[bit >> 3]! ^= 1 << (bit & 7);
      try {
        // Bits of the header's padding and of the bzip2 block size may change without harm.
        assertEquals(apply(patch), IMAGE);
      } catch (error) {
        assert(error instanceof UpdateFailure, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("isBsdiff40() tells a patch from other files", () => {
  assert(isBsdiff40(readArray(PATCH)));
  assert(!isBsdiff40(readArray(BASE)));
  assert(!isBsdiff40(readArray(new Uint8Array(3))));
});
