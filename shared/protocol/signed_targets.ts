/**
 * What the signed metadata says beyond TUF itself: the `custom` fields of system.md, "Signed
 * metadata". The frame around them (roles, signatures, expiry) is that of TUF 1.0.34.
 *
 * | repository | role | target path | `custom` of a target | `custom` of the signed part |
 * | --- | --- | --- | --- | --- |
 * | Image | `targets` | `{hardware}/{version}` | {@linkcode ImageCustom} | none |
 * | Image | `carriers` | `{carrierSha256}` | {@linkcode CarrierCustom} | none |
 * | Director | `targets` | `{hardware}/{version}` | {@linkcode DirectorCustom} | {@linkcode DirectorScope} |
 *
 * `length` and `hashes.sha256` of a target are those of the image (of the carrier in the role
 * `carriers`), and the Director repeats those of the Image repository.
 *
 * @module
 */
import { z } from "zod";
import { MAX_ECUS } from "../limits.ts";
import {
  CampaignId,
  CarrierFormat,
  Counter,
  EcuSerial,
  HardwareId,
  Instant,
  Merkle,
  Notes,
  PRECONDITIONS,
  ReleaseId,
  Sha256Hex,
  V1,
  Version,
  Vin,
} from "./common.ts";

/** The role that the Image repository's targets delegate to, for files that the server makes. */
export const CARRIERS_ROLE = "carriers";

/**
 * Target paths of {@linkcode CARRIERS_ROLE}. `*` of TUF 4.5 does not match a slash: a digest fits,
 * `{hardware}/{version}` never does, so that this role can name no image.
 */
export const CARRIERS_PATHS: readonly string[] = ["*"];

/** An image, as its owner signed it offline. The target path is `{hardware}/{version}`. */
export const ImageCustom = z.object({
  v: V1,
  hardware: HardwareId,
  version: Version,
  counter: Counter,
  /** An ECU below this counter may not go to this release at once. */
  minCounter: z.number().int().min(0).max(0xFFFF_FFFF),
  /** Of the image's leaves: each one is proved before it is written. */
  merkle: Merkle,
  notes: Notes,
  rxswin: z.array(z.string().max(64)).max(16),
  /** Releases that must run beside this one; their counters are in their own targets. */
  needs: z.array(ReleaseId).max(16),
});
/** An image, as its owner signed it offline. */
export type ImageCustom = z.infer<typeof ImageCustom>;

/** A file on the wire that brings an image. The target path is its own digest. */
export const CarrierCustom = z.object({
  v: V1,
  format: CarrierFormat,
  /** The image it brings. */
  sha256: Sha256Hex,
  /** The image it starts from; absent when it needs none. */
  baseSha256: Sha256Hex.optional(),
  /** Of the carrier's own leaves. */
  merkle: Merkle,
});
/** A file on the wire that brings an image. */
export type CarrierCustom = z.infer<typeof CarrierCustom>;

/** What the Director wants done with an image. `downgrade` needs the emergency role's word. */
export const DIRECTOR_ACTIONS = ["install", "downgrade"] as const;

/** One image for some ECUs of one vehicle. */
export const DirectorCustom = z.object({
  v: V1,
  /** ECUs by serial, each with the hardware id it must have. */
  ecus: z.record(EcuSerial, z.object({ hardware: HardwareId })).refine(
    (ecus) => {
      const count = Object.keys(ecus).length;
      return count >= 1 && count <= MAX_ECUS;
    },
    `must name 1 to ${MAX_ECUS} ECUs`,
  ),
  campaign: CampaignId,
  action: z.enum(DIRECTOR_ACTIONS),
  /** Place of this image in its bundle, from 0; the same in no other target of the vehicle. */
  order: z.number().int().min(0).max(MAX_ECUS - 1),
  deadline: Instant.optional(),
  preconditions: z.array(z.enum(PRECONDITIONS)).max(PRECONDITIONS.length),
});
/** One image for some ECUs of one vehicle. */
export type DirectorCustom = z.infer<typeof DirectorCustom>;

/**
 * `custom` beside `targets` in the signed part of the Director's targets: whose they are. It is
 * there with and without targets, as no list of none could else be told from another vehicle's.
 */
export const DirectorScope = z.object({ v: V1, vin: Vin });
/** Whose targets the Director's are. */
export type DirectorScope = z.infer<typeof DirectorScope>;
