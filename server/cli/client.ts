/**
 * The people's API, as the commands use it: bearer token, checked answers, problems as errors.
 *
 * @module
 */
import { z } from "zod";
import { REQUEST_TIMEOUT_MS } from "shared/limits.ts";
import { parseAs } from "shared/parse.ts";
import {
  BrokerAccess,
  Campaign,
  type CampaignRequest,
  Enrolment,
  Hardware,
  type LoginRequest,
  Problem,
  Published,
  Release,
  type ReleaseRequest,
  Session,
  Vehicle,
} from "shared/protocol/api.ts";
import { type CommandError, commandError, EXIT, problemError } from "./exit.ts";

/** The server proves a patch before it answers: 1 GiB takes minutes on a small machine. */
const PUBLISH_TIMEOUT_MS = 30 * 60_000;

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
    return this.#json("GET", "/api/v1/releases", z.array(Release));
  }

  /** `POST /api/v1/releases`: makes a release of an uploaded file. */
  publish(body: z.input<typeof ReleaseRequest>): Promise<Published> {
    const timeoutMs = PUBLISH_TIMEOUT_MS;
    return this.#json("POST", "/api/v1/releases", Published, { body, timeoutMs });
  }

  /** `GET /api/v1/campaigns`: all of them. */
  campaigns(): Promise<Campaign[]> {
    return this.#json("GET", "/api/v1/campaigns", z.array(Campaign));
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
    return this.#json("GET", "/api/v1/vehicles", z.array(Vehicle));
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

  async #json<T>(
    method: string,
    path: string,
    schema: z.ZodType<T>,
    options: { readonly body?: unknown; readonly timeoutMs?: number } = {},
  ): Promise<T> {
    const { body, timeoutMs = REQUEST_TIMEOUT_MS } = options;
    const response = await this.send(path, {
      method,
      headers: { accept: "application/json", "content-type": "application/json" },
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw await problemOf(response, this.server);
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
