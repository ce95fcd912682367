/**
 * The processes that run images for one vehicle, found by their command lines: each names the
 * copy of the image that it may read, in the vehicle's own folder. For Linux, by `/proc`.
 *
 * @module
 */
import { sha256Hex } from "shared/node/digest.ts";

/** One process that runs an image. */
export interface ImageProcess {
  readonly pid: number;
  /** The copy of the image; its name is never used again. */
  readonly file: string;
}

/** Why they can't be found here, as tests say it; empty if they can. */
export function noProc(): string {
  try {
    return Deno.readTextFileSync("/proc/self/cmdline") === "" ? " (skipped: no /proc)" : "";
  } catch {
    return " (skipped: no /proc)";
  }
}

/**
 * Those of one vehicle.
 *
 * @param data Its data folder.
 */
export function imageProcesses(data: string): ImageProcess[] {
  const found: ImageProcess[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const file = fileOf(Number(name), data);
    if (file !== undefined) found.push({ pid: Number(name), file });
  }
  return found;
}

/** Whether a process still runs that very image. */
export function runs({ pid, file }: ImageProcess, data: string): boolean {
  return fileOf(pid, data) === file;
}

/** The digest of what an ECU's process was given to run; `undefined` if it is just being ended. */
export function digestOf({ file }: ImageProcess): string | undefined {
  try {
    return sha256Hex(Deno.readFileSync(file));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The ECU that a process runs for. */
export function serialOf({ file }: ImageProcess): string {
  return /([^/]+)-[0-9a-f]{16}\.mjs$/.exec(file)![1]!;
}

function fileOf(pid: number, data: string): string | undefined {
  try {
    // A zombie has an empty command line: it runs nothing any more.
    const args = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
    return args.find((arg) => arg.startsWith(`${data}/run/`) && arg.endsWith(".mjs"));
  } catch {
    return undefined; // Gone since the folder was read.
  }
}
