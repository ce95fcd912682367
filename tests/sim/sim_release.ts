/**
 * Images, releases and offers for simulated worlds. An image begins with the line that
 * `sim_runner.ts` obeys; the rest is filling from its seed.
 *
 * @module
 */
import { leafHash, merkleRoot } from "shared/merkle.ts";
import { LEAF_BYTES } from "shared/limits.ts";
import { nodeHash, sha256Hex } from "shared/node/digest.ts";
import type { Carrier, Precondition } from "shared/protocol/common.ts";
import type { DirectorTargets, EcuTarget, ReleaseTarget } from "shared/protocol/director.ts";
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

/** A release with its image. */
export interface SimRelease {
  readonly release: ReleaseTarget;
  readonly bytes: Uint8Array;
  /** Beside the raw image, which always is one. */
  readonly deltas: readonly { readonly carrier: Carrier; readonly bytes: Uint8Array }[];
}

/**
 * Makes a release; its version is `{counter}.0.0`.
 *
 * @param hardware For which hardware.
 * @param counter Its counter; also the seed of the filling.
 * @param options What the image does or is, and what differs in its metadata.
 */
export function release(
  hardware: string,
  counter: number,
  options: {
    readonly does?: Behaviour;
    readonly sizeBytes?: number;
    readonly bytes?: Uint8Array;
    readonly deltas?: SimRelease["deltas"];
  } & Partial<ReleaseTarget> = {},
): SimRelease {
  const { does = "good", sizeBytes = 3000, bytes: given, deltas = [], ...changes } = options;
  const bytes = given ?? imageBytes(does, sizeBytes, counter);
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += LEAF_BYTES) {
    leaves.push(leafHash(bytes.subarray(at, at + LEAF_BYTES), nodeHash));
  }
  const root = merkleRoot(leaves, nodeHash).toHex();
  return {
    bytes,
    deltas,
    release: {
      v: 1,
      hardware,
      version: `${counter}.0.0`,
      counter,
      minCounter: 0,
      lengthBytes: bytes.length,
      sha256: sha256Hex(bytes),
      merkle: { alg: "sha256-rfc6962", leafBytes: LEAF_BYTES, root },
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

/** A BSDIFF40 carrier of an image. */
export function delta(
  patch: Uint8Array,
  sha256: string,
  baseSha256: string,
): SimRelease["deltas"][number] {
  const carrierSha256 = sha256Hex(patch);
  const lengthBytes = patch.length;
  return {
    bytes: patch,
    carrier: { v: 1, format: "bsdiff40", carrierSha256, lengthBytes, sha256, baseSha256 },
  };
}

/** What the Director wants of one ECU. */
export function targetOf({ release, deltas }: SimRelease): EcuTarget {
  const { sha256, lengthBytes } = release;
  const raw: Carrier = { v: 1, carrierSha256: sha256, format: "raw", lengthBytes, sha256 };
  const carriers = [raw, ...deltas.map(({ carrier }) => carrier)];
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
