/**
 * `ota publish`: an image or a patch becomes a release, and is offered.
 *
 * @module
 */
import { chooseCounter } from "shared/counter.ts";
import { isContainer } from "shared/delta/container.ts";
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import { MAX_IMAGE_BYTES, MAX_JSON_BYTES } from "shared/limits.ts";
import { Counter, HardwareId, type Notes, ReleaseId, Version } from "shared/protocol/common.ts";
import type { ApiClient } from "./client.ts";
import { argument, type Context } from "./context.ts";
import { CommandError, usageError } from "./exit.ts";
import { measure } from "./keys_image.ts";
import { PublishKeys, refuseUnsigned } from "./keys_online.ts";
import { notesFromFile, notesFromText } from "./notes.ts";
import { digestFile, uploadFile } from "./upload.ts";

/** Options of `ota publish`, as typed. */
export interface PublishOptions {
  readonly hardware: string;
  readonly version: string;
  readonly notes: string;
  readonly counter?: string;
  readonly deltaFrom?: string;
  readonly draft?: boolean;
  readonly rxswin?: readonly string[];
  readonly needs?: readonly string[];
  readonly keys?: string;
  readonly image?: string;
}

const BSDIFF40 = new TextEncoder().encode("BSDIFF40");
/** Magic, version and flags of a container: what tells a delta from a full image. */
const START_BYTES = 10;

/**
 * Uploads a file, unless the server has it, and makes a release of it.
 *
 * @param context Server and output.
 * @param path The image, or with `deltaFrom` a patch.
 * @param options What the release says of itself.
 * @throws {CommandError} Usage, refused, unreachable.
 * @throws {UpdateFailure} If file or notes are rejected before anything is sent.
 */
export async function publish(
  context: Context,
  path: string,
  options: PublishOptions,
): Promise<void> {
  const { output } = context;
  const body = {
    hardware: argument(HardwareId, options.hardware, "hardware id"),
    version: argument(Version, options.version, "version"),
    ...(options.counter === undefined ? {} : { counter: counterOf(options.counter) }),
    ...(options.deltaFrom === undefined
      ? {}
      : { deltaFrom: argument(Version, options.deltaFrom, "version to start from") }),
    rxswin: [...options.rxswin ?? []],
    needs: (options.needs ?? []).map((id) => argument(ReleaseId, id, "release")),
    draft: options.draft ?? false,
  };
  const lengthBytes = await lookAt(path, options.deltaFrom);
  const notes = await readNotes(options.notes);
  const client = await context.client();
  await refuseEarly(client, body);
  const keys = await PublishKeys.find(context, client, options.keys);

  const hashing = output.progress(`Reading ${nameOf(path)}`, lengthBytes);
  const digest = await digestFile(path, hashing);
  hashing.end();
  if (digest.lengthBytes !== lengthBytes) {
    throw new UpdateFailure(
      "uploadDigestDiffers",
      path,
      `Cannot publish ${path}: it changed while it was read`,
    );
  }
  const progress = output.progress(`Uploading ${nameOf(path)}`, lengthBytes);
  try {
    const upload = { path, ...digest };
    await uploadFile(client, upload, { progress, note: (text) => output.note(text) });
  } finally {
    progress.end();
  }
  const file = body.deltaFrom === undefined
    ? { sha256: digest.sha256 }
    : { patchSha256: digest.sha256 };
  const { release, campaign, counter, sha256, carrierAdded } = await client.publish({
    ...body,
    ...file,
    notes,
  });
  // What a patch gives is known to the server only: it is signed by who has the image at hand.
  const image = body.deltaFrom === undefined ? path : options.image;
  const signs = keys !== undefined && image !== undefined && !carrierAdded;
  if (signs) {
    const { hardware, version, rxswin, needs } = body;
    const custom = { hardware, version, counter, notes, rxswin, needs };
    await keys.sign(client, { path: release, ...measure(image), custom });
  }
  const outcome = carrierAdded
    ? "the patch was added to the release that exists"
    : campaign === null
    ? `a draft; offer it with \`ota offer ${release}\``
    : `offered as campaign ${campaign}`;
  output.result(
    { release, campaign, counter, sha256 },
    `Published ${release}, counter ${counter}, image ${sha256}: ${outcome}`,
  );
  if (!signs && !carrierAdded) await refuseUnsigned(context, client, [release]);
}

function counterOf(typed: string): number {
  const counter = /^\d{1,10}$/.test(typed) ? Number(typed) : NaN;
  if (Counter.safeParse(counter).success) return counter;
  throw usageError(
    `Cannot use "${typed}" as counter: it is no whole number of 1 to 4294967295`,
    "Leave --counter out to take the next one",
  );
}

/** What can be known of a file before it is read. */
async function lookAt(path: string, deltaFrom: string | undefined): Promise<number> {
  let info: Deno.FileInfo;
  let start = new Uint8Array(0);
  try {
    info = await Deno.stat(path);
    if (info.isFile) {
      using file = await Deno.open(path);
      const buffer = new Uint8Array(START_BYTES);
      start = buffer.subarray(0, await file.read(buffer) ?? 0);
    }
  } catch (cause) {
    throw usageError(
      `Cannot read ${path}: ${(cause as Error).message}`,
      "Give the path of an image or patch that exists and that you may read",
    );
  }
  if (!info.isFile) throw usageError(`Cannot read ${path}: it is no file`, "Give an image file");
  if (info.size === 0) throw rejected("uploadEmpty", path, "it is empty");
  if (info.size > MAX_IMAGE_BYTES) {
    throw rejected("requestTooLarge", path, `${info.size} bytes, at most ${MAX_IMAGE_BYTES}`);
  }
  const isBsdiff40 = BSDIFF40.every((byte, at) => start[at] === byte);
  const isDelta = isContainer(start) && (start[9]! & 1) === 1;
  if ((isBsdiff40 || isDelta) && deltaFrom === undefined) {
    throw usageError(
      `Cannot publish ${path} as an image: it is a ${isDelta ? "delta" : "BSDIFF40 patch"}`,
      "Give the version it starts from with --delta-from",
    );
  }
  if (deltaFrom !== undefined && !isBsdiff40 && !isContainer(start)) {
    const found =
      "with --delta-from it is a patch, and it begins like none; an image needs no option";
    throw rejected("patchDamaged", path, found);
  }
  if (isContainer(start) && !isDelta) {
    throw usageError(
      `Cannot publish ${path}: it is a full image in a container`,
      "Publish the image itself: the server compresses it",
    );
  }
  return info.size;
}

function rejected(failure: FailureName, path: string, found: string): UpdateFailure {
  return new UpdateFailure(failure, path, `Cannot publish ${path}: ${found}`);
}

/** A word that is meant as a file, even when none is there. */
const LOOKS_LIKE_FILE = /^\S*(\/\S*|\.(json|ya?ml|txt|md))$/;

async function readNotes(given: string): Promise<Notes> {
  let text: string;
  try {
    const info = await Deno.stat(given);
    if (!info.isFile || info.size > MAX_JSON_BYTES) {
      throw usageError(
        `Cannot read notes from ${given}: ${info.isFile ? "it is too long" : "it is no file"}`,
        "Give a file with the five notes, or the purpose as text",
      );
    }
    text = await Deno.readTextFile(given);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    // Text is no path: it may be empty, too long for a name, or simply not there.
    if (!LOOKS_LIKE_FILE.test(given)) return notesFromText(given);
    throw usageError(
      `Cannot read notes from ${given}: ${(error as Error).message}`,
      "Give a file with the five notes, or the purpose as text",
    );
  }
  return notesFromFile(text, given);
}

/** What the server would refuse in the end, it can refuse before a gigabyte has travelled. */
async function refuseEarly(
  client: ApiClient,
  body: {
    readonly hardware: string;
    readonly version: string;
    readonly counter?: number;
    readonly deltaFrom?: string;
  },
): Promise<void> {
  const { hardware, version, deltaFrom } = body;
  const known = await client.hardware();
  if (!known.some((row) => row.hardware === hardware)) {
    throw new UpdateFailure(
      "hardwareUnknown",
      "hardware",
      `Cannot publish for ${hardware}: the server does not know this hardware id`,
    );
  }
  const siblings = (await client.releases()).filter((row) => row.hardware === hardware);
  const exists = (wanted: string) => siblings.some((row) => row.version === wanted);
  // A patch for a version that exists is one carrier more, not one release more.
  if (deltaFrom === undefined || !exists(version)) chooseCounter(body, siblings);
  if (deltaFrom !== undefined && !exists(deltaFrom)) {
    throw new UpdateFailure(
      "baseUnknown",
      "deltaFrom",
      `Cannot publish a patch from ${hardware}/${deltaFrom}: there is no such release`,
    );
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
