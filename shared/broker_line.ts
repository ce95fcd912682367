/**
 * The line to an MQTT broker, as its URL and its errors tell of it. Pure; server and vehicle both
 * connect to one.
 *
 * @module
 */

/** Where a broker listens when its URL does not say (IANA: mqtt, secure-mqtt). */
const PORTS: Readonly<Record<string, number>> = { "mqtt:": 1883, "mqtts:": 8883 };

/** What TLS says of a certificate whose CA it does not know. */
const UNTRUSTED = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_UNTRUSTED)/;

/**
 * Where a broker is.
 *
 * @param url `mqtt://` or `mqtts://`.
 * @returns Host, without the brackets of IPv6, and port.
 */
export function brokerPlace(url: string): { readonly host: string; readonly port: number } {
  const { protocol, hostname, port } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? PORTS[protocol] ?? 0 : Number(port),
  };
}

/**
 * An error of the line in words, with the remedy where a person has one.
 *
 * @param error The error.
 * @returns One line.
 */
export function brokerTrouble(error: Error & { readonly code?: unknown }): string {
  if (!UNTRUSTED.test(String(error.code))) return error.message;
  return `no CA that is trusted here signed its certificate (${error.message}); ` +
    "start this program with DENO_CERT=FILE, the CA's certificate";
}
