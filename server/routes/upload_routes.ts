/**
 * Raw, resumable uploads by SHA-256.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { Upload } from "shared/protocol/api.ts";
import { Sha256Hex } from "shared/protocol/common.ts";
import { pieceOf } from "../release/upload_piece.ts";
import { json, param, type Route } from "./route.ts";

const PATH = "/api/v1/uploads/:sha256";

function progress(upload: Upload): Record<string, string> {
  return {
    "upload-offset": String(upload.offset),
    "upload-length": String(upload.lengthBytes),
    ...(upload.complete ? { etag: `"${upload.sha256}"` } : {}),
  };
}

/** Routes of uploads. */
export const UPLOAD_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: PATH,
    access: "publisher",
    summary:
      "How much of an upload is there; HEAD answers the same in Upload-Offset, Upload-Length",
    answers: { 200: { description: "Something is there", schema: Upload } },
    async handle(c, core) {
      const sha256 = param(c, "sha256", Sha256Hex);
      const upload = await core.uploads.state(sha256);
      if (upload !== null) return json(upload, 200, progress(upload));
      throw new UpdateFailure("notFound", sha256, `Cannot find upload ${sha256}: nothing is there`);
    },
  },
  {
    method: "PUT",
    path: PATH,
    access: "publisher",
    summary: "Send a file, or a piece of it with Content-Range: bytes A-B/TOTAL",
    answers: {
      200: { description: "The file is complete and proved", schema: Upload },
      202: { description: "The piece is stored, more is to come", schema: Upload },
    },
    async handle(c, core) {
      const sha256 = param(c, "sha256", Sha256Hex);
      const { headers, body } = c.req.raw;
      const piece = pieceOf(headers.get("content-range"), headers.get("content-length"));
      const upload = await core.uploads.take(sha256, piece, body);
      return json(upload, upload.complete ? 200 : 202, progress(upload));
    },
  },
  {
    method: "DELETE",
    path: PATH,
    access: "publisher",
    summary: "Forget an upload that is not complete, so that it can begin anew",
    answers: { 204: { description: "Forgotten" } },
    async handle(c, core) {
      await core.uploads.drop(param(c, "sha256", Sha256Hex));
      return new Response(null, { status: 204 });
    },
  },
];
