/**
 * The search for a target through delegations (TUF 5.6.7).
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import { type Loose, NOW, TestKey } from "../../tests/trust/repository.ts";
import { outcome, TrustWorld } from "../../tests/trust/world.ts";

const CONTENT = new TextEncoder().encode("image");

Deno.test("5.6.7: targets are searched depth first, in the order in which roles were signed", async () => {
  const world = new TrustWorld();
  const { repository } = world;
  // An object would put "2" before "10" and both before "a".
  for (const name of ["a", "10", "2"]) repository.delegate("targets", name);
  repository.delegate("10", "deeper");
  for (const name of ["a", "10", "2", "deeper"]) {
    repository.target(name, `only ${name}`, CONTENT);
    if (name !== "a") repository.target(name, "shared", CONTENT);
  }
  repository.publish("a", "10", "2", "deeper", "targets");
  assertEquals(await world.find("shared"), "10");
  assertEquals(await world.find("only deeper"), "deeper");
  repository.asked.length = 0;
  world.store.roles.clear();
  world.client().begin(repository.files.get("1.root.json")!);
  assertEquals(await world.find("nowhere"), "nobody");
  const visited = repository.asked.slice(4);
  assertEquals(visited, ["1.a.json", "1.10.json", "1.deeper.json", "1.2.json"]);
});

Deno.test("5.6.7.2.1: behind a terminating delegation nobody is asked", async () => {
  const world = new TrustWorld();
  const { repository } = world;
  repository.delegate("targets", "first", { terminating: true });
  repository.delegate("targets", "second");
  repository.target("second", "shared", CONTENT);
  repository.publish("first", "second", "targets");
  assertEquals(await world.find("shared"), "nobody");
});

Deno.test("5.6.7.2.1: that holds for everybody further up, too", async () => {
  const world = new TrustWorld();
  const { repository } = world;
  repository.delegate("targets", "first");
  repository.delegate("targets", "second");
  repository.delegate("first", "last", { terminating: true });
  repository.target("second", "shared", CONTENT);
  repository.publish("last", "first", "second", "targets");
  assertEquals(await world.find("shared"), "nobody");
});

Deno.test("5.6.7.1: a role is visited once, however often it is delegated to", async () => {
  const world = new TrustWorld();
  const { repository } = world;
  repository.delegate("targets", "a");
  repository.delegate("a", "b");
  repository.delegate("b", "a");
  repository.delegate("targets", "b");
  repository.publish("a", "b", "targets");
  assertEquals(await world.find("nowhere"), "nobody");
  assertEquals(repository.asked.slice(4), ["1.a.json", "1.b.json"]);
});

Deno.test("a target or a file without a digest that counts is refused", async () => {
  for (
    const hashes of [{}, { md5: "0".repeat(32) }, { sha256: "0".repeat(63) }, { sha512: "" }, 5]
  ) {
    const world = new TrustWorld();
    const { repository } = world;
    repository.target("targets", "abc", CONTENT);
    repository.part("targets").targets.abc.hashes = hashes;
    repository.publish("targets");
    assertEquals(await world.find("abc"), "metadataInvalid", JSON.stringify(hashes));
    delete repository.part("targets").targets.abc;
    repository.publish("targets");
    repository.part("timestamp").meta["snapshot.json"].hashes = hashes;
    repository.sign("timestamp");
    assertEquals(await world.refresh(), "metadataInvalid", JSON.stringify(hashes));
  }
});

Deno.test("4.5: a role speaks only for paths that every role above it has trusted it with", async () => {
  const world = new TrustWorld();
  const { repository } = world;
  repository.delegate("targets", "carriers");
  for (const path of ["ivi-rpi4/1.0.0", "abc"]) repository.target("carriers", path, CONTENT);
  repository.publish("carriers", "targets");
  assertEquals(await world.find("abc"), "carriers");
  assertEquals(await world.find("ivi-rpi4/1.0.0"), "nobody");
});

Deno.test("5.6.7.1: roles that delegate to each other, and very many of them, come to an end", async () => {
  const world = new TrustWorld();
  const { repository } = world;
  repository.delegate("targets", "r0");
  const names = Array.from({ length: 40 }, (_, i) => `r${i}`);
  for (const [i, name] of names.slice(1).entries()) repository.delegate(`r${i}`, name);
  repository.delegate("r3", "r1");
  repository.publish(...names, "targets");
  assertEquals(await world.find("nowhere"), "nobody");
  assertEquals(repository.asked.filter((file) => /\.r\d+\.json$/.test(file)).length, 32);
});

Deno.test("a role that the snapshot does not name, or that only another delegator's keys sign, is refused", async () => {
  const world = new TrustWorld();
  const { repository } = world;
  repository.delegate("targets", "a", { paths: ["a/*"] });
  repository.delegate("targets", "b", { paths: ["b/*"] });
  repository.delegate("a", "both", { paths: ["a/*"] });
  const trusted = repository.keys.get("both")!;
  repository.keys.set("both", [new TestKey()]);
  repository.delegate("b", "both", { paths: ["b/*"] });
  repository.keys.set("both", trusted);
  repository.target("both", "a/1", CONTENT);
  repository.target("both", "b/1", CONTENT);
  repository.publish("both", "a", "b", "targets");
  const client = world.client();
  await client.refresh(NOW);
  assertEquals((await client.find("a/1"))?.role, "both");
  assertEquals(await outcome(() => client.find("b/1")), "metadataUnsigned");
  repository.delegate("targets", "unlisted", { paths: ["c/*"] });
  repository.publish("targets");
  assertEquals(await world.find("c/1"), "metadataMixed");
});

Deno.test("4.5: a role that is trusted with digests of paths speaks for those only", async () => {
  const world = new TrustWorld();
  const { repository } = world;
  repository.delegate("targets", "bin", { path_hash_prefixes: ["c1"] }); // SHA-256 of "a/b".
  delete repository.part("targets").delegations.roles[0].paths;
  for (const path of ["a/b", "c"]) repository.target("bin", path, CONTENT);
  repository.publish("bin", "targets");
  assertEquals(await world.find("a/b"), "bin");
  assertEquals(await world.find("c"), "nobody");
});

Deno.test("TAP 15: of hash bins only that of the path is asked, and it signs with the common keys", async () => {
  const world = new TrustWorld();
  const { repository } = world;
  // SHA-256 of "a/b" begins with 0xc1, of "c" with 0x2e: of four bins the last and the first.
  repository.delegate("targets", "bin-3");
  const { keys, roles } = repository.part("targets").delegations;
  const { keyids, threshold } = roles[0];
  const bins = { keyids, threshold, bit_length: 2, name_prefix: "bin" };
  repository.part("targets").delegations = { keys, succinct_roles: bins };
  repository.target("bin-3", "a/b", CONTENT);
  repository.publish("bin-3", "targets");
  assertEquals(await world.find("a/b"), "bin-3");
  assertEquals(await world.find("c"), "metadataMixed", "the snapshot names no bin-0");
  for (const bits of [0, 33, "2"]) {
    repository.part("targets").delegations.succinct_roles.bit_length = bits;
    repository.publish("targets");
    assertEquals(await world.find("a/b"), "metadataInvalid", String(bits));
  }
});

Deno.test("delegations that cannot be read, or could be taken two ways, are refused", async () => {
  const changes: ((delegations: Loose) => void)[] = [
    (it) => it.roles.push({ ...it.roles[0] }),
    (it) => it.roles[0].name = "snapshot",
    (it) => it.roles[0].name = "",
    (it) => it.roles[0].name = "x".repeat(65),
    (it) => delete it.roles[0].paths,
    (it) => it.roles[0].path_hash_prefixes = ["00"],
    (it) => it.roles[0].paths = "*",
    (it) => delete it.roles[0].terminating,
    (it) => it.roles[0].threshold = 0,
    (it) => it.roles = {},
    (it) => delete it.keys,
    (it) => it.succinct_roles = { keyids: [], threshold: 1, bit_length: 1, name_prefix: "b" },
  ];
  for (const [i, change] of changes.entries()) {
    const world = new TrustWorld();
    world.repository.delegate("targets", "carriers");
    change(world.repository.part("targets").delegations);
    world.repository.publish("carriers", "targets");
    assertEquals(await world.refresh(), "metadataInvalid", `change ${i}`);
  }
});
