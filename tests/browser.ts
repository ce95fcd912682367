/**
 * Runs the pages in Chromium: launch, a static file server with the strict CSP,
 * a list of everything that went wrong on a page, and the axe rules.
 *
 * @module
 */
import axe from "axe-core";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { fileURLToPath } from "node:url";

/** What both servers send with every page. */
export const CSP =
  "default-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/** The browser's program: named by CHROMIUM, or Debian's; `undefined` if there is none. */
export const CHROMIUM: string | undefined = [Deno.env.get("CHROMIUM"), "/usr/bin/chromium"]
  .find((path) => {
    if (!path) return false;
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });

/** Appended to the names of tests that cannot run here. */
export const NOTICE: string = CHROMIUM === undefined ? " (skipped: no Chromium)" : "";

/** Starts a browser with a profile of its own. */
export async function launch(): Promise<Browser> {
  return await chromium.launch({
    executablePath: CHROMIUM!,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Collects console errors, page errors and CSP violations of a page, from now on. */
export function watchFaults(page: Page, ignore: (text: string) => boolean = () => false): string[] {
  const faults: string[] = [];
  const add = (text: string) => {
    if (!ignore(text)) faults.push(text);
  };
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") add(message.text());
  });
  page.on("pageerror", (error) => add(String(error)));
  return faults;
}

/** Runs axe on the page; one line for each violation and place. */
export async function axeViolations(page: Page): Promise<string[]> {
  await page.evaluate((axe as unknown as { source: string }).source);
  return await page.evaluate(async () => {
    type Found = {
      violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
    };
    const { axe } = globalThis as unknown as { axe: { run(): Promise<Found> } };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`)
    );
  });
}

/**
 * Drags files or folders from outside over the middle of a place on the page, and lets go. The
 * browser gets their paths and reads them itself, as from a desktop.
 *
 * @param over What is looked at before the button is let go.
 */
export async function dropOn(
  place: Locator,
  paths: readonly string[],
  over: () => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  await place.scrollIntoViewIfNeeded();
  const box = (await place.boundingBox())!;
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const COPY = 1;
  const data = { items: [], files: [...paths], dragOperationsMask: COPY };
  const session = await place.page().context().newCDPSession(place.page());
  await session.send("Input.dispatchDragEvent", { type: "dragEnter", ...at, data });
  await session.send("Input.dispatchDragEvent", { type: "dragOver", ...at, data });
  await over();
  await session.send("Input.dispatchDragEvent", { type: "drop", ...at, data });
  await session.detach();
}

const TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};

/** A file of a page in `dist/`, with the headers that the real servers send. */
export async function serveDist(name: "hmi" | "board", path: string): Promise<Response> {
  const file = path === "/" ? "index.html" : path.slice(1);
  if (!/^(index\.html|assets\/[\w.-]+)$/.test(file)) return new Response(null, { status: 404 });
  const url = new URL(`../dist/${name}/${file}`, import.meta.url);
  const bytes = await Deno.readFile(fileURLToPath(url)).catch(() => null);
  if (bytes === null) return new Response(null, { status: 404 });
  const headers = {
    "content-type": TYPES[file.slice(file.lastIndexOf(".") + 1)] ?? "application/octet-stream",
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
  };
  return new Response(bytes, { headers });
}

/** An event stream that is written by hand; its subscribers get what is sent later too. */
export class EventStream {
  readonly #controllers = new Set<ReadableStreamDefaultController<Uint8Array>>();
  readonly #first: () => readonly [string, unknown][];
  #id = 0;

  /** @param first Events for a new subscriber. */
  constructor(first: () => readonly [string, unknown][]) {
    this.#first = first;
  }

  /** A response that stays open. */
  response(): Response {
    let own: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        own = controller;
        this.#controllers.add(controller);
        for (const [event, data] of this.#first()) controller.enqueue(this.#encode(event, data));
      },
      cancel: () => void this.#controllers.delete(own),
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  /** Sends an event to all. */
  send(event: string, data: unknown): void {
    const bytes = this.#encode(event, data);
    for (const controller of this.#controllers) controller.enqueue(bytes);
  }

  /** Ends all streams. */
  close(): void {
    for (const controller of this.#controllers) controller.close();
    this.#controllers.clear();
  }

  #encode(event: string, data: unknown): Uint8Array {
    const text = `id: ${++this.#id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    return new TextEncoder().encode(text);
  }
}
