/**
 * The vehicle's profile, and what passes between a boot loader and its image.
 *
 * @module
 */
import { z } from "zod";
import { MAX_ECUS, MAX_IMAGE_BYTES } from "../limits.ts";
import { EcuSerial, HardwareId, Slot, V1, Version } from "./common.ts";

/** One ECU of a profile. */
export const EcuProfile = z.strictObject({
  serial: EcuSerial,
  hardware: HardwareId,
  runner: z.enum(["worker", "opaque", "process"]),
  slotBytes: z.number().int().min(512).max(MAX_IMAGE_BYTES),
  /** Lower restarts earlier; the head unit is last, since it shows the others finish. */
  restartRank: z.number().int().min(0).max(1000),
  /** For `opaque`: a command that exits 0 when the image is good; a string goes to `/bin/sh -c`. */
  selfTest: z.union([z.string().min(1), z.array(z.string()).min(1)]).optional(),
  /** How long a trial must stay healthy. */
  trialSeconds: z.number().min(0).max(3600).optional(),
});
/** One ECU of a profile. */
export type EcuProfile = z.infer<typeof EcuProfile>;

/** The profile file of a vehicle. */
export const VehicleProfile = z.strictObject({
  v: V1,
  ecus: z.array(EcuProfile).min(1).max(MAX_ECUS).refine(
    (ecus) => new Set(ecus.map((ecu) => ecu.serial)).size === ecus.length,
    "every serial must be there once",
  ),
});
/** The profile file of a vehicle. */
export type VehicleProfile = z.infer<typeof VehicleProfile>;

/** What an image is told when it starts. */
export const BootMessage = z.object({
  type: z.literal("boot"),
  serial: EcuSerial,
  slot: Slot,
  version: Version,
});
/** What an image is told when it starts. */
export type BootMessage = z.infer<typeof BootMessage>;

/** What an image may say: a heartbeat every second, its self-test once, and things for the HMI. */
export const ImageMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("heartbeat") }),
  z.object({ type: z.literal("selfTest"), ok: z.boolean(), detail: z.string().max(2000) }),
  z.object({
    type: z.literal("display"),
    title: z.string().max(60).optional(),
    lines: z.array(z.string().max(120)).max(8).optional(),
    color: z.string().regex(/^#[0-9a-fA-F]{6}$/).optional(),
  }),
]);
/** What an image may say. */
export type ImageMessage = z.infer<typeof ImageMessage>;
