import { assert, assertEquals, assertRejects } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import { parseAs } from "shared/parse.ts";
import type { Announcement, Desired } from "shared/protocol/messages.ts";
import {
  CarrierCustom,
  DirectorCustom,
  DirectorScope,
  ImageCustom,
} from "shared/protocol/signed_targets.ts";
import type { SigningRequest, SigningState } from "shared/protocol/signing.ts";
import { announceTopic, vehicleTopic } from "shared/protocol/topics.ts";
import { assertRefused, TestServer, until } from "../fixture_test.ts";
import { TestVehicle } from "../mqtt_client_test.ts";
import { ecuReport, OTHER_VIN, sampleBytes, vehicleReport, VIN } from "../samples_test.ts";
import { Client } from "./client_world_test.ts";
import { Owners, upload } from "./owners_test.ts";

const HARDWARE = "ivi-rpi4";

async function published(server: TestServer, version: string, seed: number): Promise<string> {
  const sha256 = await server.upload(sampleBytes(150_000, seed));
  await server.publish(HARDWARE, version, { sha256 });
  return sha256;
}

async function reported(server: TestServer, secret: string, vin = VIN): Promise<void> {
  const ecus = [ecuReport("ivi", HARDWARE, {})];
  await assertTaken(await server.report(secret, vehicleReport(1, ecus, null, vin)));
}

async function assertTaken(answer: Response): Promise<void> {
  assertEquals(answer.status, 200, await answer.text());
}

Deno.test("a vehicle's client proves a signed release, its carrier and the Director's word", async () => {
  await using server = await TestServer.start();
  const owners = new Owners();
  const secret = await server.enrol();
  await reported(server, secret);
  const sha256 = await published(server, "1.0.0", 1);
  await owners.sign(server);

  const image = await Client.begin(server, secret);
  await image.refresh();
  const target = await image.client.find(`${HARDWARE}/1.0.0`);
  assertEquals([target?.length, target?.hashes.sha256], [150_000, sha256]);
  const custom = parseAs(ImageCustom, target?.custom, { what: "custom" });
  assertEquals([custom.hardware, custom.version, custom.counter], [HARDWARE, "1.0.0", 1]);

  const carriers = (await image.client.delegatedRole("carriers"))!;
  const [path] = carriers.paths;
  const carrier = parseAs(CarrierCustom, carriers.target(path!)?.custom, { what: "custom" });
  assertEquals([carrier.sha256, carrier.format], [sha256, "container"]);

  const director = await Client.begin(server, secret, { repository: "director" });
  await director.refresh();
  const word = await director.client.find(`${HARDWARE}/1.0.0`);
  assertEquals(word?.hashes.sha256, sha256);
  const told = parseAs(DirectorCustom, word?.custom, { what: "custom" });
  assertEquals([told.ecus, told.campaign, told.action], [
    { ivi: { hardware: HARDWARE } },
    "c1",
    "install",
  ]);
});

Deno.test("without targets the Director's word names its vehicle all the same", async () => {
  await using server = await TestServer.start();
  await new Owners().sign(server);
  const secret = await server.enrol();
  const director = await Client.begin(server, secret, { repository: "director" });
  await director.refresh();
  const targets = director.client.trusted.targets!;
  assertEquals(targets.paths, []);
  const scope = parseAs(DirectorScope, targets.document.signed.custom, { what: "custom" });
  assertEquals(scope.vin, VIN);
});

Deno.test("a release that nobody has signed is neither announced nor told", async () => {
  await using server = await TestServer.start();
  const owners = new Owners();
  const secret = await server.enrol();
  await using vehicle = await TestVehicle.connect(server, secret);
  await vehicle.client.subscribeAsync(["ota/v1/announce/#", vehicleTopic(VIN, "desired")]);
  await reported(server, secret);
  const first = await published(server, "1.0.0", 1);
  const announced = () => vehicle.last<Announcement>(announceTopic(HARDWARE));
  await until("the announcement of an unsigned server", () => announced()?.sha256 === first);
  assertEquals(announced()?.timestamp, undefined);

  await owners.sign(server);
  await until("the signed announcement", () => announced()?.timestamp !== undefined);
  const second = await published(server, "1.1.0", 2);
  await server.server.core.fleet.settled();
  const told = async () =>
    (await server.asVehicle(secret, `/metadata/director/${VIN}/targets.json`))
      .json();
  assertEquals((await told()).campaign, null);
  assertEquals(announced()?.sha256, first);
  const state = await server.get<SigningState>("/api/v1/signing/state");
  assertEquals(state.awaiting, [`${HARDWARE}/1.1.0`]);

  await owners.sign(server);
  await until("the second announcement", () => announced()?.sha256 === second);
  await server.server.core.fleet.settled();
  assertEquals((await told()).ecus.ivi.release.sha256, second);
  const image = await Client.begin(server, secret);
  const timestamp = new TextDecoder().decode(await image.fetch("timestamp.json"));
  await until("the newest timestamp", () => announced()?.timestamp === timestamp);
  const director = await Client.begin(server, secret, { repository: "director" });
  const word = new TextDecoder().decode(await director.fetch("timestamp.json"));
  assertEquals(vehicle.last<Desired>(vehicleTopic(VIN, "desired"))?.timestamp, word);
});

Deno.test("metadata: another vehicle's, unknown files and path tricks are refused; ETag saves a fetch", async () => {
  await using server = await TestServer.start();
  await new Owners().sign(server);
  const secret = await server.enrol();
  const get = (path: string, init: RequestInit = {}) =>
    server.asVehicle(secret, `/metadata/${path}`, init);
  await assertRefused(await get(`director/${OTHER_VIN}/timestamp.json`), 403, "forbidden");
  await assertRefused(await get(`director/${OTHER_VIN}/1.root.json`), 403, "forbidden");
  for (
    const file of ["2.root.json", "root.json", "01.root.json", "1.timestamp.json", "1.keys.json"]
      .concat("1.root.json%00", "..%2f..%2fkeys", "99999999999.root.json", "1.root.json.key")
  ) {
    await assertRefused(await get(`image/${file}`), 404, "notFound");
  }
  const anonymous = await fetch(`${server.device}/metadata/image/timestamp.json`);
  await assertRefused(anonymous, 401, "unauthenticated");
  const first = await get("image/timestamp.json");
  const etag = first.headers.get("etag")!;
  await first.body?.cancel();
  const again = await get("image/timestamp.json", { headers: { "if-none-match": etag } });
  assertEquals([again.status, await again.text()], [304, ""]);
});

Deno.test("an upload of too few signatures, of an old version or of other words changes nothing", async () => {
  await using server = await TestServer.start();
  const owners = new Owners();
  await published(server, "1.0.0", 1);
  const request = await server.get<SigningRequest>("/api/v1/signing");
  const next = owners.next(request);
  const without = (role: "image" | "director", count: number) => ({
    ...next,
    roots: {
      ...next.roots,
      [role]: { ...next.roots[role]!, signatures: next.roots[role]!.signatures.slice(0, count) },
    },
  });
  await assertRefused(await upload(server, without("image", 1)), 422, "signatureMissing");
  await assertRefused(await upload(server, without("director", 1)), 422, "signatureMissing");
  const once = { ...next.targets!, signatures: next.targets!.signatures.slice(0, 1) };
  await assertRefused(await upload(server, { ...next, targets: once }), 422, "signatureMissing");
  const twice = { ...once, signatures: [once.signatures[0]!, once.signatures[0]!] };
  await assertRefused(await upload(server, { ...next, targets: twice }), 422, "signatureMissing");
  const { targets: _, ...rootsOnly } = next;
  await assertRefused(await upload(server, rootsOnly), 400, "badRequest");
  await assertRefused(
    await upload(server, { roots: {}, targets: next.targets }),
    409,
    "rootMissing",
  );
  const empty: SigningState = await server.get("/api/v1/signing/state");
  assertEquals(empty.image.map(({ version }) => version), [null, null, null, null, null]);

  await assertTaken(await upload(server, next));
  await assertRefused(await upload(server, next), 409, "signingOutdated");
  await assertRefused(
    await upload(server, { roots: {}, targets: next.targets }),
    409,
    "signingOutdated",
  );
  // A second root that only its own keys have signed, and one by the old keys alone.
  const again = await server.get<SigningRequest>("/api/v1/signing");
  const old = owners.keys["image/root"].map(({ keyId }) => keyId);
  const [keep, ...gone] = old;
  const rotated = owners.next(again, { drop: gone });
  const only = (ids: readonly string[]) => ({
    roots: {
      image: {
        ...rotated.roots.image!,
        signatures: rotated.roots.image!.signatures.filter(({ keyid }) => ids.includes(keyid)),
      },
    },
  });
  const fresh = owners.keys["image/root"].map(({ keyId }) => keyId);
  await assertRefused(await upload(server, only(fresh)), 422, "signatureMissing");
  await assertRefused(await upload(server, only([keep!])), 422, "signatureMissing");
  // The owners are tricked into another image than the one that was published.
  const second = await server.get<SigningRequest>("/api/v1/signing");
  const forged = structuredClone(second);
  await published(server, "1.1.0", 2);
  const third = await server.get<SigningRequest>("/api/v1/signing");
  forged.add = [{ ...third.add[0]!, sha256: "0".repeat(64) }];
  const signed = { roots: {}, targets: owners.targets(forged) };
  await assertRefused(await upload(server, signed), 422, "signingDiffers");
});

Deno.test("only an operator hands in roots and renews keys; a publisher hands in targets", async () => {
  await using server = await TestServer.start();
  const owners = new Owners();
  await owners.sign(server);
  const publisher = { authorization: `Bearer ${await server.person("publisher")}` };
  const request = await server.get<SigningRequest>("/api/v1/signing");
  const put = (next: unknown) =>
    server.ask("/api/v1/signing", {
      method: "PUT",
      headers: publisher,
      body: JSON.stringify({ v: 1, next }),
    });
  await assertRefused(await put(owners.next(request, { renew: true })), 403, "forbidden");
  await assertTaken(await put({ roots: {}, targets: owners.targets(request) }));
  const renew = await server.ask("/api/v1/signing/keys", {
    method: "POST",
    headers: publisher,
    body: JSON.stringify({ v: 1, roles: ["image/timestamp"] }),
  });
  await assertRefused(renew, 403, "forbidden");
});

Deno.test("what was signed outlives the server: after a restart all versions stay, and none falls", async () => {
  await using server = await TestServer.start();
  const owners = new Owners();
  const secret = await server.enrol();
  await reported(server, secret);
  await published(server, "1.0.0", 1);
  await owners.sign(server);
  await server.server.core.fleet.settled();
  const image = await Client.begin(server, secret);
  await image.refresh();
  const before = new TextDecoder().decode(await image.fetch("timestamp.json"));
  await server.restart();
  assertEquals(new TextDecoder().decode(await image.fetch("timestamp.json")), before);
  await image.refresh();
  await published(server, "1.1.0", 2);
  await owners.sign(server);
  await image.refresh();
  assert(await image.client.find(`${HARDWARE}/1.1.0`) !== undefined);
  await assertRejects(() => image.refresh(Date.now() + 2 * 86_400_000), UpdateFailure, "expired");
});
