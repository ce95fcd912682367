/**
 * The power is cut before every single disk operation of an update that comes as a container, in
 * full and as a delta: whatever the cache lost, the download goes on at the payload of the
 * segment that the checkpoint names, so that no more than the segment under way comes twice.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { bootLayout } from "vehicle/bootloader/boot_layout.ts";
import { SectorRecord } from "vehicle/storage/sector_record.ts";
import { StagedFile } from "vehicle/storage/staged_file.ts";
import { type SimCarrier, SMALL } from "./sim_container.ts";
import { asked, from } from "./sim_delta.ts";
import type { CutChoice } from "./sim_disk.ts";
import { imageBytes, nextImage, release, seeded, withDelta } from "./sim_release.ts";
import { SimVehicle } from "./sim_vehicle.ts";

const random = seeded(77);
const WORDS = ["old", "new", "torn"] as const;
const LOSSES: Readonly<Record<string, () => CutChoice>> = {
  "everything unsynced": () => () => "old",
  "nothing": () => () => "new",
  "any part": () => () => WORDS[Math.floor(random() * 3)]!,
};

/** A vehicle whose body runs an image of five segments. */
async function running(base: Uint8Array): Promise<SimVehicle> {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", { body: release("body-sim", 2, { bytes: base }) });
  await vehicle.settled("c2");
  return vehicle;
}

/** What the checkpoint on the boot partition says of an image. */
function savedBytes(vehicle: SimVehicle, sha256: string): number {
  const { boot, A } = vehicle.disksOf("body");
  const { checkpoint: sectors } = bootLayout(boot);
  const record = new SectorRecord(boot, { magic: "CKPT", sectors });
  const saved = new StagedFile(A, record).saved();
  return saved?.sha256 === sha256 ? saved.doneBytes : 0;
}

for (const [words, loss] of Object.entries(LOSSES)) {
  for (const way of ["full", "delta"] as const) {
    Deno.test(`a ${way} container goes on at the segment that was cut, wherever the power goes, when ${words} is lost`, async () => {
      let base = imageBytes("good", 4200, 1);
      const vehicle = await running(base);
      const resumed = new Set<number>();
      let cuts = 0;
      for (let counter = 3;; counter++) {
        const bytes = nextImage(base, counter).slice(0, 4200);
        const full = release("body-sim", counter, { bytes });
        const one = way === "full" ? full : withDelta(full, base);
        const carrier = way === "full" ? one.full : one.deltas[0] as SimCarrier;
        vehicle.power.cutAt = vehicle.power.operations + cuts;
        vehicle.offer(`c${counter}`, { body: one });
        const concluded = () => vehicle.journal().concluded === `c${counter}`;
        await vehicle.until(() => !vehicle.on || concluded(), "a cut or the end");
        if (vehicle.on) break;
        vehicle.cut(loss());
        const travels = ["idle", "preparing"].includes(vehicle.journal().phase) && !concluded();
        const savedTo = savedBytes(vehicle, one.release.sha256);
        vehicle.backend.requests.length = 0;
        vehicle.powerOn();
        await vehicle.settled(`c${counter}`);
        assertEquals(vehicle.runs()["body"], `${counter}.0.0`);
        const segment = savedTo / SMALL.segmentBytes;
        const missing = travels && savedTo < bytes.length;
        assertEquals(asked(vehicle), missing ? from(carrier, segment) : [], `cut ${cuts}`);
        if (missing) resumed.add(segment);
        [base, cuts] = [bytes, cuts + 1];
      }
      assert(cuts >= 40, `${cuts} cuts`);
      assertEquals([...resumed].toSorted(), [0, 1, 2, 3, 4]);
      assert(vehicle.log.every((line) => !line.startsWith("body:")), vehicle.log.join("\n"));
    });
  }
}

for (const [words, loss] of Object.entries(LOSSES)) {
  Deno.test(`an update that has to go over ends well, wherever the power goes, when ${words} is lost`, async () => {
    let base = imageBytes("good", 4200, 1);
    const vehicle = await running(base);
    const resumed = new Set<string>();
    let cuts = 0;
    for (let counter = 3;; counter++) {
      const bytes = nextImage(base, counter).slice(0, 4200);
      const one = withDelta(release("body-sim", counter, { bytes }), base);
      const delta = one.deltas[0] as SimCarrier;
      const damaged = delta.bytes.slice();
      damaged[delta.offsets[3]!]! ^= 1;
      vehicle.power.cutAt = vehicle.power.operations + cuts;
      vehicle.offer(`c${counter}`, { body: one });
      vehicle.backend.carriers.set(delta.carrier.carrierSha256, damaged);
      const concluded = () => vehicle.journal().concluded === `c${counter}`;
      await vehicle.until(() => !vehicle.on || concluded(), "a cut or the end");
      if (vehicle.on) break;
      vehicle.cut(loss());
      const there = savedBytes(vehicle, one.release.sha256) / SMALL.segmentBytes;
      vehicle.backend.requests.length = 0;
      vehicle.powerOn();
      await vehicle.settled(`c${counter}`);
      assertEquals(vehicle.runs()["body"], `${counter}.0.0`);
      for (const { sha256, offset } of vehicle.backend.requests) {
        const { offsets, bytes } = sha256 === delta.carrier.carrierSha256 ? delta : one.full;
        if (bytes.length <= 960) resumed.add(`delta ${there}`); // All of it, in one request.
        if (offset < offsets[0]!) continue; // The head.
        const segment = offsets.findLastIndex((at) => at === offset);
        assert(segment >= there && segment !== -1, `asked for ${offset}, ${there} are there`);
        resumed.add(`${sha256 === delta.carrier.carrierSha256 ? "delta" : "full"} ${segment}`);
      }
      [base, cuts] = [bytes, cuts + 1];
    }
    assert(cuts >= 40, `${cuts} cuts`);
    // Before, at and behind the segment that is damaged.
    for (const way of ["delta 1", "delta 3", "full 3", "delta 4"]) assert(resumed.has(way), way);
  });
}
