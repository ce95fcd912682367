/**
 * Where `ota login` keeps its tokens: one file, readable by its owner only.
 *
 * @module
 */
import { z } from "zod";
import { parseJsonAs } from "shared/parse.ts";
import { MAX_JSON_BYTES } from "shared/limits.ts";
import { Instant, V1 } from "shared/protocol/common.ts";
import { commandError, EXIT, usageError } from "./exit.ts";

const Login = z.object({ user: z.string(), token: z.string().min(1), expiresAt: Instant });
/** A login that is kept. */
export type Login = z.infer<typeof Login>;

const Credentials = z.object({
  v: V1,
  /** The server of the last login: what commands talk to unless told otherwise. */
  server: z.string(),
  logins: z.record(z.string(), Login),
});
type Credentials = z.infer<typeof Credentials>;

/** The environment, as far as the command line asks it. */
export type Environment = (name: string) => string | undefined;

/**
 * The folder of the command line's own files.
 *
 * @param env The environment: `OTA_HOME`, else `XDG_CONFIG_HOME`, else `HOME`.
 * @returns Its path.
 * @throws {CommandError} If none of the three is set.
 */
export function homeFolder(env: Environment): string {
  if (env("OTA_HOME")) return env("OTA_HOME")!;
  const config = env("XDG_CONFIG_HOME") || (env("HOME") && `${env("HOME")}/.config`);
  if (config) return `${config}/headunit-ota`;
  throw commandError(
    EXIT.precondition,
    "preconditionFailed",
    "Cannot find the folder for tokens: neither OTA_HOME, XDG_CONFIG_HOME nor HOME is set",
    { remedy: "Set OTA_HOME to a folder of your own" },
  );
}

/**
 * The address of a server in the one form under which its token is kept.
 *
 * @param text What was typed.
 * @returns Scheme, host and port without a slash at the end.
 * @throws {CommandError} If it is no address of a server.
 */
export function serverAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && ["http:", "https:"].includes(url.protocol) &&
    url.pathname === "/" && url.search === "" && url.hash === "" && url.username === "";
  if (plain) return url.origin;
  throw usageError(
    `Cannot use "${text}" as server: it is not like http://127.0.0.1:8080`,
    "Give scheme, host and port, and nothing after them",
  );
}

/** Tokens by server, in `credentials.json` of the home folder. */
export class CredentialStore {
  readonly #folder: string;
  readonly #file: string;

  /** @param folder The home folder; made at the first login. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#file = `${folder}/credentials.json`;
  }

  /** Where the tokens lie. */
  get path(): string {
    return this.#file;
  }

  /**
   * The server of the last login.
   *
   * @returns Its address, or `undefined` if nobody logged in yet.
   * @throws {CommandError} If the file is readable by others or damaged.
   */
  async lastServer(): Promise<string | undefined> {
    return (await this.#read())?.server;
  }

  /**
   * The login at a server.
   *
   * @param server Its address.
   * @returns The login, or `undefined` if there is none.
   * @throws {CommandError} If the file is readable by others or damaged.
   */
  async login(server: string): Promise<Login | undefined> {
    return (await this.#read())?.logins[server];
  }

  /**
   * Keeps a login and makes its server the default. Replaced whole: a cut leaves the old file.
   *
   * @param server Its address.
   * @param login The login.
   * @throws {CommandError} If the present file is readable by others or damaged.
   */
  async keep(server: string, login: Login): Promise<void> {
    await Deno.mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const logins = { ...(await this.#read())?.logins, [server]: login };
    const body: Credentials = { v: 1, server, logins };
    const temporary = `${this.#file}.${crypto.randomUUID()}`;
    try {
      await Deno.writeTextFile(temporary, `${JSON.stringify(body, null, 2)}\n`, {
        mode: 0o600,
        createNew: true,
      });
      await Deno.rename(temporary, this.#file);
    } catch (error) {
      await Deno.remove(temporary).catch(() => {}); // Nothing was kept; the cause is thrown on.
      throw error;
    }
  }

  async #read(): Promise<Credentials | undefined> {
    let text: string;
    try {
      const { mode } = await Deno.stat(this.#file);
      if (mode !== null && (mode & 0o077) !== 0) {
        throw commandError(
          EXIT.precondition,
          "preconditionFailed",
          `Cannot use the tokens in ${this.#file}: others may read them (mode ${
            (mode & 0o777).toString(8)
          })`,
          {
            remedy: `Run \`chmod 600 ${this.#file}\`, and log in again if someone may have looked`,
          },
        );
      }
      text = await Deno.readTextFile(this.#file);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
    try {
      return parseJsonAs(Credentials, text, { what: "credentials", maxBytes: MAX_JSON_BYTES });
    } catch (cause) {
      throw commandError(
        EXIT.precondition,
        "preconditionFailed",
        `Cannot read ${this.#file}: ${(cause as Error).message}`,
        { remedy: "Remove the file and log in again", cause },
      );
    }
  }
}
