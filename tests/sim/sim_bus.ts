/**
 * A bus that loses, delays, repeats and reorders frames as a test says, and ECUs on it that refuse,
 * never come to an end, or start anew behind the gateway's back.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import type { AnswerFrame, BusKind, RequestFrame, Wire } from "vehicle/bus/bus_messages.ts";
import { BusServer } from "vehicle/bus/bus_server.ts";
import type { EcuService } from "vehicle/bus/ecu_port.ts";

/** A frame, as the rule of a test sees it. */
export interface Passing {
  readonly serial: string;
  readonly kind: BusKind;
  readonly way: "request" | "answer";
  /** Milliseconds since the world began. */
  readonly atMs: number;
}

/** What becomes of a frame: when each of its copies arrives, in milliseconds; none: it is lost. */
export type Fate = readonly number[];

/** Arrives at once. */
export const UNHURT: Fate = [0];

/** A bus for one simulated vehicle, over all its power-ons. */
export class SimBus {
  /** Decides about every frame. */
  rule: (frame: Passing) => Fate = () => UNHURT;
  /** What an ECU answers instead of doing it: the name of a failure, or `busy` for ever. */
  refuses: (frame: Passing) => string | undefined = () => undefined;
  /** Requests that reached an ECU, in order. */
  readonly reached: { readonly serial: string; readonly kind: BusKind }[] = [];
  /** Frames that were lost, delayed or repeated. */
  hurt = 0;
  readonly #resets = new Map<string, () => void>();

  /** The bus's end of an ECU forgets everything: its session, and what it did last. */
  reset(serial: string): void {
    this.#resets.get(serial)!();
  }

  /** To be given to the vehicle. */
  readonly wire = (ecu: EcuService, clock: Clock): Wire => {
    const { serial } = ecu;
    const kinds = new Map<number, BusKind>();
    let [take, broken] = [(_: AnswerFrame) => {}, (_: unknown) => {}];
    const pass = (id: number, way: Passing["way"], arrive: () => void) => {
      const kind = kinds.get(id)!;
      const fate = this.rule({ serial, kind, way, atMs: clock.now() });
      if (fate !== UNHURT) this.hurt++;
      for (const ms of fate) {
        if (ms === 0) arrive();
        else void clock.sleep(ms).then(arrive);
      }
    };
    const answer = (id: number, said: AnswerFrame["answer"]) =>
      pass(id, "answer", () => take({ serial, id, answer: said }));
    const parts = { ecu, clock, answer, broken: (error: unknown) => broken(error) };
    let server = new BusServer(parts);
    this.#resets.set(serial, () => server = new BusServer(parts));
    return {
      send: (frame: RequestFrame) => {
        const { id, request: { kind } } = frame;
        kinds.set(id, kind);
        pass(id, "request", () => {
          const said = this.refuses({ serial, kind, way: "request", atMs: clock.now() });
          if (said === "busy") return answer(id, { kind: "working" });
          if (said !== undefined) {
            const message = `Cannot ${kind}: simulated ${said}`;
            return answer(id, { kind: "refused", failure: said, subject: serial, message });
          }
          this.reached.push({ serial, kind });
          server.receive(frame);
        });
      },
      listen: (onAnswer, onBroken) => [take, broken] = [onAnswer, onBroken],
    };
  };
}
