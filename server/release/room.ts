/**
 * Room on the medium: asked for before something large is written, so that records and logs
 * never find it full.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { MAX_IMAGE_BYTES, MIB } from "shared/limits.ts";
import type { BlobStore } from "../ports.ts";

/** Left free for records and logs. */
const RESERVE_BYTES = 64 * MIB;

/**
 * Lets something be written, or not.
 *
 * @param blobs Where it will lie.
 * @param lengthBytes How much is to come.
 * @param attempt What is attempted, as the message begins.
 * @param subject What the failure is about.
 * @param promisedBytes What others that are under way will still take.
 * @throws {UpdateFailure} `storeFull` If it would take the reserve.
 */
export async function checkRoom(
  blobs: BlobStore,
  lengthBytes: number,
  attempt: string,
  subject: string,
  promisedBytes = 0,
): Promise<void> {
  const free = await blobs.freeBytes();
  // Longer ones are refused.
  const wanted = Math.min(lengthBytes, MAX_IMAGE_BYTES) + promisedBytes + RESERVE_BYTES;
  if (free === null || free >= wanted) return;
  throw new UpdateFailure(
    "storeFull",
    subject,
    `${attempt}: ${wanted} bytes are needed with the reserve` +
      `${promisedBytes > 0 ? " and what others send" : ""}, ${free} are free`,
  );
}
