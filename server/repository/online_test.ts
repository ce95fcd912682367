import { assert, assertEquals, assertRejects } from "@std/assert/mod.js";
import fc from "fast-check";
import type { Clock } from "shared/clock.ts";
import { KEPT_METADATA_VERSIONS, ONLINE_VALID_MS, TIMESTAMP_VALID_MS } from "shared/limits.ts";
import { openBlobs } from "../adapters/blobs_fs.ts";
import { openKeys } from "../adapters/keys_fs.ts";
import { openRecords } from "../adapters/records_sqlite.ts";
import type { RecordStore } from "../ports.ts";
import { newVehicle } from "../access/enrolment.ts";
import { VIN } from "../samples_test.ts";
import { isDue, nextVersion, signImage } from "./online.ts";
import { Owners } from "./owners_test.ts";
import { Repositories } from "./repositories.ts";

const HOUR = 60 * 60_000;

/** Repositories on a folder, under a clock that only the test moves. */
class Bench implements AsyncDisposable {
  nowMs = Date.now();
  readonly clock: Clock = {
    now: () => this.nowMs,
    monotonic: () => this.nowMs,
    sleep: () => Promise.reject(new Error("nothing waits here")),
  };

  private constructor(
    readonly folder: string,
    readonly records: RecordStore,
    public repositories: Repositories,
    readonly log: string[],
  ) {}

  static async open(): Promise<Bench> {
    const folder = await Deno.makeTempDir();
    const records = openRecords(`${folder}/records.sqlite`);
    const log: string[] = [];
    const bench = new Bench(folder, records, undefined as unknown as Repositories, log);
    const options = { now: () => bench.nowMs, wanted: {}, newKeys: false };
    bench.repositories = new Repositories({
      records,
      blobs: await openBlobs(folder, bench.nowMs),
      vault: await openKeys(`${folder}/keys`, options),
      clock: bench.clock,
      log: (line) => log.push(line),
    });
    const owners = new Owners();
    await bench.repositories.desk.accept(owners.next(await bench.repositories.desk.request()));
    return bench;
  }

  /** The newest version of a role, and when it ends. */
  async role(role: string, vin?: string): Promise<{ version: number; expiresAtMs: number }> {
    const repository = vin === undefined ? "image" : "director";
    const name = { repository, vin: vin ?? "", role } as const;
    const row = await this.records.read((tables) => tables.metadata(name));
    return { version: row!.version, expiresAtMs: row!.expiresAtMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.records.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("nextVersion() rises always, also when the clock goes back or records were restored", () => {
  const at = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2090, 0, 1) });
  fc.assert(fc.property(fc.nat(), at, (before, nowMs) => {
    assert(nextVersion(before, nowMs) > before);
  }));
  fc.assert(fc.property(at, fc.integer({ min: 1000, max: 1e9 }), (nowMs, laterMs) => {
    // The server forgot what it had signed, and time has passed.
    assert(nextVersion(0, nowMs + laterMs) > nextVersion(0, nowMs));
  }));
});

Deno.test("metadata is signed again when a quarter of its time is over, and not before", async () => {
  await using bench = await Bench.open();
  const first = await bench.role("timestamp");
  assertEquals(first.expiresAtMs, bench.nowMs + TIMESTAMP_VALID_MS);
  assertEquals(await bench.repositories.refreshImage(), false);
  bench.nowMs += TIMESTAMP_VALID_MS / 4 - 1;
  assertEquals(await bench.repositories.refreshImage(), false);
  bench.nowMs += 1;
  const snapshot = await bench.role("snapshot");
  assertEquals(await bench.repositories.refreshImage(), true);
  const second = await bench.role("timestamp");
  assert(second.version > first.version);
  assertEquals(second.expiresAtMs, bench.nowMs + TIMESTAMP_VALID_MS);
  assertEquals(await bench.role("snapshot"), snapshot);
  const versions = [first.version, second.version];
  // For two weeks: at no moment is anything of the server's about to end.
  for (let hour = 0; hour < 14 * 24; hour++) {
    bench.nowMs += HOUR;
    if (await bench.repositories.refreshImage()) {
      versions.push((await bench.role("timestamp")).version);
    }
    for (const role of ["timestamp", "snapshot", "carriers"]) {
      const validMs = role === "timestamp" ? TIMESTAMP_VALID_MS : ONLINE_VALID_MS;
      assert(!isDue((await bench.role(role)).expiresAtMs, validMs, bench.nowMs), role);
    }
  }
  const name = { repository: "image", vin: "", role: "timestamp" } as const;
  const known = versions.map((version) =>
    bench.records.read(async (tables) => await tables.metadata(name, version) !== undefined)
  );
  const there = await Promise.all(known);
  assertEquals(there.filter(Boolean).length, KEPT_METADATA_VERSIONS);
  assertEquals(there.slice(-KEPT_METADATA_VERSIONS), Array(KEPT_METADATA_VERSIONS).fill(true));
});

Deno.test("the Director's word to a vehicle is signed again in time, and only when it is due", async () => {
  await using bench = await Bench.open();
  const row = newVehicle(VIN);
  const sign = () => bench.records.write((tables) => bench.repositories.signVehicle(tables, row));
  assertEquals(await sign(), true);
  assertEquals(await sign(), false);
  const due = () =>
    bench.records.write(async (tables) => {
      await tables.putVehicle(row);
      const key = (await tables.metadata({ repository: "director", vin: VIN, role: "timestamp" }))!;
      const at = { expiresBeforeMs: bench.nowMs + 18 * HOUR, keyId: key.keyId };
      return await tables.directorDue(at, { after: "", limit: 10 });
    });
  assertEquals(await due(), []);
  bench.nowMs += 6 * HOUR + 1;
  assertEquals(await due(), [VIN]);
  const before = await bench.role("targets", VIN);
  assertEquals(await sign(), true);
  assertEquals(await due(), []);
  assertEquals(await bench.role("targets", VIN), before);
});

Deno.test("a cut in the middle of signing leaves all of it or nothing", async () => {
  await using bench = await Bench.open();
  bench.nowMs += ONLINE_VALID_MS;
  const all = async () => [
    await bench.role("carriers"),
    await bench.role("snapshot"),
    await bench.role("timestamp"),
  ];
  const before = await all();
  const { vault } = bench.repositories.ports;
  for (let cut = 0; cut < 3; cut++) {
    await assertRejects(
      () =>
        bench.records.write((tables) => {
          let left = cut;
          const failing = new Proxy(tables, {
            get(target, name) {
              const value = Reflect.get(target, name);
              if (typeof value !== "function") return value;
              return (...args: unknown[]) => {
                if (name === "putMetadata" && left-- === 0) throw new Error("the power is cut");
                return value.apply(target, args);
              };
            },
          });
          return signImage({ tables: failing, vault, nowMs: bench.nowMs });
        }),
      Error,
      "the power is cut",
    );
    assertEquals(await all(), before);
  }
  assertEquals(await bench.repositories.refreshImage(), true);
  const after = await all();
  for (const [index, { version }] of after.entries()) assert(version > before[index]!.version);
});

Deno.test("the server says so when what only people can sign is about to end", async () => {
  await using bench = await Bench.open();
  await bench.repositories.lookAfter();
  assertEquals(bench.log, []);
  bench.nowMs += 80 * 24 * HOUR;
  await bench.repositories.lookAfter();
  assertEquals(bench.log.length, 1);
  assert(bench.log[0]!.includes("image repository's targets ends at"), bench.log[0]);
});
