/**
 * The counter of a new release. The server decides by it; `ota publish` asks it first, so that
 * what is refused is not sent. Pure.
 *
 * @module
 */
import { UpdateFailure } from "./failure.ts";
import { compareVersions } from "./version.ts";

/** The highest counter there is (shared/protocol: 32 bits). */
const MAX_COUNTER = 0xFFFF_FFFF;

/** What is looked at of a release that exists. */
export interface Sibling {
  readonly release: string;
  readonly version: string;
  readonly counter: number;
}

/**
 * Chooses the counter of a new release.
 *
 * @param request The hardware id and version, and the counter if the publisher gave one.
 * @param siblings Every release of that hardware id.
 * @returns The counter.
 * @throws {UpdateFailure} `versionTaken`, `versionNotHigher`, `counterTaken`, `counterNotHigher`.
 */
export function chooseCounter(
  request: { readonly hardware: string; readonly version: string; readonly counter?: number },
  siblings: readonly Sibling[],
): number {
  const { hardware, version, counter } = request;
  const what = `Cannot publish ${hardware}/${version}`;
  if (siblings.some((row) => row.version === version)) {
    throw new UpdateFailure("versionTaken", "version", `${what}: this version exists`);
  }
  const highest = siblings.reduce((max, row) => Math.max(max, row.counter), 0);
  if (counter === undefined) {
    const above = siblings.find((row) => compareVersions(version, row.version) <= 0);
    if (above !== undefined) {
      throw new UpdateFailure(
        "versionNotHigher",
        "version",
        `${what}: version ${above.version} exists, and it is not lower`,
      );
    }
    if (highest >= MAX_COUNTER) {
      throw new UpdateFailure(
        "counterNotHigher",
        "counter",
        `${what}: the highest counter, ${MAX_COUNTER}, is taken`,
      );
    }
    return highest + 1;
  }
  const same = siblings.find((row) => row.counter === counter);
  if (same !== undefined) {
    throw new UpdateFailure(
      "counterTaken",
      "counter",
      `${what}: counter ${counter} is that of ${same.release}`,
    );
  }
  if (counter < highest) {
    throw new UpdateFailure(
      "counterNotHigher",
      "counter",
      `${what}: counter ${counter} is below the highest, ${highest}`,
    );
  }
  return counter;
}
