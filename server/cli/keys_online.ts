/**
 * `ota keys fetch|upload|renew|setup` and `ota keys list`: what the owners of the offline keys do
 * with the server; and how `ota publish` signs what it has just published.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import type { OnlineRole, SigningState } from "shared/protocol/signing.ts";
import { ONLINE_ROLES } from "shared/protocol/signing.ts";
import { checkRoots } from "../trust/offline.ts";
import { type Expected, requireOnly, reviewTargets } from "../trust/review.ts";
import type { ApiClient } from "./client.ts";
import type { Context } from "./context.ts";
import { CommandError, commandError, EXIT, usageError } from "./exit.ts";
import { KeyFolder } from "./keys_folder.ts";
import {
  addRoots,
  addTargets,
  isComplete,
  readRequest,
  signAll,
  writeRequest,
} from "./keys_offline.ts";

/** Keys of each role where they are made in passing: two sign, and one may be lost. */
export const SETUP_KEYS = 3;

/** Two who publish at once: each is the slower one a few times at most. */
const SIGN_ATTEMPTS = 5;
/** A program that signs for the owners, as in the demo, takes some seconds. */
const OWNERS_MS = 10_000;
const LOOK_MS = 250;

/** `ota keys fetch FILE`: what is to be signed, as a file. */
export async function fetchRequest(
  context: Context,
  file: string,
  options: { readonly release?: readonly string[] },
): Promise<void> {
  const request = await (await context.client()).signingRequest(options.release);
  writeRequest(file, request);
  const waiting = request.add.map(({ path }) => path);
  context.output.result(
    { file, releases: waiting, roots: rootVersions(request.roots) },
    `Wrote ${file}: ${waiting.length === 0 ? "no release waits" : waiting.join(", ")}\n` +
      `Sign it with \`ota keys sign DIR ${file}\`, then \`ota keys upload ${file}\``,
  );
}

function rootVersions(roots: { readonly image: unknown[]; readonly director: unknown[] }) {
  return { image: roots.image.length, director: roots.director.length };
}

/** `ota keys upload FILE`: hands in what was signed. */
export async function uploadSigned(context: Context, file: string): Promise<void> {
  const { next } = readRequest(file);
  if (Object.keys(next.roots).length === 0 && next.targets === undefined) {
    throw usageError(
      `Cannot hand in ${file}: nothing in it is signed`,
      `Sign it with \`ota keys sign DIR ${file}\``,
    );
  }
  const state = await (await context.client()).putSigned(next);
  const { awaiting } = state;
  const rest = awaiting.length === 0 ? "" : `; ${awaiting.join(", ")} still waits`;
  context.output.result(state, `Handed in ${file}${rest}`);
}

/** `ota keys renew ROLE…`: new keys of the server; they wait for a new root. */
export async function renewKeys(context: Context, roles: readonly string[]): Promise<void> {
  const unknown = roles.find((role) => !(ONLINE_ROLES as readonly string[]).includes(role));
  if (unknown !== undefined) {
    throw usageError(
      `Cannot renew the key of "${unknown}": the server signs no such role`,
      `Give some of ${ONLINE_ROLES.join(", ")}; offline keys go with \`ota keys revoke\``,
    );
  }
  const state = await (await context.client()).renewKeys(roles as OnlineRole[]);
  context.output.result(
    state,
    `Made new keys for ${roles.join(", ")}. They sign when a root that names them is handed in:\n` +
      "ota keys fetch FILE; ota keys root DIR FILE; ota keys sign DIR FILE; ota keys upload FILE",
  );
}

/** `ota keys list`: where both repositories stand. */
export async function listServer(context: Context): Promise<void> {
  const state = await (await context.client()).signingState();
  const rows = (["image", "director"] as const).flatMap((repository) =>
    state[repository].map((row) => ({ ...row, role: `${repository}/${row.role}` }))
  );
  context.output.table(rows, {
    heads: ["ROLE", "NEEDS", "VERSION", "UNTIL", "KEY"],
    cells: ({ role, threshold, version, expiresAt, keys }) => {
      const head = [role, String(threshold ?? "-"), String(version ?? "-"), expiresAt ?? "-"];
      const cell = (each: typeof keys[number]) =>
        each.state === "active" ? each.keyid : `${each.keyid} (waits for a root)`;
      const [first, ...more] = keys.map(cell);
      return [[...head, first ?? "-"], ...more.map((key) => ["", "", "", "", key])];
    },
  }, "");
  for (const release of state.awaiting) context.output.note(`${release} waits for a signature`);
}

/** `ota keys setup DIR`: keys if there are none, first roots, and all that waits, in one go. */
export async function setUp(context: Context, dir: string): Promise<void> {
  const client = await context.client();
  const request = await client.signingRequest();
  const folder = hasKeys(dir)
    ? KeyFolder.open(dir, context.env)
    : KeyFolder.init(dir, SETUP_KEYS, context.env);
  addRoots(folder, request, {});
  addTargets(folder, request);
  const progress = signAll(folder, request, {});
  if (!isComplete(progress)) throw incomplete(dir);
  const empty = Object.keys(request.next.roots).length === 0 && request.next.targets === undefined;
  const state = empty ? await client.signingState() : await client.putSigned(request.next);
  context.output.result(
    state,
    empty ? "All is signed already" : `Signed with the keys of ${dir}: vehicles can verify`,
  );
}

function hasKeys(dir: string): boolean {
  try {
    return [...Deno.readDirSync(dir)].some(({ name }) => name.endsWith(".key"));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Keys that are ready to sign what is about to be published. */
export class PublishKeys {
  private constructor(readonly folder: KeyFolder) {}

  /**
   * Looks for keys, and whether they can be used, before anything is uploaded.
   *
   * @param context `OTA_KEYS` names a folder where `dir` does not.
   * @param client The server.
   * @param dir `--keys`.
   * @returns The keys, or `undefined` if none are given.
   * @throws {UpdateFailure} `rootMissing` If the server has no root, `keyUnusable`.
   */
  static async find(
    context: Context,
    client: ApiClient,
    dir: string | undefined,
  ): Promise<PublishKeys | undefined> {
    const path = dir ?? context.env("OTA_KEYS");
    if (!path) return undefined;
    const folder = KeyFolder.open(path, context.env);
    const [targets] = folder.keys.filter(({ role }) => role === "targets");
    if (targets !== undefined) folder.unlock(targets);
    if (isSetUp(await client.signingState())) return new PublishKeys(folder);
    throw new UpdateFailure(
      "rootMissing",
      path,
      `Cannot sign with the keys of ${path}: the server has no root yet`,
    );
  }

  /**
   * Signs a release, if the server asks for exactly what was published, and hands it in.
   *
   * @param client The server.
   * @param expected What was published.
   * @throws {UpdateFailure} `signingDiffers` If the server asks for anything else.
   */
  async sign(client: ApiClient, expected: Expected): Promise<void> {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#sign(client, expected);
      } catch (error) {
        // Somebody else signed meanwhile: their targets come first, then these.
        const outdated = error instanceof CommandError && error.facts.name === "signingOutdated";
        if (!outdated || attempt === SIGN_ATTEMPTS) throw error;
      }
    }
  }

  async #sign(client: ApiClient, expected: Expected): Promise<void> {
    const request = await client.signingRequest([expected.path]);
    checkRoots(request, this.folder.known().roots);
    addTargets(this.folder, request);
    const review = reviewTargets(request);
    if (review === undefined) return; // The same image was signed before.
    requireOnly(review, expected);
    if (!isComplete(signAll(this.folder, request, {}))) throw incomplete(this.folder.path);
    await client.putSigned(request.next);
  }
}

function isSetUp({ image }: SigningState): boolean {
  return image.some(({ role, version }) => role === "root" && version !== null);
}

/**
 * Says so when releases were published that vehicles cannot have yet, after a while in which their
 * owners may be about to sign.
 *
 * @param context Where to say that it waits.
 * @param client The server.
 * @param releases Those that were published or offered.
 * @throws {CommandError} Precondition, `releaseUnsigned`, if one waits for its signature.
 */
export async function refuseUnsigned(
  context: Context,
  client: ApiClient,
  releases: readonly string[],
): Promise<void> {
  const endMs = performance.now() + OWNERS_MS;
  for (let first = true;; first = false) {
    const state = await client.signingState();
    if (!isSetUp(state)) return; // It signs nothing yet, and vehicles ask for nothing signed.
    const waiting = releases.filter((release) => state.awaiting.includes(release));
    if (waiting.length === 0) return;
    if (performance.now() >= endMs) throw unsigned(waiting);
    if (first) context.output.note(`Waiting for the owners' signature of ${waiting.join(", ")}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function unsigned(waiting: readonly string[]): CommandError {
  return commandError(
    EXIT.precondition,
    "releaseUnsigned",
    `Cannot reach vehicles yet: ${waiting.join(", ")} is on the server and waits for the ` +
      `signature of its owners`,
  );
}

function incomplete(dir: string): UpdateFailure {
  return new UpdateFailure(
    "signatureMissing",
    dir,
    `Cannot sign with the keys of ${dir}: fewer are in it than must sign; go by a file ` +
      `(ota keys fetch, sign, upload)`,
  );
}
