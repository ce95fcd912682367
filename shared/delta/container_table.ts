/**
 * The segment table of a container: how each segment is made, and where its payload lies.
 *
 * @module
 */
import { invariant } from "../assert.ts";
import { SPARE_PAYLOAD_BYTES } from "../limits.ts";
import {
  COPY_PAYLOAD_BYTES,
  damaged,
  HASH_BYTES,
  OPERATION,
  SEGMENT_ROW_BYTES,
  tooNew,
} from "./container_format.ts";

/** The rows of the table, read where they lie. */
export class SegmentTable {
  /** How many segments the image has. */
  readonly count: number;
  readonly #rows: Uint8Array;
  readonly #view: DataView;
  /** Where each payload begins, and after the last one where the file ends. */
  readonly #offsets: Float64Array;

  /**
   * @param rows The bytes of the section, whole rows; kept, not copied.
   * @param headBytes Where the first payload begins.
   */
  constructor(rows: Uint8Array, headBytes: number) {
    this.#rows = rows;
    this.#view = new DataView(rows.buffer, rows.byteOffset, rows.length);
    this.count = rows.length / SEGMENT_ROW_BYTES;
    this.#offsets = new Float64Array(this.count + 1);
    this.#offsets[0] = headBytes;
    for (let i = 0; i < this.count; i++) {
      this.#offsets[i + 1] = this.#offsets[i]! + this.payloadBytes(i);
    }
  }

  /** The length of the whole file. */
  get endOffset(): number {
    return this.#offsets[this.count]!;
  }

  /** How a segment is made: one of `OPERATION`. */
  operation(index: number): number {
    return this.#rows[this.#at(index)]!;
  }

  /** Where a payload begins in the file; for `count`, where the file ends. */
  payloadOffset(index: number): number {
    invariant(index >= 0 && index <= this.count, `segment ${index} of ${this.count}`);
    return this.#offsets[index]!;
  }

  /** Length of a payload. */
  payloadBytes(index: number): number {
    return this.#view.getUint32(this.#at(index) + 4, true);
  }

  /** SHA-256 of a payload: a view of 32 bytes. */
  payloadSha256(index: number): Uint8Array {
    const at = this.#at(index) + 8;
    return this.#rows.subarray(at, at + HASH_BYTES);
  }

  /** Whether the bytes of a row that mean nothing yet are zero. */
  reservedIsZero(index: number): boolean {
    const at = this.#at(index);
    return (this.#rows[at + 1]! | this.#rows[at + 2]! | this.#rows[at + 3]!) === 0;
  }

  #at(index: number): number {
    invariant(index >= 0 && index < this.count, `segment ${index} of ${this.count}`);
    return index * SEGMENT_ROW_BYTES;
  }
}

/**
 * Checks every row.
 *
 * @param table The table.
 * @param image The image's length and segments, in bytes, and whether it starts from a base.
 * @throws {UpdateFailure} `containerDamaged` if a row contradicts the rest, `containerTooNew` if
 * its operation is not known.
 */
export function checkSegmentTable(
  table: SegmentTable,
  image: { readonly imageBytes: number; readonly segmentBytes: number; readonly hasBase: boolean },
): void {
  const { imageBytes, segmentBytes, hasBase } = image;
  if (table.count !== Math.ceil(imageBytes / segmentBytes)) {
    throw damaged(`${table.count} segments do not make its image of ${imageBytes} bytes`);
  }
  for (let i = 0; i < table.count; i++) {
    if (!table.reservedIsZero(i)) throw damaged(`segment ${i} has flags`);
    const outputBytes = Math.min(segmentBytes, imageBytes - i * segmentBytes);
    checkPayload(table, i, { outputBytes, segmentBytes, hasBase });
  }
  if (!Number.isSafeInteger(table.endOffset)) throw damaged("a length beyond 2^53");
}

function checkPayload(
  table: SegmentTable,
  index: number,
  image: {
    readonly outputBytes: number;
    readonly segmentBytes: number;
    readonly hasBase: boolean;
  },
): void {
  const bytes = table.payloadBytes(index);
  const operation = table.operation(index);
  const fits = (holds: boolean) => {
    if (!holds) throw damaged(`the payload of segment ${index} has ${bytes} bytes`);
  };
  fits(bytes <= image.segmentBytes + SPARE_PAYLOAD_BYTES);
  switch (operation) {
    case OPERATION.zero:
      fits(bytes === 0);
      break;
    case OPERATION.copy:
      fits(bytes === COPY_PAYLOAD_BYTES);
      break;
    case OPERATION.raw:
      fits(bytes === image.outputBytes);
      break;
    case OPERATION.zstd:
    case OPERATION.brotli:
    case OPERATION.add:
      fits(bytes > 0);
      break;
    default:
      throw tooNew(`segment ${index} is made by operation ${operation}, which is not known`);
  }
  if ((operation === OPERATION.copy || operation === OPERATION.add) && !image.hasBase) {
    throw damaged(`segment ${index} needs a base, and there is none`);
  }
}
