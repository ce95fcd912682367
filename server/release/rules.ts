/**
 * The rules of publishing, in the order in which they are checked; each has its own failure.
 * Pure.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { parseAs } from "shared/parse.ts";
import { ReleaseRequest } from "shared/protocol/api.ts";
import { compareVersions } from "shared/version.ts";
import type { ReleaseRow } from "../ports.ts";

/** The highest counter there is (shared/protocol: 32 bits). */
const MAX_COUNTER = 0xFFFF_FFFF;
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
 * Chooses the counter of a new release.
 *
 * @param request The hardware id and version, and the counter if the publisher gave one.
 * @param siblings Every release of that hardware id.
 * @returns The counter.
 * @throws {UpdateFailure} `versionTaken`, `versionNotHigher`, `counterTaken`, `counterNotHigher`.
 */
export function chooseCounter(
  request: { readonly hardware: string; readonly version: string; readonly counter?: number },
  siblings: readonly ReleaseRow[],
): number {
  const { hardware, version, counter } = request;
  const what = `Cannot publish ${hardware}/${version}`;
  if (siblings.some((row) => row.version === version)) {
    throw new UpdateFailure("versionTaken", "version", `${what}: this version exists`);
  }
  const highest = siblings.reduce((max, row) => Math.max(max, row.counter), 0);
  if (counter === undefined) {
    const above = siblings.find((row) => compareVersions(version, row.version) <= 0);
    if (above !== undefined) {
      throw new UpdateFailure(
        "versionNotHigher",
        "version",
        `${what}: version ${above.version} exists, and it is not lower`,
      );
    }
    if (highest >= MAX_COUNTER) {
      throw new UpdateFailure(
        "counterNotHigher",
        "counter",
        `${what}: the highest counter, ${MAX_COUNTER}, is taken`,
      );
    }
    return highest + 1;
  }
  const same = siblings.find((row) => row.counter === counter);
  if (same !== undefined) {
    throw new UpdateFailure(
      "counterTaken",
      "counter",
      `${what}: counter ${counter} is that of ${same.release}`,
    );
  }
  if (counter < highest) {
    throw new UpdateFailure(
      "counterNotHigher",
      "counter",
      `${what}: counter ${counter} is below the highest, ${highest}`,
    );
  }
  return counter;
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
