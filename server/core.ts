/**
 * The server's parts, joined once and handed to the routes.
 *
 * @module
 */
import type { Clock } from "shared/clock.ts";
import type { Endpoints } from "shared/protocol/api.ts";
import { Enrolments } from "./access/enrolment.ts";
import { Sessions } from "./access/sessions.ts";
import { Feed } from "./board/feed.ts";
import { View } from "./board/view.ts";
import { Bulletins } from "./campaign/bulletins.ts";
import { Fleet } from "./campaign/fleet.ts";
import { FleetInbox } from "./campaign/inbox.ts";
import { Ledger } from "./campaign/ledger.ts";
import { Metrics } from "./metrics.ts";
import type { Announcer, BlobStore, Log, RecordStore, Secrets, StaticFiles } from "./ports.ts";
import { Publisher } from "./release/publish.ts";
import { Uploads } from "./release/uploads.ts";

/** What the core is made of. */
export interface CorePorts {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly board: StaticFiles;
  readonly clock: Clock;
  readonly secrets: Secrets;
  readonly log: Log;
}

/** Hardware ids that every server knows (system.md). */
const BUILT_IN = ["ivi-rpi4", "cluster-sim", "body-sim"] as const;

/** One server's parts. */
export class Core {
  readonly metrics: Metrics = new Metrics();
  readonly ledger: Ledger = new Ledger();
  readonly sessions: Sessions;
  readonly enrolments: Enrolments;
  readonly uploads: Uploads;
  readonly view: View;
  readonly feed: Feed;
  readonly bulletins: Bulletins;
  readonly fleet: Fleet;
  readonly inbox: FleetInbox;
  readonly publisher: Publisher;
  /** When this run began, in milliseconds since the epoch. */
  readonly sinceMs: number;
  #announcer: Announcer | undefined;
  #device: string | undefined;
  #state: "starting" | "running" | "stopping" = "starting";

  constructor(readonly ports: CorePorts) {
    const { records, blobs, clock, secrets, log } = ports;
    const { metrics, ledger } = this;
    this.sinceMs = clock.now();
    this.sessions = new Sessions({ records, clock, secrets, metrics });
    this.enrolments = new Enrolments(records, secrets, (vin) => this.#announcer?.cut(vin));
    this.uploads = new Uploads({ blobs, records, clock, metrics });
    this.view = new View(records, ledger, () => ({ state: this.#state, sinceMs: this.sinceMs }));
    this.feed = new Feed(this.view, clock, this.sinceMs.toString(36), log);
    this.bulletins = new Bulletins(records, lazy(() => this.#announcer), metrics, log);
    const { feed, bulletins, uploads } = this;
    this.fleet = new Fleet({ records, clock, ledger, feed, bulletins, metrics, log });
    const { fleet } = this;
    this.inbox = new FleetInbox(
      fleet,
      metrics,
      log,
      async (vin, secret) => await this.enrolments.identify(secret) === vin,
    );
    this.publisher = new Publisher({
      ...{ records, blobs, uploads, clock, bulletins },
      ...{ fleet, feed, metrics },
    });
  }

  /** Whether requests can be served in full. */
  get ready(): boolean {
    return this.#state === "running" && (this.#announcer?.ready() ?? false);
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
    await this.announceAgain();
    this.fleet.settleAll(); // A crash may have come between a campaign and its vehicles.
  }

  /** Says everything that is retained, for a broker that may have forgotten or missed it. */
  async announceAgain(): Promise<void> {
    if (!this.#announcer?.ready()) return; // It will ask when it is there.
    await this.bulletins.status("running", this.sinceMs);
    await this.bulletins.announceAll();
    const rows = await this.ports.records.read((tables) => tables.vehicles());
    for (const row of rows) if (row.director !== null) await this.bulletins.desire(row);
  }

  /** Says goodbye. Listeners are closed by whoever opened them, before and after. */
  async close(): Promise<void> {
    this.#state = "stopping";
    if (this.#announcer !== undefined) await this.bulletins.status("stopping", this.sinceMs);
    await this.inbox.stop();
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
    cut: (vin) => get()?.cut(vin),
  };
}
