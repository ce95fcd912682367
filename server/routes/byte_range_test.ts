import { assert, assertEquals } from "@std/assert/mod.js";
import fc from "fast-check";
import { chooseRange } from "./byte_range.ts";

/** RFC 9110 14.1.2 and 14.2, on ten bytes: what each field must lead to. */
const MATRIX: [string | null, string][] = [
  [null, "whole"],
  ["bytes=0-0", "0-0"],
  ["bytes=0-9", "0-9"],
  ["bytes=0-", "0-9"],
  ["bytes=9-", "9-9"],
  ["bytes=3-5", "3-5"],
  ["bytes=3-99", "3-9"],
  ["bytes=-1", "9-9"],
  ["bytes=-10", "0-9"],
  ["bytes=-99", "0-9"],
  ["BYTES=1-2", "1-2"],
  ["bytes= 1-2", "1-2"],
  ["bytes=10-", "unsatisfiable"],
  ["bytes=10-11", "unsatisfiable"],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=5-3", "whole"],
  ["bytes=-", "whole"],
  ["bytes=", "whole"],
  ["bytes=a-b", "whole"],
  ["bytes=1-2,4-5", "whole"],
  ["bytes=1.5-2", "whole"],
  ["bytes=0x1-2", "whole"],
  ["items=0-5", "whole"],
  ["bytes 0-5", "whole"],
  ["bytes=99999999999999999999-", "whole"],
];

function shown(range: string | null, lengthBytes: number): string {
  const answer = chooseRange(range, lengthBytes);
  return answer.kind === "part" ? `${answer.first}-${answer.last}` : answer.kind;
}

for (const [range, expected] of MATRIX) {
  Deno.test(`chooseRange() on 10 bytes answers ${range} with ${expected}`, () => {
    assertEquals(shown(range, 10), expected);
  });
}

Deno.test("chooseRange() never goes outside", () => {
  const field = fc.oneof(
    fc.string(),
    fc.tuple(fc.nat(30), fc.nat(30)).map(([a, b]) => `bytes=${a}-${b}`),
  );
  fc.assert(fc.property(field, fc.integer({ min: 1, max: 20 }), (range, length) => {
    const answer = chooseRange(range, length);
    if (answer.kind !== "part") return;
    assert(0 <= answer.first && answer.first <= answer.last && answer.last < length);
  }));
});
