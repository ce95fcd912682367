/**
 * Versions for people: compared part by part as numbers, so that 1.10.0 is newer
 * than 1.9.0. What a vehicle calls newer is decided by the release counter alone.
 *
 * @module
 */

/** One to four numbers with dots, and an optional suffix such as `-rc.1`. */
export const VERSION_PATTERN =
  /^(0|[1-9]\d{0,8})(\.(0|[1-9]\d{0,8})){0,3}(-[0-9A-Za-z]+([.-][0-9A-Za-z]+){0,7})?$/;

/**
 * Orders two versions. Missing parts count as zero; a version with a suffix comes
 * before the same version without one (Semantic Versioning 2.0.0, clause 11).
 *
 * @example Usage
 * ```ts
 * import { compareVersions } from "shared/version.ts";
 * import { assert } from "@std/assert/mod.js";
 *
 * assert(compareVersions("1.10.0", "1.9.0") > 0);
 * assert(compareVersions("1.0.0-rc.2", "1.0.0") < 0);
 * ```
 *
 * @param a One version.
 * @param b The other.
 * @returns Below zero if `a` is older, above if newer, zero if they mean the same.
 * @throws {SyntaxError} If one of them is not a version.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)];
  for (let i = 0; i < 4; i++) {
    const difference = (left.numbers[i] ?? 0) - (right.numbers[i] ?? 0);
    if (difference !== 0) return difference;
  }
  if (left.suffix.length === 0 || right.suffix.length === 0) {
    return right.suffix.length - left.suffix.length;
  }
  return compareSuffix(left.suffix, right.suffix);
}

function parse(version: string): { numbers: number[]; suffix: string[] } {
  if (!VERSION_PATTERN.test(version)) {
    throw new SyntaxError(`Cannot read version: found "${version.slice(0, 80)}"`);
  }
  const dash = version.indexOf("-");
  const head = dash < 0 ? version : version.slice(0, dash);
  return {
    numbers: head.split(".").map(Number),
    suffix: dash < 0 ? [] : version.slice(dash + 1).split(/[.-]/),
  };
}

function compareSuffix(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a[i]!, b[i]!];
    if (x === y) continue;
    const [xIsNumber, yIsNumber] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    if (xIsNumber && yIsNumber && Number(x) !== Number(y)) return Number(x) - Number(y);
    if (xIsNumber !== yIsNumber) return xIsNumber ? -1 : 1; // Numbers come before words.
    if (x !== y) return x < y ? -1 : 1;
  }
  return a.length - b.length;
}
