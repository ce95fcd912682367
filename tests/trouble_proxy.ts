/**
 * A line that can be made to fail: an HTTP proxy between one vehicle and its server. To the
 * vehicle it is the server's people's and device listener at once; every answer can be held,
 * cut, slowed, made endless or falsified, byte by byte, since it writes to the socket itself.
 *
 * @module
 */

/** What is done to one answer. */
export type Trouble =
  /** Another status, with a body that is no problem document, as a foreign proxy gives it. */
  | { readonly kind: "status"; readonly status: number }
  /** The true head and so many bytes of the body, then the connection is closed. */
  | { readonly kind: "short"; readonly afterBytes: number }
  /** The true head and so many bytes, then silence; the connection stays open. */
  | { readonly kind: "stall"; readonly afterBytes: number }
  /** No answer at all; the connection stays open. */
  | { readonly kind: "silence" }
  /** A body without a length that never ends. */
  | { readonly kind: "endless" }
  /** The true answer with another status or other header fields, or without some. */
  | {
    readonly kind: "header";
    readonly fields: Readonly<Record<string, string | null>>;
    readonly status?: number;
  }
  /** The server is asked without `Range`, and its answer passed on. */
  | { readonly kind: "noRange" }
  /** The server is asked for another range, and its answer passed on. */
  | { readonly kind: "otherRange"; readonly from: number }
  /** The true head with other bytes of the same number. */
  | { readonly kind: "otherBytes" }
  /** The body packed with gzip, as its header says. */
  | { readonly kind: "gzip" }
  /** The body in pieces of so many bytes with pauses. */
  | { readonly kind: "drip"; readonly bytes: number; readonly everyMs: number }
  /** So many bytes, then the rest when the gate opens. */
  | { readonly kind: "gate"; readonly afterBytes: number; readonly gate: Gate };

/** Holds answers back until it is opened. */
export class Gate {
  readonly #reached = Promise.withResolvers<void>();
  readonly #open = Promise.withResolvers<void>();
  /** An answer is being held. */
  readonly reached: Promise<void> = this.#reached.promise;
  readonly opened: Promise<void> = this.#open.promise;

  /** Lets go of what is held, and of all that follows. */
  open(): void {
    this.#open.resolve();
  }

  /** @internal */
  hold(): Promise<void> {
    this.#reached.resolve();
    return this.opened;
  }
}

/** One request that went through. */
export interface Passed {
  readonly path: string;
  readonly range: string | null;
  /** What was done to its answer. */
  readonly trouble: Trouble["kind"] | null;
  /** From the beginning of the trouble until the client gave the connection up, in ms. */
  noticedMs: number | null;
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Never passed on: they are about one connection. */
const HOP = ["connection", "host", "content-length", "transfer-encoding", "keep-alive"];
const PIECE = new Uint8Array(16_384);

/** The proxy. */
export class TroubleProxy implements AsyncDisposable {
  readonly url: string;
  readonly passed: Passed[] = [];
  /** Asked for each request what to do to its answer. */
  trouble: (path: string, body: string) => Trouble | undefined = () => undefined;
  /** The people's URL of the server. */
  server = "";
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Map<Deno.Conn, Promise<void>>();
  readonly #accepting: Promise<void>;
  #device = "";

  constructor() {
    this.url = `http://127.0.0.1:${this.#listener.addr.port}`;
    this.#accepting = this.#accept();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#open.keys()) close(conn);
    await Promise.all([this.#accepting, ...this.#open.values()]);
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) {
      const served = this.#serve(conn).catch(() => {}) // A line that breaks is this file's trade.
        .finally(() => (close(conn), this.#open.delete(conn)));
      this.#open.set(conn, served);
    }
  }

  async #serve(conn: Deno.Conn): Promise<void> {
    const request = await readRequest(conn);
    if (request === undefined) return;
    const trouble = this.trouble(request.path, new TextDecoder().decode(request.body));
    const range = request.headers.get("range");
    const passed: Passed = {
      ...{ path: request.path, range, trouble: trouble?.kind ?? null, noticedMs: null },
    };
    this.passed.push(passed);
    const gone = goneOf(conn);
    if (trouble?.kind === "status") {
      const text = "<html>This is no answer of the server";
      return await send(
        conn,
        head(trouble.status, { "content-length": String(text.length) }) + text,
      );
    }
    const begunMs = performance.now();
    const noticed = gone.then(() => passed.noticedMs = performance.now() - begunMs);
    if (trouble?.kind === "silence") return void await noticed;
    const answer = await this.#forward(request, trouble);
    const body = await bodyOf(answer, trouble);
    const fields = Object.fromEntries(
      [...answer.headers].filter(([name]) => !HOP.includes(name)),
    );
    fields["content-length"] = String(body.length);
    await this.#answer(conn, { status: answer.status, fields, body }, trouble, noticed);
  }

  async #answer(
    conn: Deno.Conn,
    { status, fields, body }: {
      readonly status: number;
      readonly fields: Record<string, string>;
      readonly body: Uint8Array;
    },
    trouble: Trouble | undefined,
    noticed: Promise<unknown>,
  ): Promise<void> {
    if (trouble?.kind === "endless") delete fields["content-length"];
    if (trouble?.kind === "gzip") fields["content-encoding"] = "gzip";
    if (trouble?.kind === "header") {
      for (const [name, value] of Object.entries(trouble.fields)) {
        if (value === null) delete fields[name];
        else fields[name] = value;
      }
      if (trouble.status !== undefined) status = trouble.status;
    }
    await send(conn, head(status, fields));
    switch (trouble?.kind) {
      case "endless":
        for (;;) await send(conn, PIECE); // Until the client has had enough: the write fails.
      case "short":
        return await send(conn, body.subarray(0, trouble.afterBytes));
      case "stall":
        await send(conn, body.subarray(0, trouble.afterBytes));
        return void await noticed;
      case "drip":
        for (let at = 0; at < body.length; at += trouble.bytes) {
          await send(conn, body.subarray(at, at + trouble.bytes));
          await new Promise((resolve) => setTimeout(resolve, trouble.everyMs));
        }
        return;
      case "gate":
        await send(conn, body.subarray(0, trouble.afterBytes));
        await Promise.race([trouble.gate.hold(), noticed]);
        return await send(conn, body.subarray(trouble.afterBytes));
      default:
        return await send(conn, body);
    }
  }

  /** Asks the server; what tells where vehicles go tells of this proxy instead. */
  async #forward(
    { method, path, headers, body }: Request,
    trouble: Trouble | undefined,
  ): Promise<Response> {
    const people = path === "/enrol" || path.startsWith("/api/");
    if (!people && this.#device === "") {
      const answer = await fetch(`${this.server}/api/v1/endpoints`);
      this.#device = (await answer.json()).device;
    }
    const passOn = new Headers([...headers].filter(([name]) => !HOP.includes(name)));
    if (trouble?.kind === "noRange") passOn.delete("range");
    if (trouble?.kind === "otherRange") passOn.set("range", `bytes=${trouble.from}-`);
    const answer = await fetch((people ? this.server : this.#device) + path, {
      method,
      headers: passOn,
      ...(body.length > 0 ? { body } : {}),
    });
    if (!people || !answer.ok) return answer;
    return Response.json({ ...await answer.json(), device: this.url });
  }
}

async function bodyOf(answer: Response, trouble: Trouble | undefined): Promise<Uint8Array> {
  if (trouble?.kind === "gzip" && answer.body !== null) {
    const packed = answer.body.pipeThrough(new CompressionStream("gzip"));
    return new Uint8Array(await new Response(packed).arrayBuffer());
  }
  const body = new Uint8Array(await answer.arrayBuffer());
  return trouble?.kind === "otherBytes" ? body.map((byte) => byte ^ 0xFF) : body;
}

function head(status: number, fields: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ ...fields, connection: "close" })
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Proxied\r\n${lines.join("")}\r\n`;
}

async function readRequest(conn: Deno.Conn): Promise<Request | undefined> {
  let bytes = new Uint8Array(0);
  const more = async () => {
    const piece = new Uint8Array(65_536);
    const count = await conn.read(piece);
    if (count === null) return false;
    const joined = new Uint8Array(bytes.length + count);
    joined.set(bytes);
    joined.set(piece.subarray(0, count), bytes.length);
    bytes = joined;
    return true;
  };
  const text = new TextDecoder("latin1");
  let end: number;
  while ((end = text.decode(bytes).indexOf("\r\n\r\n")) < 0) if (!await more()) return undefined;
  const [first, ...lines] = text.decode(bytes.subarray(0, end)).split("\r\n");
  const [method, path] = first!.split(" ");
  const headers = new Headers(lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  }));
  const length = Number(headers.get("content-length") ?? 0);
  while (bytes.length < end + 4 + length) if (!await more()) return undefined;
  return { method: method!, path: path!, headers, body: bytes.slice(end + 4, end + 4 + length) };
}

/** Resolves when the client has closed its end. It sends nothing after its request. */
async function goneOf(conn: Deno.Conn): Promise<void> {
  const piece = new Uint8Array(1024);
  try {
    while (await conn.read(piece) !== null);
  } catch { /* Closed by us, or reset by the client: gone both ways. */ }
}

async function send(conn: Deno.Conn, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let put = 0; put < bytes.length;) put += await conn.write(bytes.subarray(put));
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch { /* Closed already. */ }
}
