/**
 * A medium without room, or one that fails, in words that say what to do.
 *
 * @module
 */
import { statfsSync } from "node:fs";
import { UpdateFailure } from "shared/failure.ts";
import { MIB } from "shared/limits.ts";

/**
 * Tells whether an error says that the medium is full: ENOSPC or EDQUOT of the system, or
 * SQLITE_FULL. Deno gives neither a code of its own.
 *
 * @param error What was thrown.
 * @returns Whether it is about room.
 */
export function isFull(error: unknown): boolean {
  return error instanceof Error &&
    /os error (28|122)\b|ENOSPC|EDQUOT|database or disk is full/.test(error.message);
}

/**
 * The same for an error of SQLite, which says "disk I/O error" when a file beside the records
 * can't be made: then the medium itself is asked.
 *
 * @param error What was thrown.
 * @param path A file or folder on the medium.
 * @returns Whether it is about room.
 */
export function isRecordsFull(error: unknown, path: string): boolean {
  if (isFull(error)) return true;
  if (!(error instanceof Error) || !/disk I\/O error/.test(error.message)) return false;
  try {
    const { bavail, bsize } = statfsSync(path);
    return Number(bavail) * Number(bsize) < MIB;
  } catch {
    return false; // It cannot be told: then the error stands as it is.
  }
}

/**
 * Tells whether an error says that the medium itself fails: EIO, EROFS or ENXIO of the system, or
 * SQLITE_IOERR.
 *
 * @param error What was thrown.
 * @returns Whether it is about the medium.
 */
export function isBroken(error: unknown): boolean {
  return error instanceof Error &&
    /os error (5|6|30)\b|\bEIO\b|\bEROFS\b|disk I\/O error|attempt to write a readonly/.test(
      error.message,
    );
}

/**
 * Makes the failure for a store that is full, or fails; any other error stays what it is.
 *
 * @param action What was attempted, as in "keep the records".
 * @param error What was thrown.
 * @returns What to throw.
 */
export function orStoreFailure(action: string, error: unknown): unknown {
  if (isFull(error)) return storeFull(action, error);
  return isBroken(error) ? storeFailed(action, error) : error;
}

/**
 * Makes the failure for a store that fails.
 *
 * @param action What was attempted, as in "keep the records".
 * @param error What was thrown.
 * @returns The failure.
 */
export function storeFailed(action: string, error: unknown): UpdateFailure {
  const message = `Cannot ${action}: ${(error as Error).message}`;
  return new UpdateFailure("storeFailed", "store", message, { cause: error });
}

/**
 * Makes the failure for a store that is full.
 *
 * @param action What was attempted, as in "keep the records".
 * @param error What was thrown.
 * @returns The failure.
 */
export function storeFull(action: string, error: unknown): UpdateFailure {
  const message = `Cannot ${action}: the medium is full; free space on it`;
  return new UpdateFailure("storeFull", "store", message, { cause: error });
}
