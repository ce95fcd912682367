/**
 * Brings the bytes of one carrier, from an offset on, through cuts of the line: goes
 * on by Range where it stopped, with pauses that grow, and notices a line that stalls. Answers that
 * cannot be right are a meddling line's until they come too often; whether the bytes are right
 * is not for this file to say, but for the digest that whoever takes them checks.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import {
  BACKOFF_MAX_MS,
  BACKOFF_MIN_MS,
  DOWNLOAD_STALL_MS,
  DOWNLOAD_WINDOW_BYTES,
  DOWNLOAD_WINDOW_MS,
  MAX_ODD_ANSWERS,
} from "shared/limits.ts";
import type { Backend } from "vehicle/ports.ts";

/** What is fetched. */
export interface Download {
  readonly carrierSha256: string;
  /** The length the release names: one byte more is an attack. */
  readonly lengthBytes: number;
  /** Where to begin. */
  readonly offset: number;
  /** Where to end, if that is before the end of the carrier. */
  readonly endBytes?: number;
  readonly signal: AbortSignal;
  /** A cut that is being waited out. */
  readonly onPause: (failure: UpdateFailure) => void;
}

/**
 * Downloads to the end. The line waits while the caller is busy with what it took.
 *
 * @param backend The server.
 * @param clock For pauses and for stalls.
 * @param download What, and from where to where.
 * @returns The bytes in order, in pieces of any size. To end it early closes the line.
 * @throws {UpdateFailure} `carrierMissing`, `carrierLengthDiffers` or `carrierDigestDiffers` if
 * answers are odd {@linkcode MAX_ODD_ANSWERS} times in a row. Cuts and an unreachable server are
 * waited out, as long as the signal allows.
 */
export async function* downloadCarrier(
  backend: Backend,
  clock: Clock,
  download: Download,
): AsyncGenerator<Uint8Array> {
  const { lengthBytes, endBytes = lengthBytes } = download;
  let [at, pauseMs, odd] = [download.offset, BACKOFF_MIN_MS, 0];
  while (at < endBytes) {
    const before = at;
    try {
      for await (const bytes of piecesFrom(backend, clock, { ...download, offset: at, endBytes })) {
        at += bytes.length;
        yield bytes;
      }
      if (at < endBytes) {
        throw new UpdateFailure(
          "downloadInterrupted",
          download.carrierSha256,
          `Cannot finish download: the line ended at ${at} of ${endBytes} bytes`,
        );
      }
    } catch (error) {
      download.signal.throwIfAborted();
      if (!(error instanceof UpdateFailure)) throw error;
      odd = isOdd(error) ? odd + 1 : 0;
      if (odd >= MAX_ODD_ANSWERS || !(isPatient(error) || isOdd(error))) throw error;
      download.onPause(error);
      // It moved: begin with the short pause again. Odd answers may bring bytes for ever.
      if (at > before && odd === 0) pauseMs = BACKOFF_MIN_MS;
      await clock.sleep(pauseMs, download.signal);
      pauseMs = Math.min(pauseMs * 2, BACKOFF_MAX_MS);
    }
  }
}

/** Failures that only time can heal. A refused identity may be enrolled again meanwhile. */
function isPatient(failure: UpdateFailure): boolean {
  return failure.kind.stage === "download" &&
    (failure.kind.retry === "now" || failure.failure === "serverRefused");
}

/** Failures of an answer that a server of ours does not give: something on the line may. */
function isOdd({ failure }: UpdateFailure): boolean {
  return failure === "carrierLengthDiffers" || failure === "carrierDigestDiffers";
}

async function* piecesFrom(
  backend: Backend,
  clock: Clock,
  { carrierSha256, lengthBytes, offset, endBytes, signal }: Required<Omit<Download, "onPause">>,
): AsyncGenerator<Uint8Array> {
  const line = new AbortController();
  const cut = () => line.abort(signal.reason);
  signal.addEventListener("abort", cut, { once: true });
  if (signal.aborted) cut();
  try {
    const range = endBytes < lengthBytes ? { offset, endBytes } : { offset };
    const asked = backend.carrier(carrierSha256, range, line.signal);
    const answer = await withoutStall(asked, clock, line);
    // A proxy may leave out the length, or give the whole file when a part was asked for.
    const length = Number.isNaN(answer.totalBytes) || answer.totalBytes === lengthBytes;
    if (!length || (answer.offset !== offset && answer.offset !== 0)) {
      throw new UpdateFailure(
        "carrierLengthDiffers",
        carrierSha256,
        `Cannot use carrier: the server has ${answer.totalBytes} bytes from ${answer.offset}, the ` +
          `release says ${lengthBytes} from ${offset}`,
      );
    }
    let at = answer.offset;
    const pace = { waitedMs: 0, bytes: at };
    const body = answer.body[Symbol.asyncIterator]();
    for (;;) {
      const askedMs = clock.monotonic();
      const piece = await withoutStall(body.next(), clock, line);
      if (piece.done) return;
      at += piece.value.length;
      // Only the wait counts: what the caller does with a piece is not the line's fault.
      pace.waitedMs += clock.monotonic() - askedMs;
      checkPace(pace, at);
      if (at > lengthBytes) {
        throw new UpdateFailure(
          "carrierLengthDiffers",
          carrierSha256,
          `Cannot use carrier: more than its ${lengthBytes} bytes arrive`,
        );
      }
      const bytes = piece.value.subarray(Math.max(0, offset - (at - piece.value.length)));
      if (at >= endBytes && endBytes < lengthBytes) {
        return yield bytes.subarray(0, bytes.length - (at - endBytes));
      }
      if (at > offset) yield bytes;
    }
  } finally {
    signal.removeEventListener("abort", cut);
    line.abort();
  }
}

/** A body that drips keeps every single wait short, and never ends (slow retrieval). */
function checkPace(pace: { waitedMs: number; bytes: number }, at: number): void {
  if (pace.waitedMs < DOWNLOAD_WINDOW_MS) return;
  if (at - pace.bytes < DOWNLOAD_WINDOW_BYTES) {
    throw new UpdateFailure(
      "downloadTooSlow",
      "line",
      `Cannot go on with the download: ${at - pace.bytes} bytes came in ${pace.waitedMs} ms`,
    );
  }
  [pace.waitedMs, pace.bytes] = [0, at];
}

/** A server that does not answer, or a body that gives nothing, never errors by itself. */
async function withoutStall<T>(
  next: Promise<T>,
  clock: Clock,
  line: AbortController,
): Promise<T> {
  const timer = new AbortController();
  const stall = clock.sleep(DOWNLOAD_STALL_MS, timer.signal).then(() => {
    const failure = new UpdateFailure(
      "downloadTooSlow",
      "line",
      `Cannot go on with the download: nothing came for ${DOWNLOAD_STALL_MS} ms`,
    );
    line.abort(failure);
    throw failure;
  });
  stall.catch(() => {}); // Raced below; when the read wins, its rejection is nobody's.
  next.catch(() => {});
  try {
    return await Promise.race([next, stall]);
  } finally {
    timer.abort(new Error("the read came first"));
  }
}
