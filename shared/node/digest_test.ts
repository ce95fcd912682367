import { assertEquals } from "@std/assert/mod.js";
import { nobleHash } from "../merkle.ts";
import { nodeHash } from "./digest.ts";

Deno.test("nodeHash() gives the digest of its parts, and has the garbage collected now and then", () => {
  const global = globalThis as { gc?: () => void };
  const before = global.gc;
  let collected = 0;
  global.gc = () => void collected++;
  try {
    const [prefix, bytes] = [Uint8Array.of(1), new Uint8Array(192)];
    for (let i = 0; i < 3 * 512; i++) {
      bytes.set([i, i >> 8]);
      const found = nodeHash(prefix, bytes);
      if (i % 64 === 0) assertEquals(found, nobleHash(prefix, bytes));
    }
    assertEquals(collected, 3);
    const small = bytes.subarray(0, 64); // An inner node: it leaves nothing to be collected.
    for (let i = 0; i < 2 * 512; i++) {
      small[0] = i;
      const found = nodeHash(prefix, small);
      if (i % 64 === 0) assertEquals(found, nobleHash(prefix, small));
    }
    assertEquals(collected, 3);
  } finally {
    if (before === undefined) delete global.gc;
    else global.gc = before;
  }
});
