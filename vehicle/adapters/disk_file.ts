/**
 * A disk kept in one sparse file, or on a block device: the adapter of the storage port. A
 * device is opened where a link of the disk's name leads to it, `slotA.disk` to a partition.
 *
 * @module
 */
import fs from "node:fs";
import { UpdateFailure } from "shared/failure.ts";
import type { Disk } from "vehicle/ports.ts";

const SECTOR_BYTES = 512;
/** A page of every file system: smaller ones would leave holes beside what is written. */
const RESERVE_PIECE_BYTES = 4096;

/**
 * Opens, or makes, a disk file, or opens a block device. A longer file is cut never: it may hold
 * an image. A device may be longer, as partitions come in sizes of their own; the rest is unused.
 */
export class FileDisk implements Disk, Disposable {
  readonly sectorBytes = SECTOR_BYTES;
  readonly sectors: number;
  readonly #fd: number;

  /**
   * @param path The file.
   * @param sizeBytes Its size, rounded up to whole sectors.
   * @param reservedBytes So many of its first bytes are given room on the medium now: what lies
   * there can be written later also when the medium is full. The rest is sparse.
   * @throws {UpdateFailure} `storageFailed` if it cannot be opened, is a file larger than that or
   * a device smaller than that.
   */
  constructor(readonly path: string, sizeBytes: number, reservedBytes = 0) {
    this.sectors = Math.ceil(sizeBytes / SECTOR_BYTES);
    try {
      this.#fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
    } catch (cause) {
      throw failed("open", path, cause);
    }
    const stat = fs.fstatSync(this.#fd);
    const wanted = this.sectors * SECTOR_BYTES;
    if (!stat.isFile()) {
      this.#useDevice(wanted);
      return;
    }
    const { size: present, blocks } = stat;
    if (present > wanted) {
      fs.closeSync(this.#fd);
      throw new UpdateFailure(
        "storageFailed",
        path,
        `Cannot open disk "${path}": it has ${present} bytes, the profile says ${wanted}`,
      );
    }
    try {
      if (present < wanted) fs.ftruncateSync(this.#fd, wanted);
      // `blocks` counts 512 bytes each, whatever the file system's own are (POSIX st_blocks).
      if (blocks * 512 < reservedBytes) this.#fillHoles(reservedBytes, present === 0);
      if (present < wanted) {
        fs.fsyncSync(this.#fd);
        syncFolderOf(path); // A new name is as volatile as new bytes.
      }
    } catch (cause) {
      fs.closeSync(this.#fd);
      throw cause instanceof UpdateFailure ? cause : failed("make", path, cause);
    }
  }

  /** A device has all its room already, and whatever it held before. */
  #useDevice(wanted: number): void {
    try {
      const present = deviceBytes(this.path);
      if (present >= wanted) return;
      throw new UpdateFailure(
        "storageFailed",
        this.path,
        `Cannot open disk "${this.path}": the device has ${present} bytes, the profile says ${wanted}`,
      );
    } catch (cause) {
      fs.closeSync(this.#fd);
      throw cause instanceof UpdateFailure ? cause : failed("measure", this.path, cause);
    }
  }

  /**
   * Zeros over zeros: a cut in the middle changes nothing that can be read. A new file is not read
   * first: that would fill the kernel's cache with large pieces, each written whole for a sector.
   */
  #fillHoles(reservedBytes: number, isNew: boolean): void {
    const piece = new Uint8Array(RESERVE_PIECE_BYTES);
    const end = Math.min(reservedBytes, this.sectors * SECTOR_BYTES);
    for (let at = 0; at < end; at += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, end - at));
      if (!isNew) this.readInto(at / SECTOR_BYTES, part);
      if (part.every((byte) => byte === 0)) this.write(at / SECTOR_BYTES, part);
    }
    this.sync();
  }

  read(sector: number, count: number): Uint8Array {
    this.#bounds(sector, count);
    const bytes = new Uint8Array(count * SECTOR_BYTES);
    this.readInto(sector, bytes);
    return bytes;
  }

  readInto(sector: number, target: Uint8Array): void {
    this.#bounds(sector, target.length / SECTOR_BYTES);
    try {
      for (let got = 0; got < target.length;) {
        const at = sector * SECTOR_BYTES + got;
        const part = fs.readSync(this.#fd, target, got, target.length - got, at);
        if (part === 0) throw new RangeError(`end of file at ${at}`);
        got += part;
      }
    } catch (cause) {
      throw failed("read", this.path, cause);
    }
  }

  write(sector: number, data: Uint8Array): void {
    this.#bounds(sector, data.length / SECTOR_BYTES);
    try {
      for (let put = 0; put < data.length;) {
        const at = sector * SECTOR_BYTES + put;
        put += fs.writeSync(this.#fd, data, put, data.length - put, at);
      }
    } catch (cause) {
      throw failed("write", this.path, cause);
    }
  }

  sync(): void {
    try {
      fs.fdatasyncSync(this.#fd);
    } catch (cause) {
      throw failed("sync", this.path, cause);
    }
  }

  [Symbol.dispose](): void {
    fs.closeSync(this.#fd);
  }

  #bounds(sector: number, count: number): void {
    if (
      !Number.isInteger(sector) || !Number.isInteger(count) || sector < 0 ||
      sector + count > this.sectors
    ) {
      throw new RangeError(`Cannot reach sector ${sector}+${count}: ${this.sectors} are there`);
    }
  }
}

function syncFolderOf(path: string): void {
  const folder = fs.openSync(path.slice(0, path.lastIndexOf("/") + 1) || ".", "r");
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
}

/** The length of a block device: its status says 0, but its end can be looked for. */
function deviceBytes(path: string): number {
  using device = Deno.openSync(path, { read: true });
  return device.seekSync(0, Deno.SeekMode.End);
}

function failed(action: string, path: string, cause: unknown): UpdateFailure {
  const full = (cause as { code?: string }).code === "ENOSPC";
  const message = `Cannot ${action} disk "${path}": ${(cause as Error).message}`;
  return new UpdateFailure(full ? "storageFull" : "storageFailed", path, message, { cause });
}
