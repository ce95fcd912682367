/**
 * Files of the commands that work without a server.
 *
 * @module
 */
import type { RandomRead } from "shared/delta/random_read.ts";
import { usageError } from "./exit.ts";

/** A file as the codecs read it. */
export interface OpenRead extends RandomRead, Disposable {}

/**
 * Opens a file for reading anywhere.
 *
 * @param path Which one.
 * @returns The file, to be disposed of.
 * @throws {CommandError} Usage, if it cannot be opened.
 */
export function openRead(path: string): OpenRead {
  try {
    const file = Deno.openSync(path);
    const lengthBytes = file.statSync().size;
    const readInto = (offset: number, target: Uint8Array) => {
      if (offset < 0 || offset + target.length > lengthBytes) {
        throw new RangeError(
          `Cannot read ${target.length} bytes at ${offset} of ${path}: it has ${lengthBytes}`,
        );
      }
      file.seekSync(offset, Deno.SeekMode.Start);
      for (let at = 0; at < target.length;) {
        const n = file.readSync(target.subarray(at));
        if (n === null) throw new RangeError(`Cannot read ${path}: it became shorter meanwhile`);
        at += n;
      }
    };
    return {
      lengthBytes,
      fill: readInto,
      read(offset, length) {
        const bytes = new Uint8Array(Math.max(0, length));
        readInto(offset, bytes);
        return bytes;
      },
      [Symbol.dispose]: () => file.close(),
    };
  } catch (cause) {
    throw usageError(`Cannot read ${path}: ${(cause as Error).message}`, "Give a file that exists");
  }
}

/**
 * Makes the file that will replace another.
 *
 * @param temporary Its name until then.
 * @param path Its name in the end, for the message.
 * @returns The file, to be closed.
 * @throws {CommandError} Usage, if it cannot be made.
 */
export function openWrite(temporary: string, path: string): Deno.FsFile {
  try {
    return Deno.openSync(temporary, { write: true, createNew: true });
  } catch (cause) {
    throw usageError(
      `Cannot write ${path}: ${(cause as Error).message}`,
      "Give a path in a folder where you may write",
    );
  }
}

/**
 * Removes what is left of a file that was not finished.
 *
 * @param path Which one; it need not be there.
 */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
