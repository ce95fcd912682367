/**
 * The part of the simulated server that gives single leaves of images, with their proofs.
 *
 * @module
 */
import { concatBytes, toHex } from "shared/bytes.ts";
import { UpdateFailure } from "shared/failure.ts";
import { merkleProof, merkleRoot } from "shared/merkle.ts";
import { nodeHash } from "shared/node/digest.ts";
import { chunkHead } from "shared/protocol/chunk.ts";
import type { Backend } from "vehicle/ports.ts";
import { leavesOf } from "./sim_container.ts";

interface Stored {
  readonly bytes: Uint8Array;
  readonly leafBytes: number;
  readonly hashes: readonly Uint8Array[];
}

/** Leaves by root. */
export class SimLeaves {
  readonly #images = new Map<string, Stored>();
  /** Every request that was answered: `list` or the number of the leaf. */
  readonly requests: { readonly root: string; readonly what: "list" | number }[] = [];
  /** Keeps answers back, if it is there. */
  hold: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Changes what is answered, if it is there. */
  meddle: ((answer: Uint8Array, what: "list" | number) => Uint8Array) | undefined;

  /** An image is published. */
  add(bytes: Uint8Array, leafBytes: number): void {
    const hashes = leavesOf(bytes, leafBytes);
    this.#images.set(toHex(merkleRoot(hashes, nodeHash)), { bytes, leafBytes, hashes });
  }

  /** The server has no image any more. */
  clear(): void {
    this.#images.clear();
  }

  /** Its part of the port. */
  port(turn: (signal: AbortSignal) => Promise<void>): Pick<Backend, "leafHashes" | "leaf"> {
    return {
      leafHashes: async ({ root }, signal) => {
        await turn(signal);
        await this.hold?.(signal);
        return this.#answer(root, "list", ({ hashes }) => concatBytes(...hashes));
      },
      leaf: async (root, index, signal) => {
        await turn(signal);
        await this.hold?.(signal);
        return this.#answer(root, index, ({ bytes, leafBytes, hashes }) => {
          const leaf = bytes.subarray(index * leafBytes, (index + 1) * leafBytes);
          return concatBytes(chunkHead(merkleProof(hashes, index, nodeHash)), leaf);
        });
      },
    };
  }

  #answer(root: string, what: "list" | number, make: (image: Stored) => Uint8Array): Uint8Array {
    const image = this.#images.get(root);
    if (image === undefined) {
      throw new UpdateFailure("carrierMissing", root, "Cannot fetch chunk: answered 404");
    }
    this.requests.push({ root, what });
    const answer = make(image);
    return this.meddle?.(answer, what) ?? answer;
  }
}
