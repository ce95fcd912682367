/** @module */
import { assertEquals } from "@std/assert/mod.js";
import fc from "fast-check";
import { fitsPattern } from "./patterns.ts";

Deno.test("fitsPattern() keeps the examples of TUF 4.5", () => {
  const cases: [string, string, boolean][] = [
    ["targets/*.tgz", "targets/foo.tgz", true],
    ["targets/*.tgz", "targets/foo.txt", false],
    ["foo-version-?.tgz", "foo-version-2.tgz", true],
    ["foo-version-?.tgz", "foo-version-alpha.tgz", false],
    ["*.tgz", "foo.tgz", true],
    ["*.tgz", "targets/foo.tgz", false],
    ["foo.tgz", "foo.tgz", true],
    ["*", "a/b", false],
    ["*", "", true],
    ["*", ".hidden", true],
    ["?", "\u{1F697}", true],
    ["A", "a", false],
  ];
  for (const [pattern, path, fits] of cases) {
    assertEquals(fitsPattern(pattern, path), fits, `${pattern} ${path}`);
  }
});

Deno.test("fitsPattern() knows no other wildcards", () => {
  for (const pattern of ["{a,b}", "[ab]", "!b", "+(a)", "**", "#a", "\\a"]) {
    assertEquals([pattern, fitsPattern(pattern, "a")], [pattern, pattern === "**"]);
    assertEquals(fitsPattern(pattern, pattern), true);
  }
  assertEquals(fitsPattern("**", "a/b"), false);
});

Deno.test("fitsPattern() says what the same pattern says as a regular expression", () => {
  const letter = fc.constantFrom("a", "b", "/", "*", "?");
  const word = fc.array(letter, { maxLength: 8 }).map((letters) => letters.join(""));
  fc.assert(fc.property(word, word, (pattern, path) => {
    const source = [...pattern].map((one) => one === "*" ? "[^/]*" : one === "?" ? "[^/]" : one);
    assertEquals(fitsPattern(pattern, path), new RegExp(`^${source.join("")}$`).test(path));
  }));
});

Deno.test("fitsPattern() tries each place of the text once for each star, not each combination", () => {
  // As a regular expression this pattern backtracks through some 2^30 ways.
  const [pattern, path] = ["*a".repeat(30) + "b", "a".repeat(3000)];
  assertEquals(fitsPattern(pattern, path), false);
});
