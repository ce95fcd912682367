/**
 * Where the server's device listener and broker are: asked of the people's URL at every
 * start, and again after it could not be reached.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { MAX_JSON_BYTES, REQUEST_TIMEOUT_MS } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import { Endpoints } from "shared/protocol/api.ts";
import { boundedBody } from "./bounded_body.ts";

/** Knows the way to the server. */
export class ServerPlaces {
  readonly #server: string;
  readonly #last: Endpoints;
  #known: Endpoints | undefined;

  /**
   * @param server The people's URL.
   * @param last Where it was at enrolment: used while it cannot be asked.
   */
  constructor(server: string, last: Endpoints) {
    this.#server = server;
    this.#last = last;
  }

  /** Ask again next time. */
  forget(): void {
    this.#known = undefined;
  }

  /**
   * Where the server is now.
   *
   * @param signal Ends the question.
   * @returns The URLs; those of the enrolment while the server does not answer.
   */
  async endpoints(signal: AbortSignal): Promise<Endpoints> {
    if (this.#known === undefined) {
      try {
        this.#known = await askEndpoints(this.#server, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof UpdateFailure)) throw error;
        return this.#last;
      }
    }
    return this.#known;
  }
}

/**
 * Asks a server where vehicles go.
 *
 * @param server The people's URL.
 * @param signal Ends the question.
 * @returns The URLs.
 * @throws {UpdateFailure} `serverUnreachable` if it does not answer well.
 */
async function askEndpoints(server: string, signal: AbortSignal): Promise<Endpoints> {
  try {
    const answer = await fetch(new URL("/api/v1/endpoints", server), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
      redirect: "error",
    });
    const text = await boundedBody(answer, MAX_JSON_BYTES);
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return parseJsonAs(Endpoints, text, { what: "endpoints", maxBytes: MAX_JSON_BYTES });
  } catch (cause) {
    const message = `Cannot ask ${server} for its endpoints: ${(cause as Error).message}`;
    throw new UpdateFailure("serverUnreachable", server, message, { cause });
  }
}
