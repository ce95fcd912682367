/**
 * Images and bases beyond 2^31 and 2^32 bytes, as sparse files: every offset must survive.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { concatBytes, equalBytes } from "shared/bytes.ts";
import { ContainerApplier } from "shared/delta/apply.ts";
import { OPERATION, serializeContainerHead } from "shared/delta/container.ts";
import { rootOfLeaves } from "shared/delta/container_root.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import { CODEC } from "shared/delta/segment_write.ts";
import { LEAF_BYTES, MIB, SEGMENT_BYTES } from "shared/limits.ts";
import { leafHash } from "shared/merkle.ts";
import { nodeCodecs } from "shared/node/codecs.ts";
import { nodeHash, sha256Hex } from "shared/node/digest.ts";
import { noise } from "./container_arbitrary.ts";
import { add, brotli, copy, raw, type SegmentPlan, type SegmentView } from "./container_writer.ts";

const [TWO_31, TWO_32] = [2 ** 31, 2 ** 32];
const IMAGE_BYTES = TWO_32 + 2 * MIB + 12_345;
const BASE_BYTES = TWO_32 + 3 * MIB;
const SEGMENTS = Math.ceil(IMAGE_BYTES / SEGMENT_BYTES);
/** Parts of the base that are not zero: each lies across a border of a number. */
const ISLANDS = [TWO_31, TWO_32, TWO_32 + 2 * MIB].map((border) => ({
  at: border - 600_000,
  bytes: noise(1_200_000, border % 1000 + 7),
}));

function baseAt(offset: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (const island of ISLANDS) {
    const from = Math.max(offset, island.at);
    const to = Math.min(offset + length, island.at + island.bytes.length);
    if (from < to) {
      bytes.set(island.bytes.subarray(from - island.at, to - island.at), from - offset);
    }
  }
  return bytes;
}

interface Made {
  readonly plan: SegmentPlan;
  readonly bytes: Uint8Array;
}

/** A segment of two pieces of the base, the first with differences, and literals around. */
function added(index: number, first: number, second: number): Made {
  const lengths = [400_000, 300_000] as const;
  const bytes = noise(SEGMENT_BYTES, index);
  const was = [baseAt(first, lengths[0]), baseAt(second, lengths[1])] as const;
  bytes.set(was[0].map((byte, i) => i % 1000 === 0 ? byte + 1 : byte), 1000);
  bytes.set(was[1], 500_000);
  const view: SegmentView = { index, offset: index * SEGMENT_BYTES, bytes };
  // The writer looks at the base only to subtract it: a window with both pieces is enough.
  const pieces = [
    { at: 1000, length: lengths[0], baseOffset: 0, hasDifference: true },
    { at: 500_000, length: lengths[1], baseOffset: lengths[0], hasDifference: false },
  ];
  const codecs = [CODEC.raw, CODEC.brotli, CODEC.brotli] as const;
  const window = concatBytes(was[0], was[1]);
  const near = add(view, window, { pieces, codecs, placed: [first, second] });
  return { plan: near, bytes };
}

/** All segments that are not zero. */
function makeSegments(): Map<number, Made> {
  const last = noise(IMAGE_BYTES % SEGMENT_BYTES, 5);
  const whole = noise(SEGMENT_BYTES, 6);
  const [low, high] = [TWO_31 / SEGMENT_BYTES, TWO_32 / SEGMENT_BYTES];
  return new Map<number, Made>([
    [0, { plan: copy(TWO_32 - 123_457), bytes: baseAt(TWO_32 - 123_457, SEGMENT_BYTES) }],
    [1, added(1, TWO_32 - 200_001, TWO_31 - 1)],
    [low - 1, added(low - 1, TWO_31 - 200_000, TWO_32 + 3)],
    [low, { plan: raw(whole), bytes: whole }],
    [high - 1, { plan: copy(TWO_31 - 500_000), bytes: baseAt(TWO_31 - 500_000, SEGMENT_BYTES) }],
    [high, added(high, 17, TWO_32 - 100_000)],
    [SEGMENTS - 1, { plan: brotli(last), bytes: last }],
  ]);
}

function serialize(made: ReadonlyMap<number, Made>): { head: Uint8Array; root: Uint8Array } {
  const zeroLeaf = leafHash(new Uint8Array(LEAF_BYTES), nodeHash);
  const leafHashes = new Uint8Array(Math.ceil(IMAGE_BYTES / LEAF_BYTES) * 32);
  for (let at = 0; at < leafHashes.length; at += 32) leafHashes.set(zeroLeaf, at);
  for (const [index, { bytes }] of made) {
    for (let at = 0; at < bytes.length; at += LEAF_BYTES) {
      const leaf = (index * SEGMENT_BYTES + at) / LEAF_BYTES;
      leafHashes.set(leafHash(bytes.subarray(at, at + LEAF_BYTES), nodeHash), leaf * 32);
    }
  }
  const root = rootOfLeaves(leafHashes, nodeHash);
  const none = { operation: OPERATION.zero, payload: new Uint8Array(0) };
  const head = serializeContainerHead({
    imageBytes: IMAGE_BYTES,
    // Neither is looked at here, and to digest 8 GiB of holes would take most of the test.
    imageSha256: sha256Hex(root),
    base: { bytes: BASE_BYTES, sha256: sha256Hex(root), root },
    ...{ leafBytes: LEAF_BYTES, segmentBytes: SEGMENT_BYTES, leafHashes },
    segments: Array.from({ length: SEGMENTS }, (_, i) => {
      const { operation, payload } = made.get(i)?.plan ?? none;
      return { operation, payloadBytes: payload.length, payloadSha256: nodeHash(payload) };
    }),
  }, nodeHash);
  return { head, root };
}

function openRead(file: Deno.FsFile, lengthBytes: number): RandomRead {
  const readInto = (offset: number, target: Uint8Array) => {
    file.seekSync(offset, Deno.SeekMode.Start);
    for (let at = 0; at < target.length;) at += file.readSync(target.subarray(at))!;
  };
  return {
    lengthBytes,
    fill: readInto,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      readInto(offset, bytes);
      return bytes;
    },
  };
}

Deno.test("an image beyond 2^32 bytes is made from a base beyond 2^32 bytes", async () => {
  const folder = await Deno.makeTempDir();
  try {
    using base = await Deno.open(`${folder}/base`, { read: true, write: true, create: true });
    await base.truncate(BASE_BYTES);
    for (const { at, bytes } of ISLANDS) {
      await base.seek(at, Deno.SeekMode.Start);
      for (let rest: Uint8Array = bytes; rest.length > 0;) {
        rest = rest.subarray(await base.write(rest));
      }
    }
    const made = makeSegments();
    const { head, root } = serialize(made);
    using image = await Deno.open(`${folder}/image`, { read: true, write: true, create: true });
    await image.truncate(IMAGE_BYTES);
    const applier = new ContainerApplier({
      ...{ trusted: { root, imageBytes: IMAGE_BYTES }, base: openRead(base, BASE_BYTES) },
      tools: { codecs: nodeCodecs, hash: nodeHash },
    });
    let count = 0;
    for (const chunk of [head, ...[...made.values()].map(({ plan }) => plan.payload)]) {
      for (const { index, imageOffset, bytes, operation } of applier.push(chunk)) {
        assertEquals([index, imageOffset], [count, count * SEGMENT_BYTES]);
        count++;
        if (operation === OPERATION.zero) continue; // Proved, and a hole already.
        image.seekSync(imageOffset, Deno.SeekMode.Start);
        for (let rest = bytes; rest.length > 0;) rest = rest.subarray(image.writeSync(rest));
      }
    }
    applier.end();
    assertEquals(count, SEGMENTS);
    const read = openRead(image, IMAGE_BYTES);
    for (const [index, { bytes }] of made) {
      const found = read.read(index * SEGMENT_BYTES, bytes.length);
      assert(equalBytes(found, bytes), `segment ${index}`);
    }
    const { size, blocks } = await image.stat();
    assertEquals(size, IMAGE_BYTES);
    // What is not one of these segments is a hole: zeros, as the leaf hashes wanted.
    if (blocks !== null) {
      assert(blocks * 512 <= (made.size + 1) * SEGMENT_BYTES, `${blocks} blocks`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
