import { assertEquals, assertThrows } from "@std/assert/mod.js";
import { concatBytes, toHex } from "../bytes.ts";
import { UpdateFailure } from "../failure.ts";
import { leafHash, merkleProof, merkleRoot } from "../merkle.ts";
import { nodeHash } from "../node/digest.ts";
import { chunkHead, MAX_CHUNK_BYTES, parseChunk, proveChunk, proveLeafList } from "./chunk.ts";

const CHUNKS = Array.from({ length: 5 }, (_, i) => new Uint8Array(100 + i).fill(i));
const LEAVES = CHUNKS.map((chunk) => leafHash(chunk, nodeHash));
const root = toHex(merkleRoot(LEAVES, nodeHash));
const count = LEAVES.length;

function wire(index: number): Uint8Array {
  return concatBytes(chunkHead(merkleProof(LEAVES, index, nodeHash)), CHUNKS[index]!);
}

function failureOf(action: () => unknown): string {
  return assertThrows(action, UpdateFailure).failure;
}

Deno.test("a chunk comes back as it was made, and is proved at its place only", () => {
  for (let index = 0; index < count; index++) {
    const chunk = parseChunk(wire(index));
    assertEquals(chunk.bytes, CHUNKS[index]);
    proveChunk(chunk, { root, index, count }, nodeHash);
    const elsewhere = { root, index: (index + 1) % count, count };
    assertEquals(failureOf(() => proveChunk(chunk, elsewhere, nodeHash)), "leafDiffers");
  }
});

Deno.test("every flipped bit of a chunk is noticed", () => {
  const whole = wire(2);
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const bad = whole.slice();
    bad[bit >> 3]! ^= 1 << (bit & 7);
    const name = failureOf(() => proveChunk(parseChunk(bad), { root, index: 2, count }, nodeHash));
    assertEquals(name, bit < 8 ? "schemaUnknown" : "leafDiffers", `bit ${bit}`);
  }
});

Deno.test("parseChunk() refuses what is cut short or too long", () => {
  const head = chunkHead(merkleProof(LEAVES, 0, nodeHash));
  for (
    const bad of [
      new Uint8Array(0),
      Uint8Array.of(1),
      head,
      new Uint8Array(MAX_CHUNK_BYTES + 1).fill(1),
    ]
  ) {
    assertEquals(failureOf(() => parseChunk(bad)), "leafDiffers");
  }
});

Deno.test("proveLeafList() refuses another image's list, a short one and a long one", () => {
  const list = concatBytes(...LEAVES);
  proveLeafList(list, { root, count }, nodeHash);
  const bad = list.slice();
  bad[40]! ^= 1;
  for (
    const other of [
      bad,
      list.subarray(32),
      concatBytes(list, list.subarray(0, 32)),
      list.subarray(0, 159),
    ]
  ) {
    assertEquals(failureOf(() => proveLeafList(other, { root, count }, nodeHash)), "leafDiffers");
  }
});
