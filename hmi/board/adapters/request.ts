/**
 * One HTTP request; a refusal is thrown as the server worded it.
 *
 * @module
 */
import type { Problem } from "shared/protocol/api.ts";
import { ApiError, refusalOf } from "../ports.ts";

/** No answer at all within this counts as no server. */
const TIMEOUT_MS = 30_000;

/**
 * One request.
 *
 * @param method The HTTP method.
 * @param path The path, from `/api/v1` on.
 * @param init Body and headers, and how long to wait.
 * @returns The answer, which is a good one.
 * @throws {ApiError} If the server refuses, or does not answer.
 */
export async function request(
  method: string,
  path: string,
  init: {
    readonly body?: BodyInit;
    readonly headers?: Record<string, string>;
    readonly signal?: AbortSignal;
    readonly timeoutMs?: number;
  } = {},
): Promise<Response> {
  let answer: Response;
  try {
    const { body = null, headers = {}, timeoutMs = TIMEOUT_MS } = init;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = init.signal === undefined ? timeout : AbortSignal.any([init.signal, timeout]);
    answer = await fetch(path, { method, body, headers, signal });
  } catch (cause) {
    if (init.signal?.aborted) throw init.signal.reason;
    const detail = `Cannot reach the server: ${(cause as Error).message}`;
    throw new ApiError({ detail, remedy: "Check the connection", name: "", subject: "" }, 0);
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => undefined) as Partial<Problem> | undefined;
  throw new ApiError(refusalOf(problem, answer.status), answer.status);
}
