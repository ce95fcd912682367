/**
 * Sending a file to the server: its digest first, then pieces that can be resumed.
 *
 * @module
 */
import { MIB, REQUEST_TIMEOUT_MS } from "shared/limits.ts";
import { sha256Digest } from "shared/node/digest.ts";
import type { ApiClient } from "./client.ts";
import { problemOf, unreachable } from "./client.ts";
import { CommandError, commandError, EXIT } from "./exit.ts";
import type { Progress } from "./progress.ts";

/** Read at once while hashing. */
const HASH_BYTES = MIB;
/** Sent in one request: what a proxy may hold back, and what a cut line at most repeats. */
const PIECE_BYTES = 16 * MIB;
/** Handed to the line at once; progress is as fine as this. */
const STEP_BYTES = MIB / 4;
/** A line that takes nothing for so long is as good as cut. */
const STALL_MS = 60_000;
/** The server hashes a resumed file once more before it answers the last piece. */
const LAST_PIECE_MS = 30 * 60_000;
/** Attempts without a byte of progress before the upload is given up: about two minutes. */
const MAX_ATTEMPTS = 9;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** A file to be sent. */
export interface UploadFile {
  readonly path: string;
  readonly sha256: string;
  readonly lengthBytes: number;
}

/** What an upload needs beside the file. */
export interface UploadOptions {
  readonly progress: Progress;
  /** Told of every pause: why, and how long. */
  readonly note: (text: string) => void;
  /** Waits; a test need not. */
  readonly sleep?: (ms: number) => Promise<void>;
}

/**
 * The SHA-256 of a file, read in pieces.
 *
 * @param path The file.
 * @param progress Told of every piece.
 * @returns Lower-case hex, and how many bytes were read.
 */
export async function digestFile(
  path: string,
  progress: Progress,
): Promise<{ sha256: string; lengthBytes: number }> {
  using file = await Deno.open(path);
  const digest = sha256Digest();
  const buffer = new Uint8Array(HASH_BYTES);
  let lengthBytes = 0;
  for (let n = await file.read(buffer); n !== null; n = await file.read(buffer)) {
    digest.update(buffer.subarray(0, n));
    lengthBytes += n;
    progress.update(lengthBytes);
  }
  return { sha256: digest.hex(), lengthBytes };
}

/**
 * Sends a file, or what the server still lacks of it.
 *
 * @param client The server.
 * @param upload The file and its digest.
 * @param options Progress and notes.
 * @throws {CommandError} Refused by the server, or unreachable after several attempts.
 */
export async function uploadFile(
  client: ApiClient,
  upload: UploadFile,
  options: UploadOptions,
): Promise<void> {
  const { progress, note, sleep = pause } = options;
  let attempt = 0;
  let reached = -1;
  while (true) {
    let error: CommandError;
    try {
      const state = await askState(client, upload.sha256);
      if (state.complete) return progress.update(upload.lengthBytes);
      if (state.offset > reached) attempt = 0;
      reached = Math.max(reached, state.offset);
      return await sendFrom(client, upload, { offset: state.offset, progress });
    } catch (thrown) {
      if (!(thrown instanceof CommandError) || !isPassing(thrown)) throw thrown;
      error = thrown;
    }
    if (++attempt >= MAX_ATTEMPTS) throw error;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS);
    progress.end();
    note(`${error.message}; trying again in ${pauseMs / 1000} s (${attempt}/${MAX_ATTEMPTS - 1})`);
    await sleep(pauseMs);
  }
}

/** A cut line, a server that restarts, or another one who sends the same file. */
function isPassing(error: CommandError): boolean {
  return error.exit === EXIT.unreachable ||
    ["uploadBusy", "uploadOffsetDiffers", "uploadIncomplete"].includes(error.facts.name);
}

async function askState(
  client: ApiClient,
  sha256: string,
): Promise<{ offset: number; complete: boolean }> {
  const response = await client.send(`/api/v1/uploads/${sha256}`, {
    method: "HEAD",
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  await response.body?.cancel();
  if (response.status === 404) return { offset: 0, complete: false };
  if (!response.ok) throw await problemOfHead(client, response);
  const offset = Number(response.headers.get("upload-offset"));
  const length = Number(response.headers.get("upload-length"));
  if (Number.isSafeInteger(offset) && Number.isSafeInteger(length) && length > 0) {
    return { offset, complete: offset === length };
  }
  throw commandError(
    EXIT.failed,
    "metadataInvalid",
    `Cannot resume the upload: ${client.server} does not tell the offset`,
    { remedy: "Use a server and an `ota` of the same version" },
  );
}

/** An answer to HEAD has no body that could say why: the same question by GET has. */
async function problemOfHead(client: ApiClient, head: Response): Promise<CommandError> {
  const response = await client.send("/api/v1/session", {
    method: "GET",
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  if (!response.ok) return await problemOf(response, client.server);
  await response.body?.cancel();
  return await problemOf(new Response(null, { status: head.status }), client.server);
}

/** Sends pieces until the server has all and has proved it. */
async function sendFrom(
  client: ApiClient,
  upload: UploadFile,
  options: { readonly offset: number; readonly progress: Progress },
): Promise<void> {
  const { path, sha256, lengthBytes } = upload;
  for (let offset = options.offset; offset < lengthBytes; offset += PIECE_BYTES) {
    const end = Math.min(offset + PIECE_BYTES, lengthBytes);
    const stall = new Stall();
    const piece = new Piece(path, offset, end, (doneBytes) => {
      options.progress.update(doneBytes);
      stall.wait(doneBytes === lengthBytes ? LAST_PIECE_MS : STALL_MS);
    });
    try {
      const response = await client.send(`/api/v1/uploads/${sha256}`, {
        method: "PUT",
        headers: {
          "content-type": "application/octet-stream",
          "content-range": `bytes ${offset}-${end - 1}/${lengthBytes}`,
        },
        body: piece.stream,
        signal: stall.signal,
      });
      if (!response.ok) throw await problemOf(response, client.server);
      await response.body?.cancel();
      if (response.status === 200) return;
    } catch (error) {
      // A file that cannot be read any more shows as a broken line first.
      if (piece.fault !== undefined) throw piece.fault;
      throw stall.signal.aborted ? unreachable(client.server, stall.signal.reason) : error;
    } finally {
      stall.end();
      piece.close();
    }
  }
  throw commandError(
    EXIT.failed,
    "uploadIncomplete",
    `Cannot finish the upload of ${path}: ${client.server} took all pieces and wants more`,
  );
}

/** Ends a request that moves no byte for too long. */
class Stall {
  readonly #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor() {
    this.wait(STALL_MS);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Something moved: the next thing must move within so many milliseconds. */
  wait(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#ended) return; // The answer came before all was taken: a refusal.
    const reason = new DOMException("The line took no byte for too long", "TimeoutError");
    this.#timer = setTimeout(() => this.#abort.abort(reason), ms);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }
}

/** One piece of a file as a stream that reads only when the line takes more. */
export class Piece {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Why the file could not be read to the end of the piece. */
  fault: unknown;
  #file: Deno.FsFile | undefined;
  #canceled = false;

  /**
   * @param path The file.
   * @param start First byte of the piece.
   * @param end After its last byte.
   * @param step Told how far the file has been read.
   */
  constructor(path: string, start: number, end: number, step: (doneBytes: number) => void) {
    let at = start;
    this.stream = new ReadableStream({
      pull: async (controller) => {
        try {
          if (this.#file === undefined) {
            this.#file = await Deno.open(path);
            await this.#file.seek(start, Deno.SeekMode.Start);
          }
          const buffer = new Uint8Array(Math.min(STEP_BYTES, end - at));
          const n = await this.#file.read(buffer);
          if (this.#canceled) return;
          if (n === null) throw new RangeError(`Cannot send ${path}: it became shorter meanwhile`);
          at += n;
          controller.enqueue(buffer.subarray(0, n));
          step(at);
          if (at < end) return;
          this.close();
          controller.close();
        } catch (error) {
          if (this.#canceled) return; // The line broke while the file was read: no fault of it.
          this.fault = error;
          controller.error(error);
        } finally {
          if (this.#canceled) this.close(); // It may have been opened after the cancel.
        }
      },
      cancel: () => {
        this.#canceled = true;
        this.close();
      },
    }, { highWaterMark: 0 });
  }

  /** Closes the file; also when it was never opened. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
