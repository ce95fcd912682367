/**
 * What of a signing request waits for signatures, and for whose. Pure.
 *
 * @module
 */
import { CARRIERS_ROLE } from "shared/protocol/signed_targets.ts";
import { type Envelope, REPOSITORIES, type SigningRequest } from "shared/protocol/signing.ts";
import { authority, delegationOf, readRoot, type RootMetadata, rootName } from "./metadata.ts";
import { onlineKey } from "./offline.ts";

/**
 * Whether targets must be signed: something waits, or what is signed does not hold under the root
 * that is to come.
 *
 * @param request What the server says, with the next root if there is one.
 * @returns Whether {@linkcode nextTargets} is due.
 */
export function targetsDue(request: SigningRequest): boolean {
  const root = request.next.roots.image ?? request.roots.image.at(-1);
  if (root === undefined || request.next.targets !== undefined) return false;
  if (request.targets === null || request.add.length > 0) return true;
  const { keyIds, signedBy, threshold } = authority(readRoot(root), "targets", request.targets);
  if (keyIds.length === 0 || signedBy < threshold) return true;
  const { publicHex } = delegationOf(request.targets, CARRIERS_ROLE);
  return publicHex !== onlineKey(request, `image/${CARRIERS_ROLE}`);
}

/** One file that is to be signed, and by whom. */
export interface Pending {
  /** What it is called. */
  readonly what: string;
  readonly envelope: Envelope;
  /** Roots with the role whose keys must sign it: each of them its threshold. */
  readonly authorities: readonly { readonly root: RootMetadata; readonly role: string }[];
  /** Puts the signed one in its place. */
  readonly put: (signed: Envelope) => void;
}

/**
 * All that waits for signatures.
 *
 * @param request What the server says; signatures are put into it.
 * @returns New roots, then new targets.
 */
export function pendingOf(request: SigningRequest): Pending[] {
  const pending: Pending[] = [];
  const { roots } = request.next;
  for (const repository of REPOSITORIES) {
    const envelope = roots[repository];
    if (envelope === undefined) continue;
    const present = request.roots[repository].at(-1);
    const authorities = [envelope, ...present === undefined ? [] : [present]];
    pending.push({
      what: rootName(repository),
      envelope,
      authorities: authorities.map((each) => ({ root: readRoot(each), role: "root" })),
      put: (signed) => roots[repository] = signed,
    });
  }
  const { targets } = request.next;
  const root = roots.image ?? request.roots.image.at(-1);
  if (targets !== undefined && root !== undefined) {
    pending.push({
      what: "the targets",
      envelope: targets,
      authorities: [{ root: readRoot(root), role: "targets" }],
      put: (signed) => request.next.targets = signed,
    });
  }
  return pending;
}
