/**
 * The server's device listener over HTTP: targets, carriers by Range, reports.
 *
 * @module
 */
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import {
  DOWNLOAD_WINDOW_BYTES,
  DOWNLOAD_WINDOW_MS,
  MAX_DIRECTOR_BYTES,
  MAX_JSON_BYTES,
  REQUEST_TIMEOUT_MS,
} from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import { Problem } from "shared/protocol/api.ts";
import { MAX_CHUNK_BYTES } from "shared/protocol/chunk.ts";
import { DirectorTargets } from "shared/protocol/director.ts";
import type { VehicleReport } from "shared/protocol/messages.ts";
import type { Backend, ByteRange, RangeAnswer } from "vehicle/ports.ts";
import { boundedBody } from "./bounded_body.ts";
import type { Identity } from "./identity_file.ts";
import type { ServerPlaces } from "./server_places.ts";

/** What a status of the server means to the vehicle. */
function failureOfStatus(status: number): FailureName {
  if (status === 401 || status === 403) return "serverRefused";
  if (status === 404 || status === 410) return "carrierMissing";
  if (status === 416) return "carrierLengthDiffers";
  return "serverUnreachable"; // 5xx and the rest: patience.
}

/** First byte and length of the whole; `NaN` where a part is not the one asked for. */
function rangeOf(contentRange: string | null, offset: number): [number, number] {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(contentRange ?? "");
  const at = Number(range?.[1] ?? NaN);
  return [at === offset ? at : NaN, Number(range?.[2] ?? NaN)];
}

/** What makes an answer another file than the one asked for; a digest would find it much later. */
function oddityOf(headers: Headers, carrierSha256: string): string | undefined {
  const [etag, packed] = [headers.get("etag"), headers.get("content-encoding") ?? "identity"];
  if (packed !== "identity") return `is packed, though nobody asked for it: ${packed.slice(0, 50)}`;
  // A weak one, or one with a suffix, is fine: whoever packs and unpacks makes such.
  if (etag === null || etag.includes(carrierSha256)) return undefined;
  return `is another file: its ETag is ${etag.slice(0, 100)}`;
}

/** How requests travel; a simulated world has a network and a time of its own. */
export interface HttpLine {
  readonly fetch: (url: URL, init: RequestInit) => Promise<Response>;
  /** A signal that aborts after so many milliseconds. */
  readonly timeout: (ms: number) => AbortSignal;
}

/** The real network. */
export const REAL_LINE: HttpLine = { fetch, timeout: (ms) => AbortSignal.timeout(ms) };

/** The server over HTTP. */
export class HttpBackend implements Backend {
  readonly #identity: Identity;
  readonly #places: Pick<ServerPlaces, "endpoints" | "forget">;
  readonly #line: HttpLine;

  /**
   * @param identity Who this is.
   * @param places Where the server is.
   * @param line How requests travel.
   */
  constructor(
    identity: Identity,
    places: Pick<ServerPlaces, "endpoints" | "forget">,
    line: HttpLine = REAL_LINE,
  ) {
    this.#identity = identity;
    this.#places = places;
    this.#line = line;
  }

  async targets(signal: AbortSignal): Promise<DirectorTargets> {
    const path = `/metadata/director/${this.#identity.vin}/targets.json`;
    const answer = await this.#ask(path, { signal, timeoutMs: REQUEST_TIMEOUT_MS });
    const bytes = await boundedBody(answer, MAX_DIRECTOR_BYTES).catch((cause) => {
      throw cause instanceof UpdateFailure ? cause : unreachable(path, cause);
    });
    const options = { failure: "metadataInvalid", maxBytes: MAX_DIRECTOR_BYTES } as const;
    return parseJsonAs(DirectorTargets, bytes, { what: "targets", ...options });
  }

  async carrier(
    carrierSha256: string,
    { offset, endBytes }: ByteRange,
    signal: AbortSignal,
  ): Promise<RangeAnswer> {
    const last = endBytes === undefined ? "" : String(endBytes - 1);
    const headers: Record<string, string> = offset === 0 && last === ""
      ? {}
      : { "range": `bytes=${offset}-${last}`, "if-range": `"${carrierSha256}"` };
    // Nothing on the way is to pack the bytes: what arrives is counted.
    const plain = { "accept-encoding": "identity", "cache-control": "no-transform" };
    const answer = await this.#ask(`/carriers/${carrierSha256}`, {
      signal,
      headers: { ...headers, ...plain },
    });
    const odd = oddityOf(answer.headers, carrierSha256);
    if (odd !== undefined) {
      await answer.body?.cancel();
      const message = `Cannot use carrier: the answer ${odd}`;
      throw new UpdateFailure("carrierDigestDiffers", carrierSha256, message);
    }
    const whole = answer.headers.get("content-length");
    const [at, totalBytes] = answer.status === 206
      ? rangeOf(answer.headers.get("content-range"), offset)
      : [0, Number(whole ?? NaN)];
    return { offset: at, totalBytes, body: bodyOf(answer, carrierSha256) };
  }

  async leafHashes(
    { root, count }: { readonly root: string; readonly count: number },
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    return await this.#small(`/chunks/${root}`, 32 * count, signal);
  }

  async leaf(root: string, index: number, signal: AbortSignal): Promise<Uint8Array> {
    return await this.#small(`/chunks/${root}/${index}`, MAX_CHUNK_BYTES, signal);
  }

  async #small(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    // As slow as a download may be; a list of 1 GiB has 512 KiB.
    const timeoutMs = REQUEST_TIMEOUT_MS + maxBytes / DOWNLOAD_WINDOW_BYTES * DOWNLOAD_WINDOW_MS;
    const answer = await this.#ask(path, { signal, timeoutMs });
    return await boundedBody(answer, maxBytes).catch((cause) => {
      throw cause instanceof UpdateFailure ? cause : unreachable(path, cause);
    });
  }

  async manifest(report: VehicleReport, signal: AbortSignal): Promise<void> {
    const answer = await this.#ask("/manifest", {
      signal,
      timeoutMs: REQUEST_TIMEOUT_MS,
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(report),
    });
    await answer.body?.cancel();
  }

  /** One request; throws unless it was answered well. */
  async #ask(
    path: string,
    { signal, timeoutMs, headers, ...init }: RequestInit & {
      readonly signal: AbortSignal;
      readonly timeoutMs?: number;
    },
  ): Promise<Response> {
    const { device } = await this.#places.endpoints(signal);
    const authorization = `Bearer ${this.#identity.secret}`;
    const stop = timeoutMs === undefined
      ? signal
      : AbortSignal.any([signal, this.#line.timeout(timeoutMs)]);
    let answer: Response;
    try {
      answer = await this.#line.fetch(new URL(path, device), {
        ...init,
        headers: { ...headers, authorization },
        signal: stop,
        redirect: "error", // The bearer token goes nowhere else.
      });
    } catch (cause) {
      signal.throwIfAborted();
      this.#places.forget(); // It may have moved: ask again where it is.
      throw unreachable(path, cause);
    }
    if (answer.ok) return answer;
    const failure = failureOfStatus(answer.status);
    throw new UpdateFailure(
      failure,
      path,
      `Cannot fetch ${path}: the server answered ${answer.status} ${await problemOf(answer)}`,
    );
  }
}

function unreachable(path: string, cause: unknown): UpdateFailure {
  const reason = cause instanceof Error
    ? cause.cause instanceof Error ? cause.cause.message : cause.message
    : String(cause);
  const message = `Cannot fetch ${path}: ${reason}`;
  return new UpdateFailure("serverUnreachable", path, message, { cause });
}

async function problemOf(answer: Response): Promise<string> {
  try {
    const bytes = await boundedBody(answer, MAX_JSON_BYTES);
    const problem = parseJsonAs(Problem, bytes, { what: "problem", maxBytes: MAX_JSON_BYTES });
    return `${problem.name}: ${problem.detail}`;
  } catch {
    return answer.statusText; // No problem document: a proxy in between, or a foreign server.
  }
}

async function* bodyOf(answer: Response, carrierSha256: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of answer.body ?? []) yield part;
  } catch (cause) {
    throw new UpdateFailure(
      "downloadInterrupted",
      carrierSha256,
      `Cannot go on with the download: ${(cause as Error).message}`,
      { cause },
    );
  }
}
