/**
 * What a child process took, as the kernel counted it, through GNU time.
 *
 * @module
 */

const GNU_TIME = "/usr/bin/time";

/** What a process took. */
export interface Cost {
  /** User CPU in seconds. */
  readonly userS: number;
  /** Highest resident memory in KiB. */
  readonly peakKib: number;
}

/** Why nothing can be measured here; `null` if it can. */
export function whyNotMeasured(): string | null {
  try {
    Deno.statSync(GNU_TIME);
    return null;
  } catch {
    return "no GNU time: apt-get install time";
  }
}

/**
 * Runs a program to its end.
 *
 * @param program Its name or path.
 * @param args Its arguments.
 * @returns What it took.
 * @throws {Error} If it fails; with the end of what it said.
 */
export async function measured(program: string, args: readonly string[]): Promise<Cost> {
  const report = await Deno.makeTempFile({ prefix: "bench-" });
  try {
    const { code, stderr } = await new Deno.Command(GNU_TIME, {
      args: ["-f", "%U %M", "-o", report, program, ...args],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (code !== 0) {
      const said = new TextDecoder().decode(stderr).slice(-500);
      throw new Error(
        `Cannot measure ${program} ${args.join(" ")}: it ended with ${code}: ${said}`,
      );
    }
    const [userS, peakKib] = (await Deno.readTextFile(report)).trim().split(" ").map(Number);
    return { userS: userS!, peakKib: peakKib! };
  } finally {
    await Deno.remove(report);
  }
}

/** The first line that a program says of its version; `null` if it is not there. */
export async function versionOf(program: string, args: readonly string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await new Deno.Command(program, { args: [...args], stdin: "null" })
      .output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return text.split("\n").find((line) => line.trim() !== "")?.trim() ?? "";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** The middle one, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The geometric mean: ratios multiply. */
export function geomean(ratios: readonly number[]): number {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

/**
 * Whether a file is there.
 *
 * @param path Which one.
 * @returns Whether it is one, and no folder.
 */
export function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/**
 * Compares two files byte for byte.
 *
 * @param a What was made.
 * @param b What it must be.
 * @throws {Error} If they differ.
 */
export async function assertSame(a: string, b: string): Promise<void> {
  const { code } = await new Deno.Command("cmp", { args: ["-s", a, b] }).output();
  if (code !== 0) throw new Error(`Cannot use the result: ${a} is not ${b}`);
}
