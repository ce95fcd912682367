/**
 * Uptane's full verification, as the gateway does it: time, Director, Image repository, and one
 * against the other.
 *
 * @module
 */
import type { Millis } from "../clock.ts";
import type { UpdateFailure } from "../failure.ts";
import { MetadataClient } from "./client.ts";
import {
  checkScope,
  crossCheck,
  type CrossCheckOptions,
  type KnownVehicle,
  type ProvedImage,
} from "./cross_check.ts";
import type { ClientPorts } from "./client.ts";
import { judgeTime, raisedFloor, type TimeFloorStore } from "./time_floor.ts";

/** What full verification works with. */
export interface VerificationPorts {
  readonly director: ClientPorts;
  readonly image: ClientPorts;
  readonly floor: TimeFloorStore;
  /** What the clock says. */
  readonly now: () => Millis;
}

/** How the vehicle's servers sign. */
export interface VerificationPolicy {
  readonly vin: string;
  /** The longest span for which a timestamp is ever signed. */
  readonly timestampSignedForMs: Millis;
  readonly mayDowngrade?: CrossCheckOptions["mayDowngrade"];
}

/** What one update proved. */
export interface Verified {
  /** In the Director's order; empty if he wants nothing. */
  readonly images: readonly ProvedImage[];
  /** The start of the update; the same metadata proves itself again as of this time. */
  readonly startAt: Millis;
  /** Version of the Director's targets. */
  readonly directorVersion: number;
  /** `clockUntrusted` if the clock was behind what was signed already; the floor stood in. */
  readonly distrust: UpdateFailure | null;
}

/** Both repositories of one vehicle. One verification at a time. */
export class FullVerification {
  readonly director: MetadataClient;
  readonly image: MetadataClient;
  readonly #ports: VerificationPorts;
  readonly #policy: VerificationPolicy;

  /**
   * @param ports Networks, stores and the clock.
   * @param policy Whose vehicle this is, and how its servers sign.
   */
  constructor(ports: VerificationPorts, policy: VerificationPolicy) {
    const scope = (targets: Parameters<typeof checkScope>[0]) => checkScope(targets, policy.vin);
    this.#ports = ports;
    this.#policy = policy;
    this.director = new MetadataClient(ports.director, { scope });
    this.image = new MetadataClient(ports.image);
  }

  /**
   * Fetches and verifies everything (Uptane, Full verification, 1 to 10).
   *
   * @param ecus The ECUs of the vehicle, by serial.
   * @returns What is proved.
   * @throws {UpdateFailure} If anything must not be believed, or could not be had.
   */
  async verify(ecus: KnownVehicle["ecus"]): Promise<Verified> {
    const { floor, now } = this.#ports;
    const { at: startAt, distrust } = judgeTime(now(), floor.read()); // 1
    await this.director.refresh(startAt); // 2 to 5
    this.#raiseFloor(this.director);
    await this.image.refresh(startAt); // 6 to 9
    this.#raiseFloor(this.image);
    return await this.#checked(ecus, { startAt, distrust, stored: false });
  }

  /**
   * Proves what is stored once more, without the network and as of the start of the update that
   * stored it: before the first byte counts, nothing of it may have changed.
   *
   * @param ecus The ECUs of the vehicle, by serial.
   * @param startAt The start of that update.
   * @returns What is proved.
   * @throws {UpdateFailure} If it does not prove itself.
   */
  async verifyStored(ecus: KnownVehicle["ecus"], startAt: Millis): Promise<Verified> {
    this.director.verifyStored(startAt);
    this.image.verifyStored(startAt);
    return await this.#checked(ecus, { startAt, distrust: null, stored: true });
  }

  async #checked(
    ecus: KnownVehicle["ecus"],
    { stored, ...about }: Pick<Verified, "startAt" | "distrust"> & { readonly stored: boolean },
  ): Promise<Verified> {
    const { vin, mayDowngrade } = this.#policy;
    const targets = this.director.trusted.targets!;
    const find = (path: string) => this.image.find(path, { stored });
    const options = mayDowngrade === undefined ? { find } : { find, mayDowngrade };
    const images = await crossCheck(targets, { vin, ecus }, options); // 10
    return { images, ...about, directorVersion: targets.document.version };
  }

  #raiseFloor({ trusted }: MetadataClient): void {
    const { floor } = this.#ports;
    const before = floor.read();
    const after = raisedFloor(before, trusted, this.#policy.timestampSignedForMs);
    if (after > before) floor.write(after);
  }
}
