/**
 * Files of the commands that work without a server.
 *
 * @module
 */
import type { RandomRead } from "shared/delta/random_read.ts";
import { CommandError, commandError, EXIT, usageError } from "./exit.ts";

/** A signal is heard so soon, if the steps are shorter. */
const BREATH_MS = 50;
/** A program that its own signal has not ended by then ends as one that failed. */
const OBEY_MS = 2000;

/** A file as the codecs read it. */
export interface OpenRead extends RandomRead, Disposable {}

/**
 * Opens a file for reading anywhere.
 *
 * @param path Which one.
 * @returns The file, to be disposed of.
 * @throws {CommandError} Usage, if it cannot be opened.
 */
export function openRead(path: string): OpenRead {
  try {
    checkRegular(path, "read", Deno.statSync(path)); // To open a pipe may take for ever.
    const file = Deno.openSync(path);
    const lengthBytes = file.statSync().size;
    const readInto = (offset: number, target: Uint8Array) => {
      if (offset < 0 || offset + target.length > lengthBytes) {
        throw new RangeError(
          `Cannot read ${target.length} bytes at ${offset} of ${path}: it has ${lengthBytes}`,
        );
      }
      file.seekSync(offset, Deno.SeekMode.Start);
      for (let at = 0; at < target.length;) {
        const n = file.readSync(target.subarray(at));
        if (n === null) throw new RangeError(`Cannot read ${path}: it became shorter meanwhile`);
        at += n;
      }
    };
    return {
      lengthBytes,
      fill: readInto,
      read(offset, length) {
        const bytes = new Uint8Array(Math.max(0, length));
        readInto(offset, bytes);
        return bytes;
      },
      [Symbol.dispose]: () => file.close(),
    };
  } catch (cause) {
    if (cause instanceof CommandError) throw cause;
    throw usageError(`Cannot read ${path}: ${(cause as Error).message}`, "Give a file that exists");
  }
}

/** A pipe or a device has no length, and what it gives cannot be read again. */
function checkRegular(path: string, attempt: "read" | "write", info: Deno.FileInfo): void {
  if (info.isFile) return;
  throw usageError(
    `Cannot ${attempt} ${path}: it is ${info.isDirectory ? "a folder" : "no regular file"}`,
    "Give the path of a file",
  );
}

/**
 * Writes a file that appears whole or not at all, whatever ends the work: a failure, a full
 * medium, or a signal, which ends the program after what was begun is removed.
 *
 * @param path Where it will be. What a link leads to is replaced, not the link.
 * @param sources Files that must not be written over, by what they are read as.
 * @param write Writes it, in steps; a signal is heard between two of them.
 * @returns What `write` returned.
 * @throws {CommandError} Usage, if it cannot be made there; `storageFull` if the medium is.
 */
export async function replaceFile<T>(
  path: string,
  sources: Readonly<Record<string, string>>,
  write: (file: Deno.FsFile) => Generator<void, T>,
): Promise<T> {
  const target = targetOf(path, sources);
  const temporary = `${target}.${crypto.randomUUID()}.part`;
  using signals = new Signals();
  try {
    using file = openWrite(temporary, path);
    const steps = write(file);
    let step = steps.next();
    for (; !step.done; step = steps.next()) await signals.hear();
    file.syncSync();
    await signals.hear();
    Deno.renameSync(temporary, target);
    return step.value;
  } catch (error) {
    throw isFull(error) ? full(path, error as Error) : error;
  } finally {
    removeIfThere(temporary);
    await signals.obey();
  }
}

/** Where the bytes go in the end. */
function targetOf(path: string, sources: Readonly<Record<string, string>>): string {
  let there: Deno.FileInfo;
  try {
    there = Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return path;
    throw usageError(`Cannot write ${path}: ${(error as Error).message}`, "Give another path");
  }
  checkRegular(path, "write", there);
  for (const [role, source] of Object.entries(sources)) {
    const { dev, ino } = Deno.statSync(source);
    if (dev !== there.dev || ino !== there.ino) continue;
    throw usageError(`Cannot write ${path}: it is read as ${role}`, "Give another path");
  }
  return Deno.realPathSync(path);
}

/** SIGINT and SIGTERM, heard when there is nothing half done. */
class Signals implements Disposable {
  #heard: Deno.Signal | undefined;
  #breathedAtMs = performance.now();
  readonly #listeners = (["SIGINT", "SIGTERM"] as const).map((signal) => {
    const listener = () => {
      this.#heard ??= signal;
    };
    Deno.addSignalListener(signal, listener);
    return [signal, listener] as const;
  });

  /** Lets signals in; throws if there was one. */
  async hear(): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#breathedAtMs < BREATH_MS) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#breathedAtMs = performance.now();
    if (this.#heard !== undefined) throw new Error(`ended by ${this.#heard}`);
  }

  /** Ends the program, if there was one: whoever started it sees the signal as why. */
  async obey(): Promise<void> {
    this[Symbol.dispose]();
    if (this.#heard === undefined) return;
    Deno.kill(Deno.pid, this.#heard);
    await new Promise((resolve) => setTimeout(resolve, OBEY_MS)); // It comes by another thread.
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners.splice(0)) {
      Deno.removeSignalListener(signal, listener);
    }
  }
}

function full(path: string, cause: Error): CommandError {
  const message = `Cannot write ${path}: the medium is full`;
  return commandError(EXIT.failed, "storageFull", message, { remedy: "Free space there", cause });
}

function isFull(error: unknown): boolean {
  return error instanceof Error && /os error (28|122)\b/.test(error.message); // ENOSPC, EDQUOT.
}

/** Makes the file that will replace another. */
function openWrite(temporary: string, path: string): Deno.FsFile {
  try {
    return Deno.openSync(temporary, { write: true, createNew: true });
  } catch (cause) {
    if (isFull(cause)) throw full(path, cause as Error);
    throw usageError(
      `Cannot write ${path}: ${(cause as Error).message}`,
      "Give a path in a folder where you may write",
    );
  }
}

/** Removes what is left of a file that was not finished. */
function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
