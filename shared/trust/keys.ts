/**
 * Who may sign a role, and how many of them did.
 *
 * The models are taken file by file here and in `files.ts`: their index loads a glob library that
 * reads the environment, and pure code has no right to that.
 *
 * @module
 */
import { constants, createPublicKey, verify } from "node:crypto";
import { canonicalize } from "@tufjs/canonical-json";
import { Key } from "@tufjs/models/dist/key.js";
import { Signature } from "@tufjs/models/dist/signature.js";
import { MAX_ROLE_KEYS } from "../limits.ts";
import { isObject, type JsonObject, type MetadataDocument, own, refusal } from "./document.ts";

/** How a signature may be made. */
export type Scheme = "ed25519" | "rsassa-pss" | "ecdsa";

/** What the product accepts. The others are for repositories of other makers. */
export const PRODUCT_SCHEMES: readonly Scheme[] = ["ed25519"];
/** What the public conformance suite asks for. */
export const ALL_SCHEMES: readonly Scheme[] = ["ed25519", "rsassa-pss", "ecdsa"];

/** The keys of one role, as its delegator names them. */
export interface RoleKeys {
  readonly name: string;
  /** By key id; only those that the role lists. */
  readonly keys: ReadonlyMap<string, Key>;
  readonly threshold: number;
}

/**
 * The keys of a role.
 *
 * @param name The role.
 * @param role Its entry: `keyids` and `threshold`.
 * @param keys All keys of the delegator, by key id.
 * @returns The role's own.
 * @throws {UpdateFailure} `metadataInvalid` if it cannot be read.
 */
export function readRoleKeys(name: string, role: JsonObject, keys: JsonObject): RoleKeys {
  const { keyids, threshold } = role;
  if (!Array.isArray(keyids) || !keyids.every((id) => typeof id === "string")) {
    throw refusal(name, "its role has no list of key ids");
  }
  if (keyids.length > MAX_ROLE_KEYS) {
    throw refusal(name, `its role has ${keyids.length} keys, at most ${MAX_ROLE_KEYS}`);
  }
  // Listed twice it could count twice in a careless reader; nobody writes it by honest means.
  if (new Set(keyids).size !== keyids.length) throw refusal(name, "its role lists a key id twice");
  if (!Number.isSafeInteger(threshold) || (threshold as number) < 1) {
    throw refusal(name, `its threshold is ${JSON.stringify(threshold)}`);
  }
  const known = new Map<string, Key>();
  for (const id of keyids as readonly string[]) {
    const key = own(keys, id);
    if (key === undefined) continue; // A key may be gone; it signs nothing then.
    known.set(id, readKey(name, id, key));
  }
  return { name, keys: known, threshold: threshold as number };
}

/**
 * Whether two sets of keys are the same, whatever they are called.
 *
 * @param a One role.
 * @param b The other.
 * @returns Whether the same keys sign.
 */
export function sameKeys(a: RoleKeys, b: RoleKeys): boolean {
  const [one, other] = [a, b].map(({ keys }) => new Set([...keys.values()].map(material)));
  return one!.size === other!.size && [...one!].every((key) => other!.has(key));
}

/**
 * Checks that enough keys of a role have signed. TUF 5.3.4, 5.4.2, 5.5.3, 5.6.3: each key
 * contributes one signature at most; so does one that is listed under two key ids.
 *
 * @param document What is signed.
 * @param role Who must have signed it.
 * @param schemes How they may.
 * @param delegator Who says so, for the message.
 * @throws {UpdateFailure} `metadataUnsigned` if fewer than the threshold did.
 */
export function checkSigned(
  document: MetadataDocument,
  role: RoleKeys,
  { schemes, delegator }: { readonly schemes: readonly Scheme[]; readonly delegator: string },
): void {
  const signers = new Set<string>();
  for (const [id, key] of role.keys) {
    const signature = document.signatures.get(id);
    if (signature === undefined || signers.has(material(key))) continue;
    const scheme = schemeOf(key);
    if (scheme === undefined || !schemes.includes(scheme)) continue;
    if (verifies(key, scheme, document, signature)) signers.add(material(key));
  }
  if (signers.size < role.threshold) {
    throw refusal(
      document.name,
      `${signers.size} keys that ${delegator} names have signed it, ${role.threshold} must`,
      "metadataUnsigned",
    );
  }
}

function readKey(name: string, id: string, key: unknown): Key {
  if (!isObject(key)) throw refusal(name, `key "${id}" is no object`);
  try {
    return Key.fromJSON(id, key as Parameters<typeof Key.fromJSON>[1]);
  } catch (cause) {
    const message = `key "${id}" cannot be read: ${(cause as Error).message}`;
    throw refusal(name, message, "metadataInvalid", { cause });
  }
}

/** The key itself, without its id. Hex may be written in either case. */
function material(key: Key): string {
  const text = key.keyVal.public ?? "";
  return `${key.keyType} ${/^[0-9a-f]+$/i.test(text) ? text.toLowerCase() : text.trim()}`;
}

function schemeOf({ keyType, scheme, keyVal }: Key): Scheme | undefined {
  if (keyType === "ed25519") {
    return scheme === "ed25519" && /^[0-9a-f]{64}$/i.test(keyVal.public ?? "")
      ? "ed25519"
      : undefined;
  }
  if (keyType === "rsa") return scheme.startsWith("rsassa-pss-sha") ? "rsassa-pss" : undefined;
  return keyType.startsWith("ecdsa") ? "ecdsa" : undefined;
}

/** Every error means that the signature proves nothing: keys and signatures are anybody's. */
function verifies(
  key: Key,
  scheme: Scheme,
  { signed }: MetadataDocument,
  sig: string,
): boolean {
  if (!/^([0-9a-f]{2})+$/i.test(sig)) return false; // Buffer.from() would stop at the first other.
  try {
    if (scheme !== "ed25519") return verifiesPem(key, signed, sig);
    const signature = new Signature({ keyID: key.keyID, sig });
    // The signed part as it came stands in for a model of it.
    const subject = { signatures: { [key.keyID]: signature }, signed: { toJSON: () => signed } };
    key.verifySignature(subject as unknown as Parameters<Key["verifySignature"]>[0]);
    return true;
  } catch {
    return false;
  }
}

/** Digests and curves by scheme. Deno 2.6 calls the curves otherwise than Node and Deno 2.9. */
const CURVES: Readonly<Record<string, readonly [hash: string, ...names: string[]]>> = {
  "ecdsa-sha2-nistp256": ["sha256", "prime256v1", "p256"],
  "ecdsa-sha2-nistp384": ["sha384", "secp384r1", "p384"],
};

/**
 * RSA and ECDSA, which only repositories of other makers use. The model names no salt length, and
 * Deno then takes the longest only; it knows curves by one of their names only.
 */
function verifiesPem({ keyType, scheme, keyVal }: Key, signed: JsonObject, sig: string): boolean {
  const pem = keyVal.public ?? "";
  if (!pem.startsWith("-----BEGIN PUBLIC KEY-----")) return false;
  const key = createPublicKey(pem);
  const text = new TextEncoder().encode(canonicalize(signed));
  const signature = Buffer.from(sig, "hex");
  if (keyType === "rsa") {
    const hash = /^rsassa-pss-(sha256|sha384|sha512)$/.exec(scheme)?.[1];
    const [padding, saltLength] = [constants.RSA_PKCS1_PSS_PADDING, constants.RSA_PSS_SALTLEN_AUTO];
    return hash !== undefined && key.asymmetricKeyType === "rsa" &&
      verify(hash, text, { key, padding, saltLength }, signature);
  }
  const [hash, ...curves] = CURVES[scheme] ?? [];
  const curve = key.asymmetricKeyDetails?.namedCurve ?? "";
  return hash !== undefined && (keyType === "ecdsa" || keyType === scheme) &&
    key.asymmetricKeyType === "ec" && curves.includes(curve) &&
    verify(hash, text, key, signature);
}
