/**
 * The people's API: one line a route.
 *
 * @module
 */
import { PUBLISH_TIMEOUT_MS } from "shared/limits.ts";
import type { Session } from "shared/protocol/api.ts";
import type { Api } from "../ports.ts";
import { hashFile } from "./hasher.ts";
import { request } from "./request.ts";
import { uploadFile } from "./upload.ts";

async function json<T>(
  method: string,
  path: string,
  body?: unknown,
  options: { readonly timeoutMs?: number } = {},
): Promise<T> {
  const init = body === undefined
    ? {}
    : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const answer = await request(method, path, { ...init, ...options });
  const text = await answer.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** The people's API of the server that served this page. */
export const API: Api = {
  login: (user, password) => json("POST", "/api/v1/login", { user, password }),
  logout: () => json("POST", "/api/v1/logout"),
  session: async () => await json<Session | undefined>("GET", "/api/v1/whoami") ?? null,
  publish: (body) => json("POST", "/api/v1/releases", body, { timeoutMs: PUBLISH_TIMEOUT_MS }),
  addHardware: (hardware) => json("POST", "/api/v1/hardware", { hardware }),
  offer: (releases) => json("POST", "/api/v1/campaigns", { releases }),
  steer: (campaign, verb) =>
    json("POST", `/api/v1/campaigns/${encodeURIComponent(campaign)}/${verb}`),
  cancelDelta: (job) => json("POST", `/api/v1/deltas/${encodeURIComponent(job)}/cancel`),
  trials: (vin) => json("GET", `/api/v1/vehicles/${encodeURIComponent(vin)}/trials`),
  enrol: (vin) => json("POST", "/api/v1/enrolments", { vin }),
  hash: hashFile,
  upload: uploadFile,
};
