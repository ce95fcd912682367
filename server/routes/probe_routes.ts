/**
 * Health, metrics, the live feed.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { MAX_VEHICLES_IN_METRICS } from "shared/limits.ts";
import { json, type Route, tooMany } from "./route.ts";

/** Routes for machines that watch the server, and for pages that do. */
export const PROBE_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/healthz",
    access: "open",
    summary: "The process answers",
    answers: { 200: { description: "It does" } },
    handle: () => json({ ok: true }),
  },
  {
    method: "GET",
    path: "/readyz",
    access: "open",
    summary: "Records can be read and the broker is there",
    answers: { 200: { description: "Ready" } },
    async handle(_c, core) {
      await core.ports.records.read((tables) => tables.operatorCount());
      if (core.ready) return json({ ok: true });
      throw new UpdateFailure(
        "preconditionFailed",
        "broker",
        "Cannot serve: the server is starting or stopping, or its broker is not there",
      );
    },
  },
  {
    method: "GET",
    path: "/metrics",
    access: "viewer",
    summary: "Counters and gauges for Prometheus",
    answers: { 200: { description: "Text, exposition format 0.0.4" } },
    async handle(_c, core) {
      const { records } = core.ports;
      const { releases, running, vehicles } = await records.read((tables) => tables.counts());
      const waiting = await records.read((tables) => tables.queuedDeltaJobs());
      const rotten = await records.read((tables) => tables.rotten());
      const worst = rotten.slice(0, MAX_VEHICLES_IN_METRICS);
      const text = core.metrics.text([
        { name: "ota_releases", help: "Releases", value: releases },
        { name: "ota_campaigns_running", help: "Campaigns that run", value: running },
        { name: "ota_vehicles", help: "Vehicles enrolled", value: vehicles },
        { name: "ota_vehicles_online", help: "Vehicles connected", value: core.ledger.online },
        {
          name: "ota_vehicles_rotten",
          help: "Vehicles with rot that is not healed",
          value: rotten.length,
        },
        {
          name: "ota_vehicle_rot_open",
          help: `Places not healed, of the ${MAX_VEHICLES_IN_METRICS} vehicles with most of them`,
          value: { vin: worst.map(({ vin, open }) => [vin, open]) },
        },
        { name: "ota_delta_jobs_waiting", help: "Carriers to be made", value: waiting },
        { name: "ota_watchers", help: "Open live feeds", value: core.feed.watchers },
      ]);
      return new Response(text, {
        headers: { "content-type": "text/plain; version=0.0.4", "cache-control": "no-store" },
      });
    },
  },
  {
    method: "GET",
    path: "/events",
    access: "viewer",
    summary: "Server-sent events: a snapshot, then release, campaign, vehicle, hardware",
    answers: { 200: { description: "text/event-stream" } },
    handle(c, core) {
      const headers = {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no", // Proxies must not hold events back.
      };
      if (c.req.method === "HEAD") return new Response(null, { headers });
      if (core.feed.full) throw tooMany("live feed", 30);
      const lastEventId = c.req.header("last-event-id") ?? null;
      return new Response(core.feed.subscribe(lastEventId, c.get("session")), { headers });
    },
  },
];
