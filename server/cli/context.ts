/**
 * What every command is handed: which server, which token, where to print. What talks to a server
 * is loaded when a command asks for it: some never do.
 *
 * @module
 */
import type { z } from "zod";
import type { ApiClient } from "./client.ts";
import { commandError, EXIT, usageError } from "./exit.ts";
import type { CredentialStore, Environment } from "./credentials.ts";
import { load } from "./load.ts";
import { Output } from "./output.ts";

const credentials = () => load<typeof import("./credentials.ts")>("./credentials.ts");

/** The options that every command has. */
export interface CommonOptions {
  readonly server?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** One run of one command. */
export class Context {
  readonly output: Output;
  readonly env: Environment;
  readonly #options: CommonOptions;

  /**
   * @param options The options that every command has.
   * @param env The environment.
   */
  constructor(options: CommonOptions, env: Environment = (name) => Deno.env.get(name)) {
    this.#options = options;
    this.env = env;
    this.output = new Output({ json: options.json ?? false, quiet: options.quiet ?? false });
  }

  /** The kept tokens. @throws {CommandError} If there is no folder for them. */
  async credentials(): Promise<CredentialStore> {
    const { CredentialStore, homeFolder } = await credentials();
    return new CredentialStore(homeFolder(this.env));
  }

  /**
   * The server that is named by `--server` or `OTA_SERVER`.
   *
   * @returns Its address, or `undefined` if neither is given.
   * @throws {CommandError} If it is no address.
   */
  async namedServer(): Promise<string | undefined> {
    const named = this.#options.server ?? this.env("OTA_SERVER");
    if (!named) return undefined;
    return (await credentials()).serverAddress(named);
  }

  /**
   * The server to talk to, with the right to use it: `OTA_TOKEN`, or what `ota login` kept.
   *
   * @returns A client.
   * @throws {CommandError} If no server is known, or nobody is logged in there.
   */
  async client(): Promise<ApiClient> {
    const token = this.env("OTA_TOKEN");
    const named = await this.namedServer();
    const { ApiClient } = await load<typeof import("./client.ts")>("./client.ts");
    if (token && named !== undefined) return new ApiClient(named, token);
    const store = await this.credentials();
    const server = named ?? await store.lastServer();
    if (server === undefined) {
      throw usageError(
        "Cannot choose a server: none is named, and nobody logged in yet",
        "Run `ota login --server URL`, or give --server or OTA_SERVER",
      );
    }
    if (token) return new ApiClient(server, token);
    const login = await store.login(server);
    if (login === undefined) {
      throw commandError(
        EXIT.refused,
        "unauthenticated",
        `Cannot use ${server}: nobody is logged in there`,
        { remedy: `Run \`ota login --server ${server}\`, or set OTA_TOKEN` },
      );
    }
    return new ApiClient(server, login.token);
  }
}

/**
 * An argument, checked before anything is sent.
 *
 * @param schema What it must be.
 * @param value What was typed.
 * @param what What it is called in the usage.
 * @returns The value.
 * @throws {CommandError} Wrong usage, if it does not fit.
 */
export function argument<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problem = result.error.issues[0]?.message ?? "it does not fit";
  throw usageError(`Cannot use "${String(value)}" as ${what}: ${problem}`, "See --help");
}
