/**
 * The pages of a program that runs, fetched as a browser would: part of each `--self-test`.
 *
 * @module
 */
import { sha256Hex } from "shared/node/digest.ts";

/** Digests of a page, and of each file it names, in order. */
export interface PageProof {
  readonly page: string;
  readonly assets: readonly string[];
}

/**
 * Fetches a page with its files.
 *
 * @param base Scheme, host and port.
 * @param signal Ends it.
 * @returns Their digests.
 * @throws {Error} If something is not there or of another type, or the page names no script.
 */
export async function provePage(base: string, signal: AbortSignal): Promise<PageProof> {
  const page = await fetchFile(`${base}/`, "text/html", signal);
  const named = new TextDecoder().decode(page).matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g);
  const assets = [];
  for (const [, name] of named) {
    const type = name!.endsWith(".css") ? "text/css" : "text/javascript";
    assets.push(sha256Hex(await fetchFile(`${base}${name}`, type, signal)));
  }
  if (assets.length < 2) throw new Error(`Cannot show ${base}/: its page names no script`);
  return { page: sha256Hex(page), assets };
}

/**
 * Fetches a file.
 *
 * @param url Where.
 * @param type How its type must begin.
 * @param signal Ends it.
 * @returns Its bytes.
 * @throws {Error} If it is not there, or of another type.
 */
export async function fetchFile(
  url: string,
  type: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const answer = await fetch(url, { signal });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const found = answer.headers.get("content-type") ?? "";
  if (answer.status === 200 && found.startsWith(type)) return bytes;
  throw new Error(`Cannot get ${url}: it answers ${answer.status} with ${found}, wanted ${type}`);
}
