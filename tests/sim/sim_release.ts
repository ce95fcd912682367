/**
 * Images, releases and offers for simulated worlds. An image begins with the line that
 * `sim_runner.ts` obeys; the rest is filling from its seed.
 *
 * @module
 */
import { merkleRoot } from "shared/merkle.ts";
import { LEAF_BYTES } from "shared/limits.ts";
import { nodeHash, sha256Hex } from "shared/node/digest.ts";
import type { Precondition } from "shared/protocol/common.ts";
import type { DirectorTargets, EcuTarget, ReleaseTarget } from "shared/protocol/director.ts";
import { container, type Geometry, leavesOf, type SimCarrier, SMALL } from "./sim_container.ts";
import type { Behaviour } from "./sim_runner.ts";

/** The vehicle of every simulated world. */
export const VIN = "SIMVEHICLE0000001";

/** Numbers in `[0, 1)` that depend on the seed only (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6D2B79F5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The bytes of an image. */
export function imageBytes(behaviour: Behaviour, sizeBytes: number, seed: number): Uint8Array {
  const random = seeded(seed);
  const bytes = new Uint8Array(sizeBytes);
  for (let i = 0; i < sizeBytes; i++) bytes[i] = random() * 256;
  bytes.set(new TextEncoder().encode(`${behaviour}\n`));
  return bytes;
}

/**
 * The next image of a family: some of its segments are those of the one before, some are edited,
 * one is empty, and it is a little longer.
 *
 * @param before The image before.
 * @param seed Of what is new.
 */
export function nextImage(before: Uint8Array, seed: number): Uint8Array {
  const random = seeded(seed);
  const { segmentBytes } = SMALL;
  const next = new Uint8Array(before.length + 100);
  next.set(before);
  for (let at = before.length; at < next.length; at++) next[at] = random() * 256;
  for (let at = 0; at < before.length; at += segmentBytes) {
    const kind = (at / segmentBytes) % 4;
    if (kind === 2) next.fill(0, at, Math.min(at + segmentBytes, before.length));
    // Behind the first line, which says what the image does.
    else if (kind !== 1) next[at + 64 + Math.floor(random() * 64)]! ^= 0x55;
  }
  return next;
}

/** A release with its image. */
export interface SimRelease {
  readonly release: ReleaseTarget;
  readonly bytes: Uint8Array;
  readonly geometry: Geometry;
  /** Without a base, so that there always is a way. */
  readonly full: SimCarrier;
  readonly deltas: readonly SimDelta[];
}

/** A carrier beside the full one. */
export type SimDelta = Pick<SimCarrier, "carrier" | "bytes">;

/**
 * Makes a release; its version is `{counter}.0.0`.
 *
 * @param hardware For which hardware.
 * @param counter Its counter; also the seed of the filling.
 * @param options What the image does or is, how it travels, and what differs in its metadata.
 */
export function release(
  hardware: string,
  counter: number,
  options: {
    readonly does?: Behaviour;
    readonly sizeBytes?: number;
    readonly bytes?: Uint8Array;
    readonly deltas?: readonly SimDelta[];
    readonly geometry?: Geometry;
  } & Partial<ReleaseTarget> = {},
): SimRelease {
  const {
    does = "good",
    sizeBytes = 3000,
    bytes: given,
    deltas = [],
    geometry = SMALL,
    ...changes
  } = options;
  const bytes = given ?? imageBytes(does, sizeBytes, counter);
  return {
    bytes,
    deltas,
    geometry,
    full: container(bytes, geometry),
    release: {
      v: 1,
      hardware,
      version: `${counter}.0.0`,
      counter,
      minCounter: 0,
      lengthBytes: bytes.length,
      sha256: sha256Hex(bytes),
      merkle: {
        alg: "sha256-rfc6962",
        leafBytes: LEAF_BYTES, // As the wire says; small worlds have smaller ones.
        root: merkleRoot(leavesOf(bytes, geometry.leafBytes), nodeHash).toHex(),
      },
      notes: {
        purpose: "Simulated release",
        changes: `What ${counter}.0.0 changes`,
        minutes: 2,
        unavailable: "The simulated functions",
        instructions: "Park",
      },
      rxswin: [],
      needs: [],
      ...changes,
    },
  };
}

/** The same release with a delta from another image beside the full container. */
export function withDelta(one: SimRelease, base: Uint8Array): SimRelease {
  return { ...one, deltas: [...one.deltas, container(one.bytes, one.geometry, base)] };
}

/** What the Director wants of one ECU. */
export function targetOf({ release, full, deltas }: SimRelease): EcuTarget {
  const carriers = [full.carrier, ...deltas.map(({ carrier }) => carrier)];
  return { hardware: release.hardware, release, carriers };
}

/** An offer. */
export function targets(
  version: number,
  campaign: string | null,
  releases: Readonly<Record<string, SimRelease>>,
  preconditions: readonly Precondition[] = [],
): DirectorTargets {
  const ecus = Object.entries(releases).map(([serial, one]) => [serial, targetOf(one)] as const);
  return {
    v: 1,
    vin: VIN,
    version,
    campaign,
    action: campaign === null ? "none" : "install",
    preconditions: [...preconditions],
    ecus: Object.fromEntries(ecus),
  };
}
