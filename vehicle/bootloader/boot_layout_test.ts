import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import { PAGE_BYTES } from "shared/limits.ts";
import { bootLayout } from "./boot_layout.ts";

const PAGE = PAGE_BYTES / 512;

Deno.test("bootLayout() gives each copy of each record a page of its own, in every partition that it takes", () => {
  for (const sectors of [8 * PAGE, 10 * PAGE, 2048]) {
    const layout = bootLayout({ sectors, sectorBytes: 512 });
    const { record, checkpoint, trialLogHeads, trialLogAreas, trialLogSectors } = layout;
    const heads = [record, checkpoint, trialLogHeads].flat().map((at) => [at, 1] as const);
    const areas = trialLogAreas.map((at) => [at, trialLogSectors] as const);
    const pages = [...heads, ...areas].flatMap(([at, count]) => {
      const [first, last] = [Math.floor(at / PAGE), Math.floor((at + count - 1) / PAGE)];
      assert(at + count <= sectors);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
    assertEquals(new Set(pages).size, pages.length, `${pages}`);
  }
  for (const sectors of [0, 8, 7 * PAGE, 8 * PAGE + 2]) {
    assertThrows(() => bootLayout({ sectors, sectorBytes: 512 }));
  }
});
