import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import fc from "fast-check";
import { compareVersions } from "./version.ts";

Deno.test("compareVersions() orders part by part as numbers, not as text or fraction", () => {
  const rising = ["0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0"]
    .concat("1.0.0.1", "1.2", "1.9.0", "1.10.0", "2", "10.0.0");
  for (const [i, older] of rising.entries()) {
    for (const newer of rising.slice(i + 1)) {
      assert(compareVersions(older, newer) < 0, `${older} < ${newer}`);
      assert(compareVersions(newer, older) > 0, `${newer} > ${older}`);
    }
  }
});

Deno.test("compareVersions() takes missing parts as zero", () => {
  assertEquals(compareVersions("1.2", "1.2.0.0"), 0);
});

Deno.test("compareVersions() is a total order", () => {
  const version = fc.stringMatching(/^[0-9](\.[0-9]{1,2}){0,3}(-[a-c0-9](\.[a-c0-9]){0,2})?$/)
    .filter((text) => !/(^|\.)0\d/.test(text.split("-")[0]!));
  fc.assert(fc.property(version, version, version, (a, b, c) => {
    assertEquals(Math.sign(compareVersions(a, b)), -Math.sign(compareVersions(b, a)) + 0);
    if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) {
      assert(compareVersions(a, c) <= 0);
    }
  }));
});

Deno.test("compareVersions() refuses what is not a version", () => {
  for (const text of ["", "v1", "1..2", "01.2", "1.2.3.4.5", "1.0 ", "1.0-", "../1", "1e9"]) {
    assertThrows(() => compareVersions(text, "1"), SyntaxError);
  }
});
