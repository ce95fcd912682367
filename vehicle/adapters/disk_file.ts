/**
 * A disk kept in one sparse file: the file adapter of the storage port.
 *
 * @module
 */
import fs from "node:fs";
import { UpdateFailure } from "shared/failure.ts";
import type { Disk } from "vehicle/ports.ts";

const SECTOR_BYTES = 512;

/** Opens, or makes, a disk file. A longer one is cut never: it may hold an image. */
export class FileDisk implements Disk, Disposable {
  readonly sectorBytes = SECTOR_BYTES;
  readonly sectors: number;
  readonly #fd: number;

  /**
   * @param path The file.
   * @param sizeBytes Its size, rounded up to whole sectors.
   * @throws {UpdateFailure} `storageFailed` if it cannot be opened or is larger than that.
   */
  constructor(readonly path: string, sizeBytes: number) {
    this.sectors = Math.ceil(sizeBytes / SECTOR_BYTES);
    try {
      this.#fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
    } catch (cause) {
      throw failed("open", path, cause);
    }
    const present = fs.fstatSync(this.#fd).size;
    const wanted = this.sectors * SECTOR_BYTES;
    if (present > wanted) {
      fs.closeSync(this.#fd);
      throw new UpdateFailure(
        "storageFailed",
        path,
        `Cannot open disk "${path}": it has ${present} bytes, the profile says ${wanted}`,
      );
    }
    if (present < wanted) {
      fs.ftruncateSync(this.#fd, wanted);
      fs.fsyncSync(this.#fd);
    }
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

function failed(action: string, path: string, cause: unknown): UpdateFailure {
  const full = (cause as { code?: string }).code === "ENOSPC";
  const message = `Cannot ${action} disk "${path}": ${(cause as Error).message}`;
  return new UpdateFailure(full ? "storageFull" : "storageFailed", path, message, { cause });
}
