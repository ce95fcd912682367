/**
 * `ota patch OLD PATCH NEW`: the codec by itself, as the vehicle applies it.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { MAX_IMAGE_BYTES } from "shared/limits.ts";
import { applyBsdiff40, isBsdiff40 } from "shared/delta/bsdiff40.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import { bunzip2 } from "shared/node/bunzip2.ts";
import { sha256Digest } from "shared/node/digest.ts";
import type { Context } from "./context.ts";
import { usageError } from "./exit.ts";

/**
 * Applies a BSDIFF40 patch. NEW appears whole or not at all.
 *
 * @param context Output.
 * @param paths The old image, the patch, and the new image to be written.
 * @throws {UpdateFailure} `patchDamaged` or `deltaDamaged` if it is no whole patch.
 * @throws {CommandError} Usage, if a file cannot be read or NEW cannot be written.
 */
export function patch(
  context: Context,
  paths: { readonly old: string; readonly patch: string; readonly new: string },
): void {
  using base = openRead(paths.old);
  using file = openRead(paths.patch);
  if (!isBsdiff40(file)) {
    throw new UpdateFailure(
      "patchDamaged",
      paths.patch,
      `Cannot apply ${paths.patch}: it is not BSDIFF40, the format that is read`,
    );
  }
  const temporary = `${paths.new}.${crypto.randomUUID()}.part`;
  try {
    const digest = sha256Digest();
    let lengthBytes = 0;
    {
      using target = openWrite(temporary, paths.new);
      for (const piece of applyBsdiff40(file, base, { bunzip2, maxImageBytes: MAX_IMAGE_BYTES })) {
        digest.update(piece);
        lengthBytes += piece.length;
        for (let rest = piece; rest.length > 0;) rest = rest.subarray(target.writeSync(rest));
      }
      target.syncSync();
    }
    Deno.renameSync(temporary, paths.new);
    const sha256 = digest.hex();
    context.output.result(
      { file: paths.new, lengthBytes, sha256 },
      `Wrote ${paths.new}: ${lengthBytes} bytes, SHA-256 ${sha256}`,
    );
  } finally {
    removeIfThere(temporary);
  }
}

/** A file as the codec reads it. */
interface OpenRead extends RandomRead, Disposable {}

function openRead(path: string): OpenRead {
  try {
    const file = Deno.openSync(path);
    const lengthBytes = file.statSync().size;
    return {
      lengthBytes,
      read(offset, length) {
        if (offset < 0 || length < 0 || offset + length > lengthBytes) {
          throw new RangeError(
            `Cannot read ${length} bytes at ${offset} of ${path}: it has ${lengthBytes}`,
          );
        }
        const bytes = new Uint8Array(length);
        file.seekSync(offset, Deno.SeekMode.Start);
        for (let at = 0; at < length;) {
          const n = file.readSync(bytes.subarray(at));
          if (n === null) throw new RangeError(`Cannot read ${path}: it became shorter meanwhile`);
          at += n;
        }
        return bytes;
      },
      [Symbol.dispose]: () => file.close(),
    };
  } catch (cause) {
    throw usageError(`Cannot read ${path}: ${(cause as Error).message}`, "Give a file that exists");
  }
}

function openWrite(temporary: string, path: string): Deno.FsFile {
  try {
    return Deno.openSync(temporary, { write: true, createNew: true });
  } catch (cause) {
    throw usageError(
      `Cannot write ${path}: ${(cause as Error).message}`,
      "Give a path in a folder where you may write",
    );
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
