/**
 * Carriers that the server makes in the background.
 *
 * @module
 */
import { z } from "zod";
import { UpdateFailure } from "shared/failure.ts";
import { DeltaJob } from "shared/protocol/api.ts";
import { DeltaJobId } from "shared/protocol/common.ts";
import { json, param, type Route } from "./route.ts";

/** Routes of jobs. */
export const DELTA_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/deltas",
    access: "viewer",
    summary: "Jobs that make carriers: all that wait or run, and the last others, newest first",
    answers: { 200: { description: "The jobs", schema: z.array(DeltaJob) } },
    handle: async (_c, core) => json(await core.view.deltas()),
  },
  {
    method: "GET",
    path: "/api/v1/deltas/:job",
    access: "viewer",
    summary: "One job",
    answers: { 200: { description: "The job", schema: DeltaJob } },
    async handle(c, core) {
      const job = param(c, "job", DeltaJobId);
      const delta = await core.view.delta(job);
      if (delta !== undefined) return json(delta);
      throw new UpdateFailure("notFound", job, `Cannot find ${job}: there is no such job`);
    },
  },
  {
    method: "POST",
    path: "/api/v1/deltas/:job/cancel",
    access: "publisher",
    summary: "Cancel a job that waits or runs; vehicles take the full carrier",
    answers: { 200: { description: "The job afterwards", schema: DeltaJob } },
    async handle(c, core) {
      const job = param(c, "job", DeltaJobId);
      await core.deltas.cancel(job);
      return json(await core.view.delta(job));
    },
  },
];
