/**
 * One test an attack, or a clause of the client workflow (TUF 5).
 *
 * @module
 */
import { assertEquals, assertNotEquals } from "@std/assert/mod.js";
import { MAX_ROOT_ROTATIONS } from "../limits.ts";
import { MetadataClient } from "./client.ts";
import { bytesOf, daysOn, NOW, signedBy, TestKey } from "../../tests/trust/repository.ts";
import { outcome, TrustWorld } from "../../tests/trust/world.ts";

const CONTENT = new TextEncoder().encode("image");

Deno.test("refresh() asks for what it needs and no more, and stores what it trusts", async () => {
  const world = new TrustWorld();
  const { repository, store } = world;
  const client = world.client();
  await client.refresh(NOW);
  const first = ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"];
  assertEquals([repository.asked, store.versions()], [first, {
    ...{ root: 1, timestamp: 1, snapshot: 1, targets: 1 },
  }]);
  repository.asked.length = 0;
  await client.refresh(NOW);
  assertEquals(repository.asked, ["2.root.json", "timestamp.json"]); // 5.4.3.1: nothing is new.
  assertEquals(store.read("timestamp"), repository.latest("timestamp"));
});

Deno.test("5.3: a chain of roots is followed to its end, each step stored", async () => {
  const world = new TrustWorld();
  for (let i = 0; i < 5; i++) {
    world.repository.rotate("root", 2);
    world.repository.part("root").roles.root.threshold = 2;
    world.repository.publish("root");
  }
  assertEquals(await world.refresh(), "trusted");
  assertEquals(world.store.versions().root, 6);
  assertEquals(world.store.commits.slice(1, 6), Array.from({ length: 5 }, () => ["root"]));
});

Deno.test(`5.3.3: no more than ${MAX_ROOT_ROTATIONS} roots are followed in one update`, async () => {
  const world = new TrustWorld();
  for (let i = 0; i < MAX_ROOT_ROTATIONS + 3; i++) world.repository.sign("root");
  assertEquals(await world.refresh(), "trusted");
  assertEquals(world.store.versions().root, 1 + MAX_ROOT_ROTATIONS);
  assertEquals(await world.refresh(), "trusted");
  assertEquals(world.store.versions().root, 4 + MAX_ROOT_ROTATIONS);
});

Deno.test("5.3.4: a root that the trusted one's keys, or its own, have not signed is refused", async () => {
  for (const signers of ["old", "new"] as const) {
    const world = new TrustWorld();
    const { repository } = world;
    const [old] = repository.keys.get("root")!;
    const next = new TestKey();
    const part = repository.part("root");
    Object.assign(part, { version: 2, keys: { ...part.keys, [next.id]: next.json() } });
    part.roles.root = { keyids: [next.id], threshold: 1 };
    repository.serve("root", bytesOf(signedBy(part, [signers === "old" ? old! : next])));
    assertEquals(await world.refresh(), "metadataUnsigned", signers);
    assertEquals(world.store.versions(), { root: 1 });
    repository.serve("root", bytesOf(signedBy(part, [old!, next])));
    assertEquals(await world.refresh(), "trusted"); // 5: the next update goes on.
  }
});

Deno.test("5.3.5: a root that skips a version, or comes again, is a rollback", async () => {
  for (const version of [1, 3]) {
    const world = new TrustWorld();
    const { repository } = world;
    Object.assign(repository.part("root"), { version });
    const bytes = bytesOf(signedBy(repository.part("root"), repository.keys.get("root")!));
    repository.files.set("2.root.json", bytes);
    assertEquals(await world.refresh(), "metadataRollback");
    assertEquals(world.store.read("root"), repository.latest("root"));
  }
});

Deno.test("5.3.6, 5.3.10: an expired root leads on to its successor, but is no end (freeze)", async () => {
  const world = new TrustWorld();
  const { repository } = world;
  repository.part("root").expires = daysOn(-1);
  repository.publish("root");
  assertEquals(await world.refresh(), "metadataExpired");
  assertEquals(world.store.versions(), { root: 2 }, "5.3.8 comes before 5.3.10");
  repository.part("root").expires = daysOn(1);
  repository.publish("root");
  assertEquals(await world.refresh(), "trusted");
});

for (const role of ["timestamp", "snapshot", "targets"] as const) {
  Deno.test(`a ${role} that nobody has signed is refused, and what was trusted stays`, async () => {
    const world = new TrustWorld();
    assertEquals(await world.refresh(), "trusted");
    const before = world.store.read(role);
    world.repository.keys.set(role, [new TestKey()]); // Not named by root.
    world.repository.publish(role);
    assertEquals(await world.refresh(), "metadataUnsigned");
    assertEquals(world.store.read(role), before);
  });

  Deno.test(`a ${role} that has expired is refused (freeze), at the very second`, async () => {
    const world = new TrustWorld();
    world.repository.part(role).expires = daysOn(1);
    world.repository.publish(role);
    const atMs = Date.parse(daysOn(1));
    assertEquals(await world.refresh(atMs), "metadataExpired");
    assertEquals(await world.refresh(atMs - 1), "trusted");
    assertEquals(await world.refresh(atMs), "metadataExpired", "what is stored freezes as well");
  });
}

Deno.test("5.4.3.1: an older timestamp is a rollback; one of the same version is passed over", async () => {
  const world = new TrustWorld();
  const { repository } = world;
  const old = repository.latest("timestamp");
  repository.publish("timestamp");
  assertEquals(await world.refresh(), "trusted");
  const newest = repository.latest("timestamp");
  repository.files.set("timestamp.json", old);
  assertEquals(await world.refresh(), "metadataRollback");
  const other = { ...repository.part("timestamp"), meta: { "snapshot.json": { version: 99 } } };
  repository.files.set(
    "timestamp.json",
    bytesOf(signedBy(other, repository.keys.get("timestamp")!)),
  );
  assertEquals(await world.refresh(), "trusted");
  assertEquals(world.store.read("timestamp"), newest);
});

Deno.test("5.4.3.2, 5.5.5: a newer timestamp that leads back to an older snapshot is a rollback", async () => {
  const world = new TrustWorld();
  const { repository } = world;
  repository.publish("snapshot");
  assertEquals(await world.refresh(), "trusted");
  repository.part("timestamp").meta["snapshot.json"] = { version: 1 };
  repository.sign("timestamp");
  assertEquals(await world.refresh(), "metadataRollback");
  assertEquals(world.store.versions().timestamp, 2);
});

Deno.test("5.5.5: a snapshot that leads back to older targets, or drops a role, is a rollback", async () => {
  for (const change of [{ version: 1 }, undefined]) {
    const world = new TrustWorld();
    const { repository } = world;
    repository.delegate("targets", "carriers");
    repository.publish("carriers", "targets");
    repository.publish("carriers", "targets");
    assertEquals(await world.refresh(), "trusted");
    const { meta } = repository.part("snapshot");
    if (change === undefined) delete meta["carriers.json"];
    else meta["carriers.json"] = change;
    repository.publish("snapshot");
    assertEquals(await world.refresh(), "metadataRollback");
    assertEquals(world.store.versions().snapshot, 3);
  }
});

Deno.test("5.5.2, 5.6.2: files that do not belong together are refused (mix and match)", async () => {
  for (const role of ["snapshot", "targets"] as const) {
    for (const kind of ["older", "longer", "other"] as const) {
      const world = new TrustWorld();
      const { repository } = world;
      const older = repository.latest(role);
      repository.publish(role);
      const part = { ...repository.part(role), expires: daysOn(29) };
      const other = bytesOf(signedBy(part, repository.keys.get(role)!));
      const longer = new Uint8Array([...repository.latest(role), 32]);
      repository.files.set(`2.${role}.json`, { older, longer, other }[kind]);
      const expected = kind === "longer" ? "metadataTooLarge" : "metadataMixed";
      assertEquals(await world.refresh(), expected, `${role} ${kind}`);
    }
  }
});

Deno.test("5.5.4, 5.6.4: without hashes the version alone tells that files do not belong together", async () => {
  for (const role of ["snapshot", "targets"] as const) {
    const world = new TrustWorld();
    world.repository.hashes = false;
    world.repository.publish(role);
    world.repository.files.set(`2.${role}.json`, world.repository.files.get(`1.${role}.json`)!);
    assertEquals(await world.refresh(), "metadataMixed");
  }
});

for (const role of ["timestamp", "snapshot"] as const) {
  Deno.test(`5.3.11: after the ${role} key was renewed, versions that a thief drove up are forgotten`, async () => {
    const world = new TrustWorld();
    const { repository } = world;
    repository.part(role).version = 1_000_000;
    repository.publish(role);
    assertEquals(await world.refresh(), "trusted");
    repository.rotate(role);
    repository.part(role).version = 5;
    repository.publish("root", "snapshot");
    const commits = world.store.commits.length;
    assertEquals(await world.refresh(), "trusted");
    assertEquals(world.store.versions()[role], 6);
    // In one step with the root, or a power cut between them would keep the thief's versions.
    assertEquals(world.store.commits[commits], ["root", "-timestamp", "-snapshot"]);
  });
}

for (const verification of ["full", "partial"] as const) {
  Deno.test(`5.3.11: one key of two taken away is a renewal as well, with ${verification} verification`, async () => {
    const world = new TrustWorld({ verification });
    const { repository } = world;
    const role = verification === "full" ? "timestamp" : "targets";
    const kept = repository.keys.get(role)!;
    repository.keys.set(role, [...kept, new TestKey()]);
    repository.publish("root");
    repository.part(role).version = 1000;
    repository.publish(role); // By both: what stays would vouch for it still.
    assertEquals(await world.refresh(), "trusted");
    assertEquals(world.store.versions()[role], 1001);
    repository.keys.set(role, kept);
    repository.part(role).version = 5;
    repository.publish("root", role);
    assertEquals(await world.refresh(), "trusted");
    assertEquals(world.store.versions()[role], 6);
  });
}

Deno.test("5.3.11: a thief who keeps the old keys is not believed again after they were renewed", async () => {
  const world = new TrustWorld();
  const { repository } = world;
  assertEquals(await world.refresh(), "trusted");
  const stolen = repository.keys.get("timestamp")!;
  repository.rotate("timestamp");
  repository.publish("root", "timestamp");
  assertEquals(await world.refresh(), "trusted");
  repository.keys.set("timestamp", stolen);
  repository.publish("timestamp");
  assertEquals(await world.refresh(), "metadataUnsigned");
});

Deno.test("a file longer than signed, or than any such file may be, is refused (endless data)", async () => {
  const files = { "2.root.json": 512_000, "timestamp.json": 16_384, "1.snapshot.json": 2_000_000 };
  for (const [file, maxBytes] of Object.entries(files)) {
    const world = new TrustWorld();
    world.repository.hashes = false;
    world.repository.part("timestamp").meta["snapshot.json"] = { version: 1 };
    world.repository.sign("timestamp");
    world.repository.files.set(file, new Uint8Array(maxBytes + 1).fill(32));
    assertEquals(await world.refresh(), "metadataTooLarge", file);
    world.repository.files.set(file, new Uint8Array(maxBytes).fill(32));
    assertEquals(await world.refresh(), "metadataInvalid", file);
  }
});

Deno.test("a file that is promised and not there is named, and the next update goes on", async () => {
  for (const file of ["timestamp.json", "1.snapshot.json", "1.targets.json"]) {
    const world = new TrustWorld();
    const bytes = world.repository.files.get(file)!;
    world.repository.files.delete(file);
    assertEquals(await world.refresh(), "metadataMissing", file);
    world.repository.files.set(file, bytes);
    assertEquals(await world.refresh(), "trusted");
  }
});

Deno.test("without a trusted root nothing is asked for", async () => {
  const world = new TrustWorld();
  world.store.roles.delete("root");
  assertEquals([await world.refresh(), world.repository.asked], ["trustLost", []]);
});

Deno.test("begin() refuses a root that does not sign itself, and stores nothing", async () => {
  const world = new TrustWorld();
  const root = JSON.parse(new TextDecoder().decode(world.repository.latest("root")));
  const forged = bytesOf(signedBy(root.signed, [new TestKey()]));
  const { source, store } = { source: world.repository, store: world.store };
  const before = store.commits.length;
  const client = new MetadataClient({ source, store });
  assertEquals(await outcome(() => client.begin(forged)), "metadataUnsigned");
  assertEquals(store.commits.length, before);
});

Deno.test("verifyStored() proves what is stored again, also when it has expired since, without the network", async () => {
  const world = new TrustWorld();
  const { repository, store } = world;
  repository.target("targets", "ivi-rpi4/1.0.0", CONTENT);
  repository.part("timestamp").expires = daysOn(1);
  repository.publish("targets");
  assertEquals(await world.refresh(), "trusted");
  repository.asked.length = 0;
  const client = world.client();
  client.verifyStored(NOW);
  assertEquals((await client.find("ivi-rpi4/1.0.0", { stored: true }))?.length, CONTENT.length);
  assertEquals(repository.asked, []);
  // As of a later start it has expired.
  const later = Date.parse(daysOn(2));
  assertEquals(await outcome(() => client.verifyStored(later)), "metadataExpired");
  const expiring = world.client();
  for (const role of ["timestamp", "snapshot", "targets"]) {
    repository.part(role).expires = daysOn(500);
  }
  repository.publish("targets");
  await expiring.refresh(NOW);
  // Only the root has expired then.
  assertEquals(
    await outcome(() => expiring.verifyStored(Date.parse(daysOn(400)))),
    "metadataExpired",
  );
  for (const role of ["timestamp", "snapshot", "targets"]) {
    const kept = store.read(role)!;
    const rotten = kept.slice();
    rotten[rotten.length - 9]! ^= 1;
    store.roles.set(role, rotten);
    assertNotEquals(await outcome(() => client.verifyStored(NOW)), "trusted", role);
    store.roles.delete(role);
    assertEquals(await outcome(() => client.verifyStored(NOW)), "metadataMissing");
    store.roles.set(role, kept);
  }
});

Deno.test("partial verification trusts root and targets, and goes back in nothing", async () => {
  const world = new TrustWorld({ verification: "partial" });
  const { repository } = world;
  const old = repository.latest("targets");
  repository.publish("targets");
  assertEquals(await world.refresh(), "trusted");
  assertEquals(repository.asked, ["2.root.json", "targets.json"]);
  assertEquals(world.store.versions(), { root: 1, targets: 2 });
  assertEquals(await world.refresh(Date.parse(daysOn(30))), "metadataExpired", "the stored ones");
  repository.files.set("targets.json", old);
  assertEquals(await world.refresh(), "metadataRollback");
  repository.part("targets").expires = daysOn(-1);
  repository.publish("targets");
  assertEquals(await world.refresh(), "metadataExpired");
  repository.part("targets").expires = daysOn(1);
  repository.keys.set("targets", [new TestKey()]);
  repository.publish("targets");
  assertEquals(await world.refresh(), "metadataUnsigned");
  repository.part("targets").version = 0;
  repository.publish("root", "targets"); // Now root names the new key: what was driven up is forgotten.
  assertEquals(await world.refresh(), "trusted");
  assertEquals(world.store.versions(), { root: 2, targets: 1 });
  world.client().verifyStored(NOW);
});
