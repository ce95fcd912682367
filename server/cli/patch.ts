/**
 * `ota patch OLD PATCH NEW`: the codec by itself, as the vehicle applies it.
 *
 * @module
 */
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import { MAX_IMAGE_BYTES } from "shared/limits.ts";
import { applyBsdiff40, type Bunzip2, isBsdiff40 } from "shared/delta/bsdiff40.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import { sha256Digest } from "shared/node/digest.ts";
import type { Context } from "./context.ts";
import { commandError, exitOfFailure, usageError } from "./exit.ts";
import { type OpenRead, openRead, replaceFile } from "./files.ts";
import { load } from "./load.ts";
import {
  type ImageSink,
  isContainerFile,
  type MadeImage,
  patchContainer,
} from "./patch_container.ts";

/** What is given instead of OLD for an image that starts from nothing. */
const NO_BASE = "-";

/** The catalogue's remedies are a vehicle's and a server's, which have another carrier at hand. */
const REMEDIES: Partial<Record<FailureName, string>> = {
  deltaBaseDiffers: "Give the old image that the patch was made from",
  containerDamaged: "Copy the container again; if it comes back, make it again with `ota delta`",
  patchDamaged: "Give a container of `ota delta`, or a patch of bsdiff",
};

/**
 * Applies a container or a BSDIFF40 patch. NEW appears whole or not at all. A container without
 * a base does not look at OLD, which may then be `-`.
 *
 * @param context Output.
 * @param paths The old image, the patch, and the new image to be written.
 * @throws {UpdateFailure} `patchDamaged` if it is neither, `containerDamaged`, `containerTooNew` or
 * `deltaDamaged` if it is not whole, `deltaBaseDiffers` if OLD is not what it starts from.
 * @throws {CommandError} Usage, if a file cannot be read or NEW cannot be written.
 */
export async function patch(
  context: Context,
  paths: { readonly old: string; readonly patch: string; readonly new: string },
): Promise<void> {
  using stack = new DisposableStack();
  const file = stack.use(openRead(paths.patch));
  const openBase = () => stack.use(openOld(paths));
  const apply = await wayOf(file);
  try {
    if (apply === null) {
      throw new UpdateFailure(
        "patchDamaged",
        paths.patch,
        `Cannot apply ${paths.patch}: it is not BSDIFF40 and no container, the formats that are read`,
      );
    }
    // The old image may give way to the new one: it is read to the end before.
    const made = await replaceFile(paths.new, { PATCH: paths.patch }, function* (target) {
      const made = yield* apply(file, openBase, sinkOf(target));
      target.truncateSync(made.lengthBytes); // A hole at the end is no byte yet.
      return made;
    });
    context.output.result(
      { file: paths.new, ...made },
      `Wrote ${paths.new}: ${made.lengthBytes} bytes, SHA-256 ${made.sha256}`,
    );
  } catch (error) {
    if (!(error instanceof UpdateFailure)) throw error;
    const { failure, message, cause } = error;
    const remedy = REMEDIES[failure];
    if (remedy === undefined) throw error;
    throw commandError(exitOfFailure(failure), failure, message, { remedy, cause });
  }
}

/** How a file is applied; what only BSDIFF40 needs is loaded for it alone. */
async function wayOf(file: RandomRead): Promise<typeof patchContainer | null> {
  if (isContainerFile(file)) return patchContainer;
  if (!isBsdiff40(file)) return null;
  const { bunzip2 } = await load<typeof import("shared/node/bunzip2.ts")>(
    "../../shared/node/bunzip2.ts",
  );
  return (patch, openBase, sink) => patchBsdiff40(patch, openBase(), sink, bunzip2);
}

function openOld({ old, patch }: { readonly old: string; readonly patch: string }): OpenRead {
  if (old !== NO_BASE) return openRead(old);
  throw usageError(
    `Cannot apply ${patch}: it starts from an old image, and OLD is ${NO_BASE}`,
    "Give the old image",
  );
}

function* patchBsdiff40(
  file: RandomRead,
  base: RandomRead,
  sink: ImageSink,
  bunzip2: Bunzip2,
): Generator<void, MadeImage> {
  const digest = sha256Digest();
  let lengthBytes = 0;
  const options = { bunzip2, maxImageBytes: MAX_IMAGE_BYTES };
  for (const piece of applyBsdiff40(file, base, options)) {
    digest.update(piece);
    lengthBytes += piece.length;
    sink.write(piece);
    yield;
  }
  return { lengthBytes, sha256: digest.hex() };
}

function sinkOf(target: Deno.FsFile): ImageSink {
  return {
    write(bytes) {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(target.writeSync(rest));
    },
    skip: (lengthBytes) => void target.seekSync(lengthBytes, Deno.SeekMode.Current),
  };
}
