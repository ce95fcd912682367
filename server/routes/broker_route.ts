/**
 * Who another broker is to let in, for the tool that writes its files.
 *
 * @module
 */
import { BrokerAccess } from "shared/protocol/api.ts";
import { UpdateFailure } from "shared/failure.ts";
import { json, type Route } from "./route.ts";

/** Routes for whoever sets up a broker. */
export const BROKER_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/broker",
    access: "operator",
    summary: "Users of the outside broker, with their passwords as Mosquitto stores them",
    answers: {
      200: { description: "The server's own user and all vehicles", schema: BrokerAccess },
    },
    async handle(_c, core) {
      const { own } = core.door;
      if (own === undefined) {
        throw new UpdateFailure(
          "preconditionFailed",
          "--broker",
          "Cannot tell who may use the broker: this server runs its own, or has no user at the " +
            "other one; start it with --broker URL, OTA_BROKER_USER and OTA_BROKER_PASSWORD",
        );
      }
      const passwords = await core.door.entries();
      return json({ v: 1, url: core.endpoints.broker, user: own.user, passwords });
    },
  },
];
