/**
 * A private key under a passphrase: scrypt makes the key of AES-256-GCM, which also holds what the
 * key is for, so that files cannot be swapped.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from "node:crypto";
import { UpdateFailure } from "shared/failure.ts";
import { z } from "zod";

/** OWASP Password Storage Cheat Sheet: 32 MiB, three times over. */
const COST = { N: 2 ** 15, r: 8, p: 3 };
/** Room for the above: Node refuses to use more unless it is told. */
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
const [SALT_BYTES, NONCE_BYTES, KEY_BYTES] = [16, 12, 32];

const Hex = z.string().regex(/^([0-9a-f]{2}){1,64}$/);

/** A sealed private key. */
export const Sealed = z.object({
  kdf: z.literal("scrypt"),
  N: z.literal(COST.N),
  r: z.literal(COST.r),
  p: z.literal(COST.p),
  salt: Hex,
  cipher: z.literal("aes-256-gcm"),
  nonce: Hex,
  tag: Hex,
  data: Hex,
});
/** A sealed private key. */
export type Sealed = z.infer<typeof Sealed>;

/**
 * Seals a private key.
 *
 * @param seed The key.
 * @param passphrase The passphrase.
 * @param about What the key is for; must be the same when it is opened.
 * @returns What may be stored.
 */
export function seal(seed: Uint8Array, passphrase: string, about: string): Sealed {
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", derive(passphrase, salt), nonce);
  cipher.setAAD(Buffer.from(about));
  const data = Buffer.concat([cipher.update(seed), cipher.final()]);
  return {
    ...{ kdf: "scrypt", ...COST, salt: salt.toString("hex") },
    ...{ cipher: "aes-256-gcm", nonce: nonce.toString("hex") },
    ...{ tag: cipher.getAuthTag().toString("hex"), data: data.toString("hex") },
  };
}

/**
 * Opens a sealed key.
 *
 * @param sealed What was stored.
 * @param passphrase The passphrase.
 * @param about What the key is for.
 * @returns The key.
 * @throws {UpdateFailure} `keyUnusable` If the passphrase is another one, or the file was changed.
 */
export function unseal(sealed: Sealed, passphrase: string, about: string): Uint8Array {
  const bytes = (hex: string) => Buffer.from(hex, "hex");
  const key = derive(passphrase, bytes(sealed.salt));
  try {
    const options = { authTagLength: 16 };
    const decipher = createDecipheriv("aes-256-gcm", key, bytes(sealed.nonce), options);
    decipher.setAAD(Buffer.from(about));
    decipher.setAuthTag(bytes(sealed.tag));
    return Buffer.concat([decipher.update(bytes(sealed.data)), decipher.final()]);
  } catch {
    throw new UpdateFailure(
      "keyUnusable",
      about,
      `Cannot open the key ${about}: the passphrase is another one, or the file was changed`,
    );
  }
}

function derive(passphrase: string, salt: Uint8Array): Buffer {
  return scryptSync(passphrase, salt, KEY_BYTES, { ...COST, maxmem: MAX_MEMORY_BYTES });
}
