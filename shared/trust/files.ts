/**
 * What signed metadata says of another file, metadata or target: version, length and hashes.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { MetaFile, TargetFile } from "@tufjs/models/dist/file.js";
import type { UpdateFailure } from "../failure.ts";
import { isCount, isObject, type Json, refusal } from "./document.ts";

/** Digests that are strong enough; others are passed over, but never enough by themselves. */
const HASHES = ["sha256", "sha512"] as const;

/** Lengths and hashes, both optional for metadata. */
export interface FileFacts {
  readonly length?: number | undefined;
  readonly hashes?: Readonly<Record<string, string>> | undefined;
}

/** A target as signed. */
export interface SignedTarget {
  readonly path: string;
  readonly length: number;
  readonly hashes: Readonly<Record<string, string>>;
  /** `custom`, unparsed. */
  readonly custom: unknown;
  /** The role that signed it. */
  readonly role: string;
}

/**
 * What timestamp or snapshot say of a metadata file.
 *
 * @param name The role that says it.
 * @param entry What it says.
 * @returns Version, and length and hashes if they are said.
 * @throws {UpdateFailure} `metadataInvalid` if it cannot be read.
 */
export function readMetaFile(name: string, entry: Json | undefined): MetaFile {
  const file = model(
    name,
    () => MetaFile.fromJSON(entry as Parameters<typeof MetaFile.fromJSON>[0]),
    entry,
  );
  if (!isCount(file.version) || file.version < 1) {
    throw refusal(name, `it names version ${file.version} of a file`);
  }
  if (file.length !== undefined && !isCount(file.length)) {
    throw refusal(name, `it names a file of ${file.length} bytes`);
  }
  if (file.hashes !== undefined) checkHashes(name, file.hashes);
  return file;
}

/**
 * What a targets role says of a target.
 *
 * @param role The role.
 * @param path The target path.
 * @param entry What it says.
 * @returns The target.
 * @throws {UpdateFailure} `metadataInvalid` if it cannot be read.
 */
export function readTarget(role: string, path: string, entry: Json | undefined): SignedTarget {
  const file = model(
    role,
    () => TargetFile.fromJSON(path, entry as Parameters<typeof TargetFile.fromJSON>[1]),
    entry,
  );
  if (!isCount(file.length)) throw refusal(role, `target "${path}" has ${file.length} bytes`);
  checkHashes(role, file.hashes);
  const { length, hashes } = file;
  return { path, length, hashes, custom: file.unrecognizedFields.custom, role };
}

/**
 * Checks a file against what is signed of it.
 *
 * @param what What it is called.
 * @param bytes The file.
 * @param facts What is signed.
 * @throws {UpdateFailure} `metadataMixed` if length or hash differ.
 */
export function checkFile(what: string, bytes: Uint8Array, facts: FileFacts): void {
  if (facts.length !== undefined && bytes.length !== facts.length) {
    throw mixed(what, `it has ${bytes.length} bytes, ${facts.length} are signed`);
  }
  for (const algorithm of HASHES) {
    const signed = facts.hashes?.[algorithm];
    if (signed === undefined) continue;
    const found = createHash(algorithm).update(bytes).digest("hex");
    if (found !== signed.toLowerCase()) {
      throw mixed(what, `its ${algorithm} is ${found}, ${signed.slice(0, 128)} is signed`);
    }
  }
}

function mixed(what: string, found: string): UpdateFailure {
  return refusal(what, found, "metadataMixed");
}

/** An empty list of hashes would let every file pass, and so would unknown ones alone. */
function checkHashes(name: string, hashes: Readonly<Record<string, string>>): void {
  const known = HASHES.filter((algorithm) => Object.hasOwn(hashes, algorithm));
  if (known.length === 0) throw refusal(name, `it names a file without ${HASHES.join(" or ")}`);
  for (const algorithm of known) {
    const digits = algorithm === "sha256" ? 64 : 128;
    if (hashes[algorithm]!.length !== digits || !/^[0-9a-f]+$/i.test(hashes[algorithm]!)) {
      throw refusal(
        name,
        `it names a file with the ${algorithm} "${hashes[algorithm]!.slice(0, 80)}"`,
      );
    }
  }
}

/** Errors of the models say what was wrong, but not where. */
function model<T>(name: string, make: () => T, entry: Json | undefined): T {
  if (!isObject(entry)) throw refusal(name, "what it says of a file is no object");
  try {
    return make();
  } catch (cause) {
    throw refusal(name, (cause as Error).message, "metadataInvalid", { cause });
  }
}
