/**
 * The people who can log in.
 *
 * @module
 */
import { z } from "zod";
import { PasswordRequest, User, UserName, UserRequest } from "shared/protocol/api.ts";
import { json, param, readBody, type Route } from "./route.ts";

/** Routes of people. */
export const USER_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/users",
    access: "operator",
    summary: "Everybody who can log in",
    answers: { 200: { description: "By name", schema: z.array(User) } },
    handle: async (_c, core) => json(await core.users.list()),
  },
  {
    method: "POST",
    path: "/api/v1/users",
    access: "operator",
    summary: "Add somebody with a role: viewer, publisher or operator",
    body: UserRequest,
    answers: { 201: { description: "Added", schema: User } },
    async handle(c, core) {
      const person = await readBody(c.req.raw, UserRequest, "user");
      return json(await core.users.add(person, c.get("session")), 201);
    },
  },
  {
    method: "DELETE",
    path: "/api/v1/users/:user",
    access: "operator",
    summary: "Remove somebody; their logins end at once",
    answers: { 204: { description: "Removed" } },
    async handle(c, core) {
      await core.users.remove(param(c, "user", UserName), c.get("session"));
      return new Response(null, { status: 204 });
    },
  },
  {
    method: "PUT",
    path: "/api/v1/users/:user/password",
    access: "viewer",
    summary: "Set a password: one's own with the present one, another's as operator; " +
      "other logins of that person end at once",
    body: PasswordRequest,
    answers: { 204: { description: "Set" } },
    async handle(c, core) {
      const user = param(c, "user", UserName);
      const { password, current } = await readBody(c.req.raw, PasswordRequest, "password");
      const by = c.get("session");
      await core.users.setPassword({ user, password, current, by, address: c.env.remote });
      return new Response(null, { status: 204 });
    },
  },
];
