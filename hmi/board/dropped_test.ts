import { assertEquals, assertMatch } from "@std/assert/mod.js";
import { oneFile } from "./dropped.ts";

Deno.test("oneFile() takes one file, and says why it takes nothing else", () => {
  const said = (files: { name: string }[], folders: string[] = []) => {
    const found = oneFile({ files, folders });
    return typeof found === "string" ? found : `takes ${found.name}`;
  };
  const [a, b] = [{ name: "a.bin" }, { name: "b.bin" }];
  assertEquals(said([a]), "takes a.bin");
  assertMatch(said([a, b]), /^Cannot take 2 files at once: .+ one image/);
  assertMatch(said([a, b], ["a.bin"]), /^Cannot take 2 files at once/);
  assertMatch(said([{ name: "images" }], ["images"]), /^Cannot take "images": it is a folder/);
  assertMatch(said([]), /no file in it$/);
});
