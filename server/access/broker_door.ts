/**
 * Who another broker lets in: the server itself, and every vehicle with its secret. Made from the
 * records, so that it can be said again at any time.
 *
 * @module
 */
import { type BrokerEntry, mosquittoPasswords } from "shared/protocol/mosquitto.ts";
import type { Log, PasswordFile, RecordStore, VehicleRow } from "../ports.ts";

/** The door of another broker. */
export class BrokerDoor {
  #writing: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | undefined;

  /**
   * @param records Where identities are kept.
   * @param own The server's own user, if it has one.
   * @param file Kept up to date, if there is one.
   * @param log Told when the file cannot be written.
   */
  constructor(
    readonly records: RecordStore,
    readonly own: BrokerEntry | undefined,
    readonly file: PasswordFile | undefined,
    readonly log: Log,
  ) {}

  /** Everybody who may come in. */
  async entries(): Promise<BrokerEntry[]> {
    const rows = await this.records.read((tables) => tables.vehicles());
    const vehicles = rows.flatMap((row) => {
      const entry = entryOf(row);
      return entry === null ? [] : [{ user: row.vin, entry }];
    });
    return this.own === undefined ? vehicles : [this.own, ...vehicles];
  }

  /**
   * Makes the file say what the records say. Those who ask while it is being written share the
   * next turn: a fleet that enrols at one moment must not have it written for each vehicle.
   *
   * @throws {Error} If it cannot be written.
   */
  update(): Promise<void> {
    const { file } = this;
    if (file === undefined) return Promise.resolve();
    this.#waiting ??= this.#writing.catch(() => {}).then(async () => {
      this.#waiting = undefined; // From here on a change needs another turn.
      await file.write(mosquittoPasswords(await this.entries()));
    });
    return this.#writing = this.#waiting;
  }

  /** As {@linkcode BrokerDoor.update}, for those who cannot do anything about a failure. */
  async tryUpdate(): Promise<void> {
    try {
      await this.update();
    } catch (error) {
      this.log(`Cannot tell the broker who may come in: ${(error as Error).message}`);
    }
  }

  /** The broker has just come: it may have read the file before the last change. */
  async reload(): Promise<void> {
    await this.file?.reload();
  }
}

/** The broker knows one secret a vehicle: the proved one, until the pending one is shown. */
function entryOf({ brokerEntry, secretHash, pendingEntry }: VehicleRow): string | null {
  return secretHash === null ? pendingEntry : brokerEntry;
}
