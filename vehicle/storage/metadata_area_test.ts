/**
 * Trusted metadata and power cuts: all of a change or none of it, whatever the cache leaves; and
 * rot: no single damage takes anything away.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import type { StoreChange } from "shared/trust/ports.ts";
import { mediumStates } from "../../tests/sim/medium_states.ts";
import { PowerCut, SimDisk } from "../../tests/sim/sim_disk.ts";
import { NOW, TestRepository } from "../../tests/trust/repository.ts";
import { outcome } from "../../tests/trust/world.ts";
import { MetadataClient } from "shared/trust/client.ts";
import { DIRECTOR_PLACE, IMAGE_PLACE, MetadataArea, TRUST_DISK_BYTES } from "./metadata_area.ts";
import { TimeFloorRecord } from "./time_floor_record.ts";

/** Areas of two sectors: what matters is the order of writes, not their number. */
const PLACE = {
  magic: "TEST",
  heads: [0, 8],
  at: 16,
  roles: [["root", 1024], ["timestamp", 1024], ["snapshot", 1024]],
} as const;
const SECTORS = 40;

function bytes(fill: number, length = 700): Uint8Array {
  return new Uint8Array(length).fill(fill);
}

/** What every role says, by the first byte of its content. */
function said(disk: SimDisk): string {
  const area = new MetadataArea(disk, PLACE);
  return ["root", "timestamp", "snapshot"].map((role) => area.read(role)?.[0] ?? "-").join("");
}

function commit(disk: SimDisk, changes: readonly StoreChange[]): void {
  new MetadataArea(disk, PLACE).commit(changes);
}

const BEFORE: readonly StoreChange[] = [
  ["root", bytes(1)],
  ["timestamp", bytes(2)],
  ["snapshot", bytes(3)],
];
const CHANGE: readonly StoreChange[] = [
  ["root", bytes(4, 1024)],
  ["timestamp", null],
  ["snapshot", bytes(5, 1)],
];

/** Every state that a cut at any operation of one change may leave, as a list of disks. */
function* cuts(
  before: ReadonlyMap<number, Uint8Array>,
  changes: readonly StoreChange[],
  disk: SimDisk = new SimDisk(SECTORS),
): Generator<ReadonlyMap<number, Uint8Array>> {
  for (let cutAt = 0;; cutAt++) {
    disk.restore(before);
    disk.operations = 0;
    disk.cutAt = cutAt;
    try {
      commit(disk, changes);
      return; // It ended before the cut.
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
    const [pending, durable] = [new Map(disk.pending), disk.snapshot()];
    const sectors = [...pending.keys()];
    const writes = sectors.map((sector) => pending.get(sector)!.length);
    for (const fates of mediumStates(writes, { random: () => 0.5 })) {
      const left = new SimDisk(SECTORS);
      left.restore(durable);
      for (const sector of sectors) {
        for (const content of pending.get(sector)!) left.write(sector, content);
      }
      left.cut((sector) => fates[sectors.indexOf(sector)]!);
      yield left.snapshot();
    }
  }
}

function prepared(): ReadonlyMap<number, Uint8Array> {
  const disk = new SimDisk(SECTORS);
  commit(disk, BEFORE.map(([role]) => [role, bytes(9)] as const));
  commit(disk, BEFORE);
  assertEquals(said(disk), "123");
  return disk.snapshot();
}

function saidBy(medium: ReadonlyMap<number, Uint8Array>): string {
  const disk = new SimDisk(SECTORS);
  disk.restore(medium);
  return said(disk);
}

Deno.test("MetadataArea reads what was committed, forgets, and passes over roles it has no room for", () => {
  const disk = new SimDisk(SECTORS);
  assertEquals([said(disk), new MetadataArea(disk, PLACE).health()], ["---", "blank"]);
  commit(disk, BEFORE);
  commit(disk, [["carriers", bytes(7)], ["snapshot", bytes(8, 0)]]);
  assertEquals([said(disk), new MetadataArea(disk, PLACE).read("snapshot")?.length], ["12-", 0]);
  commit(disk, CHANGE);
  assertEquals([said(disk), new MetadataArea(disk, PLACE).health()], ["4-5", "even"]);
  assertEquals(new MetadataArea(disk, PLACE).read("root"), bytes(4, 1024));
  assertEquals(new MetadataArea(disk, PLACE).read("carriers"), undefined);
});

Deno.test("a change of several roles that is cut anywhere is there as a whole, or not at all; twice", () => {
  const seen = new Map<string, number>();
  const middle = new Map<string, ReadonlyMap<number, Uint8Array>>();
  for (const medium of cuts(prepared(), CHANGE)) {
    const found = saidBy(medium);
    seen.set(found, (seen.get(found) ?? 0) + 1);
    const key = [...medium].map(([at, content]) => `${at}:${content.join()}`).toSorted().join();
    middle.set(key, medium);
  }
  assertEquals([...seen.keys()].toSorted(), ["123", "4-5"], "both, and nothing else");
  assert(middle.size > 50, `${middle.size} media`);
  // Each of them is a disk on which the next change may be cut as well.
  const again: readonly StoreChange[] = [["root", bytes(6)], ["timestamp", bytes(7)]];
  let second = 0;
  for (const medium of [...middle.values()].filter((_, at) => at % 7 === 0)) {
    const from = saidBy(medium);
    for (const left of cuts(medium, again)) {
      second++;
      const found = saidBy(left);
      assert(found === from || found === `67${from[2]}`, `${from} became ${found}`);
    }
  }
  assert(second > 1000, `${second} second cuts`);
});

/** A disk on which the first sync after a start does nothing: a careless order of writes. */
class ForgetfulDisk extends SimDisk {
  #syncs = 0;

  override restore(snapshot: ReadonlyMap<number, Uint8Array>): void {
    super.restore(snapshot);
    this.#syncs = 0;
  }

  override sync(): void {
    if (this.#syncs++ === 0) this.operations++;
    else super.sync();
  }
}

Deno.test("the test above finds it when the first sync of a change is left out", () => {
  const mixed = new Set<string>();
  // The disk is even, so the first sync of the change is that of the contents.
  for (const medium of cuts(prepared(), CHANGE, new ForgetfulDisk(SECTORS))) {
    mixed.add(saidBy(medium));
  }
  assert([...mixed].some((found) => found !== "123" && found !== "4-5"), [...mixed].join());
});

Deno.test("no single flipped bit takes anything away or back, and even() mends it", () => {
  const disk = new SimDisk(SECTORS);
  commit(disk, BEFORE);
  commit(disk, CHANGE);
  const whole = disk.snapshot();
  let hit = 0;
  for (const sector of whole.keys()) {
    for (const bit of [0, 77, 4095]) {
      disk.restore(whole);
      disk.flip(sector, bit);
      assertEquals(said(disk), "4-5", `sector ${sector} bit ${bit}`);
      const area = new MetadataArea(disk, PLACE);
      if (area.even() === "even") continue; // Behind the end of a content nothing lies.
      hit++;
      assertEquals([area.health(), said(disk)], ["even", "4-5"]);
    }
  }
  assert(hit > 10, `${hit} flips hit something`);
});

Deno.test("the real places have room for the largest files, and none lies on another", () => {
  const disk = new SimDisk(TRUST_DISK_BYTES / 512);
  const floor = new TimeFloorRecord(disk);
  const places = [DIRECTOR_PLACE, IMAGE_PLACE];
  const full = (place: typeof places[number], salt: number) =>
    place.roles.map(([role, maxBytes], i) => [role, bytes(salt + i, maxBytes)] as const);
  floor.write(1000);
  for (const [i, place] of places.entries()) {
    new MetadataArea(disk, place).commit(full(place, 10 * i));
  }
  floor.write(2000);
  floor.write(1500);
  for (const [i, place] of places.entries()) {
    for (const [role, content] of full(place, 10 * i)) {
      const found = new MetadataArea(disk, place).read(role);
      assertEquals([found?.length, found?.[0], found?.at(-1)], [
        ...[content.length, content[0], content[0]],
      ]);
    }
  }
  assertEquals([floor.read(), floor.health()], [2000, "even"]);
});

Deno.test("an update of metadata that is cut anywhere goes on afterwards; renewed keys never leave it stuck", async () => {
  for (const way of ["new", "renewed"] as const) {
    const repository = new TestRepository();
    if (way === "renewed") repository.part("timestamp").version = 1_000_000; // By a thief.
    repository.publish("targets");
    const fresh = new SimDisk(TRUST_DISK_BYTES / 512);
    const client = (disk: SimDisk) =>
      new MetadataClient({ source: repository, store: new MetadataArea(disk, DIRECTOR_PLACE) });
    client(fresh).begin(repository.files.get("1.root.json")!);
    await client(fresh).refresh(NOW);
    const before = fresh.snapshot();
    if (way === "renewed") {
      for (const role of ["timestamp", "snapshot"]) repository.rotate(role);
      repository.part("timestamp").version = 1;
      repository.publish("root");
    }
    repository.publish("targets");
    let cutAt = 0;
    for (;; cutAt++) {
      const disk = new SimDisk(TRUST_DISK_BYTES / 512);
      disk.restore(before);
      disk.operations = 0;
      disk.cutAt = cutAt;
      const ended = await client(disk).refresh(NOW).then(() => true, (error) => {
        if (!(error instanceof PowerCut)) throw error;
        return false;
      });
      if (ended) break;
      for (const fate of ["old", "new", "torn", "garbage"] as const) {
        const left = new SimDisk(TRUST_DISK_BYTES / 512);
        left.restore(disk.snapshot());
        for (const [sector, writes] of disk.pending) {
          for (const one of writes) left.write(sector, one);
        }
        left.cut((sector) => fate === "torn" && sector % 2 === 1 ? "old" : fate);
        assertEquals(
          await outcome(() => client(left).refresh(NOW)),
          "trusted",
          `${way} ${cutAt} ${fate}`,
        );
        const area = new MetadataArea(left, DIRECTOR_PLACE);
        area.even(); // As the gateway's scrub does: an update without news writes nothing.
        assertEquals(area.health(), "even");
      }
    }
    assert(cutAt > 10, `${cutAt} operations`);
  }
});
