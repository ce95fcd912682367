import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import { reseal } from "../../tests/container_writer.ts";
import vector from "../../tests/vectors/container.json" with { type: "json" };
import { concatBytes, toHex } from "../bytes.ts";
import { type FailureName, UpdateFailure } from "../failure.ts";
import { leafHash, merkleRoot } from "../merkle.ts";
import { nodeCodecs } from "../node/codecs.ts";
import { nodeHash, sha256Hex } from "../node/digest.ts";
import {
  CONTAINER_PREFIX_BYTES,
  type ContainerHead,
  containerHeadBytes,
  isContainer,
  parseContainerHead,
  serializeContainerHead,
} from "./container.ts";
import { rootOfLeaves } from "./container_root.ts";
import { readArray } from "./random_read.ts";
import { applySegment } from "./segment.ts";
import { type CodecNumber, writeAddPayload, writePieces } from "./segment_write.ts";

const bytesOf = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
const [BASE, IMAGE, FILE] = [vector.base, vector.image, vector.file].map(bytesOf) as [
  Uint8Array<ArrayBuffer>,
  Uint8Array<ArrayBuffer>,
  Uint8Array<ArrayBuffer>,
];
const PAYLOADS = vector.segments.map(({ payload }) => bytesOf(payload));
const HEAD_BYTES = FILE.length - PAYLOADS.reduce((sum, payload) => sum + payload.length, 0);

function parse(file: Uint8Array, maxImageBytes = IMAGE.length): ContainerHead {
  return parseContainerHead(file.subarray(0, containerHeadBytes(file)), {
    hash: nodeHash,
    maxImageBytes,
  });
}

/** The vector with bytes of its head replaced, every digest made right again. */
function changed(...changes: (readonly [at: number, ...values: number[]])[]): Uint8Array {
  const file = FILE.slice();
  for (const [at, ...values] of changes) file.set(values, at);
  return reseal(file);
}

function assertRefused(file: Uint8Array, failure: FailureName, words: string): void {
  const error = assertThrows(() => parse(file), UpdateFailure, words);
  assertEquals(error.failure, failure, error.message);
}

Deno.test("the frozen container is read as it was written", () => {
  const head = parse(FILE);
  assertEquals(head.headBytes, HEAD_BYTES);
  assertEquals(head.fileBytes, FILE.length);
  assertEquals([head.imageBytes, head.imageSha256], [IMAGE.length, sha256Hex(IMAGE)]);
  assertEquals([head.baseBytes, head.baseSha256], [BASE.length, sha256Hex(BASE)]);
  assertEquals(head.segments.count, vector.segments.length);
  const out = new Uint8Array(head.segmentBytes);
  const tools = { codecs: nodeCodecs, hash: nodeHash, out };
  const made = vector.segments.map(({ operation }, i) => {
    assertEquals(head.segments.operation(i), operation);
    const at = head.segments.payloadOffset(i);
    const payload = FILE.subarray(at, at + head.segments.payloadBytes(i));
    assertEquals(payload, PAYLOADS[i]);
    return applySegment(head, i, payload, readArray(BASE), tools).slice();
  });
  assertEquals(concatBytes(...made), IMAGE);
});

Deno.test("the frozen container is written byte for byte", () => {
  for (const { segment, transform, pieces, piecesRaw, streams } of vector.add) {
    assertEquals(writePieces(pieces, segment * vector.segmentBytes), bytesOf(piecesRaw));
    const stored = (stream: { codec: number; stored: string; rawBytes: number }) => ({
      codec: stream.codec as CodecNumber,
      stored: bytesOf(stream.stored),
      rawBytes: stream.rawBytes,
    });
    const payload = writeAddPayload(transform, {
      pieces: stored(streams.pieces),
      difference: stored(streams.difference),
      literals: stored(streams.literals),
    });
    assertEquals(payload, PAYLOADS[segment]);
  }
  const head = serializeContainerHead({
    ...{ imageBytes: IMAGE.length, imageSha256: sha256Hex(IMAGE) },
    base: { bytes: BASE.length, sha256: sha256Hex(BASE), root: merkleRoot(leaves(BASE), nodeHash) },
    ...{ leafBytes: vector.leafBytes, segmentBytes: vector.segmentBytes },
    leafHashes: concatBytes(...leaves(IMAGE)),
    segments: vector.segments.map(({ operation }, i) => ({
      operation,
      payloadBytes: PAYLOADS[i]!.length,
      payloadSha256: nodeHash(PAYLOADS[i]!),
    })),
  }, nodeHash);
  assertEquals(concatBytes(head, ...PAYLOADS), FILE);
});

function leaves(image: Uint8Array): Uint8Array[] {
  const hashes = [];
  for (let at = 0; at < image.length; at += vector.leafBytes) {
    hashes.push(leafHash(image.subarray(at, at + vector.leafBytes), nodeHash));
  }
  return hashes;
}

Deno.test("the frozen container has every operation, and ADD every codec", () => {
  assertEquals(new Set(vector.segments.map(({ operation }) => operation)).size, 6);
  for (const name of ["pieces", "difference", "literals"] as const) {
    const codecs = new Set(vector.add.map(({ streams }) => streams[name].codec));
    assertEquals(codecs.size, name === "pieces" ? 3 : 4, name);
  }
});

Deno.test("rootOfLeaves() is the Merkle root for any count of leaves", () => {
  for (let count = 0; count < 70; count++) {
    const hashes = Array.from({ length: count }, (_, i) => nodeHash(Uint8Array.of(i)));
    const found = rootOfLeaves(concatBytes(...hashes), nodeHash);
    assertEquals(toHex(found), toHex(merkleRoot(hashes, nodeHash)), `${count} leaves`);
  }
});

Deno.test("containerHeadBytes() needs no more than the prefix", () => {
  assertEquals(containerHeadBytes(FILE.subarray(0, CONTAINER_PREFIX_BYTES)), HEAD_BYTES);
  const words = "cut off";
  for (const length of [8, 15, 159, 287]) {
    assertThrows(() => containerHeadBytes(FILE.subarray(0, length)), UpdateFailure, words);
  }
  assert(isContainer(FILE.subarray(0, 8)) && !isContainer(FILE.subarray(0, 7)));
  assert(!isContainer(IMAGE));
});

Deno.test("the container of an empty image is a head without segments", () => {
  const head = serializeContainerHead({
    ...{ imageBytes: 0, imageSha256: sha256Hex(new Uint8Array(0)), base: null },
    ...{ leafBytes: 65536, segmentBytes: 2 ** 20, leafHashes: new Uint8Array(0), segments: [] },
  }, nodeHash);
  const read = parse(head);
  assertEquals([read.segments.count, read.fileBytes], [0, head.length]);
  assertEquals(read.imageRoot, nodeHash());
});

Deno.test("parseContainerHead() refuses what a later version may bring", () => {
  assertRefused(changed([8, 2]), "containerTooNew", "version is 2");
  assertRefused(changed([9, 3]), "containerTooNew", "flags");
  assertRefused(changed([288, 6]), "containerTooNew", "operation 6");
  assertRefused(changed([288, 255]), "containerTooNew", "operation 255");
});

Deno.test("parseContainerHead() passes over an unknown section, unless it is critical", () => {
  const withSection = (flags: number) => {
    const row = new Uint8Array(48);
    row.set([77, flags, 1, 2, 3, 4, 5, 6, 3]);
    const table = concatBytes(FILE.subarray(0, 256), row, new Uint8Array(32));
    table[12] = 3;
    const extra = Uint8Array.of(1, 2, 3);
    return reseal(concatBytes(table, FILE.subarray(288, HEAD_BYTES), extra, ...PAYLOADS));
  };
  const head = parse(withSection(0));
  assertEquals(head.headBytes, HEAD_BYTES + 51);
  assertEquals(head.segments.payloadOffset(0), head.headBytes);
  assertRefused(withSection(1), "containerTooNew", "section 77");
});

Deno.test("parseContainerHead() refuses heads that contradict themselves", () => {
  const huge = [255, 255, 255, 255, 255, 255, 255];
  // deno-fmt-ignore
  const lies: (readonly [words: string, ...changes: (readonly [number, ...number[]])[]])[] = [
    ["sections", [12, 17]],
    ["sections", [12, 0xFF, 0xFF, 0xFF, 0xFF]],
    ["0 sections of type 2", [208, 99, 0]],                // No leaves.
    ["2 sections of type 1", [208, 1]],                    // Two segment tables.
    ["flags of section", [161, 0]], ["flags of section", [162, 1]], ["flags of section", [164, 1]],
    ["beyond 2^53", [168, 0, ...huge]],
    ["longer than any may be", [168, 0, 0, 0, 1]],
    ["longer than any may be", [216, 255, 255, 255, 255, 255, 255, 31]],
    ["leaves of 2^8", [10, 8]], ["leaves of 2^17", [10, 17, 17]],
    ["segments of 2^8", [11, 8]], ["segments of 2^21", [11, 21]],
    ["beyond 2^53", [16, ...huge]],
    ["leaf hashes", [16, 0, 0x0F]], ["leaf hashes", [10, 10, 10]],
    ["segments do not make", [11, 10]],
    ["lead to the root", [64, 1, 2, 3]],
    ["has flags", [289, 1]], ["has flags", [291, 1]],
    ["payload of segment 0 has 1", [292, 1]],              // ZERO with a payload.
    ["payload of segment 1 has 9", [332, 9]],              // COPY without its eight bytes.
    ["payload of segment 2 has 256", [372, 0, 1]],         // RAW of another length.
    ["payload of segment 3 has 0", [412, 0, 0]],           // ZSTD of nothing.
    ["payload of segment 4 has 4294967295", [452, 255, 255, 255, 255]],
    ["payload of segment 5 has 4609", [492, 1, 18]],       // One above 512 + 4 KiB.
    ["a base that is not there", [9, 0]],
  ];
  for (const [words, ...changes] of lies) {
    assertRefused(changed(...changes), "containerDamaged", words);
  }
  const noBase = changed([9, 0], [24, ...new Uint8Array(8)], [96, ...new Uint8Array(64)]);
  assertRefused(noBase, "containerDamaged", "needs a base");
});

Deno.test("parseContainerHead() refuses an image longer than allowed, and digests that differ", () => {
  const error = assertThrows(() => parse(FILE, IMAGE.length - 1), UpdateFailure);
  assertEquals(error.failure, "imageTooLarge");
  for (
    const [at, words] of [[20, "first part"], [300, "section 1"], [HEAD_BYTES - 1, "section 2"]]
  ) {
    const file = FILE.slice();
    file[at as number]! ^= 1;
    assertRefused(file, "containerDamaged", words as string);
  }
});
