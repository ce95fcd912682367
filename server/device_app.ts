/**
 * The devices' application: what vehicles fetch and report. Every route but an unknown one needs
 * a vehicle's secret.
 *
 * @module
 */
import { Hono } from "hono";
import { UpdateFailure } from "shared/failure.ts";
import { sha256Hex } from "shared/node/digest.ts";
import { parseAs } from "shared/parse.ts";
import { Sha256Hex, Vin } from "shared/protocol/common.ts";
import { VehicleReport } from "shared/protocol/messages.ts";
import { answerError, noSuchRoute } from "./app.ts";
import type { Core } from "./core.ts";
import { problemResponse } from "./failure_http.ts";
import { answerCarrier, type SendPart } from "./routes/carrier_route.ts";
import { answerLeaf, answerLeafList } from "./routes/chunk_route.ts";
import { answerMetadata } from "./routes/metadata_route.ts";
import { json, readBody } from "./routes/route.ts";

/** What is known of the vehicle that asks. */
export interface DeviceEnv {
  Bindings: {
    readonly send: SendPart;
    /** Tells the listener whose connection it is. */
    readonly identified: (vin: string) => void;
  };
  Variables: { readonly vin: string };
}

/**
 * Makes the devices' application.
 *
 * @param core The server's parts.
 * @returns The application.
 */
export function createDeviceApp(core: Core): Hono<DeviceEnv> {
  const app = new Hono<DeviceEnv>();
  app.use(async (c, next) => {
    const secret = /^Bearer ([A-Za-z0-9_-]{1,256})$/i.exec(c.req.header("authorization") ?? "");
    const vin = secret === null ? undefined : await core.enrolments.identify(secret[1]!);
    if (vin === undefined) {
      throw new UpdateFailure(
        "unauthenticated",
        "Authorization",
        "Cannot answer: no secret of a vehicle came along as bearer token",
      );
    }
    c.env.identified(vin);
    c.set("vin", vin);
    await next();
  });

  app.get("/metadata/director/:vin/targets.json", async (c) => {
    const vin = parseAs(Vin, c.req.param("vin"), { what: "vin" });
    refuseForeign(c.get("vin"), vin);
    const { director } = await core.fleet.settle(vin);
    const body = JSON.stringify(director);
    const etag = `"${sha256Hex(new TextEncoder().encode(body)).slice(0, 32)}"`;
    const headers = { etag, "cache-control": "no-cache", "content-type": "application/json" };
    if (c.req.header("if-none-match") === etag) return new Response(null, { status: 304, headers });
    return new Response(c.req.method === "HEAD" ? null : body, { headers });
  });

  app.get("/metadata/image/:file", (c) => {
    const name = { repository: "image", vin: "", file: c.req.param("file") } as const;
    return answerMetadata(c.req.raw, name, core);
  });

  app.get("/metadata/director/:vin/:file", async (c) => {
    const vin = parseAs(Vin, c.req.param("vin"), { what: "vin" });
    refuseForeign(c.get("vin"), vin);
    const file = c.req.param("file");
    // Also signs it again if that is due: a vehicle that asks is never handed what has expired.
    if (file === "timestamp.json") await core.fleet.settle(vin);
    return answerMetadata(c.req.raw, { repository: "director", vin, file }, core);
  });

  app.get("/carriers/:carrier", (c) => {
    const carrier = parseAs(Sha256Hex, c.req.param("carrier"), { what: "carrierSha256" });
    return answerCarrier(c.req.raw, carrier, core, c.env.send);
  });

  app.get("/chunks/:root", (c) => {
    const root = parseAs(Sha256Hex, c.req.param("root"), { what: "root" });
    return answerLeafList(core, { vin: c.get("vin"), root });
  });

  app.get("/chunks/:root/:index{[0-9]{1,9}}", (c) => {
    const root = parseAs(Sha256Hex, c.req.param("root"), { what: "root" });
    return answerLeaf(core, { vin: c.get("vin"), root }, Number(c.req.param("index")));
  });

  app.put("/manifest", async (c) => {
    const report = await readBody(c.req.raw, VehicleReport, "manifest");
    refuseForeign(c.get("vin"), report.vin);
    await core.fleet.manifest(report);
    return json({ v: 1, seq: report.seq });
  });

  app.notFound((c) => problemResponse(noSuchRoute(c.req.method, c.req.path)));
  app.onError((error) => answerError(error, core.ports.log));
  return app;
}

/** A vehicle acts for itself only. */
function refuseForeign(identity: string, vin: string): void {
  if (identity === vin) return;
  throw new UpdateFailure(
    "forbidden",
    "vin",
    `Cannot act for ${vin}: the secret is that of another vehicle`,
  );
}
