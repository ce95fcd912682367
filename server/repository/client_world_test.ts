/**
 * A vehicle's client of the server's repositories, for tests: the code that vehicles use, over HTTP.
 *
 * @module
 */
import { MetadataClient } from "shared/trust/client.ts";
import type { MetadataStore, StoreChange } from "shared/trust/ports.ts";
import type { TestServer } from "../fixture_test.ts";
import { VIN } from "../samples_test.ts";

/** Metadata in memory. */
export class MemoryStore implements MetadataStore {
  readonly files = new Map<string, Uint8Array>();

  read(role: string): Uint8Array | undefined {
    return this.files.get(role);
  }

  commit(changes: readonly StoreChange[]): void {
    for (const [role, bytes] of changes) {
      if (bytes === null) this.files.delete(role);
      else this.files.set(role, bytes);
    }
  }
}

/** A thief between server and vehicle: answers for a file, or `null` for none. */
export type Meddler = (file: string) => Uint8Array | null | undefined;

/** One vehicle's clients. */
export class Client {
  readonly store: MemoryStore = new MemoryStore();
  /** Asked before the server. */
  meddler: Meddler = () => undefined;
  readonly #client: MetadataClient;

  private constructor(
    readonly server: TestServer,
    readonly secret: string,
    readonly repository: "image" | "director",
    readonly vin: string,
  ) {
    const source = { fetch: (file: string) => this.fetch(file) };
    this.#client = new MetadataClient({ source, store: this.store });
  }

  /** Begins with the first root, as at enrolment. */
  static async begin(
    server: TestServer,
    secret: string,
    options: { readonly repository?: "image" | "director"; readonly vin?: string } = {},
  ): Promise<Client> {
    const { repository = "image", vin = VIN } = options;
    const client = new Client(server, secret, repository, vin);
    client.#client.begin((await client.fetch("1.root.json"))!);
    return client;
  }

  get client(): MetadataClient {
    return this.#client;
  }

  /** One update, as of now or of another time. */
  async refresh(at = Date.now()): Promise<void> {
    await this.#client.refresh(at);
  }

  /** A file of the repository, or `undefined` if it is not there. */
  async fetch(file: string): Promise<Uint8Array | undefined> {
    const meddled = this.meddler(file);
    if (meddled !== undefined) return meddled ?? undefined;
    const folder = this.repository === "image" ? "image" : `director/${this.vin}`;
    const answer = await this.server.asVehicle(this.secret, `/metadata/${folder}/${file}`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return answer.ok ? bytes : undefined;
  }
}
