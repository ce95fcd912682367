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

const fill = (value: number) => new Uint8Array(512).fill(value);

Deno.test("SimDisk: a sector that was written twice since sync() may keep any of its three contents", () => {
  for (const [fate, kept] of [[0, 1], [1, 2], [2, 3], ["old", 1], ["new", 3]] as const) {
    const disk = new SimDisk(2);
    disk.write(0, fill(1));
    disk.sync();
    disk.write(0, fill(2));
    disk.write(0, fill(3));
    assertEquals(disk.read(0, 1), fill(3), "reads see the newest");
    disk.cut((_sector, writes) => {
      assertEquals(writes, 2);
      return fate;
    });
    assertEquals(disk.read(0, 1), fill(kept));
  }
});

Deno.test("SimDisk: a torn sector has the new head, or the new tail, or nothing of either", () => {
  const left = (["torn", "tornTail", "garbage"] as const).map((fate) => {
    const disk = new SimDisk(1);
    disk.write(0, fill(1));
    disk.sync();
    disk.write(0, fill(2));
    disk.cut(() => fate);
    return disk.read(0, 1);
  });
  assertEquals([left[0]![0], left[0]![511]], [2, 1]);
  assertEquals([left[1]![0], left[1]![511]], [1, 2]);
  assertEquals(left[2]!.filter((byte) => byte === 1 || byte === 2).length < 64, true);
});

Deno.test("SimDisk: a page that was not written to its end takes all of its sectors, synced or not, and no other", () => {
  const disk = new SimDisk(24, 8);
  for (let sector = 0; sector < 24; sector++) disk.write(sector, fill(1));
  disk.sync();
  disk.write(9, fill(2));
  disk.write(12, fill(2));
  disk.write(16, fill(2));
  disk.cut((sector) => sector === 9 ? "garbage" : "new");
  const whole = Array.from({ length: 24 }, (_, at) => disk.read(at, 1)).map((bytes) =>
    bytes.every((byte) => byte === bytes[0]) ? bytes[0]! : "-"
  );
  const page = (value: number | string) => Array(8).fill(value);
  assertEquals(whole, [...page(1), ...page("-"), 2, ...page(1).slice(1)]);
});

Deno.test("SimDisk: restore() brings back what was durable at snapshot(), and only that", () => {
  const disk = new SimDisk(4);
  disk.write(1, fill(7));
  disk.sync();
  disk.write(2, fill(8));
  const snapshot = disk.snapshot();
  disk.write(1, fill(9));
  disk.sync();
  disk.flip(1, 0);
  disk.restore(snapshot);
  assertEquals(disk.read(0, 4), new Uint8Array([...fill(0), ...fill(7), ...fill(0), ...fill(0)]));
});
