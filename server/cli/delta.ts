/**
 * `ota delta OLD NEW PATCH`: the encoder by itself, as the server runs it.
 *
 * @module
 */
import { MAX_IMAGE_BYTES } from "shared/limits.ts";
import { nodeHash, sha256Digest } from "shared/node/digest.ts";
import { type Effort, encodedHeadBytes, encodeSteps } from "server/delta/encode.ts";
import { nodeEncodeCodecs } from "server/delta/node_codecs.ts";
import type { Context } from "./context.ts";
import { usageError } from "./exit.ts";
import { openRead, replaceFile } from "./files.ts";

/** The options of the command. */
export interface DeltaOptions {
  readonly effort: Effort;
}

/** What is given instead of OLD for an image that starts from nothing. */
const NO_BASE = "-";

/**
 * Makes a container that leads from one image to another. PATCH appears whole or not at all.
 *
 * @param context Output.
 * @param paths The old image or `-`, the new image, and the container to be written.
 * @param options How hard to try.
 * @throws {CommandError} Usage, if a file cannot be read or PATCH cannot be written.
 */
export async function delta(
  context: Context,
  paths: { readonly old: string; readonly new: string; readonly patch: string },
  options: DeltaOptions,
): Promise<void> {
  using base = paths.old === NO_BASE ? null : openRead(paths.old);
  using image = openRead(paths.new);
  for (const [path, file] of [[paths.old, base], [paths.new, image]] as const) {
    if ((file?.lengthBytes ?? 0) <= MAX_IMAGE_BYTES) continue;
    throw usageError(
      `Cannot encode ${path}: it has ${file!.lengthBytes} bytes, at most ${MAX_IMAGE_BYTES} fit`,
      "Give a smaller image",
    );
  }
  const progress = context.output.progress(
    `Encoding ${paths.new}`,
    image.lengthBytes + (base?.lengthBytes ?? 0),
  );
  const sources = { NEW: paths.new, ...(base === null ? {} : { OLD: paths.old }) };
  try {
    const made = await replaceFile(paths.patch, sources, function* (file) {
      // The head comes last, but its length is known: no byte is moved.
      file.seekSync(encodedHeadBytes(image.lengthBytes), Deno.SeekMode.Start);
      const made = yield* encodeSteps({
        base,
        image,
        codecs: nodeEncodeCodecs,
        hash: nodeHash,
        newDigest: sha256Digest,
        effort: options.effort,
        onProgress: (doneBytes) => progress.update(doneBytes),
      }, { write: (bytes) => writeAll(file, bytes) });
      file.seekSync(0, Deno.SeekMode.Start);
      writeAll(file, made.head);
      return made;
    });
    progress.end();
    const patchBytes = made.head.length + made.payloadBytes;
    const { imageSha256, baseSha256 } = made;
    context.output.result(
      { file: paths.patch, patchBytes, imageBytes: image.lengthBytes, imageSha256, baseSha256 },
      `Wrote ${paths.patch}: ${patchBytes} bytes${shareOf(patchBytes, image.lengthBytes)}`,
    );
  } finally {
    progress.end();
  }
}

function shareOf(patchBytes: number, imageBytes: number): string {
  if (imageBytes === 0) return "";
  return `, ${(patchBytes / imageBytes * 100).toFixed(2)} % of ${imageBytes}`;
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
}
