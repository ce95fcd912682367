/**
 * The numbers of the container format. A number once used keeps its meaning for ever:
 * a reader refuses what it does not know, and never guesses. docs/container.md says why.
 *
 * @module
 */
import { fromHex } from "../bytes.ts";
import { UpdateFailure } from "../failure.ts";
import { MAX_CONTAINER_SECTIONS } from "../limits.ts";

/** The first bytes of every container, of whatever version. */
export const CONTAINER_MAGIC: Uint8Array = fromHex("894f5441430d0a1a");
/** The version that is written and read. */
export const CONTAINER_VERSION = 1;

/** How a segment is made. 6 and up are free. */
export const OPERATION = {
  /** Zeros; the payload is empty. */
  zero: 0,
  /** The segment lies in the base; the payload is its offset, 8 bytes. */
  copy: 1,
  /** The payload is the segment. */
  raw: 2,
  /** One zstd frame. */
  zstd: 3,
  /** One brotli stream. */
  brotli: 4,
  /** Pieces of the base, what is added to them, and literal bytes between. */
  add: 5,
} as const;

/** How a stream inside an ADD payload is stored. 4 and up are free. */
export const CODEC = {
  raw: 0,
  zstd: 1,
  brotli: 2,
  /** Nothing is stored: all bytes are zero, or there are none. */
  zeros: 3,
} as const;
/** One of the codecs. */
export type CodecNumber = typeof CODEC[keyof typeof CODEC];

/** Types of sections. 3 is reserved for a global piece map; 4 and up are free. */
export const SECTION = { segments: 1, leaves: 2 } as const;

/** Head before the section table. */
export const FIXED_BYTES = 160;
/** One row of the section table. */
export const SECTION_ROW_BYTES = 48;
/** One row of the segment table: operation, zeros, length of the payload, its SHA-256. */
export const SEGMENT_ROW_BYTES = 40;
/** SHA-256. */
export const HASH_BYTES = 32;
/** The payload of COPY: an offset in the base. */
export const COPY_PAYLOAD_BYTES = 8;
/** Head flag: the image starts from another. */
export const HAS_BASE = 1;
/** Section flag: whoever does not know the type must refuse the container. */
export const CRITICAL = 1;
/** Leaves of 512 bytes to 64 KiB. */
export const [MIN_LEAF_LOG, MAX_LEAF_LOG]: readonly [number, number] = [9, 16];
/** Segments of at most 1 MiB: the applier holds two or three at a time. */
export const MAX_SEGMENT_LOG = 20;

/** This many first bytes of a file, or all of a shorter file, tell how long the head is. */
export const CONTAINER_PREFIX_BYTES: number = tableEnd(MAX_CONTAINER_SECTIONS);

/**
 * Where the section table and its digest end.
 *
 * @param sections How many rows it has.
 * @returns The offset of the first section.
 */
export function tableEnd(sections: number): number {
  return FIXED_BYTES + sections * SECTION_ROW_BYTES + HASH_BYTES;
}

/**
 * A container that contradicts itself.
 *
 * @param what The state found.
 * @returns The failure, to be thrown.
 */
export function damaged(what: string): UpdateFailure {
  return new UpdateFailure("containerDamaged", "container", `Cannot read container: ${what}`);
}

/**
 * A container of a later version.
 *
 * @param what What is not known.
 * @returns The failure, to be thrown.
 */
export function tooNew(what: string): UpdateFailure {
  return new UpdateFailure("containerTooNew", "container", `Cannot read container: ${what}`);
}

/**
 * A length or an offset of 8 bytes.
 *
 * @param bytes Where it stands.
 * @param at Its offset there.
 * @returns The number.
 * @throws {UpdateFailure} `containerDamaged` if it is beyond 2^53.
 */
export function readLength(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
  const value = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
  if (!Number.isSafeInteger(value)) throw damaged("a length beyond 2^53");
  return value;
}
