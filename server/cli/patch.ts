/**
 * `ota patch OLD PATCH NEW`: the codec by itself, as the vehicle applies it.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { MAX_IMAGE_BYTES } from "shared/limits.ts";
import { applyBsdiff40, type Bunzip2, isBsdiff40 } from "shared/delta/bsdiff40.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import { sha256Digest } from "shared/node/digest.ts";
import type { Context } from "./context.ts";
import { openRead, openWrite, removeIfThere } from "./files.ts";
import { load } from "./load.ts";
import { type ImageSink, isContainerFile, patchContainer } from "./patch_container.ts";

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
  const openBase = () => stack.use(openRead(paths.old));
  const apply = await wayOf(file);
  if (apply === null) {
    throw new UpdateFailure(
      "patchDamaged",
      paths.patch,
      `Cannot apply ${paths.patch}: it is not BSDIFF40 and no container, the formats that are read`,
    );
  }
  const temporary = `${paths.new}.${crypto.randomUUID()}.part`;
  try {
    let made: { readonly lengthBytes: number; readonly sha256: string };
    {
      using target = openWrite(temporary, paths.new);
      made = apply(file, openBase, sinkOf(target));
      target.truncateSync(made.lengthBytes); // A hole at the end is no byte yet.
      target.syncSync();
    }
    Deno.renameSync(temporary, paths.new);
    context.output.result(
      { file: paths.new, ...made },
      `Wrote ${paths.new}: ${made.lengthBytes} bytes, SHA-256 ${made.sha256}`,
    );
  } finally {
    removeIfThere(temporary);
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

function patchBsdiff40(
  file: RandomRead,
  base: RandomRead,
  sink: ImageSink,
  bunzip2: Bunzip2,
): { readonly lengthBytes: number; readonly sha256: string } {
  const digest = sha256Digest();
  let lengthBytes = 0;
  const options = { bunzip2, maxImageBytes: MAX_IMAGE_BYTES };
  for (const piece of applyBsdiff40(file, base, options)) {
    digest.update(piece);
    lengthBytes += piece.length;
    sink.write(piece);
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
