/**
 * One metadata file as it came: bounded, parsed and looked over, but not yet believed.
 *
 * Signatures are checked over `signed` exactly as it was parsed here, never over what a model makes
 * of it: a model may drop what it does not know or fill in what is not there. Whatever two readers
 * could take differently is refused before: numbers that JSON rounds, lone surrogates (all of them
 * become U+FFFD in UTF-8), and the key `__proto__`.
 *
 * @module
 */
import { type FailureName, UpdateFailure } from "../failure.ts";
import type { Millis } from "../clock.ts";
import { MAX_METADATA_DEPTH, MAX_ROLE_KEYS } from "../limits.ts";
import { refuseDepth } from "../parse.ts";

/** What `_type` says. Delegated roles are of type `targets`. */
export type RoleType = "root" | "timestamp" | "snapshot" | "targets";

/** Anything JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
/** A JSON object, without a key `__proto__`. */
export type JsonObject = { readonly [key: string]: Json };

/** A metadata file that can be read. Nothing in it is proved. */
export interface MetadataDocument {
  /** The role it was read as: `root`, or the name of a delegated role. */
  readonly name: string;
  readonly type: RoleType;
  /** Exactly as it came. */
  readonly bytes: Uint8Array;
  /** What the signatures are over. */
  readonly signed: JsonObject;
  /** Hex by key id; each key id came once. */
  readonly signatures: ReadonlyMap<string, string>;
  readonly version: number;
  readonly expiresAt: Millis;
}

/** What a file is read as. */
export interface DocumentKind {
  readonly name: string;
  readonly type: RoleType;
  readonly maxBytes: number;
}

/**
 * Reads one metadata file.
 *
 * @param bytes The file.
 * @param kind What it must be, and the most bytes it may have.
 * @returns What it says, unproved.
 * @throws {UpdateFailure} `metadataTooLarge`, or `metadataInvalid` if it cannot be read, nests too
 * deep or says what the role's type may not say.
 */
export function readDocument(bytes: Uint8Array, kind: DocumentKind): MetadataDocument {
  const { name, type, maxBytes } = kind;
  if (bytes.length > maxBytes) {
    throw refusal(name, `it has ${bytes.length} bytes, at most ${maxBytes}`, "metadataTooLarge");
  }
  const whole = parse(name, bytes);
  if (!isObject(whole)) throw refusal(name, "it is no object");
  const { signed, signatures } = whole;
  if (!isObject(signed)) throw refusal(name, "it has no signed part");
  if (signed._type !== type) {
    throw refusal(name, `its type is ${quoted(signed._type)}, not "${type}"`);
  }
  checkSpec(name, signed.spec_version);
  const { version } = signed;
  // TUF 4.3: an integer greater than 0.
  if (!isCount(version) || version < 1) throw refusal(name, `its version is ${quoted(version)}`);
  return {
    ...{ name, type, bytes, signed, version },
    signatures: readSignatures(name, signatures),
    expiresAt: readExpiry(name, signed.expires),
  };
}

/**
 * A failure about one metadata file.
 *
 * @param name The role.
 * @param found The state found.
 * @param failure Which; `metadataInvalid` if not said.
 * @param options The lower error.
 * @returns The failure, to be thrown.
 */
export function refusal(
  name: string,
  found: string,
  failure: FailureName = "metadataInvalid",
  options?: ErrorOptions,
): UpdateFailure {
  return new UpdateFailure(failure, name, `Cannot use metadata "${name}": ${found}`, options);
}

/** Whether a value is a JSON object, not a list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value is a whole number from 0 on that JSON keeps exactly. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A value of an own key; never what every object inherits. */
export function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function parse(name: string, bytes: Uint8Array): Json {
  let value: Json;
  try {
    // A byte order mark is no JSON; the decoder would swallow it.
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    refuseDepth(text, MAX_METADATA_DEPTH);
    value = JSON.parse(text);
  } catch (cause) {
    throw refusal(name, (cause as Error).message, "metadataInvalid", { cause });
  }
  refuseAmbiguous(name, value);
  return value;
}

/** Canonical JSON has whole numbers only, and its strings are sequences of characters. */
function refuseAmbiguous(name: string, value: Json): void {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw refusal(name, `it has the number ${value}`);
  }
  if (typeof value === "string" && !value.isWellFormed()) {
    throw refusal(name, "it has half a character");
  }
  if (Array.isArray(value)) {
    for (const each of value) refuseAmbiguous(name, each);
  } else if (isObject(value)) {
    for (const key of Object.keys(value)) {
      if (key === "__proto__") throw refusal(name, 'it has the key "__proto__"');
      if (!key.isWellFormed()) throw refusal(name, "it has half a character in a key");
      refuseAmbiguous(name, value[key]!);
    }
  }
}

function readSignatures(name: string, list: Json | undefined): Map<string, string> {
  if (!Array.isArray(list)) throw refusal(name, "it has no list of signatures");
  if (list.length > MAX_ROLE_KEYS) {
    throw refusal(name, `it has ${list.length} signatures, at most ${MAX_ROLE_KEYS}`);
  }
  const signatures = new Map<string, string>();
  for (const entry of list as readonly Json[]) {
    const { keyid, sig } = isObject(entry) ? entry : {} as JsonObject;
    if (typeof keyid !== "string" || typeof sig !== "string") {
      throw refusal(name, "a signature lacks its key id or its value");
    }
    // TUF 4.2.1: the key id MUST be unique in the list.
    if (signatures.has(keyid)) throw refusal(name, `two signatures have the key id "${keyid}"`);
    signatures.set(keyid, sig);
  }
  return signatures;
}

/** TUF 4.3: `YYYY-MM-DDTHH:MM:SSZ`, and a day that exists. */
function readExpiry(name: string, expires: Json | undefined): Millis {
  if (typeof expires === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(expires)) {
    const at = Date.parse(expires);
    // V8 turns 30 February into 2 March.
    if (!Number.isNaN(at) && new Date(at).toISOString().slice(0, 19) + "Z" === expires) return at;
  }
  throw refusal(name, `its expiry is ${quoted(expires)}`);
}

/** TUF 4.3: metadata of another major version means something else. */
function checkSpec(name: string, spec: Json | undefined): void {
  if (typeof spec !== "string" || !/^1\.\d{1,4}(\.\d{1,4})?$/.test(spec)) {
    throw refusal(name, `its specification is ${quoted(spec)}`, "schemaUnknown");
  }
}

function quoted(value: Json | undefined): string {
  return (JSON.stringify(value) ?? "missing").slice(0, 80);
}
