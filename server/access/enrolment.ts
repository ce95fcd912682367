/**
 * Identities of vehicles. A one-time token is handed to a person; the vehicle trades it for a
 * secret, as often as it must, until it first connects with one: that spends the token. A vehicle
 * that is enrolled again keeps its old secret until the new one is used.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import type { RecordStore, Secrets, VehicleRow } from "../ports.ts";

/** A vehicle nothing is known of. */
export function newVehicle(vin: string): VehicleRow {
  return {
    vin,
    tokenHash: null,
    secretHash: null,
    pendingHash: null,
    brokerEntry: null,
    pendingEntry: null,
    lastSeenAt: null,
    report: null,
    director: null,
    current: null,
    queue: [],
  };
}

/** Who vehicles are. */
export class Enrolments {
  /**
   * @param records Where identities are kept.
   * @param secrets Randomness and hashes.
   * @param onReplaced Told when a vehicle's old secret has become void.
   * @param onEntries Told when another broker must learn a secret, and waited for.
   */
  constructor(
    readonly records: RecordStore,
    readonly secrets: Secrets,
    readonly onReplaced: (vin: string) => void,
    readonly onEntries: () => Promise<void> = () => Promise.resolve(),
  ) {}

  /**
   * Makes a one-time token. The last one that was not spent becomes void.
   *
   * @param vin The vehicle.
   * @returns The token; it is stored nowhere.
   */
  async invite(vin: string): Promise<string> {
    const token = this.secrets.random();
    await this.records.write(async (tables) => {
      const row = await tables.vehicle(vin) ?? newVehicle(vin);
      // A secret made by an older token falls with it.
      await tables.putVehicle({
        ...row,
        tokenHash: this.secrets.hash(token),
        ...{ pendingHash: null, pendingEntry: null },
      });
    });
    await this.onEntries();
    return token;
  }

  /**
   * Trades a token for a secret. Repeated, it gives another one that replaces the first.
   *
   * @param vin The vehicle.
   * @param token Its token.
   * @returns The secret; only its hash is stored.
   * @throws {UpdateFailure} `tokenInvalid` If the token is not this vehicle's, or was spent.
   */
  async enrol(vin: string, token: string): Promise<string> {
    const secret = this.secrets.random();
    await this.records.write(async (tables) => {
      const row = await tables.vehicle(vin);
      if (
        row === undefined || row.tokenHash === null ||
        !this.secrets.same(row.tokenHash, this.secrets.hash(token))
      ) {
        throw new UpdateFailure(
          "tokenInvalid",
          vin,
          `Cannot enrol ${vin}: the token is not for this vehicle, was replaced or was spent`,
        );
      }
      await tables.putVehicle({
        ...row,
        pendingHash: this.secrets.hash(secret),
        pendingEntry: this.secrets.brokerEntry(secret),
      });
    });
    await this.onEntries();
    return secret;
  }

  /**
   * Who shows a secret. The first time a new secret is shown spends the token and voids the old
   * secret.
   *
   * @param secret The bearer token or MQTT password.
   * @returns The vehicle's VIN, or `undefined` if nobody has this secret.
   */
  async identify(secret: string): Promise<string | undefined> {
    const hash = this.secrets.hash(secret);
    const row = await this.records.read((tables) => tables.vehicleBySecret(hash));
    if (row === undefined) return undefined;
    if (row.secretHash !== null && this.secrets.same(row.secretHash, hash)) {
      if (row.brokerEntry === null) await this.#learn(row.vin, secret);
      return row.vin;
    }
    if (row.pendingHash === null || !this.secrets.same(row.pendingHash, hash)) return undefined;
    const spent = await this.records.write(async (tables) => {
      const now = await tables.vehicle(row.vin);
      if (now === undefined || now.pendingHash !== hash) return now?.secretHash === hash;
      await tables.putVehicle({
        ...now,
        ...{ secretHash: hash, pendingHash: null, tokenHash: null },
        ...{ brokerEntry: now.pendingEntry, pendingEntry: null },
        // Whoever had the old secret may have used up the numbers of reports: they begin anew.
        report: now.report && { ...now.report, seq: 1 },
      });
      return true;
    });
    if (!spent) return undefined; // Replaced between the two looks.
    await this.onEntries();
    if (row.secretHash !== null) this.onReplaced(row.vin);
    return row.vin;
  }

  /** A vehicle from before there were entries shows its secret: now its entry can be made. */
  async #learn(vin: string, secret: string): Promise<void> {
    const [hash, brokerEntry] = [this.secrets.hash(secret), this.secrets.brokerEntry(secret)];
    await this.records.write(async (tables) => {
      const row = await tables.vehicle(vin);
      if (row?.secretHash === hash) await tables.putVehicle({ ...row, brokerEntry });
    });
    await this.onEntries();
  }
}
