/**
 * Applies a container as the vehicle does, without the publisher's tool around it: for the
 * measurement of memory. Without arguments it only loads.
 *
 * Usage: deno run -A tests/bench/delta_apply.ts [OLD CONTAINER NEW]
 *
 * @module
 */
import { ContainerApplier } from "shared/delta/apply.ts";
import {
  CONTAINER_PREFIX_BYTES,
  containerHeadBytes,
  parseContainerHead,
} from "shared/delta/container.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import { KIB, MAX_IMAGE_BYTES } from "shared/limits.ts";
import { nodeCodecs } from "shared/node/codecs.ts";
import { nodeHash, sha256Digest } from "shared/node/digest.ts";

/** As it comes from a socket. */
const CHUNK_BYTES = 64 * KIB;

function open(path: string): RandomRead {
  const file = Deno.openSync(path);
  const { size: lengthBytes } = file.statSync();
  const fill = (offset: number, target: Uint8Array) => {
    file.seekSync(offset, Deno.SeekMode.Start);
    for (let at = 0; at < target.length;) {
      const count = file.readSync(target.subarray(at));
      if (count === null) throw new RangeError(`Cannot read ${path}: it ends too soon`);
      at += count;
    }
  };
  const read = (offset: number, length: number) => {
    const bytes = new Uint8Array(length);
    fill(offset, bytes);
    return bytes;
  };
  return { lengthBytes, fill, read };
}

const chunk = new Uint8Array(CHUNK_BYTES);

function* pieces(file: RandomRead, from: number): Generator<Uint8Array> {
  for (let at = from; at < file.lengthBytes; at += CHUNK_BYTES) {
    const piece = chunk.subarray(0, Math.min(CHUNK_BYTES, file.lengthBytes - at));
    file.fill!(at, piece);
    yield piece;
  }
}

function apply(old: string, container: string, target: string): void {
  const file = open(container);
  const prefix = file.read(0, Math.min(CONTAINER_PREFIX_BYTES, file.lengthBytes));
  const head = parseContainerHead(file.read(0, containerHeadBytes(prefix)), {
    hash: nodeHash,
    maxImageBytes: MAX_IMAGE_BYTES,
  });
  const base = open(old);
  const digest = sha256Digest();
  for (const piece of pieces(base, 0)) digest.update(piece);
  if (digest.hex() !== head.baseSha256) throw new Error(`Cannot apply ${container}: another base`);
  const applier = new ContainerApplier({
    ...{ head, base, trusted: { root: head.imageRoot, imageBytes: head.imageBytes } },
    tools: { codecs: nodeCodecs, hash: nodeHash },
  });
  using out = Deno.openSync(target, { write: true, create: true, truncate: true });
  for (const piece of pieces(file, head.headBytes)) {
    for (const { bytes } of applier.push(piece)) {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(out.writeSync(rest));
    }
  }
  applier.end();
}

const [old, container, target] = Deno.args;
if (target !== undefined) apply(old!, container!, target);
