/**
 * Sends a file in pieces and goes on where the server says it stands, however often
 * the line breaks.
 *
 * @module
 */
import type { Upload } from "shared/protocol/api.ts";
import { MIB } from "shared/limits.ts";
import { nextChunkBytes } from "../../format.ts";
import { ApiError, type FileWatch } from "../ports.ts";
import { request } from "./request.ts";

/** First pause after a failed piece; doubles with each further one. */
const PAUSE_MIN_MS = 500;
/** Longest pause. */
const PAUSE_MAX_MS = 15_000;
/** Failures in a row, without a byte of progress, after which a person has to decide. */
const MAX_FAILURES = 8;
/** A piece of at most 8 MiB takes longer than this only on a line of under 0.6 Mbit/s. */
const PIECE_TIMEOUT_MS = 120_000;
/** Refusals that pass: somebody else sends the same file, or the offset moved meanwhile. */
const PASSING = ["uploadBusy", "uploadOffsetDiffers", "tooManyAttempts"];

/** What is sent of a file before anything is known: as little as can be in vain. */
const PROBE_BYTES = 1;

/**
 * Uploads a file under its digest. A file that the server has already is not sent.
 *
 * @param file The file.
 * @param sha256 Its digest, lower-case hex.
 * @param watch Progress, retries and the signal that ends it.
 * @throws {ApiError} If the server refuses it, or the line stays dead.
 */
export async function uploadFile(file: File, sha256: string, watch: FileWatch): Promise<void> {
  let offset: number | undefined;
  let pieceBytes = MIB;
  let failures = 0;
  while (offset !== file.size) {
    try {
      offset ??= failures === 0
        ? await begin(file, sha256, watch.signal)
        : await standing(sha256, watch.signal);
      watch.onProgress(offset);
      if (offset >= file.size) return;
      const startedMs = performance.now();
      const sent = Math.min(file.size, offset + pieceBytes) - offset;
      const upload = await sendPiece(file, sha256, { offset, sent, signal: watch.signal });
      pieceBytes = nextChunkBytes(sent, performance.now() - startedMs);
      offset = upload.offset;
      failures = 0;
      watch.onProgress(offset);
    } catch (error) {
      watch.signal.throwIfAborted();
      failures++;
      if (!(error instanceof ApiError) || !passes(error) || failures >= MAX_FAILURES) throw error;
      watch.onRetry(error.refusal.detail);
      offset = undefined; // Only the server knows what arrived of a piece that broke off.
      pieceBytes = MIB;
      await pause(Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** (failures - 1)), watch.signal);
    }
  }
}

function passes(error: ApiError): boolean {
  return error.status === 0 || error.status >= 500 && error.refusal.name !== "storeFull" ||
    PASSING.includes(error.refusal.name);
}

/**
 * Where to begin. As a rule nothing of the file is there, and to ask for what is not there is a
 * 404, which a browser logs as an error of the page: so the first byte is sent instead.
 */
async function begin(file: File, sha256: string, signal: AbortSignal): Promise<number> {
  try {
    return (await sendPiece(file, sha256, { offset: 0, sent: PROBE_BYTES, signal })).offset;
  } catch (error) {
    if (!(error instanceof ApiError) || error.refusal.name !== "uploadOffsetDiffers") throw error;
    return await standing(sha256, signal); // An earlier attempt left something: go on with it.
  }
}

async function standing(sha256: string, signal: AbortSignal): Promise<number> {
  try {
    const answer = await request("HEAD", `/api/v1/uploads/${sha256}`, { signal });
    const offset = Number(answer.headers.get("upload-offset") ?? Number.NaN);
    if (Number.isSafeInteger(offset) && offset >= 0) return offset;
    const found = answer.headers.get("upload-offset");
    const detail = `Cannot go on with the upload: the server's offset is "${found}"`;
    throw new ApiError({ detail, remedy: "Look into the server", name: "", subject: "" }, 502);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return 0;
    throw error;
  }
}

async function sendPiece(
  file: File,
  sha256: string,
  piece: { readonly offset: number; readonly sent: number; readonly signal: AbortSignal },
): Promise<Upload> {
  const end = piece.offset + piece.sent;
  const answer = await request("PUT", `/api/v1/uploads/${sha256}`, {
    body: file.slice(piece.offset, end),
    headers: {
      "content-type": "application/octet-stream",
      "content-range": `bytes ${piece.offset}-${end - 1}/${file.size}`,
    },
    signal: piece.signal,
    timeoutMs: PIECE_TIMEOUT_MS,
  });
  const upload = await answer.json() as Upload;
  if (upload.offset > piece.offset) return upload;
  // An answer without progress would be asked for ever: it counts as a failure.
  const detail = `Cannot send ${file.name}: the server stays at ${upload.offset} bytes`;
  throw new ApiError({ detail, remedy: "Look into the server", name: "", subject: "" }, 502);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
