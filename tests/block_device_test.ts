/**
 * The disk adapter over real block devices: the same contract as the simulated disk and the file,
 * and a whole ECU's storage on partitions that links lead to.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import { FileDisk } from "vehicle/adapters/disk_file.ts";
import { openEcu } from "vehicle/adapters/ecu_storage.ts";
import { EMPTY_SLOT } from "vehicle/bootloader/boot_record.ts";
import { diskContract } from "./contracts/disk_contract.ts";
import { LoopDevice, noLoopDevice } from "./loop_device.ts";

const missing = noLoopDevice();
const ignore = missing !== "";
const SIZE = 16 * 512;

if (!ignore) {
  diskContract("FileDisk on a block device", (test) => {
    using device = LoopDevice.attach(SIZE);
    using disk = new FileDisk(device.path, SIZE);
    test(disk);
  });
}

Deno.test({
  name: `FileDisk on a block device: what was synced is on the medium below it${missing}`,
  ignore,
  fn() {
    using device = LoopDevice.attach(SIZE);
    using disk = new FileDisk(device.path, SIZE);
    disk.write(15, new Uint8Array(512).fill(0xC3));
    disk.sync();
    const below = Deno.readFileSync(device.file);
    assertEquals(below.length, SIZE, "the device does not grow");
    assertEquals(below.subarray(15 * 512), new Uint8Array(512).fill(0xC3));
    assert(below.subarray(0, 15 * 512).every((byte) => byte === 0));
  },
});

Deno.test({
  name: `FileDisk takes a device that is longer, whatever it held, and refuses a shorter${missing}`,
  ignore,
  fn() {
    using device = LoopDevice.attach(SIZE);
    {
      using disk = new FileDisk(device.path, SIZE);
      disk.write(1, new Uint8Array(512).fill(9));
      disk.sync();
    }
    using disk = new FileDisk(device.path, SIZE - 512, 4096);
    assertEquals([disk.sectors, disk.read(1, 1)[0]], [15, 9]);
    assertThrows(() => disk.write(15, new Uint8Array(512)), RangeError);
    const error = assertThrows(() => new FileDisk(device.path, SIZE + 1), UpdateFailure);
    assertEquals(error.failure, "storageFailed");
    assert(error.message.includes(`${SIZE} bytes`), error.message);
  },
});

Deno.test("FileDisk refuses what is neither a file nor a block device", () => {
  const error = assertThrows(() => new FileDisk("/dev/null", 512), UpdateFailure);
  assertEquals(error.failure, "storageFailed");
});

Deno.test({
  name: `an ECU whose disks are links to block devices keeps its boot record there${missing}`,
  ignore,
  fn() {
    using boot = LoopDevice.attach(1024 * 1024);
    using slot = LoopDevice.attach(64 * 1024);
    const dataDir = Deno.makeTempDirSync();
    const opened: FileDisk[] = [];
    try {
      const folder = `${dataDir}/ecus/body`;
      Deno.mkdirSync(folder, { recursive: true });
      Deno.symlinkSync(boot.path, `${folder}/boot.disk`);
      Deno.symlinkSync(slot.path, `${folder}/slotA.disk`);
      const [serial, hardware, slotBytes, runner] = ["body", "body-sim", 65_536, "opaque"] as const;
      const profile = { serial, hardware, restartRank: 1, slotBytes, runner };
      const image = { sha256: "ab".repeat(32), lengthBytes: 5, counter: 1, version: "1.0.0" };
      openEcu(dataDir, profile, opened).records.change("A", { image, priority: 3 });
      const { records } = openEcu(dataDir, profile, opened);
      assertEquals(records.read().A, { ...EMPTY_SLOT, image, priority: 3 });
      assert(Deno.readFileSync(boot.file).some((byte) => byte !== 0), "it lies on the device");
    } finally {
      for (const disk of opened) disk[Symbol.dispose]();
      Deno.removeSync(dataDir, { recursive: true });
    }
  },
});
