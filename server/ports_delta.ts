/**
 * What making carriers needs from the world, and what is recorded of it: see `ports.ts`.
 *
 * @module
 */
import type { DeltaJob } from "shared/protocol/api.ts";
import type { BlobRow, PartFile } from "./ports.ts";

/** A job that makes a carrier; there is one for each image, base and effort. */
export interface DeltaJobRow extends Readonly<Omit<DeltaJob, "v" | "doneBytes" | "totalBytes">> {
  /** Its place among the jobs of its release; of several releases, the first come first. */
  readonly rank: number;
  /** How often it was begun. */
  readonly attempts: number;
}

/** An image that vehicles run. */
export interface BaseInField {
  readonly sha256: string;
  /** How many vehicles last reported it. */
  readonly vehicles: number;
}

/** A carrier that lies nowhere as one file: a head, and then ranges of an image. */
export interface CompositeRow {
  readonly carrierSha256: string;
  readonly headSha256: string;
  readonly imageSha256: string;
  /** Offset and length of each range, in order. */
  readonly ranges: readonly (readonly [number, number])[];
}

/** What a {@linkcode DeltaMaker} is to make. */
export interface DeltaTask {
  readonly image: BlobRow;
  readonly base: BlobRow | null;
  readonly effort: DeltaJob["effort"];
  /** A result that is longer is of no use. */
  readonly maxBytes: number;
  /** Where the carrier goes; empty. */
  readonly target: PartFile;
}

/** A carrier that was made and proved: it gave the image when it was applied. */
export interface MadeCarrier {
  readonly carrierSha256: string;
  readonly lengthBytes: number;
}

/** Makes and proves carriers, outside this program's thread and memory. */
export interface DeltaMaker {
  /**
   * Makes one.
   *
   * @param task What to make.
   * @param options Called with the bytes of the image that are done; ends the work at once.
   * @returns The carrier, or `null` if it would be too long.
   * @throws {UpdateFailure} Why it cannot be made; `deltaMakerCrashed` if the maker died.
   */
  make(
    task: DeltaTask,
    options: { readonly onProgress: (doneBytes: number) => void; readonly signal: AbortSignal },
  ): Promise<MadeCarrier | null>;
}
