/**
 * Writes the head of a container. What it is made of comes from the program itself: whatever
 * does not fit together is a bug.
 *
 * @module
 */
import { invariant } from "../assert.ts";
import { fromHex } from "../bytes.ts";
import type { HashParts } from "../merkle.ts";
import {
  CONTAINER_MAGIC,
  CONTAINER_VERSION,
  CRITICAL,
  FIXED_BYTES,
  HAS_BASE,
  HASH_BYTES,
  MAX_LEAF_LOG,
  MAX_SEGMENT_LOG,
  MIN_LEAF_LOG,
  SECTION,
  SECTION_ROW_BYTES,
  SEGMENT_ROW_BYTES,
  tableEnd,
} from "./container_format.ts";
import { rootOfLeaves } from "./container_root.ts";
import { checkSegmentTable, SegmentTable } from "./container_table.ts";

/** What a head is made of. */
export interface ContainerHeadParts {
  readonly imageBytes: number;
  /** Lower-case hex. */
  readonly imageSha256: string;
  /** The image it starts from, or `null`. */
  readonly base: {
    readonly bytes: number;
    /** Lower-case hex. */
    readonly sha256: string;
    /** Merkle root over leaves of `leafBytes`. */
    readonly root: Uint8Array;
  } | null;
  /** A power of two from 512 to 65,536; product: `LEAF_BYTES`. */
  readonly leafBytes: number;
  /** A power of two from `leafBytes` to 2^20; product: `SEGMENT_BYTES`. */
  readonly segmentBytes: number;
  /** Leaf hashes of the image in order, 32 bytes each, joined; the root is made from them. */
  readonly leafHashes: Uint8Array;
  /** A row for each segment, in order. */
  readonly segments: readonly SegmentRow[];
}

/** One segment as the head tells of it. */
export interface SegmentRow {
  /** One of `OPERATION`. */
  readonly operation: number;
  readonly payloadBytes: number;
  /** SHA-256 of the payload, 32 bytes; that of nothing for ZERO. */
  readonly payloadSha256: Uint8Array;
}

/**
 * Writes a head.
 *
 * @param parts What it says.
 * @param hash SHA-256.
 * @returns All bytes before the first payload.
 */
export function serializeContainerHead(
  parts: ContainerHeadParts,
  hash: HashParts,
): Uint8Array<ArrayBuffer> {
  const { base, leafHashes, imageBytes } = parts;
  const [leafLog, segmentLog] = [Math.log2(parts.leafBytes), Math.log2(parts.segmentBytes)];
  invariant(
    Number.isInteger(leafLog) && leafLog >= MIN_LEAF_LOG && leafLog <= MAX_LEAF_LOG &&
      Number.isInteger(segmentLog) && segmentLog >= leafLog && segmentLog <= MAX_SEGMENT_LOG,
    `a container of leaves of ${parts.leafBytes} and segments of ${parts.segmentBytes} bytes`,
  );
  invariant(
    leafHashes.length === Math.ceil(imageBytes / parts.leafBytes) * HASH_BYTES,
    `${leafHashes.length} bytes of leaf hashes for an image of ${imageBytes}`,
  );
  const rows = serializeRows(parts.segments);
  const sections = [[SECTION.segments, rows], [SECTION.leaves, leafHashes]] as const;
  const end = tableEnd(sections.length);
  const head = new Uint8Array(end + rows.length + leafHashes.length);
  checkSegmentTable(new SegmentTable(rows, head.length), { ...parts, hasBase: base !== null });
  const view = new DataView(head.buffer);
  head.set(CONTAINER_MAGIC, 0);
  head.set([CONTAINER_VERSION, base ? HAS_BASE : 0, leafLog, segmentLog], 8);
  view.setUint32(12, sections.length, true);
  view.setBigUint64(16, BigInt(imageBytes), true);
  view.setBigUint64(24, BigInt(base?.bytes ?? 0), true);
  head.set(fromHex(parts.imageSha256), 32);
  head.set(rootOfLeaves(leafHashes, hash), 64);
  if (base) {
    head.set(fromHex(base.sha256), 96);
    head.set(base.root, 128);
  }
  let [row, at] = [FIXED_BYTES, end];
  for (const [type, bytes] of sections) {
    head.set([type, CRITICAL], row);
    view.setBigUint64(row + 8, BigInt(bytes.length), true);
    head.set(hash(bytes), row + 16);
    head.set(bytes, at);
    [row, at] = [row + SECTION_ROW_BYTES, at + bytes.length];
  }
  head.set(hash(head.subarray(0, end - HASH_BYTES)), end - HASH_BYTES);
  return head;
}

function serializeRows(segments: readonly SegmentRow[]): Uint8Array {
  const rows = new Uint8Array(segments.length * SEGMENT_ROW_BYTES);
  const view = new DataView(rows.buffer);
  for (const [i, { operation, payloadBytes, payloadSha256 }] of segments.entries()) {
    const at = i * SEGMENT_ROW_BYTES;
    rows[at] = operation;
    view.setUint32(at + 4, payloadBytes, true);
    rows.set(payloadSha256, at + 8);
  }
  return rows;
}
