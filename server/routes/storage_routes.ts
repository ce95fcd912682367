/**
 * What is stored, and what was given back to the medium.
 *
 * @module
 */
import { Storage } from "shared/protocol/storage.ts";
import { json, type Route } from "./route.ts";

/** Routes of the store. */
export const STORAGE_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/storage",
    access: "viewer",
    summary: "Stored files, those that nothing refers to, and bytes given back to the medium",
    answers: { 200: { description: "As the last look found it", schema: Storage } },
    handle: async (_c, core) => json(await core.collector.storage()),
  },
];
