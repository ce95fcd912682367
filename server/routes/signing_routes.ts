/**
 * Signing away from the server: what is to be signed, what was signed, and new keys of the server.
 *
 * @module
 */
import { UpdateFailure } from "shared/failure.ts";
import { MAX_BUNDLE, MAX_SIGNED_UPLOAD_BYTES } from "shared/limits.ts";
import { parseAs } from "shared/parse.ts";
import { ReleaseId } from "shared/protocol/common.ts";
import { RenewKeys, SignedUpload, SigningRequest, SigningState } from "shared/protocol/signing.ts";
import { z } from "zod";
import { mayAct } from "../access/sessions.ts";
import { type Ctx, json, readBody, type Route } from "./route.ts";

const Wanted = z.array(ReleaseId).max(MAX_BUNDLE);

/** Routes of signing. */
export const SIGNING_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/signing",
    access: "publisher",
    summary: "What is to be signed away from the server; ?release=ID, repeated, for some only",
    answers: { 200: { description: "A signing request", schema: SigningRequest } },
    async handle(c, core) {
      const named = parseAs(Wanted, c.req.queries("release") ?? [], { what: "release" });
      const releases = named.length === 0 ? undefined : named;
      return json(await core.repositories.desk.request(releases));
    },
  },
  {
    method: "PUT",
    path: "/api/v1/signing",
    access: "publisher",
    summary: "What was signed: targets; and new roots, which need the role operator",
    body: SignedUpload,
    answers: { 200: { description: "Where both repositories stand now", schema: SigningState } },
    async handle(c, core) {
      const max = MAX_SIGNED_UPLOAD_BYTES;
      const { next } = await readBody(c.req.raw, SignedUpload, "signed metadata", max);
      if (next.roots.image !== undefined || next.roots.director !== undefined) refuseRoots(c);
      await core.repositories.accept(next);
      for (const id of Object.keys(next.targets?.signed.targets ?? {})) {
        if (ReleaseId.safeParse(id).success) core.feed.changed("release", id);
      }
      return json(await core.repositories.desk.state());
    },
  },
  {
    method: "GET",
    path: "/api/v1/signing/state",
    access: "viewer",
    summary: "Roles, keys and expiry of both repositories, and releases that wait",
    answers: { 200: { description: "Where both repositories stand", schema: SigningState } },
    handle: async (_c, core) => json(await core.repositories.desk.state()),
  },
  {
    method: "POST",
    path: "/api/v1/signing/keys",
    access: "operator",
    summary: "New keys for roles that the server signs; they wait until a new root names them",
    body: RenewKeys,
    answers: { 200: { description: "Where both repositories stand now", schema: SigningState } },
    async handle(c, core) {
      const { roles } = await readBody(c.req.raw, RenewKeys, "roles");
      await core.repositories.desk.renew(roles);
      return json(await core.repositories.desk.state());
    },
  },
];

/** Whoever may publish may hand in signed releases; roots say who that is. */
function refuseRoots(c: Ctx): void {
  const { user, role } = c.get("session");
  if (mayAct(role, "operator")) return;
  throw new UpdateFailure(
    "forbidden",
    "roots",
    `Cannot let "${user}" hand in a root: it needs the role operator, theirs is ${role}`,
  );
}
