/**
 * Carriers as files that can be read anywhere, whether they lie on the disk as one or are put
 * together from a head and ranges of an image.
 *
 * @module
 */
import type { Carrier } from "shared/protocol/common.ts";
import type { BlobFile, BlobStore, RecordStore } from "../ports.ts";
import type { CompositeRow } from "../ports_delta.ts";

/**
 * Opens a carrier.
 *
 * @param ports Records and files.
 * @param carrier The carrier.
 * @returns The file; must be closed.
 * @throws {UpdateFailure} `imageUnknown` if a file of it is not there.
 */
export async function openCarrier(
  { records, blobs }: { readonly records: RecordStore; readonly blobs: BlobStore },
  { carrierSha256 }: Carrier,
): Promise<BlobFile> {
  const composite = await records.read((tables) => tables.composite(carrierSha256));
  if (composite === undefined) return await blobs.open(carrierSha256);
  const head = await blobs.open(composite.headSha256);
  try {
    return new CompositeFile(head, await blobs.open(composite.imageSha256), composite.ranges);
  } catch (error) {
    head.close();
    throw error;
  }
}

/** A run of bytes of the whole, and where they lie. */
interface Piece {
  readonly start: number;
  readonly end: number;
  readonly file: BlobFile;
  /** Where `start` lies in the file. */
  readonly offset: number;
}

/** A head, then ranges of an image. */
export class CompositeFile implements BlobFile {
  readonly lengthBytes: number;
  readonly #pieces: readonly Piece[];

  /**
   * @param head The first part, whole; closed with this.
   * @param image Where the rest lies; closed with this.
   * @param ranges Which parts of the image follow, in order.
   */
  constructor(
    readonly head: BlobFile,
    readonly image: BlobFile,
    ranges: CompositeRow["ranges"],
  ) {
    const pieces: Piece[] = [{ start: 0, end: head.lengthBytes, file: head, offset: 0 }];
    let start = head.lengthBytes;
    for (const [offset, length] of ranges) {
      pieces.push({ start, end: start + length, file: image, offset });
      start += length;
    }
    this.#pieces = pieces;
    this.lengthBytes = start;
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.lengthBytes) {
      throw new RangeError(
        `Cannot read ${length} bytes at ${offset}: ${this.lengthBytes} are there`,
      );
    }
    const bytes = new Uint8Array(length);
    for (const { file, from, at, count } of this.#parts(offset, length)) {
      bytes.set(file.read(from, count), at);
    }
    return bytes;
  }

  async readInto(offset: number, target: Uint8Array): Promise<number> {
    let filled = 0;
    for (const { file, from, at, count } of this.#parts(offset, target.length)) {
      const got = await file.readInto(from, target.subarray(at, at + count));
      filled += got;
      if (got < count) break; // A file is shorter than it was: whoever reads notices.
    }
    return filled;
  }

  close(): void {
    this.head.close();
    this.image.close();
  }

  /** What to read from where, and where it goes. */
  *#parts(
    offset: number,
    length: number,
  ): Generator<{ file: BlobFile; from: number; at: number; count: number }> {
    const end = Math.min(offset + length, this.lengthBytes);
    let index = this.#find(offset);
    for (let position = offset; position < end; index++) {
      const piece = this.#pieces[index]!;
      const count = Math.min(piece.end, end) - position;
      const from = piece.offset + position - piece.start;
      yield { file: piece.file, from, at: position - offset, count };
      position += count;
    }
  }

  /** The piece with this byte: halved each time, since an image may have thousands. */
  #find(offset: number): number {
    let [low, high] = [0, this.#pieces.length];
    while (low + 1 < high) {
      const middle = (low + high) >> 1;
      if (this.#pieces[middle]!.start <= offset) low = middle;
      else high = middle;
    }
    return low;
  }
}
