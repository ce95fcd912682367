/**
 * The data folder: one server at a time, and the ports it had last time.
 *
 * @module
 */
import { z } from "zod";
import { lockFolder } from "shared/host/folder_lock.ts";
import { MAX_JSON_BYTES } from "shared/limits.ts";
import { parseJsonAs } from "shared/parse.ts";

/** Ports that were free when port 0 was asked for. */
const KeptPorts = z.object({
  v: z.literal(1),
  http: z.number().int().optional(),
  device: z.number().int().optional(),
  mqtt: z.number().int().optional(),
});
/** Ports that were free when port 0 was asked for. */
export type KeptPorts = z.infer<typeof KeptPorts>;

/** A data folder that this process holds. */
export interface DataFolder {
  readonly path: string;
  readonly ports: KeptPorts;
  /** Remembers ports for the next start. */
  keepPorts(ports: Omit<KeptPorts, "v">): Promise<void>;
  /** Lets another process have it. */
  release(): void;
}

/**
 * Takes the data folder; makes it if need be.
 *
 * @param path Where it is.
 * @returns The folder.
 * @throws {UpdateFailure} `preconditionFailed` If it cannot be written or is in use.
 */
export async function takeDataFolder(path: string): Promise<DataFolder> {
  const lock = await lockFolder(path);
  try {
    const file = `${path}/ports.json`;
    const ports = await readPorts(file);
    return {
      path,
      ports,
      async keepPorts(kept) {
        const text = JSON.stringify({ ...ports, ...kept, v: 1 });
        if (text === JSON.stringify({ ...ports, v: 1 })) return; // A full medium is no hindrance.
        await Deno.writeTextFile(`${file}.new`, text);
        await Deno.rename(`${file}.new`, file);
      },
      release: () => lock.close(),
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

async function readPorts(file: string): Promise<KeptPorts> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { v: 1 };
    throw error;
  }
  return parseJsonAs(KeptPorts, text, {
    what: file,
    failure: "preconditionFailed",
    maxBytes: MAX_JSON_BYTES,
  });
}
