/**
 * The devices' listener: `node:http`, which becomes `node:https` with client certificates when
 * vehicles have them; `Deno.serve` cannot ask for one.
 *
 * @module
 */
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import type { Hono } from "hono";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { cannotListen } from "shared/host/port_taken.ts";
import type { DeviceEnv } from "../device_app.ts";
import type { Address } from "../config.ts";
import type { Listener } from "./http_people.ts";
import { sendPart } from "./send_part.ts";

/** A vehicle sends its header at once. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Requests have small bodies; answers may take as long as they like. */
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 30_000;
/** A connection that moves nothing for so long is cut: the vehicle resumes. */
const IDLE_MS = 120_000;
/** Requests of one connection that are not answered yet. Vehicles send one; the rest is a flood. */
const MAX_PIPELINED = 4;
/** How often the timeouts are looked at; without it, each may last half a minute longer. */
const CHECK_MS = 5000;
/** Half of the file descriptors a service usually has; the rest is for the broker and files. */
const MAX_CONNECTIONS = 4000;
/** Connections of one vehicle: two that work, and those that its network has not given up yet. */
const MAX_PER_VEHICLE = 8;

/**
 * Opens the devices' listener.
 *
 * @param app The application.
 * @param address Where to listen; port 0 takes a free one.
 * @returns The listener.
 * @throws {UpdateFailure} `preconditionFailed` If the port is taken.
 */
export async function listenDevice(app: Hono<DeviceEnv>, address: Address): Promise<Listener> {
  const answer = getRequestListener(
    (request, env) => {
      const { incoming, outgoing } = env as HttpBindings;
      return app.fetch(request, {
        send: (...what) => sendPart(outgoing, incoming.socket as Socket, ...what),
        identified: (vin) => own(vin, incoming.socket as Socket),
      });
    },
    { overrideGlobalObjects: false },
  );
  const own = oldestGoesFirst();
  const open = new WeakMap<Socket, number>();
  const server = createServer({ connectionsCheckingInterval: CHECK_MS }, (incoming, outgoing) => {
    const socket = incoming.socket as Socket;
    const count = (others: number) => {
      open.set(socket, (open.get(socket) ?? 0) + others);
      return open.get(socket)!;
    };
    outgoing.once("close", () => count(-1));
    if (count(1) > MAX_PIPELINED) return socket.destroy();
    answer(incoming, outgoing);
  });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.timeout = IDLE_MS;
  server.maxConnections = MAX_CONNECTIONS;
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy()); // A broken line; the request hears of it itself.
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(address, "--device", error)));
    server.listen(address.port, address.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy(); // Vehicles resume where they were.
      }),
  };
}

/**
 * Bounds the connections of one vehicle. The oldest gives way: it may be one whose end the network
 * never told, and the vehicle that opens a new one must get through.
 */
function oldestGoesFirst(): (vin: string, socket: Socket) => void {
  const vehicles = new Map<string, Set<Socket>>();
  return (vin, socket) => {
    const sockets = vehicles.get(vin) ?? new Set();
    if (sockets.has(socket)) return;
    vehicles.set(vin, sockets.add(socket));
    socket.once("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0) vehicles.delete(vin);
    });
    if (sockets.size > MAX_PER_VEHICLE) sockets.values().next().value!.destroy();
  };
}
