/**
 * Keeps both repositories signed: at once when something changes, and by a timer before anything
 * expires. A crash between a change and its signature is made good by the next look, at the start.
 *
 * @module
 */
import { type Clock, isoTime } from "shared/clock.ts";
import { UpdateFailure } from "shared/failure.ts";
import { OFFLINE_WARNING_MS, RESIGN_EVERY_MS, TIMESTAMP_VALID_MS } from "shared/limits.ts";
import { nodeHash } from "shared/node/digest.ts";
import { MerkleTree } from "shared/merkle_tree.ts";
import { toHex } from "shared/bytes.ts";
import type { Carrier } from "shared/protocol/common.ts";
import { type NextMetadata, REPOSITORIES } from "shared/protocol/signing.ts";
import type { Bulletins } from "../campaign/bulletins.ts";
import type { Fleet } from "../campaign/fleet.ts";
import type { BlobStore, Log, Records, RecordStore, VehicleRow } from "../ports.ts";
import type { KeyVault } from "../ports_metadata.ts";
import { openCarrier } from "../release/carrier_files.ts";
import { hashLeaves } from "../release/leaf_trees.ts";
import { keyIdOf } from "../trust/keys.ts";
import { onlineKeyOf } from "../trust/metadata.ts";
import { dueLeftMs, presentRoot, signDirector, signImage } from "./online.ts";
import { SigningDesk } from "./signing_desk.ts";

/** What the repositories need. */
export interface RepositoryPorts {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly vault: KeyVault;
  readonly clock: Clock;
  readonly log: Log;
}

/** Who is told of what was signed. */
export interface Listeners {
  readonly bulletins: Bulletins;
  readonly fleet: Fleet;
}

/** Vehicles looked at between two breaths. */
const PAGE = 100;

/** Both repositories of one server. */
export class Repositories {
  readonly desk: SigningDesk;
  readonly #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  /** One at a time hashes carriers and signs; others wait for it and look again. */
  #refreshing: Promise<unknown> = Promise.resolve();
  #listeners: Listeners | undefined;

  constructor(readonly ports: RepositoryPorts) {
    this.desk = new SigningDesk(ports);
  }

  /** Begins to look after expiry. */
  start(listeners: Listeners): void {
    this.#listeners = listeners;
    this.#loop = this.#work();
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await this.#refreshing;
  }

  async #work(): Promise<void> {
    const { clock, log } = this.ports;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.lookAfter();
      } catch (error) {
        log(`Cannot sign again what expires: ${(error as Error).message}`);
      }
      await clock.sleep(RESIGN_EVERY_MS, signal).catch(() => undefined);
    }
  }

  /** Signs again what expires soon or was signed by a key that is no longer named, and tells. */
  async lookAfter(): Promise<void> {
    if (await this.refreshImage()) await this.#listeners?.bulletins.announceAll();
    await this.#signFleet();
    await this.#warn();
  }

  /**
   * Brings the Image repository in line with the records.
   *
   * @returns Whether there is a new timestamp, which is to be announced.
   */
  refreshImage(): Promise<boolean> {
    const mine = this.#refreshing.then(async () => {
      const { records, vault, clock, log } = this.ports;
      try {
        await this.#hashCarriers();
        return await records.write((tables) => signImage({ tables, vault, nowMs: clock.now() }));
      } catch (error) {
        // A release goes out by what is signed already; the timer tries again.
        log(`Cannot sign the Image repository: ${(error as Error).message}`);
        return false;
      }
    });
    this.#refreshing = mine;
    return mine;
  }

  /**
   * Signs what a vehicle is told, in the transaction that tells it.
   *
   * @param tables The records, in a transaction for writing.
   * @param row The vehicle.
   * @returns Whether there is a new timestamp.
   */
  async signVehicle(tables: Records, row: VehicleRow): Promise<boolean> {
    const { vault, clock } = this.ports;
    try {
      return await signDirector({ tables, vault, nowMs: clock.now() }, row.vin, row.director);
    } catch (error) {
      // A key was lost: reports are taken all the same, and the log says so about the images.
      if (error instanceof UpdateFailure && error.failure === "keyUnknown") return false;
      throw error;
    }
  }

  /**
   * Takes what was signed away from the server, and tells everybody.
   *
   * @param next New roots and targets.
   * @throws {UpdateFailure} The first thing that does not hold; then nothing has changed.
   */
  async accept(next: NextMetadata): Promise<void> {
    await this.desk.accept(next);
    await this.refreshImage(); // Carriers of what was signed just now are listed as well.
    await this.#listeners?.bulletins.announceAll();
    this.#listeners?.fleet.settleAll(); // Signs for every vehicle, with new keys if there are any.
  }

  /** The newest timestamp of the Image repository, or of a vehicle's Director, as it is sent. */
  async timestamp(vin?: string): Promise<string | undefined> {
    const name = { repository: vin === undefined ? "image" : "director", vin: vin ?? "" } as const;
    const row = await this.ports.records.read((tables) =>
      tables.metadata({ ...name, role: "timestamp" })
    );
    return row?.body;
  }

  /** The leaves of containers are hashed once: what is listed carries their root. */
  async #hashCarriers(): Promise<void> {
    const { records } = this.ports;
    while (!this.#stopping.signal.aborted) {
      const carriers = await records.read((tables) => tables.carriersWithoutRoot(PAGE));
      if (carriers.length === 0) return;
      for (const carrier of carriers) {
        const root = await this.#rootOf(carrier);
        await records.write((tables) => tables.putCarrierRoot(carrier.carrierSha256, root));
      }
    }
  }

  async #rootOf(carrier: Carrier): Promise<string> {
    const file = await openCarrier(this.ports, carrier);
    try {
      const leaves = await hashLeaves(file, carrier.lengthBytes);
      return toHex(new MerkleTree(leaves, nodeHash).root);
    } finally {
      file.close();
    }
  }

  /** Signs for vehicles that nobody has settled for long. */
  async #signFleet(): Promise<void> {
    const { records, clock } = this.ports;
    const root = await records.read((tables) => presentRoot(tables, "director"));
    if (root === undefined || this.#listeners === undefined) return;
    const due = {
      keyId: keyIdOf(onlineKeyOf(root, "timestamp") ?? ""),
      expiresBeforeMs: clock.now() + dueLeftMs(TIMESTAMP_VALID_MS),
    };
    for (let after = "";;) {
      const page = { after, limit: PAGE };
      const vins = await records.read((tables) => tables.directorDue(due, page));
      for (const vin of vins) {
        if (this.#stopping.signal.aborted) return;
        await this.#listeners.fleet.settle(vin);
        await clock.sleep(0); // Requests come first.
      }
      if (vins.length < PAGE) return;
      after = vins.at(-1)!;
    }
  }

  /** What only people can sign again must not end unnoticed. */
  async #warn(): Promise<void> {
    const { records, clock, log } = this.ports;
    for (const repository of REPOSITORIES) {
      for (const role of ["root", "targets"]) {
        const row = await records.read((tables) => tables.metadata({ repository, vin: "", role }));
        if (row === undefined || row.expiresAtMs - clock.now() > OFFLINE_WARNING_MS) continue;
        log(
          `The ${repository} repository's ${role} ends at ${isoTime(row.expiresAtMs)}: vehicles ` +
            `take nothing after that; sign it again (ota keys fetch, root --renew, sign, upload)`,
        );
      }
    }
  }
}
