/**
 * The people's API, as the commands use it: bearer token, checked answers, problems as errors.
 *
 * @module
 */
import { z } from "zod";
import { PUBLISH_TIMEOUT_MS, REQUEST_TIMEOUT_MS } from "shared/limits.ts";
import { parseAs } from "shared/parse.ts";
import {
  BrokerAccess,
  Campaign,
  type CampaignRequest,
  Enrolment,
  Hardware,
  type LoginRequest,
  type PasswordRequest,
  Problem,
  Published,
  Release,
  type ReleaseRequest,
  Session,
  User,
  type UserRequest,
  Vehicle,
} from "shared/protocol/api.ts";
import {
  type NextMetadata,
  type OnlineRole,
  SigningRequest,
  SigningState,
} from "shared/protocol/signing.ts";
import { Storage } from "shared/protocol/storage.ts";
import { type CommandError, commandError, EXIT, problemError } from "./exit.ts";

/** A server whose disk stands still for half a minute answers late, and has lost nothing. */
const ANSWER_TIMEOUT_MS = 4 * REQUEST_TIMEOUT_MS;

/** What an answer without a body holds. */
const NOTHING = z.void();

/** A request to the API. */
export interface ApiRequest {
  readonly method: string;
  readonly headers?: Record<string, string>;
  readonly body?: BodyInit;
  readonly signal: AbortSignal;
}

/** One server, and the right to use it. */
export class ApiClient {
  /** Scheme, host and port. */
  readonly server: string;
  readonly #token: string | undefined;

  /**
   * @param server Scheme, host and port, without a slash at the end.
   * @param token The bearer token, if there is one.
   */
  constructor(server: string, token?: string) {
    this.server = server;
    this.#token = token;
  }

  /** `POST /api/v1/login`. @throws {CommandError} As all others here: unreachable or refused. */
  login(body: z.input<typeof LoginRequest>): Promise<Session> {
    return this.#json("POST", "/api/v1/login", Session, { body });
  }

  /** `POST /api/v1/enrolments`: a one-time token. */
  enrol(vin: string): Promise<z.infer<typeof Enrolment>> {
    return this.#json("POST", "/api/v1/enrolments", Enrolment, { body: { vin } });
  }

  /** `GET /api/v1/session`: who one is. */
  session(): Promise<Session> {
    return this.#json("GET", "/api/v1/session", Session);
  }

  /** `GET /api/v1/users`: everybody who can log in. */
  users(): Promise<User[]> {
    return this.#json("GET", "/api/v1/users", z.array(User));
  }

  /** `POST /api/v1/users`: adds somebody. */
  addUser(body: z.input<typeof UserRequest>): Promise<User> {
    return this.#json("POST", "/api/v1/users", User, { body });
  }

  /** `DELETE /api/v1/users/{user}`: removes somebody. */
  removeUser(user: string): Promise<void> {
    return this.#json("DELETE", `/api/v1/users/${encodeURIComponent(user)}`, NOTHING);
  }

  /** `PUT /api/v1/users/{user}/password`: sets a password. */
  setPassword(user: string, body: z.input<typeof PasswordRequest>): Promise<void> {
    const path = `/api/v1/users/${encodeURIComponent(user)}/password`;
    return this.#json("PUT", path, NOTHING, { body });
  }

  /** `GET /api/v1/broker`: who the outside broker lets in. */
  broker(): Promise<BrokerAccess> {
    return this.#json("GET", "/api/v1/broker", BrokerAccess);
  }

  /** `GET /api/v1/hardware`: every known hardware id. */
  hardware(): Promise<Hardware[]> {
    return this.#json("GET", "/api/v1/hardware", z.array(Hardware));
  }

  /** `POST /api/v1/hardware`: makes a hardware id known. */
  addHardware(hardware: string): Promise<Hardware> {
    return this.#json("POST", "/api/v1/hardware", Hardware, { body: { hardware } });
  }

  /** `GET /api/v1/releases`: drafts too. */
  releases(): Promise<Release[]> {
    return this.#list("/api/v1/releases", Release);
  }

  /** `POST /api/v1/releases`: makes a release of an uploaded file. */
  publish(body: z.input<typeof ReleaseRequest>): Promise<Published> {
    const timeoutMs = PUBLISH_TIMEOUT_MS;
    return this.#json("POST", "/api/v1/releases", Published, { body, timeoutMs });
  }

  /** `GET /api/v1/storage`: what is stored, and what was given back. */
  storage(): Promise<Storage> {
    return this.#json("GET", "/api/v1/storage", Storage);
  }

  /** `GET /api/v1/campaigns`: all of them. */
  campaigns(): Promise<Campaign[]> {
    return this.#list("/api/v1/campaigns", Campaign);
  }

  /** `GET /api/v1/campaigns/{id}`: one of them. */
  campaign(id: string): Promise<Campaign> {
    return this.#json("GET", `/api/v1/campaigns/${encodeURIComponent(id)}`, Campaign);
  }

  /** `POST /api/v1/campaigns`: offers releases as one bundle. */
  offer(body: z.input<typeof CampaignRequest>): Promise<Campaign> {
    return this.#json("POST", "/api/v1/campaigns", Campaign, { body });
  }

  /** `POST /api/v1/campaigns/{id}/halt|resume|withdraw`. */
  steer(id: string, verb: "halt" | "resume" | "withdraw"): Promise<Campaign> {
    const path = `/api/v1/campaigns/${encodeURIComponent(id)}/${verb}`;
    return this.#json("POST", path, Campaign, { body: {} });
  }

  /** `GET /api/v1/vehicles`: all of them. */
  vehicles(): Promise<Vehicle[]> {
    return this.#list("/api/v1/vehicles", Vehicle);
  }

  /** `GET /api/v1/signing`: what is to be signed away from the server; by default all that waits. */
  signingRequest(releases: readonly string[] = []): Promise<SigningRequest> {
    const query = new URLSearchParams(releases.map((release) => ["release", release]));
    return this.#json("GET", `/api/v1/signing?${query}`, SigningRequest);
  }

  /** `PUT /api/v1/signing`: what was signed. */
  putSigned(next: NextMetadata): Promise<SigningState> {
    const body = { v: 1, next };
    return this.#json("PUT", "/api/v1/signing", SigningState, { body });
  }

  /** `GET /api/v1/signing/state`: where both repositories stand. */
  signingState(): Promise<SigningState> {
    return this.#json("GET", "/api/v1/signing/state", SigningState);
  }

  /** `POST /api/v1/signing/keys`: new keys of the server. */
  renewKeys(roles: readonly OnlineRole[]): Promise<SigningState> {
    return this.#json("POST", "/api/v1/signing/keys", SigningState, { body: { v: 1, roles } });
  }

  /**
   * Any request, answered with headers in; the body is the caller's to read or cancel.
   *
   * @param path Begins with a slash.
   * @param request Method, headers, body and the signal that ends it.
   * @returns The answer, whatever its status.
   * @throws {CommandError} Unreachable, if no answer came.
   */
  async send(path: string, request: ApiRequest): Promise<Response> {
    const headers = new Headers(request.headers);
    if (this.#token !== undefined) headers.set("authorization", `Bearer ${this.#token}`);
    try {
      // A redirect would carry the token to an address that nobody named.
      return await fetch(`${this.server}${path}`, { ...request, headers, redirect: "error" });
    } catch (cause) {
      throw unreachable(this.server, cause);
    }
  }

  /** Every page of a list, as `Link` leads from one to the next (RFC 8288). */
  async #list<T>(path: string, schema: z.ZodType<T>): Promise<T[]> {
    const rows: T[] = [];
    for (let next: string | undefined = path; next !== undefined;) {
      const response = await this.send(next, {
        method: "GET",
        headers: { accept: "application/json" },
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      if (!response.ok) throw await problemOf(response, this.server);
      const page = await readAnswer(response, z.array(schema), `GET ${path}`);
      rows.push(...page);
      // An empty page that names a next one would be asked for for ever.
      next = page.length === 0 ? undefined : nextPage(response.headers.get("link"), path);
    }
    return rows;
  }

  async #json<T>(
    method: string,
    path: string,
    schema: z.ZodType<T>,
    options: { readonly body?: unknown; readonly timeoutMs?: number } = {},
  ): Promise<T> {
    const { body, timeoutMs = ANSWER_TIMEOUT_MS } = options;
    const response = await this.send(path, {
      method,
      headers: { accept: "application/json", "content-type": "application/json" },
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw await problemOf(response, this.server);
    if (response.status === 204) return schema.parse(undefined);
    return await readAnswer(response, schema, `${method} ${path}`);
  }
}

async function readAnswer<T>(response: Response, schema: z.ZodType<T>, what: string): Promise<T> {
  let value: unknown;
  try {
    value = await response.json();
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw unreachable(what, cause);
    throw commandError(
      EXIT.failed,
      "metadataInvalid",
      `Cannot read the answer of ${what}: it is not JSON`,
      { remedy: "Check that the address is that of the update server", cause },
    );
  }
  try {
    return parseAs(schema, value, { what: `the answer of ${what}`, failure: "metadataInvalid" });
  } catch (cause) {
    throw commandError(EXIT.failed, "metadataInvalid", (cause as Error).message, {
      remedy: "Use a server and an `ota` of the same version",
      cause,
    });
  }
}

/**
 * A refusal as an error. Reads the body to its end.
 *
 * @param response An answer of status 400 or above.
 * @param server Who answered, for the message.
 * @returns The error, to be thrown.
 */
export async function problemOf(response: Response, server: string): Promise<CommandError> {
  const text = await response.text().catch(() => "");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined; // Not of our server, or of a proxy before it: told from the status below.
  }
  const problem = Problem.safeParse(value);
  if (problem.success) return problemError(problem.data);
  const { status } = response;
  const message = `Cannot use ${server}: it answered ${status} without saying why`;
  const remedy = "Check that the address is that of the update server, and look into its log";
  if (status === 502 || status === 503 || status === 504) {
    return commandError(EXIT.unreachable, "serverUnreachable", message, {
      remedy: "Check that the server runs: what answered stands before it",
    });
  }
  if (status === 401) return commandError(EXIT.refused, "unauthenticated", message);
  if (status === 403) return commandError(EXIT.refused, "forbidden", message);
  return commandError(status < 500 ? EXIT.refused : EXIT.failed, "internal", message, { remedy });
}

/**
 * No answer, as an error.
 *
 * @param server Who was asked.
 * @param cause What the runtime said; the reason is often one deeper.
 * @returns The error, to be thrown.
 */
export function unreachable(server: string, cause: unknown): CommandError {
  const late = cause instanceof DOMException && cause.name === "TimeoutError";
  return commandError(
    EXIT.unreachable,
    "serverUnreachable",
    `Cannot reach ${server}: ${late ? "no answer in time" : reasonOf(cause)}`,
    { remedy: "Check the address and that the server runs" },
  );
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? cause.cause.message : cause.message;
}

/** The next page that a `Link` header names, if it is one of the same list. */
function nextPage(link: string | null, path: string): string | undefined {
  const next = /^<([^>]+)>; rel="next"$/.exec(link ?? "")?.[1];
  return next?.startsWith(`${path}?`) ? next : undefined;
}
