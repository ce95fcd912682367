/**
 * The vehicle's identity: written once, at enrolment, readable by its owner only.
 *
 * @module
 */
import type { z } from "zod";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_JSON_BYTES, REQUEST_TIMEOUT_MS } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import { EnrolAnswer, Problem } from "shared/protocol/api.ts";
import { boundedBody } from "./bounded_body.ts";

/** Who this vehicle is, and where its server was at enrolment. */
export type Identity = z.infer<typeof EnrolAnswer>;

/**
 * Reads the identity.
 *
 * @param path The file.
 * @returns The identity, or `undefined` before enrolment.
 * @throws {UpdateFailure} `preconditionFailed` if others may read it, or it cannot be read.
 */
export function readIdentity(path: string): Identity | undefined {
  let text: string;
  try {
    const { mode } = Deno.statSync(path);
    if (mode !== null && (mode & 0o077) !== 0) {
      throw new UpdateFailure(
        "preconditionFailed",
        path,
        `Cannot use identity "${path}": others may read it; run chmod 600 on it`,
      );
    }
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const options = { failure: "preconditionFailed", maxBytes: MAX_JSON_BYTES } as const;
  return parseJsonAs(EnrolAnswer, text, { what: `identity "${path}"`, ...options });
}

/**
 * Enrols: exchanges the one-time token for the identity and writes it down. The token
 * stays good until the first authenticated connection, so a cut in between loses nothing.
 *
 * @param path Where the identity goes.
 * @param request The server's people's URL, the VIN and the token.
 * @returns The identity, durable.
 * @throws {UpdateFailure} `tokenInvalid` if the server refuses, `serverUnreachable` if it is gone.
 */
export async function enrol(
  path: string,
  request: { readonly server: string; readonly vin: string; readonly token: string },
): Promise<Identity> {
  const { server, vin, token } = request;
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(new URL("/enrol", server), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ v: 1, vin, token }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      redirect: "error",
    });
    text = new TextDecoder().decode(await boundedBody(answer, MAX_JSON_BYTES));
  } catch (cause) {
    const message = `Cannot enrol at ${server}: ${(cause as Error).message}`;
    throw new UpdateFailure("serverUnreachable", server, message, { cause });
  }
  if (!answer.ok) {
    const problem = Problem.safeParse(safeJson(text)).data;
    const failure = answer.status >= 500 ? "serverUnreachable" : "tokenInvalid";
    const why = problem?.detail ?? answer.statusText;
    throw new UpdateFailure(
      failure,
      vin,
      `Cannot enrol ${vin}: the server answered ${answer.status}: ${why}`,
    );
  }
  const identity = parseJsonAs(EnrolAnswer, text, { what: "identity", maxBytes: MAX_JSON_BYTES });
  if (identity.vin !== vin) {
    throw new UpdateFailure("metadataForeign", vin, `Cannot enrol ${vin}: got ${identity.vin}`);
  }
  writeDurably(path, JSON.stringify(identity));
  return identity;
}

/** New file, sync, rename, sync of the folder: the identity is whole or not there. */
function writeDurably(path: string, text: string): void {
  const temp = `${path}.new`;
  {
    using file = Deno.openSync(temp, { write: true, create: true, truncate: true, mode: 0o600 });
    const bytes = new TextEncoder().encode(text);
    for (let put = 0; put < bytes.length;) put += file.writeSync(bytes.subarray(put));
    file.syncSync();
  }
  Deno.renameSync(temp, path);
  using folder = Deno.openSync(path.slice(0, path.lastIndexOf("/")) || "/");
  folder.syncSync();
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
