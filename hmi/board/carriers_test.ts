import { assertEquals } from "@std/assert/mod.js";
import type { Carrier } from "shared/protocol/common.ts";
import { BOARD } from "../../tests/board_fixtures.ts";
import { carrierRows, jobRows } from "./carriers.ts";

const release = BOARD.releases.find((it) => it.release === "ivi-rpi4/1.5.0")!;

function rowsOf(...carriers: Partial<Carrier>[]): [string, number, number][] {
  const [full] = release.carriers as [Carrier];
  const made = carriers.map((more, at) => ({ ...full, carrierSha256: `${at}`, ...more }));
  return carrierRows({ ...release, carriers: made }, BOARD.releases)
    .map(({ label, lengthBytes, savedPercent }) => [label, lengthBytes, savedPercent]);
}

Deno.test("carrierRows() shows the smallest full carrier, and deltas against it", () => {
  const rows = carrierRows(release, BOARD.releases);
  assertEquals(rows.map(({ label, savedPercent }) => [label, savedPercent]), [
    ["Full image, compressed", 35],
    ["Delta from 1.4.0", 86],
  ]);
  assertEquals(carrierRows(release, []).map((row) => row.label)[1], "Delta from aaaaaaaa");
});

Deno.test("carrierRows() shows an uploaded patch until vehicles have a delta in its place", () => {
  const baseSha256 = "a".repeat(64);
  const patch = { format: "bsdiff40", lengthBytes: 40e6, baseSha256 } as const;
  const delta = { format: "container", lengthBytes: 41e6, baseSha256 } as const;
  const [raw] = release.carriers as [Carrier];
  assertEquals(rowsOf(raw, patch), [
    ["Full image", 412e6, 0],
    ["Patch from 1.4.0, as uploaded", 40e6, 90],
  ]);
  const both = [["Full image", 412e6, 0], ["Delta from 1.4.0", 41e6, 90]];
  assertEquals(rowsOf(raw, patch, delta), both as [string, number, number][]);
  assertEquals(rowsOf(raw, delta, patch), both as [string, number, number][]);
});

Deno.test("jobRows() shows what waits and runs, and why a delta was dropped", () => {
  assertEquals(
    jobRows(release, BOARD.releases, BOARD.deltas).map((row) => [
      row.id,
      row.label,
      row.percent,
      row.text,
    ]),
    [
      ["d2", "Delta from 11111111", 0, "Not used: no smaller than the full image of 268 MB"],
      ["d3", "Delta from 22222222", 40, "Being made"],
      ["d4", "Delta from 33333333", 0, "Waits its turn"],
      ["d5", "Full image, compressed well", 0, "Waits its turn"],
    ],
  );
  const other = BOARD.releases.find((it) => it.release === "cluster-sim/1.5.0")!;
  const [failed] = jobRows(other, BOARD.releases, BOARD.deltas);
  assertEquals(failed!.text.slice(0, 30), "Failed: 1304 deltaMakerCrashed");
});
