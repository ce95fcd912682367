/**
 * `ota broker mosquitto`: the files that make Mosquitto the broker of a server.
 *
 * @module
 */
import { resolve } from "node:path";
import {
  isBrokerUser,
  mosquittoAcl,
  mosquittoConf,
  mosquittoPasswords,
} from "shared/protocol/mosquitto.ts";
import type { Context } from "./context.ts";
import { commandError, EXIT, usageError } from "./exit.ts";

/** Options of `ota broker mosquitto`. */
export interface BrokerOptions {
  readonly out: string;
  readonly listen?: string;
  readonly user?: string;
}

/**
 * Writes `mosquitto.conf`, `passwords` and `acl`.
 *
 * @param context Server and output.
 * @param options Where to, and where Mosquitto is to listen.
 * @throws {CommandError} Usage; precondition, if the server uses no outside broker or secrets
 * would travel in the clear; refused; unreachable; failed, if the files cannot be written.
 */
export async function brokerMosquitto(context: Context, options: BrokerOptions): Promise<void> {
  const { user: systemUser } = options;
  if (systemUser !== undefined && !isBrokerUser(systemUser)) {
    throw usageError(`Cannot use "${systemUser}" as user: it is no user name`, "See --help");
  }
  const named = options.listen === undefined ? undefined : readListen(options.listen);
  const { url, user, passwords } = await (await context.client()).broker();
  const { host, port } = named ?? hostPortOf(url);
  if (!/^(127(\.\d{1,3}){3}|::1|localhost)$/.test(host)) {
    throw commandError(
      EXIT.precondition,
      "preconditionFailed",
      `Cannot let Mosquitto listen on ${host}: the secrets of vehicles would travel in the clear`,
      { remedy: "Give --listen with an address of this machine, such as 127.0.0.1:1884" },
    );
  }
  const folder = resolve(options.out);
  const place = { host, port, folder, ...(systemUser === undefined ? {} : { user: systemUser }) };
  await write(folder, {
    passwords: mosquittoPasswords(passwords),
    acl: mosquittoAcl(user),
    "mosquitto.conf": mosquittoConf(place),
  });
  const listen = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const conf = `${folder}/mosquitto.conf`;
  context.output.result(
    { conf, listen, user, vehicles: passwords.length - 1 },
    `Wrote ${conf}, passwords and acl: user ${user} and ${passwords.length - 1} vehicles on ` +
      `${listen}\nStart the broker with: mosquitto -c ${conf}`,
  );
}

function readListen(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65535) {
    throw usageError(`Cannot listen on "${text}": it is not HOST:PORT`, "Use 127.0.0.1:1884");
  }
  return { host: match[1] ?? match[2]!, port };
}

function hostPortOf(url: string): { readonly host: string; readonly port: number } {
  const { protocol, hostname, port } = new URL(url);
  const usual = protocol === "mqtts:" ? 8883 : 1883;
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? usual : Number(port) };
}

async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o750 });
    for (const [name, text] of Object.entries(files)) {
      // Replaced whole: Mosquitto, or the server, may use the file at this moment.
      const fresh = `${folder}/${name}.ota`;
      await Deno.writeTextFile(fresh, text, { mode: 0o640 });
      await Deno.rename(fresh, `${folder}/${name}`);
    }
  } catch (cause) {
    throw commandError(
      EXIT.failed,
      "storageFailed",
      `Cannot write to "${folder}": ${(cause as Error).message}`,
      { remedy: "Choose a folder that this user may write to", cause },
    );
  }
}
