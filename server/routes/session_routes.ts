/**
 * Login, logout, who am I.
 *
 * @module
 */
import { getCookie } from "hono/cookie";
import { isoTime } from "shared/clock.ts";
import { LoginRequest, Session } from "shared/protocol/api.ts";
import { COOKIE_MS, expiryOf, type Via } from "../access/sessions.ts";
import type { SessionRow } from "../ports.ts";
import { json, readBody, type Route } from "./route.ts";

/** The session cookie. */
export const COOKIE = "ota_session";

function cookie(value: string, maxAgeS: number, secure: boolean): string {
  return `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeS}` +
    (secure ? "; Secure" : "");
}

function told(row: SessionRow, via: Via): Response {
  return json({ v: 1, user: row.user, role: row.role, expiresAt: isoTime(expiryOf(row, via)) });
}

/** Routes of sessions. */
export const SESSION_ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/api/v1/login",
    access: "open",
    summary: "Log in; sets the session cookie and answers the same token for bearer use",
    body: LoginRequest,
    answers: { 200: { description: "Logged in", schema: Session } },
    async handle(c, core) {
      const { user, password } = await readBody(c.req.raw, LoginRequest, "login");
      const session = await core.sessions.login(user, password, c.env.remote);
      return json(session, 200, {
        "set-cookie": cookie(session.token!, COOKIE_MS / 1000, c.env.secure),
      });
    },
  },
  {
    method: "POST",
    path: "/api/v1/logout",
    access: "viewer",
    summary: "Log out; the token becomes void",
    answers: { 204: { description: "Logged out" } },
    async handle(c, core) {
      const { tokenHash } = c.get("session");
      await core.sessions.logout(c.get("session"));
      core.feed.end((login) => login.tokenHash === tokenHash);
      return new Response(null, {
        status: 204,
        headers: { "set-cookie": cookie("", 0, c.env.secure) },
      });
    },
  },
  {
    method: "GET",
    path: "/api/v1/session",
    access: "viewer",
    summary: "Who is logged in",
    answers: { 200: { description: "The session", schema: Session } },
    handle: (c) => told(c.get("session"), c.get("via")),
  },
  {
    method: "GET",
    path: "/api/v1/whoami",
    access: "open",
    // For the notice board, which asks before anybody has logged in: a browser logs every 401 as
    // an error of the page.
    summary: "Who the cookie says is logged in, or nobody",
    answers: {
      200: { description: "The session", schema: Session },
      204: { description: "Nobody" },
    },
    async handle(c, core) {
      const token = getCookie(c, COOKIE);
      const row = token === undefined ? undefined : await core.sessions.find(token, "cookie");
      return row === undefined
        ? new Response(null, { status: 204, headers: { "cache-control": "no-store" } })
        : told(row, "cookie");
    },
  },
];
