import { assert, assertEquals, assertLess } from "@std/assert/mod.js";
import fc from "fast-check";
import { concatBytes } from "shared/bytes.ts";
import { applyBsdiff40 } from "shared/delta/bsdiff40.ts";
import { readArray } from "shared/delta/random_read.ts";
import { bunzip2 } from "shared/node/bunzip2.ts";
import { MIB } from "shared/limits.ts";
import { bsdiff } from "./bsdiff_encoder.ts";
import { bzip2 } from "./bzip2_encoder.ts";
import { sortRotations } from "./suffix_sort.ts";

function decode(stream: Uint8Array): Uint8Array {
  return concatBytes(...bunzip2(readArray(stream), 0, stream.length));
}

function apply(base: Uint8Array, patch: Uint8Array): Uint8Array {
  const options = { bunzip2, maxImageBytes: 16 * MIB };
  return concatBytes(...applyBsdiff40(readArray(patch), readArray(base), options));
}

/** Bytes that look random and are the same in every run. */
function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state, 1103515245) + 12345 | 0;
    return state >>> 16;
  });
}

/** What is hard on a sorter: runs, periods, all byte values, nothing at all. */
const HARD: readonly Uint8Array[] = [
  new Uint8Array(0),
  Uint8Array.of(7),
  new Uint8Array(3),
  new Uint8Array(4),
  new Uint8Array(259),
  new Uint8Array(2_000_000),
  Uint8Array.from({ length: 100_000 }, (_, i) => i % 2),
  Uint8Array.from({ length: 100_000 }, (_, i) => i % 251),
  noise(1_000_000),
];

Deno.test("sortRotations() agrees with a plain sort", () => {
  fc.assert(fc.property(fc.array(fc.nat(3), { maxLength: 40 }), (text) => {
    const rotation = (start: number) => [...text.slice(start), ...text.slice(0, start)].join("");
    const sorted = [...sortRotations(text, 4)].map(rotation);
    assertEquals(sorted, text.map((_, i) => rotation(i)).sort());
  }));
});

Deno.test("bzip2() is read back by the decoder that the vehicle uses", () => {
  for (const bytes of HARD) assert(equal(decode(bzip2(bytes)), bytes), `${bytes.length} bytes`);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
    assertEquals(decode(bzip2(bytes)), bytes);
  }));
});

const BUNZIP2 = "/usr/bin/bunzip2";
const hasBunzip2 = await Deno.stat(BUNZIP2).then(() => true, () => false);

Deno.test({
  name: `bzip2() is read back by bzip2 itself${hasBunzip2 ? "" : " (skipped: no bunzip2)"}`,
  ignore: !hasBunzip2,
  async fn() {
    for (const bytes of HARD) {
      const child = new Deno.Command(BUNZIP2, { stdin: "piped", stdout: "piped" }).spawn();
      const writer = child.stdin.getWriter();
      const sent = writer.write(bzip2(bytes)).then(() => writer.close());
      const { success, stdout } = await child.output();
      await sent;
      assert(success && equal(stdout, bytes), `${bytes.length} bytes`);
    }
  },
});

Deno.test("bsdiff() makes patches that give the target back", () => {
  const bytes = fc.uint8Array({ maxLength: 400, max: 3 });
  fc.assert(fc.property(bytes, bytes, (base, target) => {
    assertEquals(apply(base, bsdiff(base, target)), target);
  }));
});

Deno.test("bsdiff() is small when little changed", () => {
  const base = noise(200_000);
  const target = concatBytes(base.subarray(0, 90_000), noise(500, 9), base.subarray(90_100));
  target[10] = 77;
  target[150_000] = 99;
  const patch = bsdiff(base, target);
  assertEquals(apply(base, patch), target);
  assertLess(patch.length, 2_000);
});

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
