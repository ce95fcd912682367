/**
 * The process that makes one carrier: encodes it into a file, reads that back, applies it, and
 * compares what comes out with the image. It says nothing but lines of JSON (`delta_task.ts`).
 *
 * Its reader is its lifeline: when the server is gone, the next line cannot be written, and that
 * ends it.
 *
 * @module
 */
import fs from "node:fs";
import os from "node:os";
import { invariant } from "shared/assert.ts";
import { fromHex } from "shared/bytes.ts";
import { ContainerApplier } from "shared/delta/apply.ts";
import { HASH_BYTES, SEGMENT_ROW_BYTES, tableEnd } from "shared/delta/container_format.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import { UpdateFailure } from "shared/failure.ts";
import { KIB, LEAF_BYTES, SEGMENT_BYTES } from "shared/limits.ts";
import { nodeCodecs } from "shared/node/codecs.ts";
import { nodeHash, sha256Digest } from "shared/node/digest.ts";
import { parseJsonAs } from "shared/parse.ts";
import { encodeContainer, EncodeGivenUp } from "../delta/encode.ts";
import { nodeEncodeCodecs } from "../delta/node_codecs.ts";
import { ChildTask, type ChildWord } from "./delta_task.ts";
import { orStoreFailure } from "./medium_full.ts";

/**
 * Requests come first, three to one. The lowest priority there is would stop a job on a busy
 * machine altogether, and vehicles wait for it.
 */
const PRIORITY = 5;
/** Read at once when a file is read from end to end. */
const STEP_BYTES = 256 * KIB;
/** News in between are dropped: nobody sees more than ten a second. */
const NEWS_MS = 100;
/** How long a task may be: four digests, three paths. */
const MAX_TASK_BYTES = 64 * KIB;

/** A file, read anywhere. */
class OpenRead implements RandomRead {
  readonly #fd: number;

  constructor(readonly path: string, readonly sha256: string, readonly lengthBytes: number) {
    this.#fd = fs.openSync(path, "r");
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.lengthBytes) {
      throw new RangeError(
        `Cannot read ${length} bytes at ${offset}: ${this.lengthBytes} are there`,
      );
    }
    const bytes = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      const count = fs.readSync(this.#fd, bytes, filled, length - filled, offset + filled);
      if (count === 0) throw this.damaged();
      filled += count;
    }
    return bytes;
  }

  /** Its bytes in order. */
  *pieces(): Generator<Uint8Array> {
    for (let at = 0; at < this.lengthBytes; at += STEP_BYTES) {
      yield this.read(at, Math.min(STEP_BYTES, this.lengthBytes - at));
    }
  }

  damaged(): UpdateFailure {
    return new UpdateFailure(
      "storedFileDamaged",
      this.sha256,
      `Cannot read ${this.sha256}: it is no longer the ${this.lengthBytes} bytes that were stored`,
    );
  }
}

/**
 * Does one task, and says how it went.
 *
 * @param text The task as JSON.
 * @returns The exit code.
 */
export function deltaChild(text: string): number {
  try {
    os.setPriority(0, PRIORITY);
  } catch { // Where it may not: then it is bounded by the other means.
  }
  const task = parseJsonAs(ChildTask, new TextEncoder().encode(text), {
    what: "task",
    maxBytes: MAX_TASK_BYTES,
  });
  try {
    say(encode(task) ?? { tooLong: true });
  } catch (cause) {
    const error = orStoreFailure(`make a carrier`, cause);
    if (!(error instanceof UpdateFailure)) throw error;
    say({ failure: error.failure, subject: error.subject, message: error.message });
  }
  return 0;
}

function encode(task: ChildTask): Extract<ChildWord, { carrierSha256: string }> | undefined {
  const { image: { path, sha256, lengthBytes, root }, base: from, out } = task;
  const image = new OpenRead(path, sha256, lengthBytes);
  const base = from && new OpenRead(from.path, from.sha256, from.lengthBytes);
  const headBytes = headBytesOf(lengthBytes);
  if (task.maxBytes <= headBytes) return undefined;
  const fd = fs.openSync(out, "r+");
  let at = headBytes;
  try {
    const made = encodeContainer({
      ...{ image, base, codecs: nodeEncodeCodecs, hash: nodeHash, newDigest: sha256Digest },
      effort: task.effort,
      onProgress: news(lengthBytes),
      giveUpAboveBytes: task.maxBytes,
    }, { write: (bytes) => at += writeAll(fd, bytes, at) });
    if (made.imageSha256 !== sha256) throw image.damaged();
    if (base !== null && made.baseSha256 !== base.sha256) throw base.damaged();
    // The payloads lie behind it already.
    invariant(made.head.length === headBytes, `a head of ${made.head.length} for ${headBytes}`);
    writeAll(fd, made.head, 0);
  } catch (error) {
    if (error instanceof EncodeGivenUp) return undefined;
    throw error;
  } finally {
    fs.closeSync(fd);
  }
  if (at > task.maxBytes) return undefined;
  return prove(new OpenRead(out, "the carrier", at), { sha256, lengthBytes, root, base });
}

/** Applies it as a vehicle would, and names it. */
function prove(
  carrier: OpenRead,
  image: {
    readonly sha256: string;
    readonly lengthBytes: number;
    readonly root: string;
    readonly base: RandomRead | null;
  },
): Extract<ChildWord, { carrierSha256: string }> {
  const applier = new ContainerApplier({
    trusted: { root: fromHex(image.root), imageBytes: image.lengthBytes },
    base: image.base,
    tools: { codecs: nodeCodecs, hash: nodeHash },
  });
  const [named, result] = [sha256Digest(), sha256Digest()];
  for (const piece of carrier.pieces()) {
    named.update(piece);
    for (const { bytes } of applier.push(piece)) result.update(bytes);
  }
  applier.end();
  const found = result.hex();
  if (found === image.sha256) {
    return { carrierSha256: named.hex(), lengthBytes: carrier.lengthBytes };
  }
  throw new UpdateFailure(
    "deltaResultDiffers",
    image.sha256,
    `Cannot keep the carrier of ${image.sha256}: applied, it makes ${found}`,
  );
}

/** A head has a row for each segment and a hash for each leaf, whatever it says. */
function headBytesOf(imageBytes: number): number {
  return tableEnd(2) + Math.ceil(imageBytes / SEGMENT_BYTES) * SEGMENT_ROW_BYTES +
    Math.ceil(imageBytes / LEAF_BYTES) * HASH_BYTES;
}

function writeAll(fd: number, bytes: Uint8Array, position: number): number {
  for (let written = 0; written < bytes.length;) {
    written += fs.writeSync(fd, bytes, written, bytes.length - written, position + written);
  }
  return bytes.length;
}

/** The base is read as well: its part of the work is told as a part of the image. */
function news(imageBytes: number): (doneBytes: number, totalBytes: number) => void {
  let saidAtMs = -Infinity;
  return (doneBytes, totalBytes) => {
    const nowMs = performance.now();
    if (nowMs - saidAtMs < NEWS_MS) return;
    saidAtMs = nowMs;
    say({ doneBytes: Math.floor(imageBytes * doneBytes / totalBytes) });
  };
}

function say(word: ChildWord): void {
  let bytes = new TextEncoder().encode(`${JSON.stringify(word)}\n`);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

if (import.meta.main) Deno.exit(deltaChild(Deno.args[0] ?? ""));
