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
 * @throws {UpdateFailure} `storeFull` If it would take the reserve.
 */
export async function checkRoom(
  blobs: BlobStore,
  lengthBytes: number,
  attempt: string,
  subject: string,
): Promise<void> {
  const free = await blobs.freeBytes();
  const wanted = Math.min(lengthBytes, MAX_IMAGE_BYTES) + RESERVE_BYTES; // Longer ones are refused.
  if (free === null || free >= wanted) return;
  throw new UpdateFailure(
    "storeFull",
    subject,
    `${attempt}: ${wanted} bytes are needed with the reserve, ${free} are free`,
  );
}
