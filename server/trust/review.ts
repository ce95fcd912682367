/**
 * What a signature would say that was not said before: shown to whoever signs, and checked where a
 * program signs what it has just published. Pure.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { parseAs } from "shared/parse.ts";
import { CARRIERS_ROLE, type ImageCustom } from "shared/protocol/signed_targets.ts";
import {
  type Envelope,
  REPOSITORIES,
  type SigningRequest,
  UnsignedTarget,
} from "shared/protocol/signing.ts";
import { commonOf, delegationOf, readRoot, rootName, tufTime } from "./metadata.ts";
import { keyIdOf } from "./keys.ts";
import { targetsOf } from "./offline.ts";

/** What changes from the signed targets to the next ones. */
export interface TargetsReview {
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
  readonly added: readonly UnsignedTarget[];
  /** Paths whose image or words differ from what was signed. */
  readonly changed: readonly UnsignedTarget[];
  readonly removed: readonly string[];
  /** The key of the role for carriers, if it is another one. */
  readonly carriersKey: string | undefined;
}

/**
 * Compares the next targets with those that are signed.
 *
 * @param request Holds both.
 * @returns What changes, or `undefined` if no targets wait for a signature.
 * @throws {UpdateFailure} `badRequest` If a target cannot be read.
 */
export function reviewTargets(request: SigningRequest): TargetsReview | undefined {
  const next = request.next.targets;
  if (next === undefined) return undefined;
  const before = request.targets === null ? {} : readTargets(request.targets);
  const after = readTargets(next);
  const fresh = Object.values(after).filter(({ path }) => before[path] === undefined);
  const changed = Object.values(after).filter((each) => {
    const old = before[each.path];
    return old !== undefined && JSON.stringify(old) !== JSON.stringify(each);
  });
  const key = delegationOf(next, CARRIERS_ROLE).publicHex;
  const oldKey = request.targets === null
    ? undefined
    : delegationOf(request.targets, CARRIERS_ROLE).publicHex;
  return {
    ...commonOf(next, "the targets"),
    added: fresh,
    changed,
    removed: Object.keys(before).filter((path) => after[path] === undefined),
    carriersKey: key === oldKey ? undefined : keyIdOf(key),
  };
}

/**
 * Reads the images that targets metadata lists.
 *
 * @param envelope Targets metadata.
 * @returns By path.
 * @throws {UpdateFailure} `badRequest` If one is no image of ours.
 */
export function readTargets(envelope: Envelope): Record<string, UnsignedTarget> {
  return Object.fromEntries(
    Object.entries(targetsOf(envelope)).map(([path, value]) => {
      const { length, hashes, custom } = value as Record<string, Record<string, unknown>>;
      const read = parseAs(UnsignedTarget, { path, length, sha256: hashes?.sha256, custom }, {
        what: `target ${path}`,
      });
      const { hardware, version } = read.custom;
      if (path === `${hardware}/${version}`) return [path, read];
      const found = `it says that it is ${hardware}/${version}`;
      throw new UpdateFailure("badRequest", path, `Cannot read target ${path}: ${found}`);
    }),
  );
}

/**
 * What waits for a signature, in words.
 *
 * @param request What is to be signed.
 * @returns Lines for a person.
 */
export function describe(request: SigningRequest): string[] {
  const lines: string[] = [];
  for (const repository of REPOSITORIES) {
    const next = request.next.roots[repository];
    if (next !== undefined) lines.push(...describeRoot(request, repository, next));
  }
  const review = reviewTargets(request);
  if (review === undefined) return lines;
  lines.push(`Targets version ${review.version}, until ${tufTime(review.expiresAtMs)}`);
  for (const each of review.added) lines.push(...describeTarget("new", each));
  for (const each of review.changed) lines.push(...describeTarget("CHANGED", each));
  for (const path of review.removed) lines.push(`  REMOVED  ${path}`);
  if (review.carriersKey !== undefined) {
    lines.push(`  key of the role ${CARRIERS_ROLE} (the server's): ${review.carriersKey}`);
  }
  if (lines.at(-1)!.startsWith("Targets")) lines.push("  nothing changes but version and expiry");
  return lines;
}

function describeTarget(how: string, { path, length, sha256, custom }: UnsignedTarget): string[] {
  const { counter, minCounter, merkle, notes, rxswin, needs } = custom;
  return [
    `  ${how}  ${path}  counter ${counter}${minCounter > 0 ? `, from ${minCounter} on` : ""}`,
    `         ${length} bytes, sha256 ${sha256}`,
    `         leaves ${merkle.root}`,
    `         purpose: ${notes.purpose}`,
    ...(needs.length > 0 ? [`         needs ${needs.join(", ")}`] : []),
    ...(rxswin.length > 0 ? [`         RXSWIN ${rxswin.join(", ")}`] : []),
  ];
}

function describeRoot(
  request: SigningRequest,
  repository: "image" | "director",
  next: Envelope,
): string[] {
  const present = request.roots[repository].at(-1);
  const before = present === undefined ? undefined : readRoot(present).signed;
  const { version, expires, roles } = readRoot(next).signed;
  const lines = [`${capital(rootName(repository))}, version ${version}, until ${expires}`];
  for (const [role, { keyIDs, threshold }] of Object.entries(roles)) {
    const old = before?.roles[role];
    lines.push(`  ${role}: ${threshold} of ${keyIDs.length}`);
    for (const id of keyIDs) {
      lines.push(`    ${old !== undefined && !old.keyIDs.includes(id) ? "NEW " : ""}${id}`);
    }
    for (const id of old?.keyIDs ?? []) if (!keyIDs.includes(id)) lines.push(`    GONE ${id}`);
  }
  return lines;
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}

/** What an image file is, whatever the server says of it. */
export interface MeasuredImage {
  readonly sha256: string;
  readonly lengthBytes: number;
  /** Root over the leaves, hex. */
  readonly merkleRoot: string;
}

/**
 * Refuses to sign any image that is not one of those at hand.
 *
 * @param review What the next targets would change, if there are any.
 * @param images The images at hand.
 * @throws {UpdateFailure} `signingDiffers` naming the first target that is none of them.
 */
export function requireImages(
  review: TargetsReview | undefined,
  images: readonly MeasuredImage[],
): void {
  for (
    const { path, sha256, length, custom } of [...review?.added ?? [], ...review?.changed ?? []]
  ) {
    const same = images.some((image) =>
      image.sha256 === sha256 && image.lengthBytes === length &&
      image.merkleRoot === custom.merkle.root
    );
    if (same) continue;
    const message = `Cannot sign ${path}: its image ${sha256} is none of the files given`;
    throw new UpdateFailure("signingDiffers", path, message);
  }
}

/** What a publisher has just published, as it is known here, without asking the server. */
export interface Expected extends MeasuredImage {
  readonly path: string;
  /** What was asked for; the counter may be the server's choice. */
  readonly custom: Partial<ImageCustom>;
}

/**
 * Refuses to sign anything but what was published here.
 *
 * @param review What the next targets would change.
 * @param expected What was published.
 * @throws {UpdateFailure} `signingDiffers` naming the first thing that differs.
 */
export function requireOnly(review: TargetsReview, expected: Expected): void {
  const differs = (found: string) => {
    const message = `Cannot sign ${expected.path}: ${found}`;
    throw new UpdateFailure("signingDiffers", expected.path, message);
  };
  const strange = [...review.added, ...review.changed].find(({ path }) => path !== expected.path);
  if (strange !== undefined) differs(`${strange.path} would be signed with it`);
  if (review.changed.length > 0) differs("it was signed before with another image or other words");
  if (review.removed.length > 0) differs(`${review.removed[0]} would no longer be listed`);
  if (review.carriersKey !== undefined) differs("the server has a new key for carriers");
  const [mine] = review.added;
  if (mine === undefined) return differs("the server does not ask for it");
  if (mine.sha256 !== expected.sha256) differs(`the server's image is ${mine.sha256}`);
  if (mine.length !== expected.lengthBytes) differs(`the server's has ${mine.length} bytes`);
  if (mine.custom.merkle.root !== expected.merkleRoot) differs("its leaves are others");
  for (const [key, value] of Object.entries(expected.custom)) {
    const theirs = mine.custom[key as keyof ImageCustom];
    if (JSON.stringify(theirs) !== JSON.stringify(value)) differs(`the server changed its ${key}`);
  }
}
