import { assertEquals } from "@std/assert/mod.js";
import { BOARD } from "../../tests/board_fixtures.ts";
import type { Api } from "./ports.ts";
import { createBoard, cutShort, takeSnapshot } from "./state.ts";

Deno.test("cutShort() tells what a snapshot of a large fleet leaves out, and only that", () => {
  const board = createBoard({} as Api, { nowMs: 0, page: "vehicles" });
  assertEquals(cutShort(board), null, "nothing is known yet");
  const shown = BOARD.vehicles.length;
  const totals = { releases: BOARD.releases.length, campaigns: 0, vehicles: shown + 3000 };
  takeSnapshot(board, { ...BOARD, totals });
  assertEquals(cutShort(board), { shown, all: shown + 3000 });
  board.page.value = "releases";
  assertEquals(cutShort(board), null);
  board.page.value = "new";
  assertEquals(cutShort(board), null);
});
