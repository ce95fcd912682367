/**
 * A scripted stand-in for the server, for what the real one cannot be made to do on
 * command: lines that break in the middle of an upload, refusals, rare states.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type BoardSnapshot, ReleaseRequest } from "shared/protocol/api.ts";
import type { TrialLog } from "shared/protocol/messages.ts";
import { EventStream, serveDist } from "./browser.ts";

/** What the fake heard, and how it is told to behave. */
export class FakeServer {
  readonly events: EventStream;
  /** Requests that change something: method, path and body. */
  readonly asked: { method: string; path: string; body: unknown }[] = [];
  readonly uploads = new Map<string, { bytes: Uint8Array[]; length: number; total: number }>();
  /** Answers this instead, once for each entry: status and problem, or a dead line. */
  readonly script: { path: RegExp; status: number; problem?: Record<string, unknown> }[] = [];
  /** Logs of failed trials, by VIN. */
  readonly trials = new Map<string, readonly TrialLog[]>();
  loggedIn = false;
  role: "viewer" | "publisher" | "operator" = "operator";
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** @param board What the board shows. */
  constructor(readonly board: BoardSnapshot) {
    this.events = new EventStream(() => [["snapshot", this.board]]);
    this.#server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      (request) => this.#answer(request),
    );
  }

  /** Where it listens. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  /** Stops it. */
  async close(): Promise<void> {
    this.events.close();
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname: path } = new URL(request.url);
    const at = this.script.findIndex((line) => line.path.test(`${request.method} ${path}`));
    if (at >= 0) {
      const [line] = this.script.splice(at, 1);
      await request.body?.cancel();
      return problem(line!.status, line!.problem ?? {});
    }
    if (path === "/events") {
      return this.loggedIn ? this.events.response() : problem(401, { name: "unauthenticated" });
    }
    if (!path.startsWith("/api/")) return await serveDist("board", path);
    if (path.startsWith("/api/v1/uploads/")) return await this.#upload(request, path.slice(16));
    const body = request.method === "POST" ? await request.json().catch(() => null) : null;
    if (request.method === "POST") this.asked.push({ method: "POST", path, body });
    return this.#api(path, body as Record<string, unknown> | null);
  }

  #api(path: string, body: Record<string, unknown> | null): Response {
    const session = {
      v: 1,
      user: "admin",
      role: this.role,
      expiresAt: "2099-01-01T00:00:00Z",
    };
    if (path === "/api/v1/login") {
      this.loggedIn = body?.password === "right horse";
      const detail = "Cannot log in as admin: user or password is wrong";
      return this.loggedIn
        ? Response.json(session)
        : problem(401, { name: "unauthenticated", detail, remedy: "Log in again" });
    }
    if (path === "/api/v1/logout") {
      this.loggedIn = false;
      return new Response(null, { status: 204 });
    }
    if (path === "/api/v1/whoami") {
      return this.loggedIn ? Response.json(session) : new Response(null, { status: 204 });
    }
    if (!this.loggedIn) return problem(401, { name: "unauthenticated" });
    if (path === "/api/v1/enrolments") {
      return Response.json({ vin: body?.vin, token: "tok-3f9a2c" }, { status: 201 });
    }
    const vin = /^\/api\/v1\/vehicles\/(\w+)\/trials$/.exec(path)?.[1];
    if (vin !== undefined) return Response.json(this.trials.get(vin) ?? []);
    if (path === "/api/v1/hardware") {
      const added = { hardware: body?.hardware, origin: "added" };
      this.events.send("hardware", added);
      return Response.json(added, { status: 201 });
    }
    if (path === "/api/v1/releases") {
      const { hardware, version, draft, sha256 = "e".repeat(64) } = ReleaseRequest.parse(body);
      const release = `${hardware}/${version}`;
      const campaign = draft ? null : "c14";
      return Response.json({ release, campaign, counter: 9, sha256, carrierAdded: false });
    }
    return Response.json({});
  }

  async #upload(request: Request, sha256: string): Promise<Response> {
    const upload = this.uploads.get(sha256);
    if (request.method === "HEAD") {
      if (upload === undefined) return problem(404, { name: "notFound" });
      const headers = {
        "upload-offset": String(upload.length),
        "upload-length": String(upload.total),
      };
      return new Response(null, { headers });
    }
    const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(request.headers.get("content-range") ?? "");
    if (range === null) return problem(400, { name: "badRequest", detail: "no Content-Range" });
    const [from, to, total] = range.slice(1).map(Number) as [number, number, number];
    const present = upload ?? { bytes: [], length: 0, total };
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (from !== present.length || bytes.length !== to - from + 1) {
      return problem(409, { name: "uploadOffsetDiffers", detail: "offset differs" });
    }
    present.bytes.push(bytes);
    present.length += bytes.length;
    this.uploads.set(sha256, present);
    const complete = present.length === total;
    if (complete) {
      const digest = createHash("sha256");
      for (const part of present.bytes) digest.update(part);
      if (digest.digest("hex") !== sha256) return problem(422, { name: "uploadDigestDiffers" });
    }
    return Response.json({ sha256, offset: present.length, lengthBytes: total, complete }, {
      status: complete ? 200 : 202,
    });
  }
}

function problem(status: number, fields: Record<string, unknown>): Response {
  const body = {
    type: "about:blank",
    title: "refused",
    status,
    detail: "Refused",
    code: 1000,
    name: "badRequest",
    remedy: "Correct it",
    ...fields,
  };
  return Response.json(body, { status, headers: { "content-type": "application/problem+json" } });
}
