/**
 * Which part of a file a request brings.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";

/** What part of the file a request brings. */
export interface Piece {
  /** Where it begins. */
  readonly offset: number;
  /** How long it is, in bytes. */
  readonly lengthBytes: number;
  /** How long the whole file is. */
  readonly totalBytes: number;
  /** It is the whole file: what was there of an earlier attempt is dropped. */
  readonly whole: boolean;
}

/**
 * The place of a request's body: `Content-Range: bytes A-B/TOTAL`, or the whole file.
 *
 * @param contentRange The header field, if there.
 * @param contentLength The header field, if there.
 * @returns Where the body goes.
 * @throws {UpdateFailure} `badRequest` If neither tells.
 */
export function pieceOf(contentRange: string | null, contentLength: string | null): Piece {
  const length = contentLength !== null && /^\d{1,15}$/.test(contentLength)
    ? Number(contentLength)
    : null;
  if (contentRange === null) {
    if (length === null) {
      throw new UpdateFailure(
        "badRequest",
        "Content-Length",
        "Cannot take upload: neither Content-Range nor Content-Length tells how long it is",
      );
    }
    return { offset: 0, lengthBytes: length, totalBytes: length, whole: true };
  }
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(contentRange);
  const [first, last, totalBytes] = (match ?? []).slice(1).map(Number);
  if (totalBytes === 0) return { offset: 0, lengthBytes: 0, totalBytes, whole: false };
  if (
    first === undefined || last === undefined || totalBytes === undefined || last < first ||
    last >= totalBytes || (length !== null && length !== last - first + 1)
  ) {
    throw new UpdateFailure(
      "badRequest",
      "Content-Range",
      `Cannot take upload: Content-Range is "${contentRange.slice(0, 80)}", ` +
        `and Content-Length is ${length ?? "absent"}`,
    );
  }
  return { offset: first, lengthBytes: last - first + 1, totalBytes, whole: false };
}
