import { assert, assertEquals } from "@std/assert/mod.js";
import { UPDATE } from "vehicle/gateway/update_table.ts";
import { RULES } from "vehicle/bootloader/boot_choice.ts";
import { drawAll, drawMachine } from "./draw_tables.ts";

Deno.test("drawMachine() draws every edge once, and every column of every phase", () => {
  const drawn = drawMachine({
    title: "Door",
    text: "A door.",
    file: "door.ts",
    first: "shut",
    table: { shut: { push: "open" }, open: { pull: "shut", kick: "shut" } },
    columns: { resume: { shut: "shut", open: "ajar" } },
  });
  assertEquals(drawn.match(/^ {4}\S+ --> \S+: \S+$/gm), [
    "    shut --> open: push",
    "    open --> shut: pull",
    "    open --> shut: kick",
  ]);
  assert(drawn.includes("| `open` | pull → `shut`<br>kick → `shut` | ajar   |"), drawn);
});

Deno.test("drawAll() draws what runs: all edges of the update and all rows of the boot choice", () => {
  const drawn = drawAll();
  const edges = Object.entries(UPDATE).flatMap(([phase, row]) =>
    Object.entries(row).map(([event, next]) => `    ${phase} --> ${next}: ${event}\n`)
  );
  for (const edge of edges) assertEquals(drawn.split(edge).length, 2, edge);
  for (const [i, [, , choice]] of RULES.entries()) {
    assert(drawn.match(new RegExp(`^\\| ${i + 1} .*\\| ${choice} +\\|$`, "m")), `row ${i + 1}`);
  }
});

Deno.test("docs/tables.md is what drawAll() draws", async () => {
  assertEquals(await Deno.readTextFile(new URL("../docs/tables.md", import.meta.url)), drawAll());
});
