/**
 * Applies a container as it arrives: chunks of any size go in, proved segments come out, in
 * order. Memory is bounded by the head and a few segments, whatever the image's length.
 *
 * @module
 */
import { invariant } from "../assert.ts";
import { equalBytes, toHex } from "../bytes.ts";
import { UpdateFailure } from "../failure.ts";
import { SPARE_PAYLOAD_BYTES } from "../limits.ts";
import {
  CONTAINER_PREFIX_BYTES,
  type ContainerHead,
  containerHeadBytes,
  containerTableBytes,
  parseContainerHead,
} from "./container.ts";
import { damaged } from "./container_format.ts";
import type { RandomRead } from "./random_read.ts";
import { applySegment, SegmentScratch, type SegmentTools } from "./segment.ts";

/** What the caller knows of the image from elsewhere: the signed release. */
export interface TrustedImage {
  /** RFC 6962 root over leaves as long as the container's. */
  readonly root: Uint8Array;
  readonly imageBytes: number;
  /** Lower-case hex; compared with what the head says, if given. */
  readonly imageSha256?: string;
  /** Bytes of a segment, if the caller counts in segments: its checkpoint means nothing otherwise. */
  readonly segmentBytes?: number;
}

/** What a {@linkcode ContainerApplier} is made with. */
export interface ApplierOptions {
  /** The head, if it is known already: then no byte of it is pushed. */
  readonly head?: ContainerHead;
  readonly trusted: TrustedImage;
  /** The image it starts from, its digest checked by the caller; `null` if there is none. */
  readonly base: RandomRead | null;
  /** Decoders and SHA-256; memory is made here if it is absent. */
  readonly tools: Omit<SegmentTools, "out"> & { readonly out?: Uint8Array };
  /** The first segment that is wanted; those before it are there already. */
  readonly startSegment?: number;
}

/** A segment whose every leaf was proved. */
export interface ProvedSegment {
  readonly index: number;
  /** Where it lies in the image. */
  readonly imageOffset: number;
  /** Valid until the next segment is asked for. */
  readonly bytes: Uint8Array;
  /** How it was made: after ZERO a file may be left sparse. */
  readonly operation: number;
}

/** Length of the fields that tell how many sections there are. */
const COUNT_END = 16;
const NOTHING = new Uint8Array(0);

/**
 * Compares a head with what the caller trusts. To be done before the first byte is written.
 *
 * @param head The head, checked in itself.
 * @param trusted What the signed release says.
 * @throws {UpdateFailure} `deltaResultDiffers` if it makes another image, `containerDamaged` if
 * its segments have another length than the caller counts in.
 */
export function checkTrusted(head: ContainerHead, trusted: TrustedImage): void {
  const other = head.imageBytes !== trusted.imageBytes
    ? `${head.imageBytes} bytes, not ${trusted.imageBytes}`
    : !equalBytes(head.imageRoot, trusted.root)
    ? `root ${toHex(head.imageRoot)}, not ${toHex(trusted.root)}`
    : trusted.imageSha256 !== undefined && head.imageSha256 !== trusted.imageSha256
    ? `SHA-256 ${head.imageSha256}, not ${trusted.imageSha256}`
    : undefined;
  if (trusted.segmentBytes !== undefined && head.segmentBytes !== trusted.segmentBytes) {
    throw damaged(`its segments have ${head.segmentBytes} bytes, not ${trusted.segmentBytes}`);
  }
  if (other === undefined) return;
  throw new UpdateFailure(
    "deltaResultDiffers",
    "container",
    `Cannot apply container: it makes an image of ${other}`,
  );
}

/**
 * Takes the file in order and gives proved segments.
 *
 * Without a head the first chunk begins at offset 0 of the file. With one it begins at the
 * payload of `startSegment`. Segments without a payload come with the one before them, so that
 * after the last byte all are out; an empty chunk brings those that need no byte at all.
 */
export class ContainerApplier {
  readonly #options: ApplierOptions;
  #head: ContainerHead | null = null;
  #tools: SegmentTools | null = null;
  /** The segment whose payload comes next. */
  #next: number;
  /** Bytes before that payload that are passed over. */
  #skipBytes = 0;
  /** The part of the head, then of a payload, that came with earlier chunks. */
  #held: Uint8Array = NOTHING;
  #heldBytes = 0;
  #working = false;

  /**
   * @param options The head if it is known, what is trusted, the base, tools.
   * @throws {UpdateFailure} As {@linkcode checkTrusted}, if the head is given.
   */
  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#next = options.startSegment ?? 0;
    if (options.head) this.#begin(options.head);
  }

  /** The head, once it is known and found to be that of the trusted image. */
  get head(): ContainerHead | null {
    return this.#head;
  }

  /** The segment that comes next: what a checkpoint remembers. */
  get nextSegment(): number {
    return this.#next;
  }

  /** Whether all segments are out. */
  get done(): boolean {
    return this.#head !== null && this.#next >= this.#head.segments.count;
  }

  /**
   * Takes the next bytes. What it gives must be iterated to its end before the next push; after
   * a failure nothing more can be pushed.
   *
   * @param chunk Any number of bytes; used only until the iteration ends.
   * @returns The segments that are whole with it.
   * @throws {UpdateFailure} As `containerHeadBytes`, `parseContainerHead`, {@linkcode checkTrusted}
   * and `applySegment`; `containerDamaged` if bytes follow the last payload.
   */
  *push(chunk: Uint8Array): Generator<ProvedSegment, void> {
    invariant(!this.#working, "a push while another is not done, or after a failure");
    this.#working = true;
    let at = 0;
    while (this.#head === null) {
      const taken = this.#takeHead(chunk.subarray(at));
      at += taken;
      if (this.#head === null && at === chunk.length) {
        this.#working = false;
        return;
      }
    }
    const { segments, segmentBytes } = this.#head;
    for (;;) {
      const skipped = Math.min(this.#skipBytes, chunk.length - at);
      this.#skipBytes -= skipped;
      at += skipped;
      if (this.#next >= segments.count || this.#skipBytes > 0) break;
      const payloadBytes = segments.payloadBytes(this.#next);
      const wanted = payloadBytes - this.#heldBytes;
      const part = chunk.subarray(at, at + wanted);
      at += part.length;
      if (part.length < wanted) {
        this.#hold(part, segmentBytes + SPARE_PAYLOAD_BYTES);
        break;
      }
      yield this.#apply(part, payloadBytes);
    }
    if (at < chunk.length) throw damaged("bytes after its last payload");
    this.#working = false;
  }

  /**
   * Says that the file has ended.
   *
   * @throws {UpdateFailure} `containerDamaged` if segments are missing.
   */
  end(): void {
    invariant(!this.#working, "the end of a push that is not done, or after a failure");
    if (this.#head === null) throw damaged("its head is cut off");
    if (!this.done || this.#skipBytes > 0) throw damaged(`it ends before segment ${this.#next}`);
  }

  /** Makes the next segment from what is held and the last part of its payload. */
  #apply(part: Uint8Array, payloadBytes: number): ProvedSegment {
    const [head, index] = [this.#head!, this.#next];
    let payload = part;
    if (this.#heldBytes > 0) {
      this.#hold(part, payloadBytes);
      payload = this.#held.subarray(0, payloadBytes);
    }
    const bytes = applySegment(head, index, payload, this.#options.base, this.#tools!);
    this.#heldBytes = 0;
    this.#next++;
    return {
      index,
      imageOffset: index * head.segmentBytes,
      bytes,
      operation: head.segments.operation(index),
    };
  }

  /** Keeps bytes for later, in memory of at most `roomBytes`. */
  #hold(part: Uint8Array, roomBytes: number): void {
    if (part.length === 0) return;
    if (this.#held.length < this.#heldBytes + part.length) {
      const grown = new Uint8Array(roomBytes);
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(part, this.#heldBytes);
    this.#heldBytes += part.length;
  }

  /** Takes bytes of the head, a step of it at a time; returns how many. */
  #takeHead(chunk: Uint8Array): number {
    const wanted = headStep(this.#held.subarray(0, this.#heldBytes));
    const part = chunk.subarray(0, wanted - this.#heldBytes);
    this.#hold(part, Math.max(wanted, CONTAINER_PREFIX_BYTES));
    if (this.#heldBytes < wanted) return part.length;
    const held = this.#held.subarray(0, this.#heldBytes);
    if (headStep(held) > wanted) return part.length;
    const { hash } = this.#options.tools;
    // Whether the image fits is the caller's to say of the trusted length: a carrier that lies
    // about it is a bad carrier, and no reason to give up the release.
    this.#begin(parseContainerHead(held, { hash, maxImageBytes: Number.MAX_SAFE_INTEGER }));
    const { segments, headBytes } = this.#head!;
    this.#skipBytes = segments.payloadOffset(this.#next) - headBytes;
    [this.#held, this.#heldBytes] = [NOTHING, 0]; // The head keeps that memory for itself.
    return part.length;
  }

  #begin(head: ContainerHead): void {
    const { trusted, tools } = this.#options;
    checkTrusted(head, trusted);
    if (this.#next > head.segments.count) throw damaged(`it has no segment ${this.#next}`);
    this.#head = head;
    const out = tools.out ?? new Uint8Array(Math.min(head.segmentBytes, head.imageBytes));
    this.#tools = {
      ...tools,
      out,
      scratch: tools.scratch ?? new SegmentScratch(head.segmentBytes),
    };
  }
}

/** How many bytes the reader of a head must have for its next step. */
function headStep(held: Uint8Array): number {
  if (held.length < COUNT_END) return COUNT_END;
  const table = containerTableBytes(held);
  return held.length < table ? table : containerHeadBytes(held);
}
