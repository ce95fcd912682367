/**
 * The data folder: one server at a time, and the ports it had last time.
 *
 * @module
 */
import { z } from "zod";
import { UpdateFailure } from "shared/failure.ts";
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
 * @throws {UpdateFailure} `preconditionFailed` If it cannot be written or another process has it.
 */
export async function takeDataFolder(path: string): Promise<DataFolder> {
  let lock: Deno.FsFile;
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
    lock = await Deno.open(`${path}/lock`, { write: true, create: true });
  } catch (cause) {
    throw new UpdateFailure(
      "preconditionFailed",
      "--data",
      `Cannot write to the data folder "${path}": ${(cause as Error).message}; make it writable ` +
        `for this user, or choose another one`,
      { cause },
    );
  }
  if (!await tryLock(lock)) {
    lock.close();
    throw new UpdateFailure(
      "preconditionFailed",
      "--data",
      `Cannot use the data folder "${path}": another server uses it; stop that one, or choose ` +
        `another folder`,
    );
  }
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

/** How long a lock is waited for that should be free: before Deno 2.7 there is only waiting. */
const LOCK_MS = 1000;

/** Takes the lock if it is free. The process that holds one frees it by its death at the latest. */
async function tryLock(lock: Deno.FsFile): Promise<boolean> {
  if ("tryLockSync" in lock) return lock.tryLockSync(true);
  const file = lock as Deno.FsFile; // Deno 2.6, as in compiled programs.
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), LOCK_MS);
  const taken = await Promise.race([file.lock(true).then(() => true), late]);
  clearTimeout(timer);
  return taken;
}
