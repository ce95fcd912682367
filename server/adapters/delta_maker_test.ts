/**
 * Carriers made by the real encoder in a process of its own, and what becomes of that process.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import { GIB, MIB } from "shared/limits.ts";
import { sha256Hex } from "shared/node/digest.ts";
import { until } from "../fixture_test.ts";
import type { BlobRow, BlobStore, PartFile } from "../ports.ts";
import type { DeltaMaker, MadeCarrier } from "../ports_delta.ts";
import { hashFile } from "../release/hash_file.ts";
import { sampleBytes } from "../samples_test.ts";
import { blobPath, openBlobs, temporaryPath } from "./blobs_fs.ts";
import { childDeltaMaker } from "./delta_maker.ts";
import type { ChildTask } from "./delta_task.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes that compress to about a third. */
function prose(lengthBytes: number, seed: number): Bytes {
  return sampleBytes(lengthBytes, seed).map((byte) => byte >> 6);
}

class World implements AsyncDisposable {
  readonly maker: DeltaMaker;

  private constructor(readonly folder: string, readonly blobs: BlobStore) {
    this.maker = childDeltaMaker(folder);
  }

  static async open(): Promise<World> {
    const folder = await Deno.makeTempDir({ prefix: "ota-maker-" });
    return new World(folder, await openBlobs(folder, Date.now()));
  }

  async put(bytes: Bytes): Promise<BlobRow> {
    const part = await this.blobs.createTemporary();
    await part.append(bytes);
    const row = await hashFile(part);
    await this.blobs.commit(part, row.sha256);
    return row;
  }

  /** Makes a carrier, and looks at it before it is thrown away. */
  async make(
    image: BlobRow,
    base: BlobRow | null,
    more: {
      maxBytes?: number;
      signal?: AbortSignal;
      onProgress?: (bytes: number) => void;
      look?: (target: PartFile, made: MadeCarrier | null) => Promise<void>;
      meanwhile?: (target: PartFile) => Promise<void>;
    } = {},
  ): Promise<MadeCarrier | null> {
    const { maxBytes = GIB, onProgress = () => {} } = more;
    const signal = more.signal ?? new AbortController().signal;
    const target = await this.blobs.createTemporary();
    try {
      const task = { image, base, effort: "best", maxBytes, target } as const;
      const made = this.maker.make(task, { onProgress, signal });
      made.catch(() => {}); // Heard below.
      await more.meanwhile?.(target);
      await more.look?.(target, await made);
      return await made;
    } finally {
      await this.blobs.dropTemporary(target);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Processes that were given this path. */
function processesWith(path: string): number[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) return [];
    try {
      return Deno.readTextFileSync(`/proc/${name}/cmdline`).includes(path) ? [Number(name)] : [];
    } catch {
      return []; // It has just ended.
    }
  });
}

async function failureOf(work: Promise<unknown>): Promise<UpdateFailure> {
  return await assertRejects(() => work, UpdateFailure);
}

Deno.test("the maker makes deltas and full carriers that are smaller, named by their digest, and proved", async () => {
  await using world = await World.open();
  const old = prose(2 * MIB + 17, 1);
  const fresh = old.slice();
  fresh.set(prose(5000, 2), MIB - 100);
  const [base, image] = [await world.put(old), await world.put(fresh)];
  const seen: number[] = [];
  const looked: string[] = [];
  const look = async (target: PartFile, made: MadeCarrier | null) => {
    const file = await Deno.readFile(temporaryPath(target));
    looked.push(sha256Hex(file));
    assertEquals([sha256Hex(file), file.length], [made!.carrierSha256, made!.lengthBytes]);
  };
  const full = await world.make(image, null, { look, onProgress: (bytes) => seen.push(bytes) });
  const delta = await world.make(image, base, { look });
  assertEquals(looked.length, 2);
  assert(full!.lengthBytes < fresh.length / 2, `${full!.lengthBytes}`);
  assert(delta!.lengthBytes < full!.lengthBytes / 20, `${delta!.lengthBytes}`);
  assert(seen.length > 0 && seen.every((bytes) => bytes <= fresh.length), `${seen}`);
  assertEquals(await world.make(image, base, { maxBytes: delta!.lengthBytes - 1 }), null);
  assertEquals(await world.make(image, base, { maxBytes: delta!.lengthBytes }), delta);

  const one = await world.put(Uint8Array.of(1));
  assert((await world.make(one, base))!.lengthBytes < 500);
  assert((await world.make(image, one))!.lengthBytes < fresh.length / 2);
});

Deno.test("the maker says which stored file is damaged, and makes nothing of it", async () => {
  await using world = await World.open();
  const old = prose(MIB, 1);
  const [base, image] = [await world.put(old), await world.put(prose(MIB, 2))];
  const bend = async (row: BlobRow) => {
    const path = blobPath(world.folder, row.sha256);
    const bytes = await Deno.readFile(path);
    bytes[bytes.length >> 1]! ^= 1;
    await Deno.writeFile(path, bytes);
  };
  await bend(base);
  const first = await failureOf(world.make(image, base));
  assertEquals([first.failure, first.subject], ["storedFileDamaged", base.sha256]);
  await bend(base);
  await bend(image);
  const second = await failureOf(world.make(image, base));
  assertEquals([second.failure, second.subject], ["storedFileDamaged", image.sha256]);
  await Deno.truncate(blobPath(world.folder, image.sha256), 1000);
  assertEquals((await failureOf(world.make(image, base))).failure, "storedFileDamaged");
  await Deno.remove(blobPath(world.folder, image.sha256));
  assertEquals((await failureOf(world.make(image, base))).failure, "deltaMakerCrashed");
});

Deno.test("the maker's process is bounded, and ends at once when its job is canceled", async () => {
  await using world = await World.open();
  const image = await world.put(prose(12 * MIB, 1));
  const stop = new AbortController();
  let path = "";
  const error = await assertRejects(() =>
    world.make(image, null, {
      signal: stop.signal,
      onProgress: () => stop.abort(new Error("canceled")),
      meanwhile: async (target) => {
        path = temporaryPath(target);
        await until("the process to be there", () => processesWith(path).length === 1);
        const [pid] = processesWith(path);
        await until("its memory to be bounded", () => {
          const data = /Max data size +(\S+)/.exec(Deno.readTextFileSync(`/proc/${pid}/limits`));
          return data?.[1] === String(4 * GIB) || stop.signal.aborted;
        });
      },
    }), Error);
  assertEquals(error.message, "canceled");
  assertEquals(processesWith(path), []);
});

Deno.test("a maker's process that dies is told with how it ended", async () => {
  await using world = await World.open();
  const image = await world.put(prose(12 * MIB, 1));
  const killed = await failureOf(world.make(image, null, {
    meanwhile: async (target) => {
      const path = temporaryPath(target);
      await until("the process to be there", () => processesWith(path).length === 1);
      Deno.kill(processesWith(path)[0]!, "SIGKILL");
    },
  }));
  assertEquals(killed.failure, "deltaMakerCrashed");
  assertMatch(killed.message, /ended with signal SIGKILL/);
});

Deno.test("a maker's process without a server ends by itself", async () => {
  await using world = await World.open();
  const image = await world.put(prose(12 * MIB, 1));
  const target = await world.blobs.createTemporary();
  const task: ChildTask = {
    image: {
      path: blobPath(world.folder, image.sha256),
      ...{ sha256: image.sha256, lengthBytes: image.lengthBytes, root: image.merkleRoot },
    },
    ...{ base: null, effort: "best", out: temporaryPath(target), maxBytes: GIB },
  };
  const program = new URL("./delta_child.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", program, JSON.stringify(task)],
    ...{ stdin: "null", stdout: "piped", stderr: "null" },
  }).spawn();
  await child.stdout.cancel(); // As the end of the server does.
  const { success } = await child.status;
  assertEquals(success, false);
  await world.blobs.dropTemporary(target);
});
