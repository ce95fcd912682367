/**
 * Randomness and hashes by `node:crypto`.
 *
 * Passwords: scrypt with N = 2^13, r = 8, p = 10 (OWASP Password Storage Cheat Sheet:
 * the row with the least memory, 8 MiB), stored as `scrypt$N$r$p$salt$hash`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash, pbkdf2Sync, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { invariant } from "shared/assert.ts";
import type { Secrets } from "../ports.ts";

const [N, R, P, KEY_BYTES] = [8192, 8, 10, 32];

/**
 * Of an entry for Mosquitto: its own default. More would buy nothing, as nobody can guess 256 bits,
 * and would stop the broker, which derives one after the other when it reads the file again.
 */
const BROKER_ITERATIONS = 101;

/** Secrets of this machine. */
export const nodeSecrets: Secrets = {
  random: () => randomBytes(32).toString("base64url"),
  hash: (token) => createHash("sha256").update(token).digest("hex"),
  same(a, b) {
    const [left, right] = [Buffer.from(a), Buffer.from(b)];
    return left.length === right.length && timingSafeEqual(left, right);
  },
  brokerEntry: (secret) => mosquittoEntry(secret, BROKER_ITERATIONS),
  decoy: ["scrypt", N, R, P, "A".repeat(22), "A".repeat(43)].join("$"),
  hashPassword(password) {
    const salt = randomBytes(16);
    return one(async () => {
      const key = await derive(password, salt, { N, r: R, p: P });
      return ["scrypt", N, R, P, salt.toString("base64url"), key.toString("base64url")].join("$");
    });
  },
  checkPassword(password, hash) {
    const [scheme, n, r, p, salt, key] = hash.split("$");
    invariant(scheme === "scrypt" && key !== undefined, "a stored password hash is scrypt");
    const wanted = Buffer.from(key, "base64url");
    return one(async () => {
      const options = { N: Number(n), r: Number(r), p: Number(p) };
      const found = await derive(password, Buffer.from(salt!, "base64url"), options);
      return found.length === wanted.length && timingSafeEqual(found, wanted);
    });
  },
};

/**
 * A password as Mosquitto stores it.
 *
 * @param password The password.
 * @param iterations Of PBKDF2.
 * @returns `$7$iterations$salt$hash`.
 */
export function mosquittoEntry(password: string, iterations: number): string {
  const salt = randomBytes(12); // As long as those that Mosquitto 2.0 makes.
  const hash = pbkdf2Sync(password, salt, iterations, 64, "sha512");
  return ["", "7", iterations, salt.toString("base64"), hash.toString("base64")].join("$");
}

function derive(
  password: string,
  salt: Uint8Array,
  options: { readonly N: number; readonly r: number; readonly p: number },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(
      password,
      salt,
      KEY_BYTES,
      options,
      (error, key) => error ? reject(error) : resolve(Buffer.from(key)),
    );
  });
}

let last: Promise<unknown> = Promise.resolve();

/** One derivation at a time: each takes 8 MiB, and a flood of logins must not take them all. */
function one<T>(work: () => Promise<T>): Promise<T> {
  const mine = last.then(work, work);
  last = mine.catch(() => undefined);
  return mine;
}
