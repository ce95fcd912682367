/**
 * Proves a patch by applying it once: the result becomes an image only if its digest is the
 * one that was claimed. One patch at a time, so that memory stays bounded.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { applyBsdiff40, isBsdiff40, readBsdiff40Header } from "shared/delta/bsdiff40.ts";
import type { ContainerHead } from "shared/delta/container.ts";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_IMAGE_BYTES, PATCH_PROOF_MS } from "shared/limits.ts";
import { bunzip2 } from "shared/node/bunzip2.ts";
import type { BlobFile, BlobRow, BlobStore, PartFile } from "../ports.ts";
import { ImageHash } from "./hash_file.ts";
import { applyContainer, fitsVehicles, readContainer } from "./prove_container.ts";
import { checkRoom } from "./room.ts";

/** Other work gets its turn so often. In time: how much a patch makes in it is the patch's affair. */
const TURN_MS = 10;

/** What was proved. */
export interface Proved {
  /** The result, which is stored now. */
  readonly blob: BlobRow;
  /** Whether vehicles can take the patch as it is. */
  readonly format: "container" | "bsdiff40";
}

/** What is to be proved. */
export interface Claim {
  readonly patchSha256: string;
  readonly baseSha256: string;
  /** The digest that the result must have, if one is claimed. */
  readonly sha256: string | undefined;
}

/** The files of a claim; the head, if the patch is a container. */
interface Opened {
  readonly patch: BlobFile;
  readonly base: BlobFile;
  readonly head: ContainerHead | undefined;
}

/** Applies patches, one after the other. */
export class Prover {
  #last: Promise<unknown> = Promise.resolve();

  constructor(readonly blobs: BlobStore, readonly clock: Clock) {}

  /**
   * Proves a patch and keeps its result as a blob.
   *
   * @param claim The patch, its base, and what it is said to make.
   * @returns The result.
   * @throws {UpdateFailure} `patchDamaged` with the reason, `baseUnknown` if it starts from another
   * image, or `patchResultDiffers`; then nothing is left behind.
   */
  prove(claim: Claim): Promise<Proved> {
    const mine = this.#last.then(() => this.#prove(claim));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #prove(claim: Claim): Promise<Proved> {
    const patch = await this.blobs.open(claim.patchSha256);
    try {
      const head = await readContainer(patch).catch((error) => {
        throw orDamaged(claim, error);
      });
      if (head !== undefined) checkHead(claim, head);
      else if (!isBsdiff40(patch)) {
        throw damaged(claim, "it begins neither with BSDIFF40 nor like a container");
      }
      const base = await this.blobs.open(claim.baseSha256);
      try {
        const blob = await this.#apply(claim, { patch, base, head });
        return { blob, format: head === undefined ? "bsdiff40" : "container" };
      } finally {
        base.close();
      }
    } finally {
      patch.close();
    }
  }

  async #apply(claim: Claim, from: Opened): Promise<BlobRow> {
    const result = await this.blobs.createTemporary();
    let kept = false;
    try {
      const row = await this.#write(claim, from, result);
      if (claim.sha256 !== undefined && row.sha256 !== claim.sha256) {
        throw new UpdateFailure(
          "patchResultDiffers",
          "patchSha256",
          `Cannot keep patch ${claim.patchSha256}: it makes an image with digest ${row.sha256}, ` +
            `not ${claim.sha256}`,
        );
      }
      // Vehicles compare it before they fetch the rest.
      if (from.head !== undefined && from.head.imageSha256 !== row.sha256) {
        throw damaged(claim, `it makes ${row.sha256}, and says ${from.head.imageSha256}`);
      }
      if (row.lengthBytes === 0) throw damaged(claim, "it makes an empty image");
      await this.blobs.commit(result, row.sha256);
      kept = true;
      return row;
    } finally {
      if (!kept) await this.blobs.dropTemporary(result);
    }
  }

  async #write(
    claim: Claim,
    { patch, base, head }: Opened,
    result: PartFile,
  ): Promise<BlobRow> {
    const hash = new ImageHash();
    let turnAtMs = this.clock.monotonic();
    const endAtMs = turnAtMs + PATCH_PROOF_MS;
    try {
      const { imageBytes } = head ?? readBsdiff40Header(patch);
      await checkRoom(this.blobs, imageBytes, `Cannot apply patch ${claim.patchSha256}`, "store");
      const pieces = head === undefined
        ? applyBsdiff40(patch, base, { bunzip2, maxImageBytes: MAX_IMAGE_BYTES })
        : applyContainer(patch, head, base);
      for await (const piece of pieces) {
        hash.update(piece);
        await result.append(piece);
        if (this.clock.monotonic() - turnAtMs < TURN_MS) continue;
        await this.clock.sleep(0);
        turnAtMs = this.clock.monotonic();
        // Few bytes can stand for days of steps, and others wait for their turn meanwhile.
        if (turnAtMs > endAtMs) {
          throw damaged(claim, `not done after ${PATCH_PROOF_MS / 60_000} min`);
        }
      }
    } catch (error) {
      throw orDamaged(claim, error);
    }
    return hash.end();
  }
}

/** What a container says of itself, against what is asked: cheap, and so before it is applied. */
function checkHead({ patchSha256, baseSha256, sha256 }: Claim, head: ContainerHead): void {
  const claim = { patchSha256, baseSha256, sha256 };
  if (head.baseSha256 === null) {
    throw damaged(claim, "it is a full image in a container; publish the image itself");
  }
  if (!fitsVehicles(head)) {
    const { leafBytes, segmentBytes } = head;
    throw damaged(claim, `no vehicle reads leaves of ${leafBytes}, segments of ${segmentBytes}`);
  }
  if (head.baseSha256 !== baseSha256) {
    throw new UpdateFailure(
      "baseUnknown",
      "deltaFrom",
      `Cannot publish patch ${patchSha256}: it starts from image ${head.baseSha256}, and the ` +
        `release that is named has ${baseSha256}`,
    );
  }
  if (sha256 === undefined || head.imageSha256 === sha256) return;
  throw new UpdateFailure(
    "patchResultDiffers",
    "patchSha256",
    `Cannot keep patch ${patchSha256}: it makes image ${head.imageSha256}, not ${sha256}`,
  );
}

/** A fault of the patch is one of the request; what lies with the server stays what it is. */
function orDamaged(claim: Claim, error: unknown): unknown {
  if (!(error instanceof UpdateFailure) || isOfStore(error)) return error;
  return damaged(claim, error.message, error);
}

/** The store's own trouble says nothing about the patch. */
function isOfStore({ failure }: UpdateFailure): boolean {
  return failure === "storeFull" || failure === "storeFailed";
}

function damaged(claim: Claim, reason: string, cause?: unknown): UpdateFailure {
  return new UpdateFailure(
    "patchDamaged",
    "patchSha256",
    `Cannot apply patch ${claim.patchSha256}: ${reason}`,
    { cause },
  );
}
