/**
 * Fetches the head of a container, which is bounded, and checks it against the release and the
 * base before a byte of the slot is written.
 *
 * @module
 */
import { concatBytes, fromHex } from "shared/bytes.ts";
import { checkTrusted, type TrustedImage } from "shared/delta/apply.ts";
import {
  CONTAINER_PREFIX_BYTES,
  type ContainerHead,
  containerHeadBytes,
  parseContainerHead,
} from "shared/delta/container.ts";
import { UpdateFailure } from "shared/failure.ts";
import type { HashParts } from "shared/merkle.ts";
import type { Carrier } from "shared/protocol/common.ts";
import type { ReleaseTarget } from "shared/protocol/director.ts";

/** The bytes of a carrier, from an offset on, to an end or to its own. */
export type FetchBytes = (offset: number, endBytes?: number) => AsyncGenerator<Uint8Array>;

/** What a head is checked against. */
export interface HeadRules {
  readonly carrier: Carrier;
  /** What the Director wants: its root is the only one that is trusted. */
  readonly release: ReleaseTarget;
  /** Length of the image that runs; 0 if the carrier starts from none. */
  readonly baseBytes: number;
  readonly hash: HashParts;
}

/** A head, and what came behind it. */
export interface FetchedHead {
  readonly head: ContainerHead;
  /** Payload bytes that arrived with it. */
  readonly rest: Uint8Array;
  /** Goes on behind `rest`, to the end of the carrier; to be closed by the caller. */
  readonly stream: AsyncGenerator<Uint8Array> | null;
}

/**
 * Fetches and checks the head.
 *
 * @param bring Brings the bytes.
 * @param rules What is checked.
 * @param open Whether the payloads are wanted from the first one on: then one request brings all.
 * Else not a byte more is asked for than the head has.
 * @returns The head.
 * @throws {UpdateFailure} `containerDamaged`, `containerTooNew`, `deltaResultDiffers`,
 * `deltaBaseDiffers`, `carrierLengthDiffers`, or of the download.
 */
export async function fetchHead(
  bring: FetchBytes,
  rules: HeadRules,
  open: boolean,
): Promise<FetchedHead> {
  const { lengthBytes } = rules.carrier;
  const prefixBytes = Math.min(CONTAINER_PREFIX_BYTES, lengthBytes);
  let stream = open ? bring(0) : bring(0, prefixBytes);
  try {
    let got = await gather(stream, prefixBytes, []);
    const headBytes = containerHeadBytes(got.taken);
    if (headBytes > lengthBytes) {
      throw lengthDiffers(rules, `its head alone has ${headBytes} bytes`);
    }
    const begun = [got.taken, got.rest];
    if (!open) {
      await stream.return(undefined);
      stream = bring(got.taken.length, headBytes);
    }
    got = await gather(stream, headBytes, begun);
    const head = parseContainerHead(got.taken, {
      hash: rules.hash,
      // The release's length is the bound: it is compared below, and the head itself is bounded.
      maxImageBytes: Number.MAX_SAFE_INTEGER,
    });
    checkHead(head, rules);
    if (open) return { head, rest: got.rest, stream };
    await stream.return(undefined);
    return { head, rest: new Uint8Array(0), stream: null };
  } catch (error) {
    await stream.return(undefined);
    throw error;
  }
}

/** Collects so many bytes; what came too much is the rest. */
async function gather(
  stream: AsyncGenerator<Uint8Array>,
  wantedBytes: number,
  begun: readonly Uint8Array[],
): Promise<{ taken: Uint8Array; rest: Uint8Array }> {
  const taken = new Uint8Array(wantedBytes);
  const rest: Uint8Array[] = [];
  let at = 0;
  const take = (bytes: Uint8Array) => {
    const part = bytes.subarray(0, wantedBytes - at);
    taken.set(part, at);
    at += part.length;
    rest.push(bytes.subarray(part.length));
  };
  for (const bytes of begun) take(bytes);
  while (at < wantedBytes) {
    const next = await stream.next();
    if (next.done) break; // Only at the end of what was asked for: the head is cut short.
    take(next.value);
  }
  return { taken: taken.subarray(0, at), rest: concatBytes(...rest) };
}

/**
 * A head that is whole, but not of this release, is of no use however often it is fetched. That its
 * leaves are those of the release needs no check of its own: other leaves lead to another root,
 * since no hash of a leaf can be one of a node (RFC 6962 2.1).
 */
function checkHead(head: ContainerHead, rules: HeadRules): void {
  const { carrier, release, baseBytes } = rules;
  checkTrusted(head, trustedImage(release));
  if (head.baseSha256 !== (carrier.baseSha256 ?? null) || head.baseBytes !== baseBytes) {
    throw new UpdateFailure(
      "deltaBaseDiffers",
      carrier.carrierSha256,
      `Cannot use container: it starts from ${head.baseSha256} of ${head.baseBytes} bytes, the ` +
        `offer says ${carrier.baseSha256 ?? null}, and ${baseBytes} bytes run`,
    );
  }
  if (head.fileBytes !== carrier.lengthBytes) {
    throw lengthDiffers(rules, `its segments end at ${head.fileBytes}`);
  }
}

/**
 * What a container must make.
 *
 * @param release The release, as the Director names it.
 * @returns Root, length and digest.
 */
export function trustedImage({ merkle, lengthBytes, sha256 }: ReleaseTarget): TrustedImage {
  return { root: fromHex(merkle.root), imageBytes: lengthBytes, imageSha256: sha256 };
}

function lengthDiffers({ carrier }: HeadRules, why: string): UpdateFailure {
  return new UpdateFailure(
    "carrierLengthDiffers",
    carrier.carrierSha256,
    `Cannot use container: it has ${carrier.lengthBytes} bytes, but ${why}`,
  );
}
