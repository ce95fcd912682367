/**
 * Heals a slot that has rotted, leaf by leaf, from the server. The list of leaf hashes is proved
 * against the image's root, tells which leaves are bad, and each new leaf is proved before it is
 * written; in the end the digest of the whole image is. Good leaves are never written, so a cut in
 * the middle leaves some bad ones fewer, and nothing else.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { SEGMENT_BYTES } from "shared/limits.ts";
import type { HashParts } from "shared/merkle.ts";
import { parseChunk, proveChunk, proveLeafList } from "shared/protocol/chunk.ts";
import type { SlotImage } from "vehicle/bootloader/boot_record.ts";
import type { EcuPort } from "vehicle/bus/ecu_port.ts";
import type { WatchedSlot } from "vehicle/bus/slot_care.ts";
import type { Backend } from "vehicle/ports.ts";

/** What healing needs. */
export interface HealParts {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly hash: HashParts;
  /** The size of a leaf. */
  readonly leafBytes: number;
}

/**
 * Heals one slot.
 *
 * @param ecu The ECU.
 * @param watched The slot and what it is to hold; with the image's Merkle root.
 * @param options What it works with, the signal that ends it, and who is told how many of the bad
 * leaves are whole again.
 * @returns How many leaves were written anew; 0 if it was sound after all.
 * @throws {UpdateFailure} `healSourceMissing` if the server cannot help or nobody knows the root,
 * `leafDiffers` if it sends other bytes, or of the line or the storage.
 */
export async function healSlot(
  ecu: EcuPort,
  { slot, image }: Pick<WatchedSlot, "slot" | "image">,
  options: HealParts & {
    readonly signal: AbortSignal;
    readonly onLeaf: (doneLeaves: number, totalLeaves: number) => void;
  },
): Promise<number> {
  const { backend, clock, hash, leafBytes, signal, onLeaf } = options;
  const { merkleRoot: root, lengthBytes } = image;
  // It may be that only the loader's mark is to be taken back: that needs no server.
  if (await drive(ecu.care.restore(slot, image), clock, signal)) return 0;
  if (root === undefined) throw missing(image, `nobody knows the root of ${image.version}`);
  const count = Math.ceil(lengthBytes / leafBytes);
  try {
    const list = await backend.leafHashes({ root, count }, signal);
    proveLeafList(list, { root, count }, hash);
    const bad = await drive(ecu.care.badLeaves(slot, list, leafBytes), clock, signal);
    onLeaf(0, bad.length);
    for (const [done, index] of bad.entries()) {
      const chunk = parseChunk(await backend.leaf(root, index, signal));
      proveChunk(chunk, { root, index, count }, hash);
      ecu.care.mend(slot, index * leafBytes, chunk.bytes);
      onLeaf(done + 1, bad.length);
    }
    if (await drive(ecu.care.restore(slot, image), clock, signal)) return bad.length;
  } catch (error) {
    if (!(error instanceof UpdateFailure) || error.failure !== "carrierMissing") throw error;
    throw missing(image, error.message);
  }
  throw new UpdateFailure(
    "slotRotten",
    ecu.serial,
    `Cannot heal slot ${slot} of ${ecu.serial}: every leaf holds, and the digest does not`,
  );
}

function missing({ version }: SlotImage, why: string): UpdateFailure {
  return new UpdateFailure("healSourceMissing", version, `Cannot heal ${version}: ${why}`);
}

/** Works through a long read; screen and heartbeats go on between its parts. */
async function drive<T>(
  work: Generator<number, T>,
  clock: Clock,
  signal: AbortSignal,
): Promise<T> {
  for (let read = 0;;) {
    const step = work.next();
    if (step.done) return step.value;
    read += step.value;
    if (read < SEGMENT_BYTES) continue;
    read = 0;
    await clock.sleep(0, signal);
  }
}
