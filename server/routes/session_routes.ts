/**
 * Login, logout, who am I.
 *
 * @module
 */
import { isoTime } from "shared/clock.ts";
import { LoginRequest, Session } from "shared/protocol/api.ts";
import { COOKIE_MS, expiryOf } from "../access/sessions.ts";
import { json, readBody, type Route } from "./route.ts";

/** The session cookie. */
export const COOKIE = "ota_session";

function cookie(value: string, maxAgeS: number, secure: boolean): string {
  return `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeS}` +
    (secure ? "; Secure" : "");
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
      await core.sessions.logout(c.get("session"));
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
    handle(c) {
      const row = c.get("session");
      const expiresAt = isoTime(expiryOf(row, c.get("via")));
      return json({ v: 1, user: row.user, role: row.role, expiresAt });
    },
  },
];
