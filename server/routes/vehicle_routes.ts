/**
 * Vehicles as people see them, and their enrolment.
 *
 * @module
 */
import { z } from "zod";
import { UpdateFailure } from "shared/failure.ts";
import {
  Endpoints,
  EnrolAnswer,
  Enrolment,
  EnrolmentRequest,
  EnrolRequest,
  Vehicle,
} from "shared/protocol/api.ts";
import { Vin } from "shared/protocol/common.ts";
import { TrialLog, VehicleEvent } from "shared/protocol/messages.ts";
import { answerPage, json, param, readBody, type Route } from "./route.ts";

/** Events that one request answers. */
const EVENTS = 200;

/** Routes of vehicles. */
export const VEHICLE_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/vehicles",
    access: "viewer",
    summary: "Vehicles, by VIN",
    paged: true,
    answers: { 200: { description: "A page of them", schema: z.array(Vehicle) } },
    handle: (c, core) =>
      answerPage(c, Vin, {
        rows: (page) => core.view.vehicles(page),
        idOf: ({ vin }) => vin,
      }),
  },
  {
    method: "GET",
    path: "/api/v1/vehicles/:vin",
    access: "viewer",
    summary: "One vehicle",
    answers: { 200: { description: "The vehicle", schema: Vehicle } },
    async handle(c, core) {
      const vin = param(c, "vin", Vin);
      const vehicle = await core.view.vehicle(vin);
      if (vehicle !== undefined) return json(vehicle);
      throw new UpdateFailure("vehicleUnknown", vin, `Cannot find ${vin}: it was never enrolled`);
    },
  },
  {
    method: "GET",
    path: "/api/v1/vehicles/:vin/events",
    access: "viewer",
    summary: `The last ${EVENTS} events of a vehicle, newest first`,
    answers: { 200: { description: "Its events", schema: z.array(VehicleEvent) } },
    async handle(c, core) {
      const vin = param(c, "vin", Vin);
      return json(await core.ports.records.read((tables) => tables.events(vin, EVENTS)));
    },
  },
  {
    method: "GET",
    path: "/api/v1/vehicles/:vin/trials",
    access: "viewer",
    summary: "The log of the last failed trial of each ECU, newest first",
    answers: { 200: { description: "Verdicts and last words", schema: z.array(TrialLog) } },
    async handle(c, core) {
      const vin = param(c, "vin", Vin);
      return json(await core.ports.records.read((tables) => tables.trials(vin)));
    },
  },
  {
    method: "POST",
    path: "/api/v1/enrolments",
    access: "operator",
    summary: "Make a one-time token for a vehicle; the last unspent one becomes void",
    body: EnrolmentRequest,
    answers: { 201: { description: "The token, shown once", schema: Enrolment } },
    async handle(c, core) {
      const { vin } = await readBody(c.req.raw, EnrolmentRequest, "enrolment");
      const token = await core.enrolments.invite(vin);
      core.feed.changed("vehicle", vin);
      return json({ vin, token }, 201);
    },
  },
  {
    method: "GET",
    path: "/api/v1/endpoints",
    access: "open",
    summary: "Where vehicles go",
    answers: { 200: { description: "Device and broker URLs", schema: Endpoints } },
    handle: (_c, core) => json(core.endpoints),
  },
  {
    method: "POST",
    path: "/enrol",
    access: "open",
    summary: "Trade a one-time token for a secret; may be repeated until the secret is first used",
    body: EnrolRequest,
    answers: { 200: { description: "The vehicle's secret", schema: EnrolAnswer } },
    async handle(c, core) {
      const { vin, token } = await readBody(c.req.raw, EnrolRequest, "enrolment");
      const secret = await core.enrolments.enrol(vin, token);
      const { device, broker } = core.endpoints;
      return json({ v: 1, vin, secret, device, broker });
    },
  },
];
