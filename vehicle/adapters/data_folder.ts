/**
 * The data folder: one process at a time, and the port that was free last time.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";

/**
 * Makes the folder, if it is new, and locks it.
 *
 * @param dataDir The folder.
 * @returns The lock: freed when it is closed, or when the process dies.
 * @throws {UpdateFailure} `preconditionFailed` if it cannot be written or is in use.
 */
export async function lockFolder(dataDir: string): Promise<Deno.FsFile> {
  let lock: Deno.FsFile;
  try {
    Deno.mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    lock = Deno.openSync(`${dataDir}/lock`, { write: true, create: true, mode: 0o600 });
  } catch (cause) {
    throw new UpdateFailure(
      "preconditionFailed",
      dataDir,
      `Cannot use data folder "${dataDir}": ${(cause as Error).message}; make it writable or ` +
        "choose another --data",
      { cause },
    );
  }
  if (await tryLock(lock)) return lock;
  lock.close();
  throw new UpdateFailure(
    "preconditionFailed",
    dataDir,
    `Cannot use data folder "${dataDir}": another process does; stop it or choose another --data`,
  );
}

/**
 * The port that was taken last time.
 *
 * @param dataDir The folder.
 * @returns The port, or `undefined`.
 */
export function keptPort(dataDir: string): number | undefined {
  try {
    const port = Number(Deno.readTextFileSync(`${dataDir}/hmi-port`));
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Remembers the port for the next start. */
export function keepPort(dataDir: string, port: number): void {
  // Written once: on a full medium, writing it again would lose it.
  if (keptPort(dataDir) !== port) Deno.writeTextFileSync(`${dataDir}/hmi-port`, `${port}\n`);
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
