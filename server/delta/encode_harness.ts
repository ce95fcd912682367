/**
 * What the tests of the encoder share: encode, apply as a vehicle does, compare.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { concatBytes, equalBytes } from "shared/bytes.ts";
import { ContainerApplier } from "shared/delta/apply.ts";
import { type ContainerHead, parseContainerHead } from "shared/delta/container.ts";
import { type RandomRead, readArray } from "shared/delta/random_read.ts";
import { MAX_IMAGE_BYTES } from "shared/limits.ts";
import { nodeCodecs } from "shared/node/codecs.ts";
import { nodeHash, sha256Digest, sha256Hex } from "shared/node/digest.ts";
import { encodeContainer, encodedHeadBytes, type EncodeOptions } from "./encode.ts";
import { nodeEncodeCodecs } from "./node_codecs.ts";

/** Small leaves and segments, so that small images have many. */
export const SMALL = { leafBytes: 512, segmentBytes: 4096 } as const;

/** A container with its head read back. */
export interface Encoded {
  readonly file: Uint8Array;
  readonly head: ContainerHead;
  /** Operations of the segments, in order. */
  readonly operations: readonly number[];
}

/**
 * Encodes.
 *
 * @param base The base, or `null`.
 * @param image The image.
 * @param options Other than the usual ones.
 * @returns The container.
 */
export function encode(
  base: Uint8Array | null,
  image: Uint8Array,
  options: Partial<EncodeOptions> = {},
): Encoded {
  return encodeSource(base && readArray(base), readArray(image), options);
}

/** As {@linkcode encode}, from anything that can be read. */
export function encodeSource(
  base: RandomRead | null,
  image: RandomRead,
  options: Partial<EncodeOptions> = {},
): Encoded {
  const payloads: Uint8Array[] = [];
  const made = encodeContainer({
    base,
    image,
    codecs: nodeEncodeCodecs,
    hash: nodeHash,
    newDigest: sha256Digest,
    ...options,
  }, { write: (bytes) => void payloads.push(bytes) });
  const file = concatBytes(made.head, ...payloads);
  assertEquals(file.length, made.head.length + made.payloadBytes);
  assertEquals(made.head.length, encodedHeadBytes(image.lengthBytes, options));
  const limits = { hash: nodeHash, maxImageBytes: MAX_IMAGE_BYTES };
  const head = parseContainerHead(made.head, limits);
  assertEquals(head.imageSha256, made.imageSha256);
  assertEquals(head.baseSha256, made.baseSha256);
  assert(equalBytes(head.imageRoot, made.imageRoot));
  const { segments } = head;
  const operations = Array.from({ length: segments.count }, (_, i) => segments.operation(i));
  return { file, head, operations };
}

/**
 * Encodes, applies and compares.
 *
 * @param base The base, or `null`.
 * @param image The image.
 * @param options Other than the usual ones.
 * @returns The container, which makes exactly the image.
 */
export function roundTrip(
  base: Uint8Array | null,
  image: Uint8Array,
  options: Partial<EncodeOptions> = {},
): Encoded {
  const encoded = encode(base, image, options);
  const { head } = encoded;
  assertEquals(head.imageSha256, sha256Hex(image));
  assertEquals(head.baseSha256, base && sha256Hex(base));
  const applier = new ContainerApplier({
    trusted: { root: head.imageRoot, imageBytes: image.length },
    base: base && readArray(base),
    tools: { codecs: nodeCodecs, hash: nodeHash },
  });
  const result = new Uint8Array(image.length);
  let at = 0;
  for (const { bytes } of applier.push(encoded.file)) {
    result.set(bytes, at);
    at += bytes.length;
  }
  applier.end();
  assertEquals(at, image.length);
  assert(equalBytes(result, image), "the container makes another image");
  return encoded;
}

/**
 * Bytes that do not compress.
 *
 * @param length How many.
 * @param seed The same seed, the same bytes.
 * @returns The bytes.
 */
export function randomBytes(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = Math.imul(seed, 0x9E3779B1) | 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state >>> 11;
  }
  return bytes;
}
