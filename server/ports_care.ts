/**
 * What the records keep of the care for vehicles: failed trials, and who has open rot.
 *
 * @module
 */
import type { TrialLog } from "shared/protocol/messages.ts";

/** The records of trials and rot. */
export interface CareRecords {
  /** The last failed trial of an ECU takes the place of the one before. */
  putTrial(vin: string, log: TrialLog): Promise<void>;
  /** The last failed trial of each ECU of a vehicle, newest first. */
  trials(vin: string): Promise<TrialLog[]>;
  /** Vehicles whose last manifest tells of rot that is not healed, most of it first. */
  rotten(): Promise<RottenVehicle[]>;
}

/** A vehicle with rot that is not healed. */
export interface RottenVehicle {
  readonly vin: string;
  /** Places that are not healed. */
  readonly open: number;
}
