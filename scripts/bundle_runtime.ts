/**
 * Reads what a denort is: the runtime that `deno compile` embeds.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** A runtime that can be embedded. */
export interface Denort {
  readonly path: string;
  /** Of Deno, `MAJOR.MINOR.PATCH`. */
  readonly version: string;
}

/** `e_machine` of an ELF file. */
const MACHINES: Readonly<Record<number, string>> = { 0x3E: "x86_64", 0xB7: "aarch64" };
const MACHINE_AT = 0x12;
const ELF = "\x7fELF";

/**
 * Reads the runtime that DENORT_BIN names.
 *
 * @param path Its path; without one `deno compile` fetches a runtime by itself.
 * @param arch The processor that is compiled for.
 * @returns The runtime.
 * @throws {Error} If it is none, or for another processor.
 */
export async function readDenort(
  path: string | undefined,
  arch: string,
): Promise<Denort | undefined> {
  if (path === undefined || path === "") return undefined;
  const bytes = Buffer.from(
    await Deno.readFile(path).catch((cause) => {
      throw new Error(`Cannot read DENORT_BIN: ${cause.message}`, { cause });
    }),
  );
  const version = versionIn(bytes);
  if (bytes.toString("latin1", 0, ELF.length) !== ELF || version === undefined) {
    throw new Error(`Cannot use DENORT_BIN "${path}": it is no denort of Linux`);
  }
  const found = MACHINES[bytes.readUInt16LE(MACHINE_AT)] ?? "another processor";
  if (found === arch) return { path, version };
  throw new Error(`Cannot compile for ${arch}: DENORT_BIN "${path}" is for ${found}`);
}

/** The version that it gives itself in its user agent. */
function versionIn(bytes: Buffer): string | undefined {
  for (let at = bytes.indexOf("Deno/"); at >= 0; at = bytes.indexOf("Deno/", at + 1)) {
    const found = /^Deno\/(\d+\.\d+\.\d+)/.exec(bytes.toString("latin1", at, at + 24));
    if (found) return found[1];
  }
  return undefined;
}
