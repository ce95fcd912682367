/**
 * `ota patch` for a container: applied as a stream, in the memory of a few segments.
 *
 * @module
 */
import { equalBytes } from "shared/bytes.ts";
import { ContainerApplier } from "shared/delta/apply.ts";
import {
  CONTAINER_MAGIC,
  CONTAINER_PREFIX_BYTES,
  type ContainerHead,
  containerHeadBytes,
  OPERATION,
  parseContainerHead,
} from "shared/delta/container.ts";
import { type RandomRead, readInto } from "shared/delta/random_read.ts";
import { UpdateFailure } from "shared/failure.ts";
import { KIB, MAX_IMAGE_BYTES, MIB } from "shared/limits.ts";
import { nodeCodecs } from "shared/node/codecs.ts";
import { nodeHash, sha256Digest } from "shared/node/digest.ts";

/** Read of the container at once: payloads are shorter than their segment of 1 MiB. */
const CHUNK_BYTES = 256 * KIB;

/** Where the image goes: in order, with gaps for zeros. */
export interface ImageSink {
  /** Appends bytes; they are valid during the call only. */
  write(bytes: Uint8Array): void;
  /** Appends zeros, as a hole if it can. */
  skip(lengthBytes: number): void;
}

/** What came out. */
export interface MadeImage {
  readonly lengthBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/**
 * Whether a file begins like a container.
 *
 * @param file Any file.
 * @returns Whether its magic is there.
 */
export function isContainerFile(file: RandomRead): boolean {
  const length = CONTAINER_MAGIC.length;
  return file.lengthBytes >= length && equalBytes(file.read(0, length), CONTAINER_MAGIC);
}

/**
 * Applies a container. Its own head is what it is checked against: nothing signed is at hand.
 *
 * @param file The container.
 * @param openBase Opens the old image; called only if the container has a base.
 * @param sink Where the image goes.
 * @returns Steps of a segment each; at the end what was made.
 * @throws {UpdateFailure} `containerDamaged`, `containerTooNew`, `leafDiffers`, `imageTooLarge`;
 * `deltaBaseDiffers` if the old image is another, `deltaResultDiffers` if the new one is.
 */
export function* patchContainer(
  file: RandomRead,
  openBase: () => RandomRead,
  sink: ImageSink,
): Generator<void, MadeImage> {
  const head = readHead(file);
  const base = head.baseSha256 === null ? null : openBase();
  try {
    return yield* applyFile(file, { head, base, sink });
  } catch (error) {
    // Every leaf is proved anyway, so the old image is read through only to say what was wrong.
    if (base !== null && error instanceof UpdateFailure) checkBase(base, head, error);
    throw error;
  }
}

function* applyFile(
  file: RandomRead,
  from: {
    readonly head: ContainerHead;
    readonly base: RandomRead | null;
    readonly sink: ImageSink;
  },
): Generator<void, MadeImage> {
  const { head, base, sink } = from;
  const applier = new ContainerApplier({
    head,
    base,
    trusted: { root: head.imageRoot, imageBytes: head.imageBytes },
    tools: { codecs: nodeCodecs, hash: nodeHash },
  });
  const digest = sha256Digest();
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, file.lengthBytes));
  let at = head.headBytes;
  do {
    const chunk = buffer.subarray(0, Math.min(buffer.length, file.lengthBytes - at));
    readInto(file, at, chunk);
    at += chunk.length;
    for (const { bytes, operation } of applier.push(chunk)) {
      digest.update(bytes);
      if (operation === OPERATION.zero) sink.skip(bytes.length);
      else sink.write(bytes);
      yield;
    }
  } while (at < file.lengthBytes);
  applier.end();
  const sha256 = digest.hex();
  if (sha256 !== head.imageSha256) {
    throw new UpdateFailure(
      "deltaResultDiffers",
      "container",
      `Cannot apply container: the image came out with SHA-256 ${sha256}, not ${head.imageSha256}`,
    );
  }
  return { lengthBytes: head.imageBytes, sha256 };
}

function readHead(file: RandomRead): ContainerHead {
  const prefix = file.read(0, Math.min(CONTAINER_PREFIX_BYTES, file.lengthBytes));
  const headBytes = Math.min(containerHeadBytes(prefix), file.lengthBytes);
  return parseContainerHead(file.read(0, headBytes).slice(), {
    hash: nodeHash,
    maxImageBytes: MAX_IMAGE_BYTES,
  });
}

/** Throws if the base is not the one that the container starts from. */
function checkBase(base: RandomRead, head: ContainerHead, cause: UpdateFailure): void {
  const fail = (found: string) => {
    throw new UpdateFailure(
      "deltaBaseDiffers",
      "container",
      `Cannot apply container: it starts from an image of ${head.baseBytes} bytes with SHA-256 ` +
        `${head.baseSha256}, and the old image has ${found}`,
      { cause },
    );
  };
  if (base.lengthBytes !== head.baseBytes) fail(`${base.lengthBytes} bytes`);
  const digest = sha256Digest();
  const buffer = new Uint8Array(Math.min(MIB, base.lengthBytes));
  for (let at = 0; at < base.lengthBytes; at += buffer.length) {
    const chunk = buffer.subarray(0, Math.min(buffer.length, base.lengthBytes - at));
    readInto(base, at, chunk);
    digest.update(chunk);
  }
  const sha256 = digest.hex();
  if (sha256 !== head.baseSha256) fail(`SHA-256 ${sha256}`);
}
