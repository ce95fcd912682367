import { assertEquals, assertThrows } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import { NOTES } from "../samples_test.ts";
import type { ReleaseRow } from "../ports.ts";
import { checkBundle, readReleaseRequest } from "./rules.ts";
import { pieceOf } from "./upload_piece.ts";

function release(hardware: string, version: string, counter: number): ReleaseRow {
  return {
    ...{ hardware, version, counter, release: `${hardware}/${version}` },
    ...{ sha256: "a".repeat(64), notes: NOTES, rxswin: [], needs: [], state: "published" },
    ...{ createdAt: "", createdBy: "" },
  };
}

const ROWS = [release("ivi", "1.10.0", 7), release("ivi", "1.9.0", 5)];

Deno.test("checkBundle() takes one release for each hardware id, and only those that exist", () => {
  const ask = (...rows: ReleaseRow[]) => rows.map((row) => ({ id: row.release, row }));
  assertEquals(checkBundle(ask(release("ivi", "1", 1), release("body", "1", 1))).length, 2);
  const twice = () => checkBundle(ask(ROWS[0]!, ROWS[1]!));
  assertEquals(assertThrows(twice, UpdateFailure).failure, "bundleInvalid");
  const unknown = () => checkBundle([{ id: "ivi/9", row: undefined }]);
  assertEquals(assertThrows(unknown, UpdateFailure).failure, "releaseUnknown");
});

Deno.test("readReleaseRequest() names the note that is empty, whichever it is", () => {
  const body = { hardware: "ivi", version: "1", sha256: "a".repeat(64), notes: NOTES };
  for (const name of Object.keys(NOTES)) {
    for (const empty of ["", "  \n", null, undefined]) {
      const run = () => readReleaseRequest({ ...body, notes: { ...NOTES, [name]: empty } });
      const error = assertThrows(run, UpdateFailure);
      assertEquals([error.failure, error.subject], ["noteEmpty", `notes.${name}`]);
    }
  }
});

Deno.test("readReleaseRequest() refuses anything else that is wrong, naming the field", () => {
  const body = { hardware: "ivi", version: "1", sha256: "a".repeat(64), notes: NOTES };
  const cases: [Record<string, unknown> | null, string][] = [
    [{ ...body, hardware: "../x" }, "hardware"],
    [{ ...body, version: "1/2" }, "version"],
    [{ ...body, sha256: "../../etc/passwd" }, "sha256"],
    [{ ...body, sha256: undefined }, "sha256"],
    [{ ...body, patchSha256: "a".repeat(64) }, "deltaFrom"],
    [{ ...body, counter: 0 }, "counter"],
    [{ ...body, surprise: 1 }, "release"],
    [{ ...body, notes: { ...NOTES, minutes: 0 } }, "notes.minutes"],
    [null, "release"],
  ];
  for (const [value, subject] of cases) {
    const error = assertThrows(() => readReleaseRequest(value), UpdateFailure);
    assertEquals([error.failure, error.subject], ["badRequest", subject]);
  }
});

Deno.test("pieceOf() reads Content-Range strictly", () => {
  assertEquals(pieceOf(null, "10"), { offset: 0, lengthBytes: 10, totalBytes: 10, whole: true });
  const middle = { offset: 2, lengthBytes: 3, totalBytes: 10, whole: false };
  assertEquals(pieceOf("bytes 2-4/10", "3"), middle);
  assertEquals(pieceOf("bytes 2-4/10", null), middle);
  const refused: [string | null, string | null][] = [
    [null, null],
    [null, "x"],
    ["bytes 2-4/10", "4"],
    ["bytes 4-2/10", null],
    ["bytes 2-10/10", null],
    ["bytes 2-4/*", null],
    ["bytes */10", null],
    ["bytes -1-4/10", null],
    ["items 2-4/10", null],
    ["bytes 2-4/99999999999999999999", null],
  ];
  for (const [range, length] of refused) {
    const error = assertThrows(() => pieceOf(range, length), UpdateFailure, "", String(range));
    assertEquals(error.failure, "badRequest");
  }
});
