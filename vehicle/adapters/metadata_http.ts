/**
 * A metadata repository over HTTP. Whoever answers is not trusted: neither with how much there is
 * nor with how long it takes.
 *
 * @module
 */
import { concatBytes } from "shared/bytes.ts";
import { UpdateFailure } from "shared/failure.ts";
import { DOWNLOAD_WINDOW_BYTES, DOWNLOAD_WINDOW_MS, REQUEST_TIMEOUT_MS } from "shared/limits.ts";
import type { MetadataSource } from "shared/trust/ports.ts";
import type { HttpLine } from "./backend_http.ts";

/** What goes with every request. */
export interface MetadataHttpOptions {
  readonly line: HttpLine;
  /** Ends every request. */
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Fetches metadata files below one address. */
export class HttpMetadata implements MetadataSource {
  readonly #base: string;
  readonly #options: MetadataHttpOptions;

  /**
   * @param base Where the repository lies.
   * @param options How requests travel.
   */
  constructor(base: string, options: MetadataHttpOptions) {
    this.#base = base.endsWith("/") ? base : `${base}/`;
    this.#options = options;
  }

  async fetch(file: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const { line, signal, headers } = this.#options;
    // As slow as a download may be at its slowest, and no slower in all.
    const timeoutMs = REQUEST_TIMEOUT_MS + maxBytes / DOWNLOAD_WINDOW_BYTES * DOWNLOAD_WINDOW_MS;
    const deadline = line.timeout(timeoutMs);
    const stop = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    try {
      const answer = await line.fetch(new URL(this.#base + file), {
        headers: { ...headers, "accept-encoding": "identity" },
        signal: stop,
        redirect: "error", // What goes along goes nowhere else.
      });
      if (answer.ok) return await boundedFile(answer, file, maxBytes);
      await answer.body?.cancel();
      if (answer.status === 404 || answer.status === 410) return undefined;
      throw refused(file, answer.status);
    } catch (cause) {
      if (cause instanceof UpdateFailure) throw cause;
      signal?.throwIfAborted();
      const reason = (cause as Error).message;
      const message = `Cannot fetch metadata "${file}": ${reason}`;
      throw new UpdateFailure(
        deadline.aborted ? "metadataTooSlow" : "serverUnreachable",
        file,
        message,
        { cause },
      );
    }
  }
}

async function boundedFile(
  answer: Response,
  file: string,
  maxBytes: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body ?? []) {
    length += part.length;
    if (length > maxBytes) { // Leaving the loop cancels the rest.
      const message = `Cannot fetch metadata "${file}": more than ${maxBytes} bytes come`;
      throw new UpdateFailure("metadataTooLarge", file, message);
    }
    parts.push(part);
  }
  return concatBytes(...parts);
}

function refused(file: string, status: number): UpdateFailure {
  const failure = status === 401 || status === 403 ? "serverRefused" : "serverUnreachable";
  const message = `Cannot fetch metadata "${file}": the server answered ${status}`;
  return new UpdateFailure(failure, file, message);
}
