import { assert, assertEquals } from "@std/assert/mod.js";
import fc from "fast-check";
import { MIB } from "shared/limits.ts";
import {
  formatAgo,
  formatBytes,
  formatRate,
  formatSpan,
  nextChunkBytes,
  percent,
} from "./format.ts";

Deno.test("formatBytes() keeps to three digits at every unit's edge", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [9949, "9.9 kB"],
    [9950, "10 kB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [412_000_000, "412 MB"],
    [1_200_000_000, "1.2 GB"],
  ];
  for (const [bytes, text] of cases) assertEquals(formatBytes(bytes), text);
  assertEquals(formatRate(4_200_000), "4.2 MB/s");
});

Deno.test("formatSpan() and formatAgo() round to what helps", () => {
  assertEquals([40, 119, 120, 3599, 7200, 200_000].map(formatSpan), [
    "40 s",
    "119 s",
    "2 min",
    "60 min",
    "2 h",
    "2 days",
  ]);
  const now = Date.parse("2026-03-14T10:00:00Z");
  assertEquals(formatAgo("2026-03-14T09:59:55Z", now), "just now");
  assertEquals(formatAgo("2026-03-14T08:00:00Z", now), "2 h ago");
  assertEquals(formatAgo("2026-03-14T10:05:00Z", now), "just now");
});

Deno.test("percent() is 100 only when all is done and 0 only when nothing is", () => {
  fc.assert(fc.property(fc.nat(1e9), fc.integer({ min: 1, max: 1e9 }), (done, total) => {
    const share = percent(done, total);
    assertEquals(share === 100, done >= total);
    assertEquals(share === 0, done === 0);
  }));
  assertEquals(percent(5, 0), 0);
});

Deno.test("nextChunkBytes() grows on a fast line, shrinks on a slow one, and stays in bounds", () => {
  assertEquals(nextChunkBytes(MIB, 100), 4 * MIB);
  assertEquals(nextChunkBytes(8 * MIB, 100), 8 * MIB);
  assertEquals(nextChunkBytes(8 * MIB, 16_000), MIB);
  fc.assert(fc.property(fc.integer({ min: 1, max: 8 * MIB }), fc.nat(1e6), (bytes, ms) => {
    const next = nextChunkBytes(bytes, ms);
    assert(next >= MIB / 4 && next <= 8 * MIB);
  }));
});
