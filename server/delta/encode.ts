/**
 * Encodes an image as a container: from a base, or alone. Synchronous and long: minutes of CPU for
 * large images. Meant for a process or a Worker of its own.
 *
 * The base is read twice (once for its digest and the index, then anywhere), the image once, a
 * segment at a time. Memory: the base up to MAX_RESIDENT_BASE_BYTES, an index of at most
 * 80 MiB, and some megabytes for the codecs.
 *
 * @module
 */
import { HASH_BYTES, SEGMENT_ROW_BYTES, tableEnd } from "shared/delta/container_format.ts";
import { rootOfLeaves } from "shared/delta/container_root.ts";
import { type SegmentRow, serializeContainerHead } from "shared/delta/container_write.ts";
import { type RandomRead, readInto } from "shared/delta/random_read.ts";
import { LEAF_BYTES, SEGMENT_BYTES } from "shared/limits.ts";
import { type HashParts, leafHash } from "shared/merkle.ts";
import type { StreamDigest } from "shared/node/digest.ts";
import { BaseBytes } from "./base_bytes.ts";
import { BaseIndex, type IndexGeometry } from "./base_index.ts";
import { COMPRESSIBLE_SHARE, type Effort, type EncodeCodecs, Packer } from "./packer.ts";
import { type EncodeBase, SegmentEncoder } from "./segment_encoder.ts";
import { isZero } from "./zeros.ts";

export type { Effort, EncodeCodecs } from "./packer.ts";

/** Positioned, synchronous reads of a file that does not change meanwhile. */
export interface EncodeSource extends RandomRead {}

/** What is encoded, and how. */
export interface EncodeOptions {
  /** The image it starts from; `null` makes the compressed full image. */
  readonly base: EncodeSource | null;
  readonly image: EncodeSource;
  readonly codecs: EncodeCodecs;
  /** SHA-256 of short parts. */
  readonly hash: HashParts;
  /** Begins a SHA-256 over an image. */
  readonly newDigest: () => StreamDigest;
  /** `best` by default: about five times the CPU of `fast`, for a tenth fewer bytes. */
  readonly effort?: Effort;
  /** For tests of small images; a power of two. */
  readonly leafBytes?: number;
  /** For tests of small images; a power of two. */
  readonly segmentBytes?: number;
  /** Memory for the bytes of the base; by default MAX_RESIDENT_BASE_BYTES. */
  readonly residentBytes?: number;
  /** Told after every MiB or so: bytes read of base and image, of all. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** A larger container is of no use: stop as soon as that is certain. */
  readonly giveUpAboveBytes?: number;
}

/** Takes payloads, in the order of the segments; the head comes last and belongs before them. */
export interface PayloadSink {
  /** The bytes are the sink's to keep. */
  write(bytes: Uint8Array): void;
}

/** What was made. */
export interface EncodeResult {
  /** All bytes before the first payload. */
  readonly head: Uint8Array;
  /** What went to the sink. */
  readonly payloadBytes: number;
  /** Lower-case hex. */
  readonly imageSha256: string;
  /** The Merkle root over its leaves, 32 bytes. */
  readonly imageRoot: Uint8Array;
  /** Lower-case hex; `null` without a base. */
  readonly baseSha256: string | null;
}

/** The container became larger than allowed. */
export class EncodeGivenUp extends Error {
  override readonly name = "EncodeGivenUp";

  /** @param limitBytes What it may have. */
  constructor(readonly limitBytes: number) {
    super(`Cannot encode the container: it takes more than ${limitBytes} bytes`);
  }
}

/**
 * Windows are found wherever they begin up to this size of the base; beyond it every second
 * position is indexed, and so on: more entries take more memory and time than they bring.
 */
const DENSE_INDEX_BYTES = 8 * 1024 * 1024;
/**
 * A hash over more bytes finds fewer candidates that lead nowhere; over fewer, shorter matches.
 * In a compressed base no eight bytes are there twice by chance, and each match counts.
 */
const [DENSE_WINDOW_BYTES, SPARSE_WINDOW_BYTES, COMPRESSED_WINDOW_BYTES] = [12, 16, 8];
/** Whether a base is compressed is told from so many samples of it, of so many bytes each. */
const [SAMPLES, SAMPLE_BYTES] = [16, 64 * 1024];

/**
 * Encodes an image.
 *
 * @param options What and how.
 * @param sink Takes the payloads.
 * @returns The head and the digests.
 * @throws {EncodeGivenUp} If the container is larger than `giveUpAboveBytes`.
 */
export function encodeContainer(options: EncodeOptions, sink: PayloadSink): EncodeResult {
  const steps = encodeSteps(options, sink);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * The same, a segment at a time: for whoever has something else to listen to.
 *
 * @param options What and how.
 * @param sink Takes the payloads.
 * @returns Steps of at most some seconds; at the end the head and the digests.
 * @throws {EncodeGivenUp} If the container is larger than `giveUpAboveBytes`.
 */
export function* encodeSteps(
  options: EncodeOptions,
  sink: PayloadSink,
): Generator<void, EncodeResult> {
  const { image, hash, leafBytes = LEAF_BYTES, segmentBytes = SEGMENT_BYTES } = options;
  const progress = new Progress(options);
  const packer = new Packer(options.codecs, options.effort ?? "best");
  const base = options.base ? yield* readBase(options, packer, progress) : null;
  const encoder = new SegmentEncoder(base, packer, segmentBytes);
  const leaves = new LeafHashes(image.lengthBytes, leafBytes, hash);
  const digest = options.newDigest();
  const buffer = new Uint8Array(Math.min(segmentBytes, image.lengthBytes));
  const rows: SegmentRow[] = [];
  const room = (options.giveUpAboveBytes ?? Infinity) -
    encodedHeadBytes(image.lengthBytes, { leafBytes, segmentBytes });
  let payloadBytes = 0;
  if (room < 0) throw new EncodeGivenUp(options.giveUpAboveBytes!);
  for (let at = 0; at < image.lengthBytes; at += segmentBytes) {
    const segment = buffer.subarray(0, Math.min(segmentBytes, image.lengthBytes - at));
    readInto(image, at, segment);
    digest.update(segment);
    leaves.add(segment);
    const { operation, payload } = encoder.encode(segment, at);
    payloadBytes += payload.length;
    if (payloadBytes > room) throw new EncodeGivenUp(options.giveUpAboveBytes!);
    rows.push({ operation, payloadBytes: payload.length, payloadSha256: hash(payload) });
    if (payload.length > 0) sink.write(payload);
    progress.add(segment.length);
    yield;
  }
  const imageSha256 = digest.hex();
  const head = serializeContainerHead({
    imageBytes: image.lengthBytes,
    imageSha256,
    base: base && { bytes: base.bytes.lengthBytes, sha256: base.sha256, root: base.root },
    leafBytes,
    segmentBytes,
    leafHashes: leaves.bytes,
    segments: rows,
  }, hash);
  return {
    head,
    payloadBytes,
    imageSha256,
    imageRoot: rootOfLeaves(leaves.bytes, hash),
    baseSha256: base?.sha256 ?? null,
  };
}

/**
 * How long the head will be: whoever writes a file can leave room for it before the payloads.
 *
 * @param imageBytes Length of the image.
 * @param geometry Other than that of the product.
 * @returns Bytes.
 */
export function encodedHeadBytes(
  imageBytes: number,
  geometry: { readonly leafBytes?: number; readonly segmentBytes?: number } = {},
): number {
  const { leafBytes = LEAF_BYTES, segmentBytes = SEGMENT_BYTES } = geometry;
  return tableEnd(2) + Math.ceil(imageBytes / segmentBytes) * SEGMENT_ROW_BYTES +
    Math.ceil(imageBytes / leafBytes) * HASH_BYTES;
}

/** Reads the base once: digest, leaves, index, and the bytes themselves if they may stay. */
function* readBase(
  options: EncodeOptions,
  packer: Packer,
  progress: Progress,
): Generator<void, EncodeBase & { readonly sha256: string; readonly root: Uint8Array }> {
  const { hash, leafBytes = LEAF_BYTES, residentBytes } = options;
  const bytes = new BaseBytes(options.base!, residentBytes === undefined ? {} : { residentBytes });
  const geometry = indexGeometry(options.base!, packer);
  const { windowBytes } = geometry;
  const index = new BaseIndex(bytes.lengthBytes, geometry);
  const leaves = new LeafHashes(bytes.lengthBytes, leafBytes, hash);
  const digest = options.newDigest();
  // Windows go across chunks: each chunk is indexed together with the end of the one before.
  const carry = windowBytes - 1;
  const window = new Uint8Array(carry + SEGMENT_BYTES);
  let [done, carried] = [0, 0];
  for (const chunk of bytes.readThrough(SEGMENT_BYTES)) {
    digest.update(chunk);
    leaves.add(chunk);
    window.set(chunk, carried);
    const filled = carried + chunk.length;
    index.add(window.subarray(0, filled), done - carried, carried);
    done += chunk.length;
    const kept = Math.min(carry, filled);
    window.copyWithin(0, filled - kept, filled);
    carried = kept;
    progress.add(chunk.length);
    yield;
  }
  return { bytes, index, sha256: digest.hex(), root: rootOfLeaves(leaves.bytes, hash) };
}

/** How dense an index of the base is to be, and over how many bytes. */
function indexGeometry(base: EncodeSource, packer: Packer): IndexGeometry {
  const { lengthBytes } = base;
  const stepBytes = 2 ** Math.max(0, Math.ceil(Math.log2(lengthBytes / DENSE_INDEX_BYTES)));
  let [sampled, shrunk] = [0, 0];
  for (let i = 0; i < SAMPLES; i++) {
    const offset = Math.floor(i / SAMPLES * lengthBytes);
    const sample = base.read(offset, Math.min(SAMPLE_BYTES, lengthBytes - offset));
    sampled += sample.length;
    shrunk += packer.look(sample);
  }
  if (shrunk > COMPRESSIBLE_SHARE * sampled) {
    return { stepBytes, windowBytes: COMPRESSED_WINDOW_BYTES };
  }
  return { stepBytes, windowBytes: stepBytes > 4 ? SPARSE_WINDOW_BYTES : DENSE_WINDOW_BYTES };
}

/** Leaf hashes, joined; those of zeros are made once. */
class LeafHashes {
  readonly bytes: Uint8Array;
  readonly #leafBytes: number;
  readonly #hash: HashParts;
  #zeroLeaf: Uint8Array | undefined;
  #filled = 0;

  constructor(imageBytes: number, leafBytes: number, hash: HashParts) {
    this.bytes = new Uint8Array(Math.ceil(imageBytes / leafBytes) * HASH_BYTES);
    this.#leafBytes = leafBytes;
    this.#hash = hash;
  }

  /** Takes whole leaves; only the last of all may be shorter. */
  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += this.#leafBytes) {
      const leaf = bytes.subarray(at, at + this.#leafBytes);
      const zero = leaf.length === this.#leafBytes && isZero(leaf);
      const hash = zero && this.#zeroLeaf || leafHash(leaf, this.#hash);
      if (zero) this.#zeroLeaf = hash;
      this.bytes.set(hash, this.#filled);
      this.#filled += HASH_BYTES;
    }
  }
}

/** Bytes read of base and image. */
class Progress {
  #done = 0;
  readonly #total: number;
  readonly #tell: EncodeOptions["onProgress"];

  constructor(options: EncodeOptions) {
    this.#total = options.image.lengthBytes + (options.base?.lengthBytes ?? 0);
    this.#tell = options.onProgress;
  }

  add(bytes: number): void {
    this.#done += bytes;
    this.#tell?.(this.#done, this.#total);
  }
}
