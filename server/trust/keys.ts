/**
 * Ed25519 keys as TUF names them. A private key can sign and tells nothing of itself: it is in no
 * field that a log, an error or JSON could show.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { UpdateFailure } from "shared/failure.ts";

/** Bytes of a private key: the seed of RFC 8032, from which all else follows. */
export const SEED_BYTES = 32;

/** PKCS #8 of an Ed25519 key up to the seed (RFC 8410, 7). */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");

/** A key as metadata lists it. */
export interface TufKey {
  readonly keytype: "ed25519";
  readonly scheme: "ed25519";
  /** 32 bytes, hex. */
  readonly keyval: { readonly public: string };
}

/**
 * A public key as metadata lists it.
 *
 * @param publicHex 32 bytes, hex.
 * @returns The key.
 */
export function tufKey(publicHex: string): TufKey {
  return { keytype: "ed25519", scheme: "ed25519", keyval: { public: publicHex } };
}

/**
 * The id of a key: SHA-256 of its canonical JSON (TUF 4.2).
 *
 * @param publicHex 32 bytes, hex.
 * @returns 64 hex digits.
 */
export function keyIdOf(publicHex: string): string {
  // In the order of canonical JSON, and without anything that it would write otherwise.
  const canonical = `{"keytype":"ed25519","keyval":{"public":"${publicHex}"},"scheme":"ed25519"}`;
  return createHash("sha256").update(canonical).digest("hex");
}

/** A private key in memory. */
export class SigningKey {
  readonly keyId: string;
  /** 32 bytes, hex. */
  readonly publicHex: string;
  readonly #key: KeyObject;

  /**
   * @param seed The private key; may be overwritten afterwards.
   * @throws {UpdateFailure} `keyUnusable` If it has another length.
   */
  constructor(seed: Uint8Array) {
    if (seed.length !== SEED_BYTES) {
      throw new UpdateFailure(
        "keyUnusable",
        "key",
        `Cannot use a private key: it has ${seed.length} bytes instead of ${SEED_BYTES}`,
      );
    }
    const der = Buffer.concat([PKCS8_HEAD, seed]);
    this.#key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    der.fill(0);
    const spki = createPublicKey(this.#key).export({ format: "der", type: "spki" });
    this.publicHex = spki.subarray(-32).toString("hex");
    this.keyId = keyIdOf(this.publicHex);
  }

  /** The signature of bytes, hex. */
  sign(bytes: Uint8Array): string {
    return sign(null, bytes, this.#key).toString("hex");
  }
}
