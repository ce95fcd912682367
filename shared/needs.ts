/**
 * Releases that must run beside another one: whether a vehicle meets what a release needs.
 * The server asks before it offers, the vehicle before it installs. Pure.
 *
 * A need names a release. It is met when the vehicle has that hardware and, once the update is
 * done, each ECU of it runs that release or one with a higher counter: counters alone decide
 * what is newer, and a partner that moves on must not lock out those that need it.
 *
 * @module
 */

/** A release that another one needs. */
export interface Need {
  /** `HARDWARE/VERSION`. */
  readonly release: string;
  readonly hardware: string;
  /** Its counter; `undefined`: unknown, so that only this very release will do. */
  readonly counter: number | undefined;
}

/** What one ECU runs once the update is done. */
export interface FutureEcu {
  readonly hardware: string;
  /** `HARDWARE/VERSION`; `null`: it is empty, or runs what was never confirmed. */
  readonly release: string | null;
  readonly counter: number | null;
}

/**
 * Reads a release id as a need.
 *
 * @param release `HARDWARE/VERSION`.
 * @param counter Its counter, if it is known.
 * @returns The need.
 */
export function needOf(release: string, counter: number | undefined): Need {
  return { release, hardware: release.slice(0, release.indexOf("/")), counter };
}

/**
 * Looks for what is missing.
 *
 * @param needs What a release needs.
 * @param ecus Every ECU of the vehicle, as it is to run.
 * @returns Why the first unmet need is not met, in words; `undefined` if all are met.
 */
export function unmetNeed(
  needs: readonly Need[],
  ecus: readonly FutureEcu[],
): string | undefined {
  for (const need of needs) {
    const partners = ecus.filter(({ hardware }) => hardware === need.hardware);
    if (partners.length === 0) {
      return `it needs ${need.release}, and this vehicle has no ${need.hardware}`;
    }
    const short = partners.find((partner) => !meets(partner, need));
    if (short !== undefined) {
      const runs = short.release ?? (short.counter === null ? "nothing" : "an older one");
      return `it needs ${need.release}, and beside it would run ${runs}`;
    }
  }
  return undefined;
}

function meets(ecu: FutureEcu, { release, counter }: Need): boolean {
  if (ecu.release === release) return true;
  return ecu.counter !== null && counter !== undefined && ecu.counter >= counter;
}
