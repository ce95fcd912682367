/**
 * Carriers: immutable files named by their digest, whole or in part.
 *
 * @module
 */
import { ifMatch, ifNoneMatch } from "@std/http/etag.js";
import { UpdateFailure } from "shared/failure.ts";
import type { Core } from "../core.ts";
import type { BlobFile } from "../ports.ts";
import { openCarrier } from "../release/carrier_files.ts";
import { chooseRange } from "./byte_range.ts";

/** A part of an open file that is to be sent. */
export interface FilePart {
  /** Whoever sends it closes it, whatever happens. */
  readonly file: BlobFile;
  /** First byte. */
  readonly start: number;
  /** After the last byte. */
  readonly end: number;
  /** Told how many bytes went out. */
  readonly sent: (bytes: number) => void;
}

/** Sends a part of a file as the body of an answer; each listener has its own cheapest way. */
export type SendPart = (part: FilePart, status: number, headers: Headers) => Response;

/**
 * Answers `GET|HEAD /carriers/{carrierSha256}`.
 *
 * @param request The request.
 * @param carrierSha256 The carrier; its form has been checked.
 * @param core The server's parts.
 * @param send How the listener sends a part of a file.
 * @returns 200, 206, 304, 412 or 416.
 * @throws {UpdateFailure} `notFound` If no release has such a carrier.
 */
export async function answerCarrier(
  request: Request,
  carrierSha256: string,
  core: Core,
  send: SendPart,
): Promise<Response> {
  const carrier = await core.ports.records.read((tables) => tables.carrier(carrierSha256));
  if (carrier === undefined) {
    throw new UpdateFailure(
      "notFound",
      carrierSha256,
      `Cannot find carrier ${carrierSha256}: no release has it`,
    );
  }
  core.metrics.add("ota_carrier_requests_total");
  const { lengthBytes } = carrier;
  const etag = `"${carrierSha256}"`;
  const { headers: asked } = request;
  const headers = new Headers({
    "accept-ranges": "bytes",
    "cache-control": "private, max-age=31536000, immutable",
    "content-type": "application/octet-stream",
    etag,
    "x-content-type-options": "nosniff",
  });
  // RFC 9110 13.2.2: If-Match, then If-None-Match, then Range with If-Range.
  if (asked.has("if-match") && !ifMatch(asked.get("if-match"), etag)) {
    return new Response(null, { status: 412, headers });
  }
  if (asked.has("if-none-match") && !ifNoneMatch(asked.get("if-none-match"), etag)) {
    return new Response(null, { status: 304, headers });
  }
  // 13.1.5: If-Range compares strongly; a date never equals an entity tag.
  const current = !asked.has("if-range") || asked.get("if-range") === etag;
  const usesRange = request.method === "GET" && current; // 14.2: only GET knows Range.
  const range = chooseRange(usesRange ? asked.get("range") : null, lengthBytes);
  if (range.kind === "unsatisfiable") {
    headers.set("content-range", `bytes */${lengthBytes}`);
    headers.delete("content-type");
    return new Response(null, { status: 416, headers });
  }
  const [first, last] = range.kind === "part" ? [range.first, range.last] : [0, lengthBytes - 1];
  headers.set("content-length", String(last - first + 1));
  if (range.kind === "part") headers.set("content-range", `bytes ${first}-${last}/${lengthBytes}`);
  const status = range.kind === "part" ? 206 : 200;
  if (request.method === "HEAD") return new Response(null, { status, headers });
  const file = await openCarrier(core.ports, carrier);
  const sent = (bytes: number) => core.metrics.add("ota_carrier_bytes_total", bytes);
  return send({ file, start: first, end: last + 1, sent }, status, headers);
}
