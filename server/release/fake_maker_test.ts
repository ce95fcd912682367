/**
 * A maker of carriers for tests of the jobs: true containers of whole segments, copied from the
 * base where it has the same bytes in the same place; and everything that can go wrong.
 *
 * @module
 */
import { constants } from "node:zlib";
import { OPERATION, serializeContainerHead } from "shared/delta/container.ts";
import { fromHex } from "shared/bytes.ts";
import { LEAF_BYTES, SEGMENT_BYTES } from "shared/limits.ts";
import { leafHash } from "shared/merkle.ts";
import { encodeBrotli } from "shared/node/codecs_encode.ts";
import { nodeHash, sha256Digest } from "shared/node/digest.ts";
import { blobPath } from "../adapters/blobs_fs.ts";
import type { DeltaMaker, DeltaTask, MadeCarrier } from "../ports_delta.ts";

/** Does as it is told, and remembers what it was asked. */
export class FakeMaker {
  /** Image and base of each task, shortened. */
  readonly asked: [string, string | null][] = [];
  /** Thrown by the next tasks, one each. */
  readonly failures: Error[] = [];
  /** While set, tasks wait for it, or for their end. */
  gate: Promise<void> | undefined;
  /** The same for the next tasks, one each. */
  readonly gates: (Promise<void> | undefined)[] = [];
  /** Brotli's quality for full carriers of an effort; without one they are not compressed. */
  readonly packs = new Map<"fast" | "best", number>();
  /** Tasks that were ended from outside. */
  ended = 0;

  readonly of = (folder: string): DeltaMaker => ({
    make: (task, options) => this.#make(folder, task, options),
  });

  async #make(
    folder: string,
    task: DeltaTask,
    { onProgress, signal }: Parameters<DeltaMaker["make"]>[1],
  ): Promise<MadeCarrier | null> {
    this.asked.push([task.image.sha256, task.base?.sha256 ?? null]);
    onProgress(Math.floor(task.image.lengthBytes / 2));
    const gate = this.gates.shift() ?? this.gate;
    if (gate !== undefined) {
      const aborted = new Promise<never>((_, reject) => {
        if (signal.aborted) reject(signal.reason);
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
      await Promise.race([gate, aborted]).catch((error) => {
        this.ended++;
        throw error;
      });
    }
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    const read = (sha256: string) => Deno.readFile(blobPath(folder, sha256));
    const image = await read(task.image.sha256);
    const base = task.base === null ? null : await read(task.base.sha256);
    const quality = base === null ? this.packs.get(task.effort) : undefined;
    const parts = segments(image, base).map((part) =>
      quality === undefined ? part : { operation: OPERATION.brotli, payload: packed(part, quality) }
    );
    const head = serializeContainerHead({
      imageBytes: image.length,
      imageSha256: task.image.sha256,
      base: task.base && {
        bytes: task.base.lengthBytes,
        sha256: task.base.sha256,
        root: fromHex(task.base.merkleRoot),
      },
      ...{ leafBytes: LEAF_BYTES, segmentBytes: SEGMENT_BYTES, leafHashes: leaves(image) },
      segments: parts.map(({ operation, payload }) => ({
        ...{ operation, payloadBytes: payload.length, payloadSha256: nodeHash(payload) },
      })),
    }, nodeHash);
    const digest = sha256Digest();
    let lengthBytes = 0;
    for (const bytes of [head, ...parts.map(({ payload }) => payload)]) {
      digest.update(bytes);
      lengthBytes += bytes.length;
      await task.target.append(bytes);
    }
    return lengthBytes > task.maxBytes ? null : { carrierSha256: digest.hex(), lengthBytes };
  }
}

function segments(
  image: Uint8Array,
  base: Uint8Array | null,
): { operation: number; payload: Uint8Array }[] {
  const all = [];
  for (let at = 0; at < image.length; at += SEGMENT_BYTES) {
    const bytes = image.subarray(at, at + SEGMENT_BYTES);
    const old = base?.subarray(at, at + bytes.length);
    const same = old?.length === bytes.length && bytes.every((byte, i) => byte === old[i]);
    const place = new Uint8Array(8);
    new DataView(place.buffer).setBigUint64(0, BigInt(at), true);
    all.push(
      same
        ? { operation: OPERATION.copy, payload: place }
        : { operation: OPERATION.raw, payload: bytes },
    );
  }
  return all;
}

function packed({ payload }: { payload: Uint8Array }, quality: number): Uint8Array {
  return encodeBrotli(payload, { [constants.BROTLI_PARAM_QUALITY]: quality });
}

function leaves(image: Uint8Array): Uint8Array {
  const hashes = new Uint8Array(Math.ceil(image.length / LEAF_BYTES) * 32);
  for (let at = 0; at < image.length; at += LEAF_BYTES) {
    hashes.set(leafHash(image.subarray(at, at + LEAF_BYTES), nodeHash), at / LEAF_BYTES * 32);
  }
  return hashes;
}
