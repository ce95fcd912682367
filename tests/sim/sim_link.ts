/**
 * The broker in memory: what the vehicle said, checked against the wire contract.
 *
 * @module
 */
import { type Conn, VehicleEvent, VehicleReport } from "shared/protocol/messages.ts";
import type { Link } from "vehicle/ports.ts";

/** The broker of a simulated world. It outlives every power-on of the vehicle. */
export class SimLink implements Link {
  /** The broker answers. */
  connected = true;
  readonly events: VehicleEvent[] = [];
  readonly conns: Conn[] = [];
  /** The newest status, as the broker keeps it. */
  retained: VehicleReport | undefined;

  status(report: VehicleReport): void {
    this.retained = VehicleReport.parse(report);
  }

  event(event: VehicleEvent): void {
    this.events.push(VehicleEvent.parse(event));
  }

  conn(word: Conn): void {
    this.conns.push(word);
  }
}
