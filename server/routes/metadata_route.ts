/**
 * Signed metadata by the names of TUF: `timestamp.json`, and with their version `3.root.json`,
 * `7.snapshot.json`, `7.targets.json`, `7.carriers.json` (consistent snapshots, TUF 6).
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { sha256Hex } from "shared/node/digest.ts";
import type { Repository } from "shared/protocol/signing.ts";
import type { Core } from "../core.ts";

/** A file of a repository. */
export interface MetadataFile {
  readonly repository: Repository;
  /** The vehicle of the Director's; else empty. */
  readonly vin: string;
  /** As it stands in the URL. */
  readonly file: string;
}

/** Without a version only the timestamp can be asked for. */
const NAME = /^(?:timestamp|([1-9]\d{0,9})\.(root|snapshot|targets|carriers))\.json$/;

/**
 * Answers `GET /metadata/…/{file}`.
 *
 * @param request The request.
 * @param name Which file.
 * @param core The server's parts.
 * @returns 200, or 304 if the vehicle has it.
 * @throws {UpdateFailure} `notFound` If there is no such file.
 */
export async function answerMetadata(
  request: Request,
  name: MetadataFile,
  core: Core,
): Promise<Response> {
  const { repository, vin, file } = name;
  const match = NAME.exec(file);
  const role = match?.[2] ?? "timestamp";
  const owner = role === "root" ? "" : vin; // One root for all vehicles.
  const row = match === null
    ? undefined
    : await core.ports.records.read((tables) =>
      tables.metadata(
        { repository, vin: owner, role },
        match[1] === undefined ? undefined : Number(match[1]),
      )
    );
  if (row === undefined) {
    throw new UpdateFailure(
      "notFound",
      "metadata",
      `Cannot give ${repository} metadata ${file.slice(0, 80)}: there is none of that name`,
    );
  }
  const body = new TextEncoder().encode(row.body);
  const etag = `"${sha256Hex(body).slice(0, 32)}"`;
  const headers = {
    etag,
    "content-type": "application/json",
    "content-length": String(body.length),
    // What has a version never changes; the timestamp does.
    "cache-control": match![1] === undefined ? "no-cache" : "private, max-age=86400, immutable",
    "x-content-type-options": "nosniff",
  };
  if (request.headers.get("if-none-match") === etag) {
    const { "content-length": _, ...kept } = headers;
    return new Response(null, { status: 304, headers: kept });
  }
  return new Response(request.method === "HEAD" ? null : body, { headers });
}
