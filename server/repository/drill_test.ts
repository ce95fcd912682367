/**
 * The drill: keys are rotated, revoked and stolen, and a vehicle's client looks on. Each recovery is
 * the way that the operating guide tells.
 */
import { assert, assertEquals, assertRejects } from "@std/assert/mod.js";
import { type FailureName, UpdateFailure } from "shared/failure.ts";
import type { Envelope, OnlineRole, SigningState } from "shared/protocol/signing.ts";
import { TestServer } from "../fixture_test.ts";
import { ecuReport, sampleBytes, vehicleReport, VIN } from "../samples_test.ts";
import type { SigningKey } from "../trust/keys.ts";
import { signedPart, withSignatures } from "../trust/metadata.ts";
import { Client, type Meddler } from "./client_world_test.ts";
import { Owners } from "./owners_test.ts";

const HARDWARE = "ivi-rpi4";
const FAR = 2_000_000_000;

class Drill {
  private constructor(
    readonly server: TestServer,
    readonly owners: Owners,
    readonly secret: string,
    readonly image: Client,
    readonly director: Client,
  ) {}

  static async begin(server: TestServer): Promise<Drill> {
    const owners = new Owners();
    const secret = await server.enrol();
    const report = vehicleReport(1, [ecuReport("ivi", HARDWARE, {})]);
    assertEquals(
      await server.report(secret, report).then((answer) => answer.text()),
      '{"v":1,"seq":1}',
    );
    const sha256 = await server.upload(sampleBytes(150_000, 1));
    await server.publish(HARDWARE, "1.0.0", { sha256 });
    await owners.sign(server);
    const image = await Client.begin(server, secret);
    const director = await Client.begin(server, secret, { repository: "director" });
    const drill = new Drill(server, owners, secret, image, director);
    await drill.looksGood();
    return drill;
  }

  /** Both clients of the vehicle take what the server has, and the release is proved. */
  async looksGood(): Promise<void> {
    await this.server.server.core.fleet.settled();
    for (const client of [this.image, this.director]) {
      await client.refresh();
      assert(await client.client.find(`${HARDWARE}/1.0.0`) !== undefined);
    }
  }

  /** The server's private key of a role, as a thief would have it. */
  stolen(role: OnlineRole): SigningKey {
    return this.server.server.core.ports.vault.keys(role)[0]!;
  }

  async renew(...roles: OnlineRole[]): Promise<void> {
    const answer = await this.server.post("/api/v1/signing/keys", { v: 1, roles });
    assertEquals(answer.status, 200, await answer.text());
  }

  versionOf(client: Client, role: "timestamp" | "snapshot"): number {
    return JSON.parse(new TextDecoder().decode(client.store.read(role))).signed.version;
  }
}

function encoded(envelope: Envelope): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(envelope));
}

/** Metadata as a thief of some keys signs it, with a version that no server reaches. */
function forged(
  type: "timestamp" | "snapshot" | "targets",
  fields: Record<string, unknown>,
  keys: SigningKey[],
): Uint8Array {
  const signed = signedPart(type, { version: FAR, expiresAtMs: Date.now() + 86_400_000 }, fields);
  return encoded(withSignatures({ signatures: [], signed }, keys));
}

/** Snapshot and timestamp that list one version of everything. */
function forgedTop(lists: Record<string, number>, snapshot: SigningKey, timestamp: SigningKey) {
  const meta = Object.fromEntries(
    Object.entries(lists).map(([file, version]) => [file, { version }]),
  );
  const files: Record<string, Uint8Array> = {
    "timestamp.json": forged("timestamp", { meta: { "snapshot.json": { version: FAR } } }, [
      timestamp,
    ]),
    [`${FAR}.snapshot.json`]: forged("snapshot", { meta }, [snapshot]),
  };
  const meddler: Meddler = (file) => files[file];
  return { files, meddler };
}

async function refused(work: () => Promise<unknown>, name: FailureName): Promise<void> {
  const error = await assertRejects(work, UpdateFailure);
  assertEquals(error.failure, name, error.message);
}

Deno.test("drill: the roots are rotated twice, and a vehicle that slept follows them", async () => {
  await using server = await TestServer.start();
  const drill = await Drill.begin(server);
  const { owners } = drill;
  await owners.sign(server, { renew: true });
  await owners.sign(server, { drop: [owners.keys["image/root"][2]!.keyId], renew: true });
  await drill.looksGood();
  assertEquals(drill.image.client.trusted.root.document.version, 3);
  assertEquals(drill.director.client.trusted.root.document.version, 3);
});

Deno.test("drill: keys of timestamp, snapshot and carriers are stolen and driven up; new ones make it good", async () => {
  await using server = await TestServer.start();
  const drill = await Drill.begin(server);
  const { image, owners } = drill;
  const targets = image.client.trusted.snapshot!.files.get("targets")!.version;
  const carriers = drill.stolen("image/carriers");
  const evil = forgedTop(
    { "targets.json": targets, "carriers.json": FAR },
    drill.stolen("image/snapshot"),
    drill.stolen("image/timestamp"),
  );
  evil.files[`${FAR}.carriers.json`] = forged("targets", { targets: {} }, [carriers]);
  image.meddler = evil.meddler;
  await image.refresh(); // It is signed as it must be: the vehicle is held at a version far away.
  assertEquals(drill.versionOf(image, "timestamp"), FAR);
  assert(
    await image.client.find(`${HARDWARE}/1.0.0`) !== undefined,
    "no image can be forged by it",
  );
  image.meddler = () => undefined;
  await refused(() => image.refresh(), "metadataRollback");

  await drill.renew("image/timestamp", "image/snapshot", "image/carriers");
  const waiting = await server.get<SigningState>("/api/v1/signing/state");
  const states = waiting.image.find(({ role }) => role === "timestamp")!.keys;
  assertEquals(states.map(({ state }) => state), ["next", "active"]);
  await owners.sign(server);
  await drill.looksGood();
  const role = await image.client.delegatedRole("carriers");
  assertEquals(role?.paths.length, 1);
  assert(drill.versionOf(image, "timestamp") < FAR);
  // The stolen keys are worth nothing now, and are gone from the server.
  image.meddler = evil.meddler;
  await refused(() => image.refresh(), "metadataUnsigned");
  const after = await server.get<SigningState>("/api/v1/signing/state");
  for (const { role, keys } of after.image.slice(2)) assertEquals(keys.length, 1, role);
});

Deno.test("drill: all of the Director's keys are stolen and driven up; new ones make it good", async () => {
  await using server = await TestServer.start();
  const drill = await Drill.begin(server);
  const { director, owners } = drill;
  const evil = forgedTop(
    { "targets.json": FAR },
    drill.stolen("director/snapshot"),
    drill.stolen("director/timestamp"),
  );
  const custom = { v: 1, vin: VIN };
  evil.files[`${FAR}.targets.json`] = forged("targets", { targets: {}, custom }, [
    drill.stolen("director/targets"),
  ]);
  director.meddler = evil.meddler;
  await director.refresh();
  assertEquals(await director.client.find(`${HARDWARE}/1.0.0`), undefined);
  director.meddler = () => undefined;
  await refused(() => director.refresh(), "metadataRollback");

  await drill.renew("director/targets", "director/snapshot", "director/timestamp");
  await owners.sign(server);
  await drill.looksGood();
  director.meddler = evil.meddler;
  await refused(() => director.refresh(), "metadataUnsigned");
});

Deno.test("drill: one offline targets key is stolen; alone it signs nothing, and it is revoked", async () => {
  await using server = await TestServer.start();
  const drill = await Drill.begin(server);
  const { image, owners } = drill;
  const thief = owners.keys["image/targets"][0]!;
  // With the server's keys as well: snapshot and timestamp lead to targets of the thief's own.
  const evil = forgedTop(
    { "targets.json": FAR, "carriers.json": FAR },
    drill.stolen("image/snapshot"),
    drill.stolen("image/timestamp"),
  );
  const target = { length: 4, hashes: { sha256: "0".repeat(64) }, custom: {} };
  evil.files[`${FAR}.targets.json`] = forged("targets", {
    targets: { [`${HARDWARE}/9.0.0`]: target },
  }, [thief]);
  const victim = await Client.begin(server, drill.secret);
  victim.meddler = evil.meddler;
  await refused(() => victim.refresh(), "metadataUnsigned");

  const before = image.client.trusted.targets!.document.version;
  await owners.sign(server, { drop: [thief.keyId] });
  await drill.looksGood();
  const now = image.client.trusted.targets!.document;
  assert(now.version > before, "what it had signed is signed again");
  assert(!now.signatures.has(thief.keyId));
  const second = owners.keys["image/targets"][1]!;
  evil.files[`${FAR}.targets.json`] = forged("targets", { targets: {} }, [thief, second]);
  image.meddler = evil.meddler;
  await refused(() => image.refresh(), "metadataUnsigned");
});

Deno.test("drill: one root key is stolen; alone it makes no root, and it is revoked", async () => {
  await using server = await TestServer.start();
  const drill = await Drill.begin(server);
  const { image, owners } = drill;
  const thief = owners.keys["image/root"][0]!;
  const present: Envelope = JSON.parse(new TextDecoder().decode(await image.fetch("1.root.json")));
  const evil = (version: number) =>
    encoded(withSignatures({ signatures: [], signed: { ...present.signed, version } }, [thief]));
  image.meddler = (file) => file === "2.root.json" ? evil(2) : undefined;
  await refused(() => image.refresh(), "metadataUnsigned");
  image.meddler = () => undefined;

  await owners.sign(server, { drop: [thief.keyId] });
  await drill.looksGood();
  const { keyids } = (JSON.parse(new TextDecoder().decode(await image.fetch("2.root.json"))) as {
    signed: { roles: { root: { keyids: string[] } } };
  }).signed.roles.root;
  assertEquals([keyids.length, keyids.includes(thief.keyId)], [3, false]);
  // With a second key of the old root it would have made one; under the new root it cannot.
  const other = owners.keys["image/root"][0]!;
  const signed = { ...present.signed, version: 3 };
  const third = encoded(withSignatures({ signatures: [], signed }, [thief, other]));
  image.meddler = (file) => file === "3.root.json" ? third : undefined;
  await refused(() => image.refresh(), "metadataUnsigned");
});

Deno.test("drill: the server lost its keys; it starts only when told to make new ones, and a root names them", async () => {
  await using server = await TestServer.start();
  const drill = await Drill.begin(server);
  await server.server.stop();
  await Deno.remove(`${server.config.data}/keys`, { recursive: true });
  const error = await assertRejects(() => server.restart(), UpdateFailure);
  assertEquals(error.failure, "preconditionFailed");
  assert(error.message.includes("--new-keys"), error.message);
  Object.assign(server.config, { newKeys: true });
  await server.restart();
  // Reports are taken meanwhile, and what was signed holds on.
  const report = vehicleReport(2, [ecuReport("ivi", HARDWARE, {})]);
  assertEquals((await (await server.report(drill.secret, report)).json()).seq, 2);
  await drill.looksGood();
  server.token = await server.login();
  await drill.owners.sign(server);
  Object.assign(server.config, { newKeys: false });
  await server.restart();
  await drill.looksGood();
});
