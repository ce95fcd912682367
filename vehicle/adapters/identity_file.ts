/**
 * The vehicle's identity: written once, at enrolment, readable by its owner only. A copy beside it
 * carries a digest, so that damage to either file is noticed, and the other one heals it.
 *
 * @module
 */
import type { z } from "zod";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_JSON_BYTES, REQUEST_TIMEOUT_MS } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import { sha256Hex } from "shared/node/digest.ts";
import { EnrolAnswer, Problem } from "shared/protocol/api.ts";
import { boundedBody } from "./bounded_body.ts";

/** Who this vehicle is, and where its server was at enrolment. */
export type Identity = z.infer<typeof EnrolAnswer>;

/**
 * Reads the identity, and makes file and copy whole if one of them is not.
 *
 * @param path The file.
 * @param log Told when something was damaged.
 * @returns The identity, or `undefined` before enrolment.
 * @throws {UpdateFailure} `preconditionFailed` if others may read it, or neither can be used.
 */
export function readIdentity(
  path: string,
  log: (line: string) => void = () => {},
): Identity | undefined {
  const text = readPrivate(path);
  const copy = readPrivate(copyOf(path));
  if (text === undefined && copy === undefined) return undefined;
  const kept = copy === undefined ? undefined : checkedText(copy);
  if (kept !== undefined && kept !== text) {
    log(`identity: recordRotten: "${path}" was damaged or lost and is healed from its copy`);
    heal(path, kept, log);
  } else if (kept === undefined && text !== undefined) {
    const identity = parseIdentity(path, text); // What cannot be read is not copied.
    // Without a copy it was enrolled by an earlier version; then there is nothing to tell.
    if (copy !== undefined) {
      log(`identity: recordRotten: "${copyOf(path)}" was damaged and is healed`);
    }
    heal(copyOf(path), withDigest(text), log);
    return identity;
  }
  return parseIdentity(path, kept ?? text ?? "");
}

function parseIdentity(path: string, text: string): Identity {
  const options = { failure: "preconditionFailed", maxBytes: MAX_JSON_BYTES } as const;
  return parseJsonAs(EnrolAnswer, text, { what: `identity "${path}"`, ...options });
}

/** A file that only its owner may read; `undefined` if it is not there. */
function readPrivate(path: string): string | undefined {
  try {
    const { mode } = Deno.statSync(path);
    if (mode !== null && (mode & 0o077) !== 0) {
      throw new UpdateFailure(
        "preconditionFailed",
        path,
        `Cannot use identity "${path}": others may read it; run chmod 600 on it`,
      );
    }
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The vehicle can live without it for now: the medium may be full. */
function heal(path: string, text: string, log: (line: string) => void): void {
  try {
    writeDurably(path, text);
  } catch (error) {
    log(`identity: cannot write "${path}": ${(error as Error).message}`);
  }
}

/** Where the copy lies: a line with the SHA-256 of the rest. */
function copyOf(path: string): string {
  return `${path}.copy`;
}

function withDigest(text: string): string {
  return `${sha256Hex(new TextEncoder().encode(text))}\n${text}`;
}

/** The text of a copy, if it is whole. */
function checkedText(copy: string): string | undefined {
  const text = copy.slice(copy.indexOf("\n") + 1);
  return withDigest(text) === copy ? text : undefined;
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
  const stored = JSON.stringify(identity);
  writeDurably(path, stored);
  writeDurably(copyOf(path), withDigest(stored));
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
