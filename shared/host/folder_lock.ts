/**
 * The lock of a data folder: one process at a time.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";

/** How long a lock is waited for that should be free: before Deno 2.7 there is only waiting. */
const LOCK_MS = 1000;

/**
 * Makes the folder, if it is new, and locks it.
 *
 * @param dataDir The folder.
 * @returns The lock: freed when it is closed, or when the process dies.
 * @throws {UpdateFailure} `preconditionFailed` If it cannot be written or is in use.
 */
export async function lockFolder(dataDir: string): Promise<Deno.FsFile> {
  let lock: Deno.FsFile;
  try {
    Deno.mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    lock = Deno.openSync(`${dataDir}/lock`, { write: true, create: true, mode: 0o600 });
  } catch (cause) {
    throw new UpdateFailure(
      "preconditionFailed",
      "--data",
      `Cannot use data folder "${dataDir}": ${(cause as Error).message}; make it writable or ` +
        "choose another --data",
      { cause },
    );
  }
  if (await tryLock(lock)) return lock;
  lock.close();
  throw new UpdateFailure(
    "preconditionFailed",
    "--data",
    `Cannot use data folder "${dataDir}": another process does; stop it or choose another --data`,
  );
}

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
