/**
 * The head of a container: lengths, digests, the table of segments and the hash of every leaf.
 * docs/container.md has the byte table and what the format promises.
 *
 *   0   8  89 4F 54 41 43 0D 0A 1A     16  8  length of the image, bytes
 *   8   1  version, 1                  24  8  length of the base; 0 without one
 *   9   1  flags: bit 0 has base       32 32  SHA-256 of the image
 *   10  1  log2 of leaf bytes          64 32  Merkle root of the image
 *   11  1  log2 of segment bytes       96 32  SHA-256 of the base; zero without one
 *   12  4  count of sections          128 32  Merkle root of the base; zero without one
 *   160    a row of 48 bytes for each section, SHA-256 of all before, the sections
 *
 * @module
 */
import { invariant } from "../assert.ts";
import { equalBytes, toHex } from "../bytes.ts";
import { UpdateFailure } from "../failure.ts";
import { MAX_CONTAINER_HEAD_BYTES, MAX_CONTAINER_SECTIONS } from "../limits.ts";
import type { HashParts } from "../merkle.ts";
import {
  CONTAINER_MAGIC,
  CONTAINER_VERSION,
  CRITICAL,
  damaged,
  FIXED_BYTES,
  HAS_BASE,
  HASH_BYTES,
  MAX_LEAF_LOG,
  MAX_SEGMENT_LOG,
  MIN_LEAF_LOG,
  readLength,
  SECTION,
  SECTION_ROW_BYTES,
  SEGMENT_ROW_BYTES,
  tableEnd,
  tooNew,
} from "./container_format.ts";
import { rootOfLeaves } from "./container_root.ts";
import { checkSegmentTable, SegmentTable } from "./container_table.ts";

export { CONTAINER_MAGIC, CONTAINER_PREFIX_BYTES, OPERATION } from "./container_format.ts";
export { type ContainerHeadParts, serializeContainerHead } from "./container_write.ts";

/** What a checked head says. */
export interface ContainerHead {
  /** Length of the image it makes. */
  readonly imageBytes: number;
  /** Length of the image it starts from; 0 without one. */
  readonly baseBytes: number;
  /** Lower-case hex. Only the carrier says it; what is proved is `imageRoot`. */
  readonly imageSha256: string;
  /** RFC 6962 root over the image's leaves: the leaf hashes below lead to it. */
  readonly imageRoot: Uint8Array;
  /** Lower-case hex; `null` if there is no base. */
  readonly baseSha256: string | null;
  readonly baseRoot: Uint8Array | null;
  /** Product: 64 KiB. */
  readonly leafBytes: number;
  /** Product: 1 MiB; a multiple of `leafBytes`. */
  readonly segmentBytes: number;
  readonly segments: SegmentTable;
  /** How many leaves the image has. */
  readonly leafCount: number;
  /** The hash of a leaf: a view of 32 bytes. */
  leafHash(index: number): Uint8Array;
  /** Where the first payload begins. */
  readonly headBytes: number;
  /** Length of the whole container. */
  readonly fileBytes: number;
}

/** The fields of fixed place. */
type FixedHead = Omit<
  ContainerHead,
  "segments" | "leafCount" | "leafHash" | "headBytes" | "fileBytes"
>;

/** One row of the section table. */
interface Section {
  readonly type: number;
  readonly critical: boolean;
  /** Whether its flags and reserved bytes are those of version 1. */
  readonly plain: boolean;
  readonly offset: number;
  readonly bytes: number;
  readonly sha256: Uint8Array;
}

/**
 * Whether a file begins like a container, of whatever version.
 *
 * @param start The first bytes of any file, at least 8 if it has them.
 * @returns Whether the magic is there.
 */
export function isContainer(start: Uint8Array): boolean {
  const length = CONTAINER_MAGIC.length;
  return start.length >= length && equalBytes(start.subarray(0, length), CONTAINER_MAGIC);
}

/**
 * How long the head is, so that its reader knows how much to fetch. Only the structure is
 * checked here: {@linkcode parseContainerHead} checks all.
 *
 * @param prefix The first {@linkcode CONTAINER_PREFIX_BYTES} of the file, or all of a shorter one.
 * @returns Bytes before the first payload, at most {@linkcode MAX_CONTAINER_HEAD_BYTES}.
 * @throws {UpdateFailure} `containerDamaged` if it is no whole container, `containerTooNew` if
 * its version is not known.
 */
export function containerHeadBytes(prefix: Uint8Array): number {
  const sections = readSections(prefix);
  const last = sections.at(-1);
  return last === undefined ? tableEnd(0) : last.offset + last.bytes;
}

/**
 * How long the part of the head is that tells its length.
 *
 * @param start The first 16 bytes of the file, or more.
 * @returns Bytes up to the end of the section table, at most {@linkcode CONTAINER_PREFIX_BYTES}.
 * @throws {UpdateFailure} As {@linkcode containerHeadBytes}.
 */
export function containerTableBytes(start: Uint8Array): number {
  if (!isContainer(start)) throw damaged("no container magic");
  if (start.length > 8 && start[8] !== CONTAINER_VERSION) {
    throw tooNew(`its version is ${start[8]}, and ${CONTAINER_VERSION} is known`);
  }
  if (start.length < 16) throw damaged("its head is cut off");
  const count = new DataView(start.buffer, start.byteOffset + 12, 4).getUint32(0, true);
  if (count > MAX_CONTAINER_SECTIONS) throw damaged(`${count} sections`);
  return tableEnd(count);
}

/**
 * Reads and checks everything in the head: its own digest, those of the sections, every length
 * against every other, and that the leaf hashes lead to the image's root. Whether that root is
 * the trusted one is left to the caller.
 *
 * @param head Exactly as many bytes as {@linkcode containerHeadBytes} says; kept, not copied.
 * @param options SHA-256, and the longest image that may come out, in bytes.
 * @returns What it says.
 * @throws {UpdateFailure} `containerDamaged` if it contradicts itself, `containerTooNew` if it
 * has what this version does not know, `imageTooLarge` if the image is longer than allowed.
 */
export function parseContainerHead(
  head: Uint8Array,
  options: { readonly hash: HashParts; readonly maxImageBytes: number },
): ContainerHead {
  const sections = readSections(head);
  const end = tableEnd(sections.length);
  const { hash } = options;
  if (!equalBytes(hash(head.subarray(0, end - HASH_BYTES)), head.subarray(end - HASH_BYTES, end))) {
    throw damaged("its first part does not have its digest");
  }
  if (head.length !== containerHeadBytes(head)) {
    throw damaged(`its head has ${head.length} bytes, not ${containerHeadBytes(head)}`);
  }
  const fixed = readFixed(head);
  if (fixed.imageBytes > options.maxImageBytes) {
    throw new UpdateFailure(
      "imageTooLarge",
      "container",
      `Cannot apply container: its image has ${fixed.imageBytes} bytes, at most ` +
        `${options.maxImageBytes} fit`,
    );
  }
  for (const { type, critical } of sections) {
    if (critical && type !== SECTION.segments && type !== SECTION.leaves) {
      throw tooNew(`it needs section ${type}, which is not known`);
    }
  }
  const rows = contentOf(head, { sections, type: SECTION.segments, hash });
  const leaves = contentOf(head, { sections, type: SECTION.leaves, hash });
  const leafCount = Math.ceil(fixed.imageBytes / fixed.leafBytes);
  if (leaves.length !== leafCount * HASH_BYTES) throw damaged("it has too few or many leaf hashes");
  if (!equalBytes(rootOfLeaves(leaves, hash), fixed.imageRoot)) {
    throw damaged("its leaf hashes do not lead to the root of its image");
  }
  if (rows.length % SEGMENT_ROW_BYTES !== 0) throw damaged("its segment table ends in a row");
  const segments = new SegmentTable(rows, head.length);
  checkSegmentTable(segments, { ...fixed, hasBase: fixed.baseSha256 !== null });
  return {
    ...fixed,
    segments,
    leafCount,
    leafHash(index) {
      invariant(index >= 0 && index < leafCount, `leaf ${index} of ${leafCount}`);
      return leaves.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
    },
    headBytes: head.length,
    fileBytes: segments.endOffset,
  };
}

/** The rows of the section table, each with the place of its section. */
function readSections(prefix: Uint8Array): Section[] {
  let offset = containerTableBytes(prefix);
  if (prefix.length < offset) throw damaged("its section table is cut off");
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.length);
  const count = view.getUint32(12, true);
  const sections: Section[] = [];
  for (let i = 0; i < count; i++) {
    const at = FIXED_BYTES + i * SECTION_ROW_BYTES;
    const [type, flags] = [prefix[at]!, prefix[at + 1]!];
    const bytes = readLength(prefix, at + 8);
    const plain = flags === CRITICAL && view.getUint16(at + 2, true) === 0 &&
      view.getUint32(at + 4, true) === 0;
    const sha256 = prefix.subarray(at + 16, at + SECTION_ROW_BYTES);
    sections.push({ type, critical: (flags & CRITICAL) !== 0, plain, offset, bytes, sha256 });
    // Compared at each step, so that no sum of lengths can lose its last digits.
    offset += bytes;
    if (offset > MAX_CONTAINER_HEAD_BYTES) throw damaged("its head is longer than any may be");
  }
  return sections;
}

/** The bytes of the one section of a type. */
function contentOf(
  head: Uint8Array,
  wanted: {
    readonly sections: readonly Section[];
    readonly type: number;
    readonly hash: HashParts;
  },
): Uint8Array {
  const found = wanted.sections.filter(({ type }) => type === wanted.type);
  const section = found[0];
  if (section === undefined || found.length > 1) {
    throw damaged(`${found.length} sections of type ${wanted.type}`);
  }
  if (!section.plain) throw damaged(`flags of section ${wanted.type}`);
  const content = head.subarray(section.offset, section.offset + section.bytes);
  if (!equalBytes(wanted.hash(content), section.sha256)) {
    throw damaged(`section ${wanted.type} does not have its digest`);
  }
  return content;
}

/** The fields of fixed place. */
function readFixed(head: Uint8Array): FixedHead {
  const [flags, leafLog, segmentLog] = [head[9]!, head[10]!, head[11]!];
  if ((flags & ~HAS_BASE) !== 0) throw tooNew(`its flags are ${flags}`);
  if (leafLog < MIN_LEAF_LOG || leafLog > MAX_LEAF_LOG) throw damaged(`leaves of 2^${leafLog}`);
  if (segmentLog < leafLog || segmentLog > MAX_SEGMENT_LOG) {
    throw damaged(`segments of 2^${segmentLog} bytes`);
  }
  const hasBase = flags === HAS_BASE;
  const baseBytes = readLength(head, 24);
  if (!hasBase && head.subarray(24, 32).some((byte) => byte !== 0)) {
    throw damaged("a base that is not there has a length");
  }
  if (!hasBase && head.subarray(96, FIXED_BYTES).some((byte) => byte !== 0)) {
    throw damaged("a base that is not there has a digest");
  }
  return {
    imageBytes: readLength(head, 16),
    baseBytes,
    imageSha256: toHex(head.subarray(32, 64)),
    imageRoot: head.subarray(64, 96),
    baseSha256: hasBase ? toHex(head.subarray(96, 128)) : null,
    baseRoot: hasBase ? head.subarray(128, FIXED_BYTES) : null,
    leafBytes: 2 ** leafLog,
    segmentBytes: 2 ** segmentLog,
  };
}
