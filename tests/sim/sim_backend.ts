/**
 * The server in memory: targets, carriers and manifests, and a line that can be cut,
 * stall, lie about lengths or bring other bytes.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import { MAX_DIRECTOR_BYTES } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";
import { DirectorTargets } from "shared/protocol/director.ts";
import { VehicleReport } from "shared/protocol/messages.ts";
import type { Backend, ByteRange, RangeAnswer } from "vehicle/ports.ts";

import { SimLeaves } from "./sim_leaves.ts";

/** What goes wrong with one request for a carrier. */
export type Fault =
  | { readonly kind: "cut"; readonly afterBytes: number } // The line breaks.
  | { readonly kind: "ends"; readonly afterBytes: number } // The body ends without an error.
  | { readonly kind: "stall"; readonly afterBytes: number } // Nothing more comes.
  | { readonly kind: "silent" } // The request is never answered.
  | { readonly kind: "claims"; readonly extraBytes: number } // Another length of the file.
  | { readonly kind: "floods"; readonly extraBytes: number } // The true length, more bytes.
  | { readonly kind: "wrong"; readonly at: number } // One byte of the file differs.
  | { readonly kind: "turns"; readonly into: Uint8Array } // Another file under that name.
  | { readonly kind: "ignoresRange" } // Answers from the first byte on.
  | { readonly kind: "refuses"; readonly failure: FailureName };

/** Bytes of one piece of a body. */
const PIECE_BYTES = 16 * 1024;
/** How long a request takes to be answered, and a piece to come. */
const TURN_MS = 2;

/** The server of a simulated world. It outlives every power-on of the vehicle. */
export class SimBackend {
  /** What it answers, as it lies on the wire: not yet checked. */
  offer: unknown = undefined;
  /** Nothing is answered. */
  down = false;
  readonly carriers = new Map<string, Uint8Array>();
  /** Each taken by one request for that carrier, in order. */
  readonly faults = new Map<string, Fault[]>();
  /** Every request for a carrier, with the time it came and the bytes that went out. */
  readonly requests: {
    readonly sha256: string;
    readonly offset: number;
    readonly endBytes: number | undefined;
    readonly atMs: number;
    sentBytes: number;
  }[] = [];
  readonly manifests: VehicleReport[] = [];
  /** The images it gives leaves of. */
  readonly leaves = new SimLeaves();
  /** How often the assignment was asked for, answered or not. */
  looks = 0;

  /** The newest manifest's line of an ECU. */
  reported(serial: string): VehicleReport["ecus"][number] | undefined {
    return this.manifests.at(-1)?.ecus.find((ecu) => ecu.serial === serial);
  }

  /** The next requests for a carrier go wrong. */
  fault(sha256: string, ...faults: Fault[]): void {
    this.faults.set(sha256, [...this.faults.get(sha256) ?? [], ...faults]);
  }

  /** Its port for one power-on of the vehicle. */
  port(clock: Clock): Backend {
    return {
      targets: async (signal) => {
        this.looks++;
        await this.#turn(clock, signal);
        if (this.offer === undefined) throw new UpdateFailure("serverUnreachable", "targets", NONE);
        const text = JSON.stringify(this.offer);
        const options = { what: "targets", maxBytes: MAX_DIRECTOR_BYTES } as const;
        return parseJsonAs(DirectorTargets, text, { ...options, failure: "metadataInvalid" });
      },
      carrier: (sha256, range, signal) => this.#carrier(clock, { sha256, range, signal }),
      ...this.leaves.port((signal) => this.#turn(clock, signal)),
      manifest: async (report, signal) => {
        await this.#turn(clock, signal);
        const read = VehicleReport.parse(JSON.parse(JSON.stringify(report)));
        const known = this.manifests.at(-1)?.seq ?? 0;
        if (read.seq <= known) {
          const message = `Cannot take report: its seq is ${read.seq}, and ${known} is known`;
          throw new UpdateFailure("wrongState", "seq", message);
        }
        this.manifests.push(read);
      },
    };
  }

  async #turn(clock: Clock, signal: AbortSignal): Promise<void> {
    await clock.sleep(TURN_MS, signal);
    if (this.down) throw new UpdateFailure("serverUnreachable", "server", "Cannot ask: no answer");
  }

  async #carrier(
    clock: Clock,
    { sha256, range, signal }: {
      readonly sha256: string;
      readonly range: ByteRange;
      readonly signal: AbortSignal;
    },
  ): Promise<RangeAnswer> {
    const { offset, endBytes } = range;
    const request = { sha256, offset, endBytes, atMs: clock.now(), sentBytes: 0 };
    this.requests.push(request);
    await this.#turn(clock, signal);
    const fault = this.faults.get(sha256)?.shift();
    if (fault?.kind === "silent") await clock.sleep(Infinity, signal);
    if (fault?.kind === "refuses") {
      throw new UpdateFailure(fault.failure, sha256, `Cannot fetch carrier: ${fault.failure}`);
    }
    const file = fault?.kind === "turns" ? fault.into : this.carriers.get(sha256);
    if (file === undefined) {
      throw new UpdateFailure("carrierMissing", sha256, "Cannot fetch carrier: answered 404");
    }
    const from = fault?.kind === "ignoresRange" ? 0 : offset;
    const bytes = new Uint8Array(file.length + (fault?.kind === "floods" ? fault.extraBytes : 0));
    bytes.set(file);
    if (fault?.kind === "wrong") bytes[fault.at]! ^= 0xFF;
    const end = fault?.kind === "ignoresRange" ? undefined : endBytes;
    return {
      offset: from,
      totalBytes: file.length + (fault?.kind === "claims" ? fault.extraBytes : 0),
      body: this.#body(clock, { request, bytes: bytes.subarray(from, end), fault, signal }),
    };
  }

  async *#body(
    clock: Clock,
    { request, bytes, fault, signal }: {
      readonly request: SimBackend["requests"][number];
      readonly bytes: Uint8Array;
      readonly fault: Fault | undefined;
      readonly signal: AbortSignal;
    },
  ): AsyncGenerator<Uint8Array> {
    const stops = fault !== undefined && "afterBytes" in fault ? fault.afterBytes : Infinity;
    const end = Math.min(bytes.length, stops);
    for (let at = 0; at < end; at += PIECE_BYTES) {
      await clock.sleep(TURN_MS, signal);
      if (this.down) throw interrupted(request.sha256);
      const piece = bytes.slice(at, Math.min(at + PIECE_BYTES, end));
      request.sentBytes += piece.length;
      yield piece;
    }
    if (fault?.kind === "stall") await clock.sleep(Infinity, signal);
    if (fault?.kind === "cut") throw interrupted(request.sha256);
  }
}

const NONE = "Cannot ask: no answer is prepared";

function interrupted(sha256: string): UpdateFailure {
  const message = "Cannot go on with the download: simulated cut";
  return new UpdateFailure("downloadInterrupted", sha256, message);
}
