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

/** Routes of the board. */
export const BOARD_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/",
    access: "open",
    summary: "The notice board",
    answers: { 200: { description: "Its page" } },
    async handle(_c, core) {
      const page = await core.ports.board.read("index.html");
      if (page !== null) return file("index.html", page, "no-cache");
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
