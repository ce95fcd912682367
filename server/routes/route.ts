/**
 * What a route is. The table of routes is the one source for access rules and for OpenAPI.
 *
 * @module
 */
import type { Context } from "hono";
import { z } from "zod";
import { HeaderFailure } from "../failure_http.ts";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_JSON_BYTES, MAX_PAGE_ROWS } from "shared/limits.ts";
import { parseAs, parseJsonAs } from "shared/parse.ts";
import type { Core } from "../core.ts";
import type { Page, Role, SessionRow } from "../ports.ts";
import type { Via } from "../access/sessions.ts";

/** What the listener hands in with each request, and what access control adds. */
export interface Env {
  Bindings: {
    /** The address that the request comes from. */
    readonly remote: string;
    /** The host that the person's browser asked for. */
    readonly host: string;
    /** The person's line is encrypted. */
    readonly secure: boolean;
  };
  Variables: {
    readonly session: SessionRow;
    readonly via: Via;
  };
}

/** A request in hand. */
export type Ctx = Context<Env>;

/** One answer in OpenAPI. */
export interface Answer {
  readonly description: string;
  readonly schema?: z.ZodType;
}

/** One route of the people's listener. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** A path with `:name` for parameters. GET answers HEAD as well. */
  readonly path: string;
  /** Who may use it: everybody, or this role and those above it. */
  readonly access: "open" | Role;
  readonly summary: string;
  /** It answers a page of a list: see {@linkcode answerPage}. */
  readonly paged?: true;
  readonly body?: z.ZodType;
  readonly answers: Readonly<Record<number, Answer>>;
  handle(c: Ctx, core: Core): Promise<Response> | Response;
}

/**
 * Reads a JSON body, never more than it may have.
 *
 * @param request The request.
 * @param schema What it must be.
 * @param what What it is called in messages.
 * @param maxBytes The most it may have.
 * @returns The body.
 * @throws {UpdateFailure} `requestTooLarge`, `badRequest` or `schemaUnknown`.
 */
export async function readBody<T>(
  request: Request,
  schema: z.ZodType<T>,
  what: string,
  maxBytes = MAX_JSON_BYTES,
): Promise<T> {
  const chunks: Uint8Array[] = [];
  let lengthBytes = 0;
  if (request.body !== null) {
    const reader = request.body.getReader();
    for (;;) {
      const { done, value } = await reader.read().catch((cause: Error) => {
        const message = `Cannot read ${what}: the line broke before its end`;
        throw new UpdateFailure("badRequest", what, message, { cause }); // No fault of the server.
      });
      if (done) break;
      lengthBytes += value.length;
      if (lengthBytes > maxBytes) {
        await reader.cancel();
        throw new UpdateFailure(
          "requestTooLarge",
          what,
          `Cannot read ${what}: the body has more than ${maxBytes} bytes`,
        );
      }
      chunks.push(value);
    }
  }
  const whole = new Uint8Array(lengthBytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return parseJsonAs(schema, whole, { what, maxBytes });
}

/** Reads a JSON body whose rules are checked elsewhere. */
export function readAnyBody(request: Request, what: string): Promise<unknown> {
  return readBody(request, z.unknown(), what);
}

/**
 * A parameter of the path.
 *
 * @param c The request.
 * @param name Its name.
 * @param schema What it must be; this is also what keeps path tricks out.
 * @returns Its value.
 * @throws {UpdateFailure} `badRequest` If it is something else.
 */
export function param<T>(c: Ctx, name: string, schema: z.ZodType<T>): T {
  return parseAs(schema, c.req.param(name), { what: name });
}

const Limit = z.coerce.number().int().min(1).max(MAX_PAGE_ROWS);

/**
 * A page of a list: `?limit=N&after=ID`. Where more follow, `Link` names the next page (RFC 8288).
 *
 * @param c The request.
 * @param id What `after` must be.
 * @param list Gets rows of the list, each with its id.
 * @returns The answer.
 * @throws {UpdateFailure} `badRequest` If limit or after is something else.
 */
export async function answerPage<T>(
  c: Ctx,
  id: z.ZodType<string>,
  list: { rows(page: Page): Promise<readonly T[]>; idOf(row: T): string },
): Promise<Response> {
  const limit = parseAs(Limit, c.req.query("limit") ?? MAX_PAGE_ROWS, { what: "limit" });
  const after = parseAs(id.optional(), c.req.query("after"), { what: "after" });
  const found = await list.rows({ limit: limit + 1, after });
  const rows = found.slice(0, limit);
  if (found.length === rows.length) return json(rows);
  const last = encodeURIComponent(list.idOf(rows.at(-1)!));
  const next = `<${c.req.path}?limit=${limit}&after=${last}>; rel="next"`;
  return json(rows, 200, { link: next });
}

/** A JSON answer that no cache keeps. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...headers,
    },
  });
}

/** Refuses because there is no room for one more. */
export function tooMany(what: string, retryAfterS: number): HeaderFailure {
  return new HeaderFailure(
    "tooManyAttempts",
    what,
    `Cannot open one more ${what}: the most this server takes are open`,
    { "retry-after": String(retryAfterS) },
  );
}
