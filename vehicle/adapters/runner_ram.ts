/**
 * The memory that a simulated ECU runs its image from: a file in a volatile folder,
 * written from the proved bytes at each start, and gone when the image has ended.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { MIB } from "shared/limits.ts";
import { UpdateFailure } from "shared/failure.ts";
import type { ProvedImage } from "vehicle/ports.ts";

/** The runtime's own files, beside the images. */
const RUNTIME_FOLDER = "deno";
/** Names that {@linkcode ramFile} makes. */
const RAM_FILE = /-[0-9a-f]{16}\.mjs$/;

/**
 * Empties the folder of what an earlier process left in it. Files of others stay.
 *
 * @param runDir The folder; made if it is missing.
 */
export function emptyRunDir(runDir: string): void {
  Deno.mkdirSync(runDir, { recursive: true, mode: 0o700 });
  for (const entry of Deno.readDirSync(runDir)) {
    if (RAM_FILE.test(entry.name) || entry.name === RUNTIME_FOLDER) {
      Deno.removeSync(`${runDir}/${entry.name}`, { recursive: true });
    }
  }
}

/**
 * Prepares what runner processes share: the runtime's cache, and an import map by which
 * built-in modules are refused like all others.
 *
 * @param runDir The folder; made if it is missing.
 * @param builtinModules Names of built-in modules, without `node:`.
 * @returns The cache folder, and the file with the import map.
 */
export function prepareRuntime(
  runDir: string,
  builtinModules: readonly string[],
): { readonly cacheDir: string; readonly importMap: string } {
  const cacheDir = `${runDir}/${RUNTIME_FOLDER}`;
  Deno.mkdirSync(cacheDir, { recursive: true, mode: 0o700 });
  // `caches.put()` asks for no permission, so an image could fill the disk by it (Deno
  // 2.9.5). Where its folder would be lies a file.
  Deno.writeTextFileSync(`${cacheDir}/location_data`, "");
  const importMap = `${cacheDir}/import_map.json`;
  const imports = Object.fromEntries(
    builtinModules.flatMap((name) => {
      const bare = name.replace(/^node:/, "");
      return [bare, `node:${bare}`].map((from) => [from, `forbidden:${from}`]);
    }),
  );
  replaceFile(importMap, JSON.stringify({ imports }));
  return { cacheDir, importMap };
}

/** Replaces a file whole: another runner's child may be reading it. */
function replaceFile(file: string, text: string): void {
  Deno.writeTextFileSync(`${file}.new`, text);
  Deno.renameSync(`${file}.new`, file);
}

/**
 * A name for the copy of an image that no other start uses.
 *
 * @param runDir The folder.
 * @param serial The ECU.
 */
export function ramFile(runDir: string, serial: string): string {
  const random = crypto.getRandomValues(new Uint8Array(8)).toHex();
  return `${runDir}/${serial}-${random}.mjs`;
}

/**
 * Copies an image into its file. Gives way to others after each MiB.
 *
 * @param file Where to; must not exist.
 * @param image The image.
 * @param stopped Asked between two pieces; when true, the copy ends early.
 * @throws {UpdateFailure} `slotUnsound` if the bytes are no longer those that were proved,
 * `storageFull` or `storageFailed` if they cannot be read or put there.
 */
export async function loadImage(
  file: string,
  image: ProvedImage,
  stopped: () => boolean,
): Promise<void> {
  try {
    await copyImage(file, image, stopped);
  } catch (cause) {
    if (cause instanceof UpdateFailure) throw cause;
    const { message } = cause as Error;
    // Of the system's words ENOSPC and EDQUOT; Deno gives the errors no code of their own.
    const failure = /os error (28|122)\b/.test(message) ? "storageFull" : "storageFailed";
    const what = `Cannot load the image ${image.sha256}: ${message}`;
    throw new UpdateFailure(failure, image.sha256, what, { cause });
  }
}

async function copyImage(
  file: string,
  image: ProvedImage,
  stopped: () => boolean,
): Promise<void> {
  const digest = createHash("sha256");
  using target = await Deno.open(file, { write: true, createNew: true, mode: 0o600 });
  for (let at = 0; at < image.lengthBytes && !stopped();) {
    const piece = image.read(at, MIB);
    if (piece.length === 0) break;
    digest.update(piece);
    at += piece.length;
    for (let done = 0; done < piece.length;) done += await target.write(piece.subarray(done));
  }
  if (stopped()) return;
  const found = digest.digest("hex");
  if (found !== image.sha256) {
    throw new UpdateFailure(
      "slotUnsound",
      image.sha256,
      `Cannot load the image ${image.sha256}: its bytes changed after the proof, now ${found}`,
    );
  }
}
