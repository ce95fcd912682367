/**
 * The head-unit screen over HTTP: static files, one event stream down, commands up.
 * It listens on loopback unless told otherwise, and checks Host and Origin, so that no
 * web page elsewhere can speak to the vehicle through a browser (DNS rebinding, CSRF).
 *
 * @module
 */
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_JSON_BYTES } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import { HmiCommand, type HmiSnapshot } from "shared/protocol/hmi.ts";
import type { HmiPort } from "vehicle/ports.ts";

/** Ten pictures a second are enough for any eye. */
const DRAW_EVERY_MS = 100;
/** Lets a page notice a dead line. */
const PING_EVERY_MS = 15_000;
/** Screens at once: one head unit, its mirror, a workshop, and some to spare. */
const MAX_SCREENS = 16;

const HEADERS = {
  "content-security-policy": "default-src 'self'; connect-src 'self'; style-src 'self'; " +
    "img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; " +
    "form-action 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
  woff2: "font/woff2",
  map: "application/json",
};

interface Screen {
  /** Wakes the stream: something is to be drawn, or it ends. */
  ring: () => void;
}

/** The screens of one vehicle. */
export class HmiHttp implements HmiPort {
  readonly #assets: ReadonlyMap<string, { readonly body: Uint8Array<ArrayBuffer>; type: string }>;
  readonly #screens = new Set<Screen>();
  #take: ((command: HmiCommand) => void) | undefined;
  #draw: (() => HmiSnapshot) | undefined;
  #version = 0;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;
  #closed = false;

  /**
   * @param folder The built pages.
   * @throws {UpdateFailure} `preconditionFailed` if they are not there.
   */
  constructor(folder: string) {
    this.#assets = readAssets(folder);
  }

  show(draw: () => HmiSnapshot): void {
    this.#draw = draw;
    this.#version++;
    for (const screen of this.#screens) screen.ring();
  }

  onCommand(take: (command: HmiCommand) => void): void {
    this.#take = take;
  }

  /**
   * Begins to listen.
   *
   * @param hostname The address.
   * @param port The port; 0 takes a free one.
   * @returns The port.
   */
  listen(hostname: string, port: number): number {
    const app = this.#app();
    this.#server = Deno.serve({ hostname, port, onListen: () => {} }, (request) => {
      const own = `${hostname}:${this.#server?.addr.port ?? port}`;
      if (!hostAllowed(request.headers.get("host") ?? "", own)) {
        return new Response("This name is not the head unit's\n", { status: 421 });
      }
      return app.fetch(request);
    });
    return this.#server.addr.port;
  }

  /** Ends all streams and the listener. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const screen of this.#screens) screen.ring();
    await this.#server?.shutdown();
  }

  #app(): Hono {
    const app = new Hono();
    app.use(async (c, next) => {
      await next();
      for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
    });
    app.onError((error) => {
      if (!(error instanceof UpdateFailure)) throw error;
      const { code, failure: name, message: detail, subject } = error;
      const body = { type: "about:blank", title: name, status: 400, detail, code, name };
      const problem = { ...body, remedy: error.kind.remedy, subject };
      return Response.json(problem, {
        status: 400,
        headers: { "content-type": "application/problem+json" },
      });
    });
    app.get("/healthz", (c) => c.text("ok\n"));
    app.get("/api/events", (c) => {
      refuseForeignOrigin(c.req.header("origin"), c.req.header("host"));
      // Pages elsewhere cannot read the stream, but they could hold all places of the screens.
      refuseForeignSite(c.req.header("sec-fetch-site"));
      if (this.#screens.size >= MAX_SCREENS) return c.text("Too many screens\n", 503);
      return streamSSE(c, async (stream) => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const screen: Screen = { ring: () => {} };
        const wait = (ms: number) =>
          new Promise<void>((resolve) => {
            screen.ring = resolve;
            timer = setTimeout(resolve, ms);
          }).finally(() => clearTimeout(timer));
        this.#screens.add(screen);
        stream.onAbort(() => screen.ring());
        let shown = -1;
        try {
          while (!stream.aborted && !this.#closed) {
            if (shown === this.#version || this.#draw === undefined) {
              const before = this.#version;
              await wait(PING_EVERY_MS);
              if (before === this.#version) await stream.write(": ping\n\n");
              continue;
            }
            shown = this.#version;
            const data = JSON.stringify(this.#draw());
            await stream.writeSSE({ event: "snapshot", id: String(shown), data });
            if (!stream.aborted && !this.#closed) {
              await new Promise<void>((resolve) => setTimeout(resolve, DRAW_EVERY_MS));
            }
          }
        } finally {
          this.#screens.delete(screen);
        }
      });
    });
    app.post("/api/commands", async (c) => {
      refuseForeignOrigin(c.req.header("origin"), c.req.header("host"));
      const length = Number(c.req.header("content-length") ?? NaN);
      if (!(length <= MAX_JSON_BYTES)) {
        throw new UpdateFailure(
          "requestTooLarge",
          "command",
          `Cannot take command: its length is ${length}, at most ${MAX_JSON_BYTES}`,
        );
      }
      const options = { what: "command", maxBytes: MAX_JSON_BYTES };
      const text = await c.req.text().catch((cause: Error) => {
        const message = "Cannot take command: the line broke before its end";
        throw new UpdateFailure("badRequest", "command", message, { cause });
      });
      this.#take?.(parseJsonAs(HmiCommand, text, options));
      return c.json({ v: 1 }, 202);
    });
    app.get("*", (c) => {
      const asset = this.#assets.get(c.req.path === "/" ? "/index.html" : c.req.path);
      if (asset === undefined) return c.text("Not found\n", 404);
      const cache = c.req.path.startsWith("/assets/")
        ? "public, max-age=31536000, immutable"
        : "no-cache";
      return c.body(asset.body, 200, { "content-type": asset.type, "cache-control": cache });
    });
    return app;
  }
}

/** The page's own address, and loopback's other names. */
function hostAllowed(host: string, own: string): boolean {
  if (host === own) return true;
  const port = own.slice(own.lastIndexOf(":"));
  const loopback = /^(127\.|\[::1\]|localhost|0\.0\.0\.0|\[::\])/.test(own);
  return loopback && [`localhost${port}`, `127.0.0.1${port}`, `[::1]${port}`].includes(host);
}

function refuseForeignOrigin(origin: string | undefined, host: string | undefined): void {
  if (origin === undefined || origin === `http://${host}`) return; // curl sends none.
  throw new UpdateFailure(
    "originForeign",
    "Origin",
    `Cannot answer: the request comes from a page of ${origin.slice(0, 80)}`,
  );
}

/** Browsers say so themselves where they send no Origin. */
function refuseForeignSite(site: string | undefined): void {
  if (site === undefined || site === "same-origin" || site === "none") return;
  throw new UpdateFailure(
    "originForeign",
    "Sec-Fetch-Site",
    `Cannot answer: the request comes from a page that is ${site.slice(0, 80)}`,
  );
}

/** Reads the pages once: what is not in the folder now is never served. */
function readAssets(folder: string): Map<string, { body: Uint8Array<ArrayBuffer>; type: string }> {
  const assets = new Map<string, { body: Uint8Array<ArrayBuffer>; type: string }>();
  const walk = (path: string) => {
    for (const entry of Deno.readDirSync(folder + path)) {
      const name = `${path}/${entry.name}`;
      if (entry.isDirectory) walk(name);
      else {
        const type = TYPES[entry.name.split(".").at(-1)!] ?? "application/octet-stream";
        assets.set(name, { body: Deno.readFileSync(folder + name), type });
      }
    }
  };
  try {
    walk("");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  if (assets.has("/index.html")) return assets;
  throw new UpdateFailure(
    "preconditionFailed",
    folder,
    `Cannot serve the head-unit pages: "${folder}" has none; run deno task build`,
  );
}
