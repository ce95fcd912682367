/**
 * The people's listener: `Deno.serve`, with TLS if it has a certificate.
 *
 * @module
 */
import type { Hono } from "hono";
import { portTaken } from "shared/host/port_taken.ts";
import type { Env } from "../routes/route.ts";
import type { Address } from "../config.ts";

/** An open listener. */
export interface Listener {
  readonly port: number;
  /** Closes it: running requests get a moment to end. */
  stop(): Promise<void>;
}

/** Requests that are still running at the stop are cut after this. */
const GRACE_MS = 500;

/**
 * Opens the people's listener.
 *
 * @param app The application.
 * @param address Where to listen; port 0 takes a free one.
 * @param options A certificate with its key in PEM, and whether a proxy stands in front whose
 * `X-Forwarded-*` fields count.
 * @returns The listener.
 * @throws {UpdateFailure} `preconditionFailed` If the port is taken.
 */
export function listenPeople(
  app: Hono<Env>,
  address: Address,
  options: {
    readonly tls?: { readonly cert: string; readonly key: string };
    readonly behindProxy: boolean;
  },
): Listener {
  const cut = new AbortController();
  const open = () =>
    Deno.serve({
      hostname: address.host,
      port: address.port,
      signal: cut.signal,
      onListen: () => {},
      ...(options.tls ?? {}),
    }, (request, info) => {
      const peer = info.remoteAddr.transport === "tcp" ? info.remoteAddr.hostname : "local";
      const forwarded = options.behindProxy ? request.headers.get("x-forwarded-for") : null;
      // The last entry is the one that our own proxy wrote; earlier ones are hearsay.
      const remote = forwarded?.split(",").at(-1)?.trim() || peer;
      const proto = options.behindProxy ? request.headers.get("x-forwarded-proto") : null;
      const secure = options.tls !== undefined || proto === "https";
      const asked = options.behindProxy ? request.headers.get("x-forwarded-host") : null;
      // HTTP/2 has no Host field; the URL is made of its `:authority`.
      const host = asked ?? request.headers.get("host") ?? new URL(request.url).host;
      return app.fetch(request, { remote, host, secure });
    });
  const server = portTaken(address, "--http", open);
  return {
    port: server.addr.port,
    async stop() {
      const timer = setTimeout(() => cut.abort(), GRACE_MS);
      await server.shutdown();
      clearTimeout(timer);
    },
  };
}
