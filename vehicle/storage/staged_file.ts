/**
 * Fills a partition from its start with one file, a segment at a time, and remembers durably
 * how far it got: after a cut, what the checkpoint names is there, and no more is claimed. Several
 * segments may share a sync and a checkpoint: each costs a slow medium some milliseconds.
 *
 * Checkpoint payload: SHA-256 the file must have (32 bytes), its length and the
 * bytes that are durable (u64 little-endian each).
 *
 * @module
 */
import { invariant } from "shared/assert.ts";
import { fromHex, toHex } from "shared/bytes.ts";
import type { RandomRead } from "shared/delta/random_read.ts";
import { SEGMENT_BYTES } from "shared/limits.ts";
import type { Digest, Disk } from "vehicle/ports.ts";
import type { SectorRecord } from "./sector_record.ts";

/** What is to be staged. */
export interface StagedTarget {
  readonly sha256: string;
  readonly lengthBytes: number;
}

/** A partition being filled. */
export class StagedFile {
  readonly #disk: Disk;
  readonly #checkpoint: SectorRecord;
  #target: StagedTarget | undefined;
  #durableBytes = 0;
  /** Written, of which the last may not be durable. */
  #writtenBytes = 0;
  readonly #syncBytes: number;

  /**
   * @param disk The partition.
   * @param checkpoint Its progress, on another partition.
   * @param syncBytes So many bytes are made durable at once; without it every segment is.
   */
  constructor(disk: Disk, checkpoint: SectorRecord, syncBytes = 0) {
    this.#syncBytes = syncBytes;
    this.#disk = disk;
    this.#checkpoint = checkpoint;
  }

  /** What the checkpoint says, if it says anything. */
  saved(): (StagedTarget & { readonly doneBytes: number }) | undefined {
    const payload = this.#checkpoint.read();
    if (payload === undefined || payload.length !== 48) return undefined;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    return {
      sha256: toHex(payload.subarray(0, 32)),
      lengthBytes: Number(view.getBigUint64(32, true)),
      doneBytes: Number(view.getBigUint64(40, true)),
    };
  }

  /**
   * Begins, or goes on where the checkpoint stands.
   *
   * @param target What is to be staged; it fits the partition.
   * @param options `keepBytes`: at most so many of the bytes that are there are kept, a whole
   * number of sectors. 0 begins afresh.
   * @returns The bytes that are there already.
   */
  begin(target: StagedTarget, options: { readonly keepBytes?: number } = {}): number {
    invariant(target.lengthBytes <= this.capacityBytes, `${target.lengthBytes} bytes do not fit`);
    const { keepBytes = Infinity } = options;
    const saved = this.saved();
    const same = saved?.sha256 === target.sha256 && saved.lengthBytes === target.lengthBytes;
    this.#target = target;
    if (same && saved.doneBytes <= keepBytes) this.#durableBytes = saved.doneBytes;
    else this.#save(same ? keepBytes : 0);
    this.#writtenBytes = this.#durableBytes;
    return this.#durableBytes;
  }

  /** What the partition can hold. */
  get capacityBytes(): number {
    return this.#disk.sectors * this.#disk.sectorBytes;
  }

  /**
   * Puts the next segment down: when this returns it is durable, or will be with those that follow;
   * the last one of the file is. After a cut it is there as a whole, or not claimed at all.
   *
   * @param bytes Whole sectors, unless they are the last.
   */
  write(bytes: Uint8Array): void {
    const target = this.#target;
    invariant(target, "write() before begin()");
    const { sectorBytes } = this.#disk;
    const [first, doneBytes] = [
      this.#writtenBytes / sectorBytes,
      this.#writtenBytes + bytes.length,
    ];
    invariant(Number.isInteger(first), `write() after ${this.#writtenBytes} bytes`);
    invariant(doneBytes <= target.lengthBytes, "more bytes than the target has");
    const wholeBytes = bytes.length - bytes.length % sectorBytes;
    if (wholeBytes > 0) this.#disk.write(first, bytes.subarray(0, wholeBytes));
    if (wholeBytes < bytes.length) {
      const padded = new Uint8Array(sectorBytes);
      padded.set(bytes.subarray(wholeBytes));
      this.#disk.write(first + wholeBytes / sectorBytes, padded);
    }
    this.#writtenBytes = doneBytes;
    const pendingBytes = doneBytes - this.#durableBytes;
    if (pendingBytes >= this.#syncBytes || doneBytes === target.lengthBytes) this.flush();
  }

  /** Makes durable what is written. */
  flush(): void {
    const doneBytes = this.#writtenBytes;
    if (doneBytes === this.#durableBytes) return;
    // After a sync that failed the next one tells nothing of these bytes: they are written again.
    this.#writtenBytes = this.#durableBytes;
    this.#disk.sync(); // The checkpoint may not be durable before the bytes it names.
    this.#save(doneBytes);
    this.#writtenBytes = doneBytes;
  }

  /** The bytes that are there, to be looked at again. */
  read(): RandomRead {
    return readPartition(this.#disk, this.#durableBytes);
  }

  /** Forgets what is there. */
  clear(): void {
    this.#target = { sha256: "0".repeat(64), lengthBytes: 0 };
    this.#save(0);
    this.#writtenBytes = 0;
  }

  #save(doneBytes: number): void {
    const target = this.#target!;
    const payload = new Uint8Array(48);
    const view = new DataView(payload.buffer);
    payload.set(fromHex(target.sha256), 0);
    view.setBigUint64(32, BigInt(target.lengthBytes), true);
    view.setBigUint64(40, BigInt(doneBytes), true);
    this.#checkpoint.write(payload);
    this.#durableBytes = doneBytes;
  }
}

/**
 * The first bytes of a partition as a file.
 *
 * @param disk The partition.
 * @param lengthBytes The file's length.
 * @returns Positioned reads; reading beyond the end throws. What a read gives is valid until
 * the next one: images are large, and memory is not.
 */
export function readPartition(disk: Disk, lengthBytes: number): RandomRead {
  const { sectorBytes } = disk;
  let buffer = new Uint8Array(0);
  const inside = (offset: number, length: number) => {
    if (offset >= 0 && length >= 0 && offset + length <= lengthBytes) return;
    throw new RangeError(`Cannot read ${length} bytes at ${offset}: ${lengthBytes} are there`);
  };
  const read = (offset: number, length: number) => {
    inside(offset, length);
    if (length === 0) return new Uint8Array(0);
    const first = Math.floor(offset / sectorBytes);
    const last = Math.floor((offset + length - 1) / sectorBytes);
    const start = offset - first * sectorBytes;
    const wanted = (last - first + 1) * sectorBytes;
    if (buffer.length < wanted) buffer = new Uint8Array(wanted);
    disk.readInto(first, buffer.subarray(0, wanted));
    return buffer.subarray(start, start + length);
  };
  return {
    lengthBytes,
    read,
    fill(offset, target) {
      inside(offset, target.length);
      const whole = offset % sectorBytes === 0 && target.length % sectorBytes === 0;
      if (whole && target.length > 0) disk.readInto(offset / sectorBytes, target);
      else target.set(read(offset, target.length));
    },
  };
}

/**
 * Digests a file on a partition, a segment a step.
 *
 * @param file The file.
 * @param digest An empty SHA-256.
 * @returns Yields the bytes done so far; returns lower-case hex.
 */
export function* digestFile(file: RandomRead, digest: Digest): Generator<number, string> {
  for (let at = 0; at < file.lengthBytes; at += SEGMENT_BYTES) {
    digest.update(file.read(at, Math.min(SEGMENT_BYTES, file.lengthBytes - at)));
    yield Math.min(at + SEGMENT_BYTES, file.lengthBytes);
  }
  return digest.hex();
}
