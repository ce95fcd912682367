/**
 * The people's application: access control in one place, then the routes, and every failure as a
 * problem.
 *
 * @module
 */
import { Hono, type MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import { UpdateFailure } from "shared/failure.ts";
import { checkHost, checkOrigin } from "./access/origin.ts";
import { mayAct, type Via } from "./access/sessions.ts";
import type { Core } from "./core.ts";
import { problemResponse, statusOf } from "./failure_http.ts";
import { openApi } from "./openapi.ts";
import type { Log, SessionRow } from "./ports.ts";
import { BOARD_ROUTES } from "./routes/board_routes.ts";
import { DELTA_ROUTES } from "./routes/delta_routes.ts";
import { PROBE_ROUTES } from "./routes/probe_routes.ts";
import { RELEASE_ROUTES } from "./routes/release_routes.ts";
import { type Ctx, type Env, json, type Route } from "./routes/route.ts";
import { COOKIE, SESSION_ROUTES } from "./routes/session_routes.ts";
import { SIGNING_ROUTES } from "./routes/signing_routes.ts";
import { STORAGE_ROUTES } from "./routes/storage_routes.ts";
import { UPLOAD_ROUTES } from "./routes/upload_routes.ts";
import { BROKER_ROUTES } from "./routes/broker_route.ts";
import { USER_ROUTES } from "./routes/user_routes.ts";
import { VEHICLE_ROUTES } from "./routes/vehicle_routes.ts";

/** Every route of the people's listener. */
export const ROUTES: readonly Route[] = [
  ...SESSION_ROUTES,
  ...USER_ROUTES,
  ...UPLOAD_ROUTES,
  ...RELEASE_ROUTES,
  ...DELTA_ROUTES,
  ...STORAGE_ROUTES,
  ...SIGNING_ROUTES,
  ...VEHICLE_ROUTES,
  ...BROKER_ROUTES,
  ...PROBE_ROUTES,
  {
    method: "GET",
    path: "/api/v1/openapi.json",
    access: "open",
    summary: "This description",
    answers: { 200: { description: "OpenAPI 3.1" } },
    handle: () => json(openApi(ROUTES)),
  },
  ...BOARD_ROUTES,
];

/**
 * Makes the people's application.
 *
 * @param core The server's parts.
 * @param options Whether the listener is on loopback and reached directly, so that the Host must
 * be a name of this machine.
 * @returns The application; its `fetch` takes {@linkcode Env} bindings.
 */
export function createApp(core: Core, options: { readonly loopback: boolean }): Hono<Env> {
  const app = new Hono<Env>();
  if (options.loopback) {
    app.use(async (c, next) => {
      checkHost(c.env.host);
      await next();
    });
  }
  for (const route of ROUTES) {
    app.on(route.method, route.path, guard(core, route), (c: Ctx) => route.handle(c, core));
  }
  app.notFound((c) => problemResponse(noSuchRoute(c.req.method, c.req.path)));
  app.onError((error) => answerError(error, core.ports.log));
  return app;
}

/**
 * Access to one route: who asks, with what right, and from which page.
 *
 * @throws {UpdateFailure} `unauthenticated`, `forbidden` or `originForeign`.
 */
function guard(core: Core, route: Route): MiddlewareHandler<Env> {
  const { access } = route;
  const writes = route.method !== "GET";
  return async (c, next) => {
    const found = access === "open" ? undefined : await whoAsks(c, core);
    if (writes && found?.via !== "bearer") {
      // Without a cookie to abuse, a program that names no origin may pass: `ota login`, `/enrol`.
      checkOrigin({
        origin: c.req.header("origin") ?? null,
        site: c.req.header("sec-fetch-site") ?? null,
        host: c.env.host,
      }, { absentPasses: found === undefined });
    }
    if (access !== "open") {
      if (found === undefined) {
        throw new UpdateFailure(
          "unauthenticated",
          route.path,
          "Cannot answer: no session cookie and no bearer token that is valid came along",
        );
      }
      if (!mayAct(found.session.role, access)) {
        throw new UpdateFailure(
          "forbidden",
          route.path,
          `Cannot let "${found.session.user}" do this: it needs the role ${access}, ` +
            `theirs is ${found.session.role}`,
        );
      }
      c.set("session", found.session);
      c.set("via", found.via);
    }
    if (route.body === undefined) return await next(); // None is read, or a raw one: an upload.
    const { request, leave } = core.bodies.enter(c.req.raw, c.env.remote);
    c.req.raw = request;
    try {
      await next();
    } finally {
      leave(); // Its handler may not have read it.
    }
  };
}

async function whoAsks(
  c: Parameters<MiddlewareHandler<Env>>[0],
  core: Core,
): Promise<{ readonly session: SessionRow; readonly via: Via } | undefined> {
  const bearer = /^Bearer ([A-Za-z0-9_-]{1,256})$/i.exec(c.req.header("authorization") ?? "");
  const [via, token] = bearer === null
    ? ["cookie", getCookie(c, COOKIE)] as const
    : ["bearer", bearer[1]] as const;
  const session = token === undefined ? undefined : await core.sessions.find(token, via);
  return session && { session, via };
}

/**
 * The answer to an error of a handler; faults of the server are logged with their cause.
 *
 * @param error What was thrown.
 * @param log Where faults go.
 * @returns The answer.
 */
export function answerError(error: Error, log: Log): Response {
  const fault = !(error instanceof UpdateFailure) || statusOf(error.failure) === 500;
  if (fault) log(`Cannot answer a request: ${error.stack ?? error.message}`);
  return problemResponse(error);
}

/** What is asked for does not exist. */
export function noSuchRoute(method: string, path: string): UpdateFailure {
  return new UpdateFailure(
    "notFound",
    path.slice(0, 200),
    `Cannot answer ${method} ${path.slice(0, 200)}: there is no such route`,
  );
}
