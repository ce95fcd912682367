/**
 * The files that make Mosquitto 2 an outside broker: who may come in, and what each may do. The
 * access list says the same as `topics.ts` does for the broker inside the server.
 *
 * @module
 */
import { MAX_MQTT_PACKET_BYTES } from "../limits.ts";
import {
  ROOT,
  SERVER_PROBE_TOPIC,
  SERVER_STATUS_TOPIC,
  TOPICS,
  type VehicleLeaf,
} from "./topics.ts";

/** Messages that may wait for one client: at its start the server hears three of each vehicle. */
const MAX_QUEUED_MESSAGES = 20_000;
/** Seconds; as in the broker inside the server. */
const MAX_KEEPALIVE = 300;
const HEADER = "# Written by `ota broker mosquitto`: run it again rather than edit this file.\n";

/** One line of the password file: a user, and the password as Mosquitto stores it. */
export interface BrokerEntry {
  readonly user: string;
  /** `$7$iterations$salt$hash`: PBKDF2 with SHA-512, salt and hash in base64. */
  readonly entry: string;
}

/** What the configuration file says beside what is always so. */
export interface MosquittoPlace {
  readonly host: string;
  readonly port: number;
  /** The folder of the files, from the root. */
  readonly folder: string;
  /** The user of the operating system that it becomes when root starts it. */
  readonly user?: string;
}

/**
 * Whether a name can be that of a broker's user.
 *
 * @param user The name.
 * @returns Whether it fits a line of the password file and no pattern of the access list.
 */
export function isBrokerUser(user: string): boolean {
  return /^[\w.@-]{1,64}$/.test(user);
}

/**
 * The password file.
 *
 * @param entries The server's own user and all vehicles.
 * @returns Its text, in the order of the users.
 */
export function mosquittoPasswords(entries: readonly BrokerEntry[]): string {
  const lines = entries.map(({ user, entry }) => `${user}:${entry}\n`);
  return lines.sort().join("");
}

/**
 * The access list. Mosquitto puts the user's name, which is the VIN, for `%u`.
 *
 * @param serverUser The server's own user.
 * @returns Its text.
 */
export function mosquittoAcl(serverUser: string): string {
  const leaves = ["desired", "status", "event", "conn"] as const satisfies readonly VehicleLeaf[];
  const of = (who: "server" | "vehicle") => leaves.filter((leaf) => TOPICS[leaf].from === who);
  return [
    HEADER,
    "# The server: it says what is from it, and takes back what it said and is no longer so.",
    `user ${serverUser}`,
    `topic readwrite ${ROOT}/announce/+`,
    ...of("server").map((leaf) => `topic readwrite ${ROOT}/vehicle/+/${leaf}`),
    ...of("vehicle").map((leaf) => `topic read ${ROOT}/vehicle/+/${leaf}`),
    `topic readwrite ${SERVER_STATUS_TOPIC}`,
    `topic readwrite ${SERVER_PROBE_TOPIC}`,
    `topic write ${ROOT}/chunk/+/+`,
    "",
    "# Every vehicle, by its VIN: its own topics, and what is for all.",
    ...of("vehicle").map((leaf) => `pattern write ${ROOT}/vehicle/%u/${leaf}`),
    `pattern read ${ROOT}/vehicle/%u/+`,
    `pattern read ${ROOT}/announce/+`,
    `pattern read ${ROOT}/chunk/+/+`,
    `pattern read ${SERVER_STATUS_TOPIC}`,
    "",
  ].join("\n");
}

/**
 * The configuration file.
 *
 * @param place Where it listens, and where its files are.
 * @returns Its text.
 */
export function mosquittoConf({ host, port, folder, user }: MosquittoPlace): string {
  return [
    HEADER,
    `listener ${port} ${host}`,
    "allow_anonymous false",
    `password_file ${folder}/passwords`,
    `acl_file ${folder}/acl`,
    `pid_file ${folder}/mosquitto.pid`,
    ...(user === undefined ? [] : [`user ${user}`]),
    "# Nobody can take over another's connection by using its client id.",
    "use_username_as_clientid true",
    "# Whatever is retained is said again by the server and by each vehicle when they come back.",
    "persistence false",
    `max_packet_size ${MAX_MQTT_PACKET_BYTES}`,
    `max_keepalive ${MAX_KEEPALIVE}`,
    `max_queued_messages ${MAX_QUEUED_MESSAGES}`,
    "log_dest stderr",
    "log_type error",
    "log_type warning",
    "log_type notice",
    "",
  ].join("\n");
}
