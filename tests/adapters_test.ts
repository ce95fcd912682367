import { assertEquals, assertThrows } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import { FileDisk } from "vehicle/adapters/disk_file.ts";
import { diskContract } from "./contracts/disk_contract.ts";

diskContract("FileDisk", (test) => {
  const path = Deno.makeTempFileSync();
  try {
    using disk = new FileDisk(path, 16 * 512);
    test(disk);
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("FileDisk keeps its bytes when it is opened again, and grows but never shrinks", () => {
  const path = Deno.makeTempFileSync();
  try {
    {
      using disk = new FileDisk(path, 1024);
      disk.write(1, new Uint8Array(512).fill(5));
      disk.sync();
    }
    using larger = new FileDisk(path, 4096);
    assertEquals(larger.read(1, 1)[0], 5);
    const error = assertThrows(() => new FileDisk(path, 1024), UpdateFailure);
    assertEquals(error.failure, "storageFailed");
  } finally {
    Deno.removeSync(path);
  }
});
