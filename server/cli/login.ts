/**
 * `ota login` and `ota enrol`: rights for a person, and for a vehicle.
 *
 * @module
 */
import { promptSecret } from "@std/cli/prompt_secret.js";
import { Vin } from "shared/protocol/common.ts";
import { ApiClient } from "./client.ts";
import { argument, type Context } from "./context.ts";
import { commandError, EXIT, usageError } from "./exit.ts";

/** Options of `ota login`. */
export interface LoginOptions {
  readonly user: string;
  readonly plainHttp?: boolean;
}

/**
 * Asks for the password, or takes `OTA_PASSWORD`, and keeps the token.
 *
 * @param context Server, environment, output.
 * @param options Who logs in.
 * @throws {CommandError} Usage, if no server or password is given; refused; unreachable.
 */
export async function login(context: Context, options: LoginOptions): Promise<void> {
  const { user } = options;
  const store = await context.credentials();
  const server = await context.namedServer() ?? await store.lastServer();
  if (server === undefined) {
    throw usageError("Cannot log in: no server is named", "Give --server URL");
  }
  refusePlainHttp(server, options);
  const password = askPassword(context, "OTA_PASSWORD", {
    prompt: `Password of ${user}: `,
    attempt: `Cannot log in as ${user}`,
  });
  const session = await new ApiClient(server).login({ user, password });
  if (session.token === undefined) {
    throw commandError(
      EXIT.failed,
      "metadataInvalid",
      `Cannot log in at ${server}: its answer carries no token`,
      { remedy: "Use a server and an `ota` of the same version" },
    );
  }
  const { role, expiresAt, token } = session;
  await store.keep(server, { user: session.user, token, expiresAt });
  context.output.result(
    { server, user: session.user, role, expiresAt },
    `Logged in at ${server} as ${session.user} (${role}) until ${expiresAt}; ` +
      `the token is kept in ${store.path}`,
  );
}

/**
 * Sees to it that a password crosses a network encrypted only.
 *
 * @param server Where it goes.
 * @param options Whether the line is known to be safe.
 * @throws {CommandError} A precondition, if it would go in the clear off this machine.
 */
export function refusePlainHttp(server: string, options: { readonly plainHttp?: boolean }): void {
  const { protocol, hostname } = new URL(server);
  const here = hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname);
  if (protocol === "https:" || here || options.plainHttp === true) return;
  throw commandError(
    EXIT.precondition,
    "preconditionFailed",
    `Cannot send a password to ${server}: it would cross the network unencrypted`,
    { remedy: "Use https://, or --plain-http on a network that nobody else can read" },
  );
}

/**
 * A password from the environment, or from a person.
 *
 * @param context The environment.
 * @param variable Where it may stand.
 * @param words What a person is asked, and what was attempted.
 * @returns The password.
 * @throws {CommandError} Usage, if there is neither.
 */
export function askPassword(
  context: Context,
  variable: "OTA_PASSWORD" | "OTA_NEW_PASSWORD",
  words: { readonly prompt: string; readonly attempt: string },
): string {
  const given = context.env(variable);
  if (given) return given;
  // Waiting for a person where none can be would hang a script for ever.
  const asked = Deno.stdin.isTerminal() && Deno.stderr.isTerminal()
    ? promptSecret(words.prompt)
    : null;
  if (asked) return asked;
  throw usageError(
    `${words.attempt}: no password was given`,
    `Set ${variable}, or run the command on a terminal`,
  );
}

/**
 * Asks for a one-time token of a vehicle.
 *
 * @param context Server and output.
 * @param vin The vehicle.
 * @throws {CommandError} Usage, if it is no VIN; refused; unreachable.
 */
export async function enrol(context: Context, vin: string): Promise<void> {
  const checked = argument(Vin, vin, "VIN");
  const { token } = await (await context.client()).enrol(checked);
  context.output.result(
    { vin: checked, token },
    `Token for ${checked}, to be used once: ${token}\n` +
      `Start the vehicle with --vin ${checked} --enrol ${token}`,
  );
}
