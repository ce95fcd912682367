/**
 * The bus of ECUs that share the gateway's process: nothing is lost or delayed, and what takes no
 * time is answered within the call. The same two ends as over any other wire.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import { BusClient } from "./bus_client.ts";
import type { AnswerFrame, Wire } from "./bus_messages.ts";
import { BusServer } from "./bus_server.ts";
import type { EcuPort, EcuService } from "./ecu_port.ts";

/**
 * A wire without length.
 *
 * @param ecu The ECU at its end.
 * @param clock For the signs of work under way.
 * @returns The gateway's end.
 */
export function localWire(ecu: EcuService, clock: Clock): Wire {
  let [take, broken] = [(_: AnswerFrame) => {}, (error: unknown): void => {
    throw error;
  }];
  const server = new BusServer({
    ecu,
    clock,
    answer: (id, answer) => take({ serial: ecu.serial, id, answer }),
    broken: (error) => broken(error),
  });
  return {
    send: (frame) => server.receive(frame),
    listen: (onAnswer, onBroken) => [take, broken] = [onAnswer, onBroken],
  };
}

/**
 * Puts ECUs on a bus.
 *
 * @param ecus The ECUs.
 * @param clock For silence.
 * @param wire Makes the wire to each; without length by default.
 * @returns The same ECUs, as the gateway reaches them.
 */
export function joinBus(
  ecus: readonly EcuService[],
  clock: Clock,
  wire: (ecu: EcuService, clock: Clock) => Wire = localWire,
): EcuPort[] {
  return ecus.map((ecu) =>
    new BusClient({ profile: ecu.profile, wire: wire(ecu, clock), clock, files: ecu })
  );
}
