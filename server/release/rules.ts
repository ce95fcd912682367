/**
 * The rules of publishing, in the order in which they are checked; each has its own failure.
 * Pure.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { parseAs } from "shared/parse.ts";
import { ReleaseRequest } from "shared/protocol/api.ts";
import type { ReleaseRow } from "../ports.ts";

const NOTE_NAMES = ["purpose", "changes", "minutes", "unavailable", "instructions"] as const;

/**
 * Reads the body of `POST /api/v1/releases`.
 *
 * @param body What came.
 * @returns The request.
 * @throws {UpdateFailure} `noteEmpty` naming the note, or `badRequest` naming the field.
 */
export function readReleaseRequest(body: unknown): ReleaseRequest {
  const notes = (body as { notes?: Record<string, unknown> } | null)?.notes;
  if (notes !== null && typeof notes === "object") {
    const empty = NOTE_NAMES.find((name) => {
      const note = notes[name];
      return note === undefined || note === null ||
        (typeof note === "string" && note.trim() === "");
    });
    if (empty !== undefined) {
      throw new UpdateFailure(
        "noteEmpty",
        `notes.${empty}`,
        `Cannot publish: the note "${empty}" is empty`,
      );
    }
  }
  return parseAs(ReleaseRequest, body, { what: "release" });
}

/**
 * Checks that releases can be offered together.
 *
 * @param wanted What was asked for, and the release of that name, if there is one.
 * @returns The releases.
 * @throws {UpdateFailure} `releaseUnknown`, or `bundleInvalid` if two are for one hardware id.
 */
export function checkBundle(
  wanted: readonly { readonly id: string; readonly row: ReleaseRow | undefined }[],
): ReleaseRow[] {
  const rows: ReleaseRow[] = [];
  for (const { id, row } of wanted) {
    if (row === undefined) {
      throw new UpdateFailure("releaseUnknown", id, `Cannot offer ${id}: there is no such release`);
    }
    const twin = rows.find(({ hardware }) => hardware === row.hardware);
    if (twin !== undefined) {
      throw new UpdateFailure(
        "bundleInvalid",
        id,
        `Cannot offer ${twin.release} and ${id} together: both are for ${row.hardware}`,
      );
    }
    rows.push(row);
  }
  return rows;
}
