/**
 * Proves a patch by applying it once: the result becomes an image only if its digest is the
 * one that was claimed. One patch at a time, so that memory stays bounded.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { applyBsdiff40, isBsdiff40, readBsdiff40Header } from "shared/delta/bsdiff40.ts";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_IMAGE_BYTES } from "shared/limits.ts";
import { bunzip2 } from "shared/node/bunzip2.ts";
import type { BlobFile, BlobRow, BlobStore, PartFile } from "../ports.ts";
import { ImageHash } from "./hash_file.ts";
import { checkRoom } from "./room.ts";

/** Other work gets its turn so often. In time: how much a patch makes in it is the patch's affair. */
const TURN_MS = 10;

/** What is to be proved. */
export interface Claim {
  readonly patchSha256: string;
  readonly baseSha256: string;
  /** The digest that the result must have, if one is claimed. */
  readonly sha256: string | undefined;
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
   * @throws {UpdateFailure} `patchDamaged` with the reason, or `patchResultDiffers`; then nothing
   * is left behind.
   */
  prove(claim: Claim): Promise<BlobRow> {
    const mine = this.#last.then(() => this.#prove(claim));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #prove(claim: Claim): Promise<BlobRow> {
    const patch = await this.blobs.open(claim.patchSha256);
    try {
      if (!isBsdiff40(patch)) {
        throw damaged(claim, "it does not begin with BSDIFF40, the only patch format that is read");
      }
      const base = await this.blobs.open(claim.baseSha256);
      try {
        return await this.#apply(claim, patch, base);
      } finally {
        base.close();
      }
    } finally {
      patch.close();
    }
  }

  async #apply(claim: Claim, patch: BlobFile, base: BlobFile): Promise<BlobRow> {
    const result = await this.blobs.createTemporary();
    let kept = false;
    try {
      const row = await this.#write(claim, patch, base, result);
      if (claim.sha256 !== undefined && row.sha256 !== claim.sha256) {
        throw new UpdateFailure(
          "patchResultDiffers",
          "patchSha256",
          `Cannot keep patch ${claim.patchSha256}: it makes an image with digest ${row.sha256}, ` +
            `not ${claim.sha256}`,
        );
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
    patch: BlobFile,
    base: BlobFile,
    result: PartFile,
  ): Promise<BlobRow> {
    const hash = new ImageHash();
    let turnAtMs = this.clock.monotonic();
    try {
      const { imageBytes } = readBsdiff40Header(patch);
      await checkRoom(this.blobs, imageBytes, `Cannot apply patch ${claim.patchSha256}`, "store");
      for (const piece of applyBsdiff40(patch, base, { bunzip2, maxImageBytes: MAX_IMAGE_BYTES })) {
        hash.update(piece);
        await result.append(piece);
        if (this.clock.monotonic() - turnAtMs < TURN_MS) continue;
        await this.clock.sleep(0);
        turnAtMs = this.clock.monotonic();
      }
    } catch (error) {
      if (!(error instanceof UpdateFailure) || isOfStore(error)) throw error;
      throw damaged(claim, error.message, error);
    }
    return hash.end();
  }
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
