/**
 * What the vehicle's pure code asks of the outside. Adapters implement these
 * over files and sockets; `tests/sim` implements them in memory.
 *
 * @module
 */
import type { FailureName } from "shared/failure.ts";
import type { BootMessage, EcuProfile, ImageMessage } from "shared/protocol/ecu.ts";
import type { Conn, VehicleEvent, VehicleReport } from "shared/protocol/messages.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { HmiCommand, HmiSnapshot } from "shared/protocol/hmi.ts";

/** Sectors behind a volatile write cache. Nothing is durable, or ordered, before sync() returns. */
export interface Disk {
  /** Bytes of one sector: 512. */
  readonly sectorBytes: number;
  /** How many there are. */
  readonly sectors: number;
  /** Reads whole sectors. Sees cached writes. */
  read(sector: number, count: number): Uint8Array;
  /** Reads whole sectors into an array of the caller's: for loops that must not allocate. */
  readInto(sector: number, target: Uint8Array): void;
  /** Writes whole sectors, into the cache. */
  write(sector: number, data: Uint8Array): void;
  /** Every earlier write is durable when this returns; a cut inside it counts as before it. */
  sync(): void;
}

/** A streaming SHA-256. */
export interface Digest {
  update(bytes: Uint8Array): void;
  /** Lower-case hex. Ends the digest. */
  hex(): string;
}

/** Why a running image ended, or could not start. */
export type ImageEnd =
  | { readonly kind: "crash"; readonly detail: string }
  | { readonly kind: "syntax"; readonly detail: string }
  | { readonly kind: "import"; readonly detail: string }
  | { readonly kind: "memory"; readonly detail: string }
  /** It ended itself without an error; for an ECU that is a crash as well. */
  | { readonly kind: "exit"; readonly detail: string }
  /** It never ran: the vehicle could not load or start it. */
  | { readonly kind: "unloaded"; readonly failure: FailureName; readonly detail: string };

/** What the ECU hears from its image. Callbacks only enqueue. */
export interface ImageListener {
  message(message: ImageMessage): void;
  ended(end: ImageEnd): void;
}

/** A started image. */
export interface RunningImage {
  /** It is on its way into memory, however slow that is: no sign of life can be expected yet. */
  readonly loading?: boolean;
  /** Ends it at once, by SIGKILL if need be; resolves when it is gone. No callback follows. */
  kill(): Promise<void>;
}

/** An image that the loader has read and proved: its bytes are handed out in order, once. */
export interface ProvedImage {
  readonly lengthBytes: number;
  readonly sha256: string;
  /** The slot's place, for runners that use it there: a file or device and the length in it. */
  readonly slotPath: string;
  /** Reads `[offset, offset + length)` of the image, clipped at its end. */
  read(offset: number, length: number): Uint8Array;
}

/** Starts images: what "boot" means for an ECU. */
export interface Runner {
  /**
   * Starts an image; never throws because of what the image is or does.
   *
   * @param image The image, proved just now.
   * @param boot What it is told.
   * @param listener Where its messages go.
   */
  start(image: ProvedImage, boot: BootMessage, listener: ImageListener): RunningImage;
}

/** Makes the runner of an ECU. */
export type RunnerFactory = (profile: EcuProfile) => Runner;

/** What is asked for. */
export interface ByteRange {
  /** The first byte. */
  readonly offset: number;
  /** After the last byte; without it, to the end of the file. */
  readonly endBytes?: number;
}

/** An answer to a ranged request. A server may send more than was asked for: the whole file. */
export interface RangeAnswer {
  /** Where the first byte belongs in the whole file; `NaN` if the answer does not tell. */
  readonly offset: number;
  /** The length of the whole file, as the server says it; `NaN` if it does not. */
  readonly totalBytes: number;
  /** The bytes, as they come. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** The server, over HTTP. Methods throw UpdateFailure of stage `download` or `metadata`. */
export interface Backend {
  /** The assignment, already checked against its schema. */
  targets(signal: AbortSignal): Promise<DirectorTargets>;
  /** Bytes of a carrier from an offset on, to an end or to its own (Range, If-Range). */
  carrier(carrierSha256: string, range: ByteRange, signal: AbortSignal): Promise<RangeAnswer>;
  /** The hashes of all leaves of an image, 32 bytes each, as they came. */
  leafHashes(
    image: { readonly root: string; readonly count: number },
    signal: AbortSignal,
  ): Promise<Uint8Array>;
  /** One leaf of an image with its proof, as it came (`shared/protocol/chunk.ts`). */
  leaf(root: string, index: number, signal: AbortSignal): Promise<Uint8Array>;
  /** Delivers the version report. */
  manifest(report: VehicleReport, signal: AbortSignal): Promise<void>;
}

/** The broker. Publishing is best effort: what must arrive goes by {@linkcode Backend.manifest}. */
export interface Link {
  readonly connected: boolean;
  status(report: VehicleReport): void;
  event(event: VehicleEvent): void;
  conn(word: Conn): void;
}

/** What the gateway shows and hears at the head unit. */
export interface HmiPort {
  /** Something changed. The screen draws when it is ready to, the newest state only. */
  show(draw: () => HmiSnapshot): void;
  /** The next command, in order of arrival. */
  onCommand(take: (command: HmiCommand) => void): void;
}
