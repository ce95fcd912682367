/**
 * MQTT topics, with quality of service and retention as a table.
 *
 * @module
 */
import { HardwareId, Vin } from "./common.ts";

/** The first levels of every topic. */
export const ROOT = "ota/v1";

// deno-fmt-ignore
/** Who sends, and whether the broker keeps the last message. QoS is 1 everywhere unless configured to 2. */
export const TOPICS = {
  announce: { from: "server",  retain: true  },
  desired:  { from: "server",  retain: true  },
  status:   { from: "vehicle", retain: true  },
  event:    { from: "vehicle", retain: false },
  conn:     { from: "vehicle", retain: true  },
  server:   { from: "server",  retain: true  },
} as const;

/** The topic of a hardware id's latest version. */
export function announceTopic(hardware: string): string {
  return `${ROOT}/announce/${HardwareId.parse(hardware)}`;
}

/** What hangs below a vehicle. */
export type VehicleLeaf = "desired" | "status" | "event" | "conn";

/** A topic of one vehicle. */
export function vehicleTopic(vin: string, leaf: VehicleLeaf): string {
  return `${ROOT}/vehicle/${Vin.parse(vin)}/${leaf}`;
}

/** How the server is. */
export const SERVER_STATUS_TOPIC = `${ROOT}/server/status`;

/** Where the server tries by itself what a broker can do; no vehicle reads it. */
export const SERVER_PROBE_TOPIC = `${ROOT}/server/probe`;

/** A topic taken apart. */
export type ParsedTopic =
  | { readonly kind: "announce"; readonly hardware: string }
  | { readonly kind: VehicleLeaf; readonly vin: string }
  | { readonly kind: "server" };

/**
 * Takes a topic apart.
 *
 * @param topic Any topic.
 * @returns What it is, or `undefined` if it is none of ours.
 */
export function parseTopic(topic: string): ParsedTopic | undefined {
  if (topic === SERVER_STATUS_TOPIC) return { kind: "server" };
  const [root, version, kind, name, leaf, ...rest] = topic.split("/");
  if (`${root}/${version}` !== ROOT || name === undefined || rest.length > 0) return undefined;
  if (kind === "announce" && leaf === undefined && HardwareId.safeParse(name).success) {
    return { kind, hardware: name };
  }
  if (kind === "vehicle" && isVehicleLeaf(leaf) && Vin.safeParse(name).success) {
    return { kind: leaf, vin: name };
  }
  return undefined;
}

function isVehicleLeaf(leaf: string | undefined): leaf is VehicleLeaf {
  return leaf === "desired" || leaf === "status" || leaf === "event" || leaf === "conn";
}

/**
 * Whether a vehicle may publish here: only what its own column of the table says.
 *
 * @param vin The vehicle that is logged in.
 * @param topic Where it wants to publish.
 * @returns Whether it may.
 */
export function mayPublish(vin: string, topic: string): boolean {
  const parsed = parseTopic(topic);
  return parsed !== undefined && "vin" in parsed && parsed.vin === vin &&
    TOPICS[parsed.kind].from === "vehicle";
}

/**
 * Whether a vehicle may subscribe to a filter: its own topics, announcements,
 * chunks and the server's status. A filter that could match more is refused.
 *
 * @param vin The vehicle that is logged in.
 * @param filter An MQTT topic filter.
 * @returns Whether it may.
 */
export function maySubscribe(vin: string, filter: string): boolean {
  if (filter === SERVER_STATUS_TOPIC) return true;
  return [`${ROOT}/announce/`, `${ROOT}/chunk/`, `${ROOT}/vehicle/${vin}/`]
    .some((prefix) => filter.startsWith(prefix) && filter.length > prefix.length);
}
