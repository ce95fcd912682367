/**
 * Takes uploads: never more than a chunk in memory, resumable at the length of the part file,
 * and proved against the digest in its name before it becomes a blob.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { MAX_IMAGE_BYTES } from "shared/limits.ts";
import type { Upload } from "shared/protocol/api.ts";
import { HeaderFailure } from "../failure_http.ts";
import type { Metrics } from "../metrics.ts";
import type { BlobStore, PartFile, RecordStore } from "../ports.ts";
import { BodyReader } from "./body_reader.ts";
import { hashFile } from "./hash_file.ts";
import { checkRoom } from "./room.ts";
import type { Piece } from "./upload_piece.ts";

/** Silence after which a connection no longer holds its upload. */
const STALL_MS = 30_000;

/** What uploads need. */
export interface UploadPorts {
  readonly blobs: BlobStore;
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** The uploads of one server. */
export class Uploads {
  readonly #busy = new Set<string>();
  /** Bytes that each upload under way will still bring, in the order in which they began. */
  readonly #coming = new Map<string, () => number>();

  constructor(readonly ports: UploadPorts) {}

  /**
   * How much is there.
   *
   * @param sha256 The file.
   * @returns Its state, or `null` if nothing of it is there.
   */
  async state(sha256: string): Promise<Upload | null> {
    const { blobs, records } = this.ports;
    const row = await records.read((tables) => tables.blob(sha256));
    const lengthBytes = await blobs.lengthOf(sha256);
    if (row !== undefined && lengthBytes !== null && await this.#stays(sha256)) {
      return { sha256, offset: lengthBytes, lengthBytes, complete: true };
    }
    const part = await blobs.part(sha256);
    const whole = part === null ? lengthBytes !== null : part.offset === part.totalBytes;
    if (whole && !this.#busy.has(sha256)) {
      return await this.#alone(sha256, () => this.#look(sha256));
    }
    return part && { sha256, offset: part.offset, lengthBytes: part.totalBytes, complete: false };
  }

  /** Whoever asks for a whole upload is about to publish it: its time to be given up begins anew. */
  async #stays(sha256: string): Promise<boolean> {
    const { records } = this.ports;
    if (await records.read((tables) => tables.retiredFile(sha256)) === undefined) return true;
    return await records.write(async (tables) => {
      const row = await tables.blob(sha256); // It may have gone since.
      const retired = await tables.retiredFile(sha256);
      if (row !== undefined && retired?.carrier === null) await tables.dropRetired(sha256);
      return row !== undefined;
    });
  }

  /**
   * Does something while nobody sends or publishes a file.
   *
   * @param sha256 The file.
   * @param work What to do; not begun if somebody does.
   */
  async unlessBusy(sha256: string, work: () => Promise<void>): Promise<void> {
    if (!this.#busy.has(sha256)) await this.#alone(sha256, work);
  }

  async #alone<T>(sha256: string, work: () => Promise<T>): Promise<T> {
    this.#busy.add(sha256);
    try {
      return await work();
    } finally {
      this.#busy.delete(sha256);
    }
  }

  /** What is there; first finishes what a crash may have left between two steps. */
  async #look(sha256: string): Promise<Upload | null> {
    const { blobs, records } = this.ports;
    const lengthBytes = await blobs.lengthOf(sha256);
    if (lengthBytes !== null) {
      if (await records.read((tables) => tables.blob(sha256)) === undefined) {
        const file = await blobs.open(sha256);
        const row = await hashFile(file).finally(() => file.close());
        await records.write(async (tables) => {
          await tables.putBlob(row);
          await tables.dropRetired(sha256);
        });
      } else await this.#stays(sha256);
      return { sha256, offset: lengthBytes, lengthBytes, complete: true };
    }
    const part = await blobs.part(sha256);
    if (part === null) return null;
    if (part.offset < part.totalBytes) {
      return { sha256, offset: part.offset, lengthBytes: part.totalBytes, complete: false };
    }
    const file = await blobs.openPart(sha256, part.totalBytes);
    return await this.#finish(sha256, file).finally(() => file.close()).catch((error) => {
      if (error instanceof UpdateFailure && error.failure === "uploadDigestDiffers") return null;
      throw error;
    });
  }

  /**
   * Takes one piece.
   *
   * @param sha256 The file it belongs to.
   * @param piece Where it goes.
   * @param body Its bytes.
   * @returns How much is there now.
   * @throws {UpdateFailure} `uploadEmpty`, `uploadOffsetDiffers`, `uploadLengthDiffers`,
   * `uploadBusy`, `uploadIncomplete` if the line broke (what arrived is kept),
   * `uploadDigestDiffers` (the part is dropped), `requestTooLarge`, `storeFull`.
   */
  async take(
    sha256: string,
    piece: Piece,
    body: ReadableStream<Uint8Array> | null,
  ): Promise<Upload> {
    if (piece.totalBytes === 0) {
      throw new UpdateFailure("uploadEmpty", sha256, `Cannot take upload ${sha256}: it is empty`);
    }
    if (piece.totalBytes > MAX_IMAGE_BYTES) {
      throw new UpdateFailure(
        "requestTooLarge",
        sha256,
        `Cannot take upload ${sha256}: ${piece.totalBytes} bytes, at most ${MAX_IMAGE_BYTES}`,
      );
    }
    if (this.#busy.has(sha256)) {
      throw new UpdateFailure(
        "uploadBusy",
        sha256,
        `Cannot take upload ${sha256}: another connection is sending it`,
      );
    }
    try {
      return await this.#alone(sha256, async () => {
        const before = await this.#look(sha256);
        if (!before?.complete) return await this.#takeAlone(sha256, piece, body);
        await body?.cancel();
        return before;
      });
    } catch (error) {
      const name = error instanceof UpdateFailure ? error.failure : "internal";
      this.ports.metrics.add("ota_uploads_refused_total", 1, ["failure", name]);
      throw error;
    }
  }

  /**
   * Forgets what is there of an upload that is not complete.
   *
   * @param sha256 The file.
   * @throws {UpdateFailure} `uploadBusy` If it is being sent, `notFound` if nothing is there.
   */
  async drop(sha256: string): Promise<void> {
    if (this.#busy.has(sha256)) {
      throw new UpdateFailure(
        "uploadBusy",
        sha256,
        `Cannot drop upload ${sha256}: a connection is sending it`,
      );
    }
    const { blobs } = this.ports;
    await this.#alone(sha256, async () => { // Nobody may begin to send it meanwhile.
      if (await blobs.part(sha256) !== null) return await blobs.dropPart(sha256);
      throw new UpdateFailure(
        "notFound",
        sha256,
        `Cannot drop upload ${sha256}: none is under way`,
      );
    });
  }

  async #takeAlone(
    sha256: string,
    piece: Piece,
    body: ReadableStream<Uint8Array> | null,
  ): Promise<Upload> {
    const { blobs } = this.ports;
    if (piece.whole) await blobs.dropPart(sha256);
    this.#coming.set(sha256, () => piece.totalBytes - piece.offset);
    const part = await this.#check(sha256, piece)
      .then(() => blobs.openPart(sha256, piece.totalBytes))
      .catch((error) => {
        this.#coming.delete(sha256);
        throw error;
      });
    this.#coming.set(sha256, () => piece.totalBytes - part.lengthBytes);
    try {
      await this.#receive(part, piece, body, sha256);
      if (part.lengthBytes < piece.totalBytes) {
        const offset = part.lengthBytes;
        return { sha256, offset, lengthBytes: piece.totalBytes, complete: false };
      }
      return await this.#finish(sha256, part);
    } finally {
      this.#coming.delete(sha256);
      part.close();
    }
  }

  /** Read back from the disk: what is proved is what is kept, also after a resume. */
  async #finish(sha256: string, part: PartFile): Promise<Upload> {
    const { blobs, records, metrics } = this.ports;
    const row = await hashFile(part);
    if (row.sha256 !== sha256) {
      await blobs.dropPart(sha256);
      throw new UpdateFailure(
        "uploadDigestDiffers",
        sha256,
        `Cannot keep upload ${sha256}: its ${row.lengthBytes} bytes have digest ${row.sha256}`,
      );
    }
    await blobs.commit(part, sha256);
    await records.write((tables) => tables.putBlob(row));
    metrics.add("ota_uploads_total");
    return { sha256, offset: row.lengthBytes, lengthBytes: row.lengthBytes, complete: true };
  }

  /** The place of a piece against what is there, and the room for what is to come. */
  async #check(sha256: string, piece: Piece): Promise<void> {
    const part = await this.ports.blobs.part(sha256) ??
      { offset: 0, totalBytes: piece.totalBytes };
    const what = `Cannot take upload ${sha256}`;
    const headers = {
      "upload-offset": String(part.offset),
      "upload-length": String(part.totalBytes),
    };
    if (part.totalBytes !== piece.totalBytes) {
      const message = `${what}: it has ${piece.totalBytes} bytes now and had ${part.totalBytes} ` +
        `when it began`;
      throw new HeaderFailure("uploadLengthDiffers", sha256, message, headers);
    }
    if (part.offset !== piece.offset) {
      const message =
        `${what}: the piece begins at ${piece.offset}, and ${part.offset} bytes are ` +
        `there`;
      throw new HeaderFailure("uploadOffsetDiffers", sha256, message, headers);
    }
    let promised = 0;
    for (const [other, bytes] of this.#coming) {
      if (other === sha256) break; // Later ones see this one: of two that come at once, one fits.
      promised += bytes();
    }
    const bytes = piece.totalBytes - piece.offset;
    await checkRoom(this.ports.blobs, bytes, what, sha256, promised);
  }

  async #receive(
    part: PartFile,
    piece: Piece,
    body: ReadableStream<Uint8Array> | null,
    sha256: string,
  ): Promise<void> {
    const end = piece.offset + piece.lengthBytes;
    if (body !== null) {
      const reader = new BodyReader(body, this.ports.clock, STALL_MS);
      try {
        for (;;) {
          const bytes = await reader.next().catch((cause: Error) => {
            throw this.#cut(sha256, part.lengthBytes, piece.totalBytes, cause);
          });
          if (bytes === undefined) break;
          if (part.lengthBytes + bytes.length > end) {
            await part.truncate(piece.offset); // Nothing of a request that contradicts itself.
            throw new UpdateFailure(
              "uploadLengthDiffers",
              sha256,
              `Cannot take upload ${sha256}: more bytes came than the ${piece.lengthBytes} announced`,
            );
          }
          await part.append(bytes);
          this.ports.metrics.add("ota_upload_bytes_total", bytes.length);
        }
      } finally {
        await reader.cancel();
      }
    }
    if (part.lengthBytes < end) throw this.#cut(sha256, part.lengthBytes, piece.totalBytes);
  }

  #cut(sha256: string, offset: number, total: number, cause?: Error): UpdateFailure {
    return new UpdateFailure(
      "uploadIncomplete",
      sha256,
      `Cannot go on with upload ${sha256}: ${cause?.message ?? "the piece ended early"}; ` +
        `${offset} of ${total} bytes are there`,
      { cause },
    );
  }
}
