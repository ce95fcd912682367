/**
 * The notice board's files.
 *
 * @module
 */
import { z } from "zod";
import { UpdateFailure } from "shared/failure.ts";
import { param, type Route } from "./route.ts";

/** Everything a page may load comes from this server. */
const POLICY = "default-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; " +
  "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  map: "application/json",
  png: "image/png",
  svg: "image/svg+xml",
  webmanifest: "application/manifest+json",
  woff2: "font/woff2",
};

/** A file name: no folder, no leading dot. */
const AssetName = z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/, "is no file name");

function file(name: string, bytes: Uint8Array<ArrayBuffer>, caching: string): Response {
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream";
  return new Response(bytes, {
    headers: {
      "content-type": type,
      "cache-control": caching,
      "content-security-policy": POLICY,
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  });
}

/** What a browser is shown while the pages are missing; a program gets the problem. */
const MISSING = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<title>Notice board: its pages are missing</title>
<link rel="icon" href="data:,">
</head>
<body>
<main>
<h1>The notice board has no pages yet</h1>
<p>The server runs, and vehicles can reach it. Only the files of this page are missing.</p>
<p>Make them in the folder of the program with</p>
<pre><code>deno task build</code></pre>
<p>and load this page again. The server need not be restarted. If the files lie elsewhere, start
it with <code>--board DIR</code>.</p>
</main>
</body>
</html>
`;

/** Routes of the board. */
export const BOARD_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/",
    access: "open",
    summary: "The notice board",
    answers: { 200: { description: "Its page" }, 503: { description: "It was not built" } },
    async handle(c, core) {
      const page = await core.ports.board.read("index.html");
      if (page !== null) return file("index.html", page, "no-cache");
      if (/\btext\/html\b/.test(c.req.header("accept") ?? "")) {
        const missing = file("index.html", new TextEncoder().encode(MISSING), "no-store");
        return new Response(missing.body, { status: 503, headers: missing.headers });
      }
      throw new UpdateFailure(
        "preconditionFailed",
        "board",
        "Cannot show the notice board: its files are missing, make them with `deno task build`",
      );
    },
  },
  {
    method: "GET",
    path: "/assets/:name",
    access: "open",
    summary: "A file of the notice board; its name has its digest",
    answers: { 200: { description: "The file" } },
    async handle(c, core) {
      const name = param(c, "name", AssetName);
      const bytes = await core.ports.board.read(`assets/${name}`);
      if (bytes !== null) return file(name, bytes, "public, max-age=31536000, immutable");
      throw new UpdateFailure("notFound", name, `Cannot find asset "${name}": there is none`);
    },
  },
];
