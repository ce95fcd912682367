/**
 * `ota storage`: what the server stores, and what it gave back.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes.js";
import type { Context } from "./context.ts";

/** `ota storage`. @param context Server and output. @throws {CommandError} If it fails. */
export async function showStorage(context: Context): Promise<void> {
  const found = await (await context.client()).storage();
  const { at, files, storedBytes, retiredFiles, retiredBytes, freedFiles, freedBytes } = found;
  const stored = at === null
    ? "Stored: not looked at yet"
    : `Stored: ${formatBytes(storedBytes)} in ${files} files (${at})`;
  context.output.result(
    found,
    `${stored}\nUnused, to go: ${formatBytes(retiredBytes)} in ${retiredFiles} files\n` +
      `Freed so far: ${formatBytes(freedBytes)} of ${freedFiles} files`,
  );
}
