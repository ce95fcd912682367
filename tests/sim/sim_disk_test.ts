import { assertEquals } from "@std/assert/mod.js";
import { diskContract } from "../contracts/disk_contract.ts";
import { SimDisk } from "./sim_disk.ts";

diskContract("SimDisk", (test) => test(new SimDisk(16)));

Deno.test("SimDisk: write() without sync() may be lost, and may be torn", () => {
  const disk = new SimDisk(4);
  disk.write(0, new Uint8Array(512).fill(1));
  disk.sync();
  disk.write(0, new Uint8Array(512).fill(2));
  disk.write(1, new Uint8Array(512).fill(2));
  disk.write(2, new Uint8Array(512).fill(2));
  disk.cut((sector) => (["old", "new", "torn"] as const)[sector]!);
  assertEquals([0, 1, 2].map((sector) => disk.read(sector, 1)[0]), [1, 2, 2]);
  assertEquals(disk.read(2, 1)[511], 0);
});
