/**
 * The server's parts, joined once and handed to the routes.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import type { Endpoints } from "shared/protocol/api.ts";
import type { LastError } from "shared/protocol/messages.ts";
import type { BrokerEntry } from "shared/protocol/mosquitto.ts";
import { SHOWN_MS, stillShown } from "shared/supervise.ts";
import { BrokerDoor } from "./access/broker_door.ts";
import { Enrolments } from "./access/enrolment.ts";
import { OpenBodies } from "./access/open_bodies.ts";
import { Sessions } from "./access/sessions.ts";
import { Users } from "./access/users.ts";
import { Feed } from "./board/feed.ts";
import { View } from "./board/view.ts";
import { Bulletins, type Trouble } from "./campaign/bulletins.ts";
import { Fleet } from "./campaign/fleet.ts";
import { FleetInbox } from "./campaign/inbox.ts";
import { Ledger } from "./campaign/ledger.ts";
import { Metrics } from "./metrics.ts";
import type {
  Announcer,
  BlobStore,
  Log,
  PasswordFile,
  RecordStore,
  Secrets,
  StaticFiles,
} from "./ports.ts";
import type { DeltaMaker } from "./ports_delta.ts";
import type { KeyVault } from "./ports_metadata.ts";
import { Collector } from "./release/collector.ts";
import { DeltaJobs } from "./release/delta_jobs.ts";
import { LeafTrees } from "./release/leaf_trees.ts";
import { Publisher } from "./release/publish.ts";
import { Uploads } from "./release/uploads.ts";
import { Repositories } from "./repository/repositories.ts";

/** What the core is made of. */
export interface CorePorts {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly maker: DeltaMaker;
  readonly board: StaticFiles;
  readonly clock: Clock;
  readonly secrets: Secrets;
  readonly vault: KeyVault;
  readonly log: Log;
  /** Why the run before this one ended, if it crashed. */
  readonly lastError?: LastError | undefined;
  /** Of another broker: the server's own user, and the file of all users. */
  readonly ownEntry?: BrokerEntry | undefined;
  readonly passwordFile?: PasswordFile | undefined;
}

/** Hardware ids that every server knows (system.md). */
const BUILT_IN = ["ivi-rpi4", "cluster-sim", "body-sim"] as const;

/** One server's parts. */
export class Core {
  readonly metrics: Metrics = new Metrics();
  readonly ledger: Ledger = new Ledger();
  readonly bodies: OpenBodies = new OpenBodies();
  readonly sessions: Sessions;
  readonly users: Users;
  readonly enrolments: Enrolments;
  readonly door: BrokerDoor;
  readonly uploads: Uploads;
  readonly view: View;
  readonly feed: Feed;
  readonly repositories: Repositories;
  readonly bulletins: Bulletins;
  readonly fleet: Fleet;
  readonly inbox: FleetInbox;
  readonly deltas: DeltaJobs;
  readonly collector: Collector;
  readonly publisher: Publisher;
  readonly leafTrees: LeafTrees;
  /** When this run began, in milliseconds since the epoch. */
  readonly sinceMs: number;
  #announcer: Announcer | undefined;
  #device: string | undefined;
  #brokerTrouble: Trouble | undefined;
  readonly #opened = Promise.withResolvers<void>();
  #sweeping: Promise<void> = this.#opened.promise;
  readonly #closing = new AbortController();
  #state: "starting" | "running" | "stopping" = "starting";

  constructor(readonly ports: CorePorts) {
    const { records, blobs, clock, secrets, log } = ports;
    const { metrics, ledger } = this;
    this.sinceMs = clock.now();
    this.sessions = new Sessions({ records, clock, secrets, metrics });
    this.door = new BrokerDoor(records, ports.ownEntry, ports.passwordFile, log);
    this.enrolments = new Enrolments(
      records,
      secrets,
      (vin) => {
        this.ledger.forgetReport(vin);
        this.#announcer?.cut(vin);
      },
      () => this.door.tryUpdate(),
    );
    this.uploads = new Uploads({ blobs, records, clock, metrics });
    this.view = new View(records, ledger, () => ({
      state: this.#state,
      sinceMs: this.sinceMs,
      lastError: this.lastError,
    }), (job) => this.deltas.doneBytes(job));
    metrics.add("ota_server_restarts_total", ports.lastError?.restarts ?? 0);
    this.feed = new Feed(this.view, clock, this.sinceMs.toString(36), log);
    this.repositories = new Repositories({ records, blobs, clock, log, vault: ports.vault });
    const { repositories } = this;
    const announcer = lazy(() => this.#announcer);
    this.bulletins = new Bulletins(records, announcer, repositories, metrics, log);
    const { feed, bulletins, uploads, sessions } = this;
    this.users = new Users({ records, secrets, sessions, feed, log });
    this.fleet = new Fleet({
      ...{ records, clock, ledger, feed, bulletins, metrics, log },
      sign: (tables, row) => repositories.signVehicle(tables, row),
    });
    const { fleet } = this;
    this.inbox = new FleetInbox(
      fleet,
      metrics,
      log,
      async (vin, secret) => await this.enrolments.identify(secret) === vin,
    );
    this.leafTrees = new LeafTrees(ports.blobs);
    this.deltas = new DeltaJobs({
      ...{ records, blobs, clock, maker: ports.maker, bulletins },
      ...{ fleet, feed, metrics, log },
    });
    const { deltas } = this;
    this.collector = new Collector({ records, blobs, uploads, clock, metrics, log });
    this.publisher = new Publisher({
      ...{ records, blobs, uploads, clock, bulletins },
      ...{ fleet, feed, metrics, deltas },
    });
  }

  /** Whether requests can be served in full. */
  get ready(): boolean {
    return this.#state === "running" && (this.#announcer?.ready() ?? false);
  }

  /** Why the server was restarted, while that is to be told; else what is wrong with its broker. */
  get lastError(): Trouble | undefined {
    return stillShown(this.ports.lastError, this.ports.clock.now()) ?? this.#brokerTrouble;
  }

  /** Where vehicles go. */
  get endpoints(): Endpoints {
    return { v: 1, device: this.#device ?? "", broker: this.#announcer?.url ?? "" };
  }

  /** Writes what every server has: hardware ids, and the first operator. */
  async prepare(adminPassword: string | undefined): Promise<void> {
    const { records, secrets, log } = this.ports;
    const fresh = await records.read((tables) => tables.operatorCount()) === 0;
    const password = adminPassword ?? secrets.random().slice(0, 20);
    const passwordHash = fresh ? await secrets.hashPassword(password) : "";
    await records.write(async (tables) => {
      for (const hardware of BUILT_IN) await tables.putHardware({ hardware, origin: "builtIn" });
      if (fresh) await tables.putOperator({ user: "admin", role: "operator", passwordHash });
    });
    if (fresh && adminPassword === undefined) {
      log(
        `First start: log in as user "admin" with password "${password}" (it is not shown again)`,
      );
    }
  }

  /** Begins to speak to vehicles: announces and tells all that the records say. */
  async open(announcer: Announcer, device: string): Promise<void> {
    this.#announcer = announcer;
    this.#device = device;
    this.#state = "running";
    this.#opened.resolve();
    await this.announceAgain();
    this.fleet.settleAll(); // A crash may have come between a campaign and its vehicles.
    this.repositories.start(this);
    this.deltas.start();
    this.collector.start();
    void this.#forgetError();
  }

  /** Says everything that is retained, for a broker that may have forgotten or missed it. */
  async announceAgain(): Promise<void> {
    if (!this.#announcer?.ready()) return; // It will ask when it is there.
    await this.bulletins.status("running", this.sinceMs, this.lastError);
    await this.bulletins.announceAll();
    const rows = await this.ports.records.read((tables) => tables.vehicles());
    for (const row of rows) if (row.director !== null) await this.bulletins.desire(row);
  }

  /** Another broker is there again: tells it all, and who may come in. */
  async brokerCame(): Promise<void> {
    try {
      await this.door.reload();
      await this.announceAgain();
    } catch (error) {
      this.ports.log(`Cannot tell the broker everything: ${(error as Error).stack}`);
    }
  }

  /** Another broker is not as it should be, but can be used; `undefined`: it is. */
  brokerTrouble(message: string | undefined): void {
    this.#brokerTrouble = message === undefined ? undefined : { message };
  }

  /** Another broker keeps something a server said. One after the other: it may be thousands. */
  brokerKeeps(topic: string): void {
    this.#sweeping = this.#sweeping.then(async () => {
      if (this.#state === "running") await this.bulletins.retained(topic);
    }).catch((error) => this.ports.log(`Cannot check ${topic}: ${(error as Error).stack}`));
  }

  /** The status is retained: when the last error has been told long enough, say it without. */
  async #forgetError(): Promise<void> {
    const { lastError, clock } = this.ports;
    if (lastError === undefined) return;
    const leftMs = Date.parse(lastError.at) + SHOWN_MS - clock.now();
    try {
      await clock.sleep(Math.max(0, Math.min(leftMs, SHOWN_MS)), this.#closing.signal);
    } catch {
      return; // It stops: the next status is about that.
    }
    await this.announceAgain();
  }

  /** Says goodbye. Listeners are closed by whoever opened them, before and after. */
  async close(): Promise<void> {
    this.#state = "stopping";
    this.#closing.abort();
    if (this.#announcer !== undefined) {
      await this.bulletins.status("stopping", this.sinceMs, undefined);
    }
    this.#opened.resolve();
    await this.#sweeping;
    await this.inbox.stop();
    await this.deltas.stop();
    await this.repositories.stop();
    await this.collector.stop();
    await this.fleet.stop();
    await this.feed.stop();
  }
}

/** The announcer comes later than what uses it: it needs an inbox to deliver to. */
function lazy(get: () => Announcer | undefined): Announcer {
  return {
    get url() {
      return get()?.url ?? "";
    },
    ready: () => get()?.ready() ?? false,
    publish: (topic, body) =>
      get()?.publish(topic, body) ?? Promise.reject(new Error("the broker is not there yet")),
    clear: (topic) =>
      get()?.clear(topic) ?? Promise.reject(new Error("the broker is not there yet")),
    cut: (vin) => get()?.cut(vin),
  };
}
