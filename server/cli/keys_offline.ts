/**
 * `ota keys init|root|sign|revoke|list DIR`: what the owners of the offline keys do, on a machine
 * that needs no network. What is to be signed comes and goes as a file.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { MAX_OFFLINE_KEYS, MAX_SIGNING_BYTES, MIN_OFFLINE_THRESHOLD } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import { REPOSITORIES, type Repository, SigningRequest } from "shared/protocol/signing.ts";
import { authority, commonOf, withSignatures } from "../trust/metadata.ts";
import { checkRoots, nextRoot, nextTargets, OFFLINE_ROLES } from "../trust/offline.ts";
import { pendingOf, targetsDue } from "../trust/pending.ts";
import { describe, requireImages, reviewTargets } from "../trust/review.ts";
import type { Context } from "./context.ts";
import { usageError } from "./exit.ts";
import { type FolderKey, KeyFolder } from "./keys_folder.ts";
import { measure } from "./keys_image.ts";

/** Options of `ota keys init`, as typed. */
export interface InitOptions {
  readonly count: string;
}

/** Options of `ota keys root`, as typed. */
export interface RootOptions {
  readonly threshold?: string;
  readonly renew?: boolean;
}

/** Options of `ota keys sign`, as typed. */
export interface SignOptions {
  readonly key?: readonly string[];
  readonly image?: readonly string[];
}

/** How far one file is signed. */
export interface Progress {
  readonly what: string;
  readonly version: number;
  /** Signatures that are there, and those that are asked for, of each root that has a say. */
  readonly signed: readonly { readonly have: number; readonly need: number }[];
}

/** `ota keys init DIR`: makes the keys. @throws {CommandError} Usage. */
export function initKeys(context: Context, dir: string, options: InitOptions): KeyFolder {
  const count = whole(options.count, "--count", MIN_OFFLINE_THRESHOLD, MAX_OFFLINE_KEYS);
  const folder = KeyFolder.init(dir, count, context.env);
  const sealed = folder.keys[0]!.sealed;
  context.output.result(
    { dir, keys: folder.keys.map(facts), sealed },
    `Made ${folder.keys.length} keys in ${dir}, ${count} for each role, ` +
      (sealed ? "sealed with OTA_KEYS_PASSPHRASE" : "without a passphrase (OTA_KEYS_PASSPHRASE)") +
      `\nKeep copies of them apart from each other, and none on the server.`,
  );
  return folder;
}

/** `ota keys list DIR`: the keys of a folder. @throws {CommandError} Usage. */
export function listFolder(context: Context, dir: string): void {
  const folder = KeyFolder.open(dir, context.env);
  context.output.table(folder.keys.map(facts), {
    heads: ["ROLE", "KEY", "MADE", "SEALED"],
    cells: (
      { role, keyid, createdAt, sealed },
    ) => [[role, keyid, createdAt, sealed ? "yes" : "no"]],
  }, "");
}

function facts({ repository, role, keyId, createdAt, sealed }: FolderKey) {
  return { role: `${repository}/${role}`, keyid: keyId, createdAt, sealed };
}

/** `ota keys root DIR FILE`: makes the next roots, where anything changes, and signs them. */
export function makeRoots(
  context: Context,
  { dir, file }: { readonly dir: string; readonly file: string },
  options: RootOptions,
): void {
  const folder = KeyFolder.open(dir, context.env);
  const request = readRequest(file);
  const threshold = options.threshold === undefined
    ? {}
    : { threshold: whole(options.threshold, "--threshold", MIN_OFFLINE_THRESHOLD, 16) };
  addRoots(folder, request, { ...threshold, renew: options.renew ?? false });
  if (Object.keys(request.next.roots).length === 0) {
    throw usageError(
      "Cannot make a root: it would say what the present one says",
      "Give --renew to make one with a later expiry",
    );
  }
  report(context, request, signAll(folder, request, {}));
  writeRequest(file, request);
}

/**
 * Puts the next roots into a request, where anything changes. The first ones list every key of the
 * folder.
 *
 * @param folder The keys.
 * @param request What the server says.
 * @param change What is to change beside the keys of the server.
 * @throws {UpdateFailure} If the server's roots are not those that these keys know.
 */
export function addRoots(
  folder: KeyFolder,
  request: SigningRequest,
  change: {
    readonly threshold?: number;
    readonly renew?: boolean;
    readonly drop?: ReadonlySet<string>;
    /** Those that come in, beside the first. */
    readonly add?: readonly FolderKey[];
  },
): void {
  checkRoots(request, folder.known().roots);
  for (const repository of REPOSITORIES) {
    const first = request.roots[repository].length === 0;
    const coming = (first ? folder.keys : change.add ?? [])
      .filter((key) => key.repository === repository);
    // A root must not name a key for what it was not made for: opening proves it.
    for (const key of coming) folder.unlock(key);
    const root = nextRoot(request, repository, {
      add: Object.fromEntries(
        OFFLINE_ROLES[repository].map((role) => [role, publicsOf(coming, repository, role)]),
      ),
      drop: change.drop ?? new Set(),
      renew: change.renew ?? false,
      nowMs: Date.now(),
      ...(change.threshold === undefined ? {} : { threshold: change.threshold }),
    });
    if (root !== undefined) request.next.roots[repository] = root;
  }
}

function publicsOf(keys: readonly FolderKey[], repository: Repository, role: string): string[] {
  return keys.filter((key) => key.repository === repository && key.role === role)
    .map(({ publicHex }) => publicHex);
}

/** `ota keys sign DIR FILE`: shows what is signed, and adds the signatures of this folder. */
export function signRequest(
  context: Context,
  { dir, file }: { readonly dir: string; readonly file: string },
  options: SignOptions,
): void {
  const folder = KeyFolder.open(dir, context.env);
  const request = readRequest(file);
  checkRoots(request, folder.known().roots);
  addTargets(folder, request);
  if (options.image !== undefined) {
    requireImages(reviewTargets(request), options.image.map(measure));
  }
  report(context, request, signAll(folder, request, options));
  writeRequest(file, request);
}

/** Puts the next targets into a request, if any are due, or `always`. */
export function addTargets(folder: KeyFolder, request: SigningRequest, always = false): void {
  if (!always && !targetsDue(request)) return;
  const signedVersion = folder.known().targetsVersion;
  request.next.targets = nextTargets(request, { nowMs: Date.now(), signedVersion });
}

/** `ota keys revoke DIR FILE KEY…`: the next roots have other keys in their place. */
export function revokeKeys(
  context: Context,
  { dir, file }: { readonly dir: string; readonly file: string },
  ids: readonly string[],
): void {
  const folder = KeyFolder.open(dir, context.env);
  const request = readRequest(file);
  const gone = ids.map((id) => find(folder, id));
  const made = gone.map(({ repository, role }) => folder.make(repository, role));
  addRoots(folder, request, { drop: new Set(gone.map(({ keyId }) => keyId)), add: made });
  // Also where enough others have signed: nothing of a stolen key is left then.
  addTargets(folder, request, gone.some(({ role }) => role === "targets"));
  // The old keys as well: where no others are left, the old root asks for theirs.
  report(context, request, signAll(folder, request, {}));
  writeRequest(file, request);
  for (const key of gone) folder.retire(key);
  for (const [index, { keyId }] of gone.entries()) {
    context.output.note(`Key ${keyId} goes, ${made[index]!.keyId} comes in its place`);
  }
}

function find(folder: KeyFolder, id: string): FolderKey {
  const found = folder.keys.filter(({ keyId }) => keyId.startsWith(id));
  if (id.length >= 8 && found.length === 1) return found[0]!;
  throw new UpdateFailure(
    "keyUnknown",
    id,
    `Cannot find the key ${id}: ${found.length} keys of ${folder.path} begin so; keys of the ` +
      `server are renewed with \`ota keys renew\``,
  );
}

/**
 * Adds every signature that keys of a folder can give.
 *
 * @param folder The keys.
 * @param request What is to be signed; the signatures are put into it.
 * @param options Only some of the keys.
 * @returns How far each file is signed.
 */
export function signAll(
  folder: KeyFolder,
  request: SigningRequest,
  options: Pick<SignOptions, "key">,
): Progress[] {
  const chosen = options.key?.map((id) => find(folder, id).keyId);
  // What was signed is remembered before anybody can have it.
  const targets = request.next.targets;
  const known = folder.known();
  const targetsVersion = targets === undefined ? 0 : commonOf(targets, "the targets").version;
  const roots = Object.fromEntries(
    REPOSITORIES.flatMap((each) => {
      const present = request.roots[each].at(-1);
      return present === undefined ? [] : [[each, present]];
    }),
  );
  folder.remember({
    v: 1,
    roots: { ...known.roots, ...roots },
    targetsVersion: Math.max(known.targetsVersion, targetsVersion),
  });
  return pendingOf(request).map(({ what, envelope, authorities, put }) => {
    const wanted = new Set(
      authorities.flatMap(({ root, role }) => root.signed.roles[role]!.keyIDs),
    );
    const keys = folder.keys.filter(({ keyId }) =>
      wanted.has(keyId) && (chosen?.includes(keyId) ?? true)
    );
    const signed = withSignatures(envelope, keys.map((key) => folder.unlock(key)));
    put(signed);
    return {
      what,
      version: commonOf(signed, what).version,
      signed: authorities.map(({ root, role }) => {
        const { signedBy, threshold } = authority(root, role, signed);
        return { have: signedBy, need: threshold };
      }),
    };
  });
}

/** Whether everything has the signatures it needs. */
export function isComplete(progress: readonly Progress[]): boolean {
  return progress.every(({ signed }) => signed.every(({ have, need }) => have >= need));
}

function report(context: Context, request: SigningRequest, progress: readonly Progress[]): void {
  for (const line of describe(request)) context.output.note(line);
  const complete = isComplete(progress);
  if (progress.length === 0) {
    context.output.result({ signed: [], complete }, "Nothing is to be signed");
    return;
  }
  const lines = progress.map(({ what, version, signed }) => {
    const counts = signed.map(({ have, need }) => `${have} of ${need}`).join(
      ", and for the root before ",
    );
    return `Signed ${what}, version ${version}: ${counts} signatures`;
  });
  const then = complete
    ? "Complete: hand it in with `ota keys upload FILE`"
    : "Not complete: take the file to the next key";
  context.output.result({ signed: progress, complete }, [...lines, then].join("\n"));
}

/**
 * Reads a request file.
 *
 * @param file Its path.
 * @returns The request.
 * @throws {CommandError} Usage, if it cannot be read.
 */
export function readRequest(file: string): SigningRequest {
  let text: Uint8Array;
  try {
    text = Deno.readFileSync(file);
  } catch (cause) {
    throw usageError(
      `Cannot read ${file}: ${(cause as Error).message}`,
      `Fetch it with \`ota keys fetch ${file}\``,
    );
  }
  return parseJsonAs(SigningRequest, text, { what: file, maxBytes: MAX_SIGNING_BYTES });
}

/** Writes a request file, whole or not at all. */
export function writeRequest(file: string, request: SigningRequest): void {
  const part = `${file}.${crypto.randomUUID()}.part`;
  try {
    Deno.writeTextFileSync(part, `${JSON.stringify(request, null, 1)}\n`, { createNew: true });
    Deno.renameSync(part, file);
  } catch (cause) {
    throw usageError(
      `Cannot write ${file}: ${(cause as Error).message}`,
      "Give a path in a folder where you may write",
    );
  }
}

function whole(typed: string, flag: string, min: number, max: number): number {
  const value = /^\d{1,3}$/.test(typed) ? Number(typed) : NaN;
  if (value >= min && value <= max) return value;
  throw usageError(`Cannot use ${flag} "${typed}": it is no number`, `Give ${min} to ${max}`);
}
