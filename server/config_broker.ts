/**
 * The settings of another program's broker. Pure.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { isBrokerUser } from "shared/protocol/mosquitto.ts";
import { Vin } from "shared/protocol/common.ts";

/** The server's own user of a broker. */
export interface BrokerLogin {
  readonly user: string;
  readonly password: string;
}

/** Another program's broker. */
export interface OutsideBroker {
  /** May hold user and password, which go no further: see {@linkcode loginOf}. */
  readonly url: string;
  /** From the environment; goes before those of the URL. */
  readonly login?: BrokerLogin;
  /** The password file that the server keeps up to date. */
  readonly passwords?: string;
  /** Mosquitto's pid file: who is told to read the passwords again. */
  readonly pidFile?: string;
}

/** What the environment says: `OTA_BROKER_USER` and `OTA_BROKER_PASSWORD`. */
export interface BrokerEnvironment {
  readonly brokerUser?: string | undefined;
  readonly brokerPassword?: string | undefined;
}

/**
 * Whether a text is the URL of a broker. The text is not repeated in any message: it may hold a
 * password.
 *
 * @param text What was typed after `--broker`.
 * @returns Whether it is one.
 */
export function isBrokerUrl(text: string): boolean {
  return URL.canParse(text) && /^mqtts?:$/.test(new URL(text).protocol) &&
    new URL(text).hostname !== "";
}

/**
 * The settings, checked.
 *
 * @param options As typed.
 * @param env The environment.
 * @param isLoopback Whether a host can only be reached from this machine.
 * @returns The settings.
 * @throws {UpdateFailure} `preconditionFailed` If secrets would travel in the clear, or the server
 * has no user for a broker whose users it is to write.
 */
export function readOutsideBroker(
  options: {
    readonly broker: string;
    readonly brokerPasswords?: string;
    readonly brokerPid?: string;
  },
  env: BrokerEnvironment,
  isLoopback: (host: string) => boolean,
): OutsideBroker {
  const { broker: url, brokerPasswords, brokerPid } = options;
  const { protocol, hostname } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  if (protocol === "mqtt:" && !isLoopback(host)) {
    throw new UpdateFailure(
      "preconditionFailed",
      "--broker",
      `Cannot use the broker on ${host}: the secrets of vehicles would travel in the clear, so ` +
        `mqtt:// is for this machine only; use mqtts://`,
    );
  }
  const { brokerUser, brokerPassword } = env;
  const broker: OutsideBroker = {
    url,
    ...(brokerUser ? { login: { user: brokerUser, password: brokerPassword ?? "" } } : {}),
    ...(brokerPasswords === undefined ? {} : { passwords: brokerPasswords }),
    ...(brokerPid === undefined ? {} : { pidFile: brokerPid }),
  };
  checkLogin(broker);
  return broker;
}

function checkLogin(broker: OutsideBroker): void {
  const refuse = (found: string) => {
    throw new UpdateFailure(
      "preconditionFailed",
      "OTA_BROKER_USER",
      `Cannot log in at the broker: ${found}`,
    );
  };
  const login = loginOf(broker);
  if (login === undefined) {
    if (broker.passwords === undefined) return; // It may let anybody in.
    return refuse(
      "its password file is to be written, and the server has no user of its own; set " +
        "OTA_BROKER_USER and OTA_BROKER_PASSWORD",
    );
  }
  if (!isBrokerUser(login.user) || Vin.safeParse(login.user).success) {
    refuse(
      "the user name has other characters than letters, digits, dot, dash and @, or is that of " +
        "a vehicle; choose another one",
    );
  }
  if (login.password === "") refuse("the password is empty; set OTA_BROKER_PASSWORD");
}

/**
 * The server's own user.
 *
 * @param broker The settings.
 * @returns User and password, from the environment or else from the URL.
 */
export function loginOf({ url, login }: OutsideBroker): BrokerLogin | undefined {
  if (login !== undefined) return login;
  const { username, password } = new URL(url);
  if (username === "") return undefined;
  return { user: decodeURIComponent(username), password: decodeURIComponent(password) };
}
