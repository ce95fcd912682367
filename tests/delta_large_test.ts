/**
 * The encoder on images and bases beyond 2^32 bytes: nearly all zeros, with islands across the
 * borders of the numbers. Its memory does not grow with them.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { equalBytes } from "shared/bytes.ts";
import { OPERATION, parseContainerHead } from "shared/delta/container.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import { applySegment } from "shared/delta/segment.ts";
import { GIB, MAX_IMAGE_BYTES, MIB, SEGMENT_BYTES } from "shared/limits.ts";
import { nodeCodecs } from "shared/node/codecs.ts";
import { nodeHash, sha256Digest } from "shared/node/digest.ts";
import { encodeContainer } from "server/delta/encode.ts";
import { randomBytes } from "server/delta/encode_harness.ts";
import { nodeEncodeCodecs } from "server/delta/node_codecs.ts";

const [TWO_31, TWO_32] = [2 ** 31, 2 ** 32];
const ISLAND_BYTES = 1_200_000;

interface Island {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Zeros with islands: as a sparse file is read, without 4 GiB of disk reads. */
function sparse(lengthBytes: number, islands: readonly Island[]): RandomRead {
  const fill = (offset: number, target: Uint8Array) => {
    target.fill(0);
    for (const { at, bytes } of islands) {
      const [from, to] = [
        Math.max(offset, at),
        Math.min(offset + target.length, at + bytes.length),
      ];
      if (from < to) target.set(bytes.subarray(from - at, to - at), from - offset);
    }
  };
  const read = (offset: number, length: number) => {
    const bytes = new Uint8Array(length);
    fill(offset, bytes);
    return bytes;
  };
  return { lengthBytes, fill, read };
}

Deno.test("an image beyond 2^32 bytes is encoded from what a base has beyond 2^32 bytes", () => {
  const [first, second, third] = [1, 2, 3].map((seed) => randomBytes(ISLAND_BYTES, seed)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const fresh = randomBytes(50_000, 4);
  const base = sparse(TWO_32 + 3 * MIB, [
    { at: TWO_31 - 600_000, bytes: first },
    { at: TWO_32 - 600_000, bytes: second },
    { at: TWO_32 + 2 * MIB - 300_000, bytes: third },
  ]);
  const imageBytes = TWO_32 + 4 * MIB + 12_345;
  const image = sparse(imageBytes, [
    { at: 1234, bytes: third }, // From beyond 2^32 to the front.
    { at: 3 * MIB, bytes: fresh },
    { at: TWO_31 - 600_000, bytes: first }, // In place, across 2^31.
    { at: TWO_32 - 600_007, bytes: first }, // Across 2^31 there, across 2^32 here.
    { at: TWO_32 + 2 * MIB - 5, bytes: second.map((byte, i) => i % 997 === 0 ? byte + 1 : byte) },
  ]);
  const payloads: Uint8Array[] = [];
  let heldBytes = 0;
  const made = encodeContainer({
    ...{ base, image, codecs: nodeEncodeCodecs, hash: nodeHash, newDigest: sha256Digest },
    onProgress: () => heldBytes = Math.max(heldBytes, Deno.memoryUsage().external),
  }, { write: (bytes) => void payloads.push(bytes) });
  // The new bytes, a byte in a thousand of one island, and little more.
  assert(made.payloadBytes < fresh.length + 12_000, `${made.payloadBytes} bytes`);

  const head = parseContainerHead(made.head, { hash: nodeHash, maxImageBytes: MAX_IMAGE_BYTES });
  assertEquals([head.imageBytes, head.baseBytes], [imageBytes, base.lengthBytes]);
  const out = new Uint8Array(SEGMENT_BYTES);
  const none = new Uint8Array(0);
  let applied = 0;
  for (let i = 0; i < head.segments.count; i++) {
    if (head.segments.operation(i) === OPERATION.zero) continue; // Its leaves are those of zeros.
    const payload = head.segments.payloadBytes(i) > 0 ? payloads[applied++]! : none;
    const result = applySegment(head, i, payload, base, {
      codecs: nodeCodecs,
      hash: nodeHash,
      out,
    });
    const expected = image.read(i * SEGMENT_BYTES, result.length);
    assert(equalBytes(result, expected), `segment ${i}`);
  }
  assertEquals(applied, payloads.length);
  assert(heldBytes > 0 && heldBytes < GIB, `${heldBytes} bytes held for a base of 4 GiB`);
});
