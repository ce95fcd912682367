/**
 * A repository, a client and its store, and what an attempt came to.
 *
 * @module
 */
import { assert } from "@std/assert/mod.js";
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import { type ClientOptions, MetadataClient } from "shared/trust/client.ts";
import { MemoryStore, NOW, TestRepository } from "./repository.ts";

/** The failure of an attempt, or `"trusted"`. Anything else that is thrown is a bug, and thrown on. */
export async function outcome(attempt: () => unknown): Promise<FailureName | "trusted"> {
  try {
    await attempt();
    return "trusted";
  } catch (error) {
    if (!(error instanceof UpdateFailure)) throw error;
    assert(/^Cannot [^:]+: /.test(error.message), `message "${error.message}"`);
    return error.failure;
  }
}

/** A repository whose first root the client was given. */
export class TrustWorld {
  readonly repository = new TestRepository();
  readonly store = new MemoryStore();
  readonly #options: ClientOptions;

  constructor(options: ClientOptions = {}) {
    this.#options = options;
    this.client().begin(this.repository.latest("root"));
  }

  /** A client as after a start: it knows what is stored and nothing else. */
  client(): MetadataClient {
    return new MetadataClient({ source: this.repository, store: this.store }, this.#options);
  }

  /** One update by a fresh client. */
  refresh(startAt: number = NOW): Promise<FailureName | "trusted"> {
    return outcome(() => this.client().refresh(startAt));
  }

  /** What a search by a fresh client finds: the role that signed it, or the failure. */
  async find(path: string): Promise<string> {
    const client = this.client();
    let role = "nobody";
    const failure = await outcome(async () => {
      await client.refresh(NOW);
      role = (await client.find(path))?.role ?? "nobody";
    });
    return failure === "trusted" ? role : failure;
  }
}
