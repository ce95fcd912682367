/**
 * What travels between the gateway and an ECU, and the wire it travels on. A wire may lose, delay,
 * repeat and reorder frames, and never changes one: whoever carries them over a real bus has its
 * checksums. Bytes travel by reference, so a frame costs no copy within one process.
 *
 * @module
 */
import type { FailureName } from "shared/failure.ts";
import type { EcuImage, EcuInventory } from "./ecu_port.ts";

/** What an ECU can be asked for. */
export type BusRequest =
  /** Answered at any time, whatever else is being done; everything else is done in order. */
  | { readonly kind: "inventory" }
  /** Begins a session: what was asked before it no longer counts. */
  | { readonly kind: "open" }
  | { readonly kind: "begin"; readonly image: EcuImage; readonly keepBytes?: number }
  | { readonly kind: "write"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "verify"; readonly image: EcuImage }
  | { readonly kind: "arm"; readonly image: EcuImage; readonly bundle?: string }
  | { readonly kind: "restart" }
  | { readonly kind: "confirm"; readonly image: EcuImage }
  | { readonly kind: "revert"; readonly image: EcuImage; readonly verdict: FailureName | null };

/** The kind of a request. */
export type BusKind = BusRequest["kind"];

/** What a request is answered with, when it was done. */
export type BusValue = EcuInventory | number | null;

/** A request on its way. */
export interface RequestFrame {
  readonly serial: string;
  /** Rises with every request of one gateway process; a repeated frame keeps it. */
  readonly id: number;
  /** As the answer to `open` gave it; 0 where none is needed. */
  readonly session: number;
  readonly request: BusRequest;
}

/** What an ECU says to a request. */
export type BusAnswer =
  | { readonly kind: "done"; readonly value: BusValue }
  /** It is being done (ISO 14229-1: 0x78, response pending). */
  | { readonly kind: "working" }
  /** The session is not known: the ECU started anew, or another one was opened. */
  | { readonly kind: "closed" }
  | {
    readonly kind: "refused";
    /** A name of the catalogue, unless the ECU has a newer one. */
    readonly failure: string;
    readonly subject: string;
    readonly message: string;
  };

/** An answer on its way. */
export interface AnswerFrame {
  readonly serial: string;
  readonly id: number;
  readonly answer: BusAnswer;
}

/** The bus to one ECU, as the gateway's end holds it. */
export interface Wire {
  /** Sends a request; it may never arrive. */
  send(frame: RequestFrame): void;
  /**
   * Says where answers go.
   *
   * @param take Takes an answer. May be called within send().
   * @param broken Takes a bug of the ECU's own code, where it shares the process: it ends it.
   */
  listen(take: (frame: AnswerFrame) => void, broken: (error: unknown) => void): void;
}
