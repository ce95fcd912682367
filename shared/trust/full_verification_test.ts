/**
 * The gateway's verification: what both repositories agree on is proved, everything else is refused.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert/mod.js";
import { daysOn, type Loose, NOW, TestKey } from "../../tests/trust/repository.ts";
import {
  content,
  DAY_MS,
  directorCustom,
  imageCustom,
  sha256,
  TestFleet,
} from "../../tests/trust/fleet.ts";
import { outcome } from "../../tests/trust/world.ts";

const IVI = "ivi-rpi4/1.3.0";

/** The failure when the Director says something else of the head unit's image. */
async function directed(change: (target: Loose, targets: Loose) => void): Promise<string> {
  const fleet = new TestFleet();
  const part = fleet.director.part("targets");
  change(part.targets[IVI], part);
  fleet.publish();
  return await fleet.verify();
}

/** The failure when its owner signed something else. */
async function owned(change: (target: Loose, targets: Loose) => void): Promise<string> {
  const fleet = new TestFleet();
  const part = fleet.image.part("targets");
  change(part.targets[IVI], part);
  fleet.publish();
  return await fleet.verify();
}

Deno.test("what both repositories agree on is proved, in the Director's order", async () => {
  const fleet = new TestFleet();
  const { images, distrust, directorVersion } = await fleet.verified();
  assertEquals(images.map(({ path, serials }) => [path, ...serials]), [
    ["body-sim/1.3.0", "body"],
    [IVI, "ivi"],
  ]);
  assertEquals([images[1]!.sha256, images[1]!.image.counter], [sha256(IVI), 3]);
  assertEquals([distrust, directorVersion], [null, 2]);
});

Deno.test("a Director who wants nothing is believed when he says whom he tells so", async () => {
  const fleet = new TestFleet();
  fleet.director.part("targets").targets = {};
  fleet.publish();
  assertEquals((await fleet.verified()).images, []);
});

Deno.test("another vehicle's targets are refused, and leave no trace that could hold back this one's", async () => {
  const fleet = new TestFleet();
  assertEquals(await fleet.verify(), "trusted");
  const before = fleet.stores.director.versions();
  const part = fleet.director.part("targets");
  part.custom = { v: 1, vin: "WVWZZZ1KZAW000002" };
  const versions = ["timestamp", "snapshot", "targets"];
  for (const role of versions) fleet.director.part(role).version = 1000;
  fleet.publish();
  const same = fleet.verification();
  assertEquals(await outcome(() => same.verify(fleet.ecus)), "metadataForeign");
  assertEquals(fleet.stores.director.versions(), before);
  const [foreign, honest] = [new Map(fleet.director.files), fleet.director.files];
  honest.set("timestamp.json", fleet.stores.director.read("timestamp")!);
  assertEquals(await outcome(() => same.verify(fleet.ecus)), "trusted"); // Nothing is new for it.
  assertEquals(
    fleet.stores.director.versions(),
    before,
    "nor is anything left of the first attempt",
  );
  honest.set("timestamp.json", foreign.get("timestamp.json")!);
  part.custom = { v: 1, vin: "WVWZZZ1KZAW000001" };
  for (const role of versions) fleet.director.part(role).version = 2;
  fleet.publish();
  assertEquals(await fleet.verify(), "trusted");
});

Deno.test("targets that do not say whose they are, or delegate, are no Director's", async () => {
  assertEquals(await directed((_, part) => delete part.custom), "metadataInvalid");
  assertEquals(await directed((_, part) => part.custom = { v: 1, vin: 5 }), "metadataInvalid");
  assertEquals(await directed((_, part) => part.custom.v = 2), "schemaUnknown");
  const delegations = { keys: {}, roles: [] };
  assertEquals(await directed((_, part) => part.delegations = delegations), "metadataInvalid");
});

Deno.test("an image that its owner has not signed is refused, whatever the Director says", async () => {
  assertEquals(await owned((_, part) => delete part.targets[IVI]), "targetUnproved");
  const fleet = new TestFleet();
  delete fleet.image.part("targets").targets[IVI];
  // The stolen online key signs it, and the role is even allowed to.
  fleet.image.part("targets").delegations.roles[0].paths = ["*", "*/*"];
  fleet.image.target("carriers", IVI, content(IVI), imageCustom(IVI, 3));
  fleet.publish();
  assertEquals(await fleet.verify(), "targetUnproved");
});

Deno.test("length and every hash must be the same on both sides", async () => {
  assertEquals(await directed((target) => target.length++), "targetDiffers");
  assertEquals(await directed((target) => target.hashes.sha256 = "0".repeat(64)), "targetDiffers");
  const sha512 = (digit: string) => (target: Loose) => target.hashes.sha512 = digit.repeat(128);
  assertEquals(await directed(sha512("0")), "trusted", "one side may say more");
  const fleet = new TestFleet();
  sha512("0")(fleet.director.part("targets").targets[IVI]);
  sha512("1")(fleet.image.part("targets").targets[IVI]);
  fleet.publish();
  assertEquals(await fleet.verify(), "targetDiffers");
  const only512 = (target: Loose) => target.hashes = { sha512: "0".repeat(128) };
  assertEquals(await directed(only512), "targetDiffers");
  assertEquals(await owned(only512), "targetDiffers");
});

Deno.test("a path that names another image than its custom does is refused", async () => {
  assertEquals(await owned((target) => target.custom.version = "1.2.0"), "targetDiffers");
  assertEquals(await owned((target) => target.custom.hardware = "body-sim"), "targetDiffers");
});

Deno.test("an image goes only to ECUs that are here, of its hardware, and to each once", async () => {
  const ecus = (value: Loose) => (target: Loose) => target.custom.ecus = value;
  assertEquals(await directed(ecus({ gone: { hardware: "ivi-rpi4" } })), "ecuUnknown");
  assertEquals(await directed(ecus({ ivi: { hardware: "body-sim" } })), "hardwareDiffers");
  assertEquals(
    await directed(ecus({ body: { hardware: "body-sim" } })),
    "metadataInvalid",
    "twice",
  );
  const fleet = new TestFleet();
  delete fleet.director.part("targets").targets["body-sim/1.3.0"];
  ecus({ body: { hardware: "body-sim" } })(fleet.director.part("targets").targets[IVI]);
  fleet.publish();
  assertEquals(await fleet.verify(), "targetDiffers", "the image is for another hardware");
});

Deno.test("no ECU goes back behind what was confirmed on it, whoever signs (rollback)", async () => {
  assertEquals(await owned((target) => target.custom.counter = 1), "releaseDowngrade");
  assertEquals(
    await owned((target) => target.custom.counter = 2),
    "trusted",
    "the same again is no way back",
  );
  assertEquals(await owned((target) => target.custom.minCounter = 3), "releaseDowngrade");
  const both = (fleet: TestFleet) => {
    fleet.image.part("targets").targets[IVI].custom.counter = 1;
    fleet.director.part("targets").targets[IVI].custom.action = "downgrade";
    fleet.publish();
    return fleet;
  };
  assertEquals(
    await both(new TestFleet()).verify(),
    "releaseDowngrade",
    "a stolen Director says so",
  );
  const asked: unknown[] = [];
  const allowed = new TestFleet();
  allowed.mayDowngrade = ({ path }, serial) => asked.push([path, serial]) > 0;
  assertEquals(await both(allowed).verify(), "trusted");
  assertEquals(asked, [[IVI, "ivi"]]);
  const plain = new TestFleet();
  plain.mayDowngrade = () => true; // Not asked: the Director did not say it was one.
  plain.image.part("targets").targets[IVI].custom.counter = 1;
  plain.publish();
  assertEquals(await plain.verify(), "releaseDowngrade");
});

Deno.test("targets of two campaigns, or of one place in the order, are refused", async () => {
  assertEquals(await directed((target) => target.custom.campaign = "c2"), "metadataInvalid");
  assertEquals(await directed((target) => target.custom.order = 0), "metadataInvalid");
});

Deno.test("custom fields of another schema version, or without what is needed, are refused", async () => {
  assertEquals(await directed((target) => target.custom.v = 2), "schemaUnknown");
  assertEquals(await owned((target) => target.custom.v = 2), "schemaUnknown");
  for (const field of Object.keys(directorCustom([], "x"))) {
    if (field === "v") continue;
    assertEquals(await directed((target) => delete target.custom[field]), "metadataInvalid", field);
  }
  for (const field of Object.keys(imageCustom(IVI, 3))) {
    if (field === "v") continue;
    assertEquals(await owned((target) => delete target.custom[field]), "metadataInvalid", field);
  }
});

Deno.test("the keys of one repository are worth nothing in the other", async () => {
  for (const side of ["director", "image"] as const) {
    const fleet = new TestFleet();
    const other = fleet[side === "director" ? "image" : "director"];
    for (const role of ["timestamp", "snapshot", "targets"]) {
      fleet[side].keys.set(role, other.keys.get(role)!);
    }
    fleet.publish();
    assertEquals(await fleet.verify(), "metadataUnsigned", side);
  }
});

Deno.test("stored metadata proves itself again at the end, also when it has expired meanwhile", async () => {
  const fleet = new TestFleet();
  const first = await fleet.verified();
  for (const repository of [fleet.director, fleet.image]) repository.files.clear();
  fleet.nowAt += 400 * DAY_MS;
  const again = await fleet.verification().verifyStored(fleet.ecus, first.startAt);
  assertEquals(again.images, first.images);
  const late = () => fleet.verification().verifyStored(fleet.ecus, fleet.nowAt);
  assertEquals(await outcome(late), "metadataExpired");
  const { image } = fleet.stores;
  const bytes = image.read("targets")!.slice();
  bytes[bytes.indexOf(0x33)]! ^= 1; // One bit of a digit.
  image.commit([["targets", bytes]]);
  const rotten = await outcome(() => fleet.verification().verifyStored(fleet.ecus, first.startAt));
  assertNotEquals(rotten, "trusted");
});

Deno.test("a clock that is set back finds expired metadata expired all the same (freeze)", async () => {
  const fleet = new TestFleet();
  for (const repository of [fleet.director, fleet.image]) {
    repository.part("timestamp").expires = daysOn(1);
  }
  fleet.publish();
  assertEquals(await fleet.verify(), "trusted");
  assertEquals(fleet.floorAt, NOW);
  fleet.nowAt = 0; // 1970: the battery was off.
  const { startAt, distrust } = await fleet.verified();
  assertEquals([startAt, distrust?.failure], [NOW, "clockUntrusted"]);
  // Later, the server signs anew; then somebody plays the old days again.
  fleet.nowAt = NOW + 5 * DAY_MS;
  const old = fleet.director.files;
  const kept = new Map(old);
  fleet.director.part("timestamp").expires = daysOn(6);
  fleet.director.publish("timestamp");
  fleet.image.part("timestamp").expires = daysOn(6);
  fleet.image.publish("timestamp");
  assertEquals(await fleet.verify(), "trusted");
  assertEquals(fleet.floorAt, NOW + 5 * DAY_MS);
  fleet.nowAt = NOW;
  fleet.stores.director.roles.delete("timestamp"); // Even if what was trusted were lost.
  old.clear();
  for (const [name, bytes] of kept) old.set(name, bytes);
  assertEquals(await fleet.verify(), "metadataExpired");
});

Deno.test("the floor never falls, and a stolen timestamp key does not drive it beyond the root's end", async () => {
  const fleet = new TestFleet();
  fleet.floorAt = NOW + DAY_MS;
  assertEquals((await fleet.verified()).distrust?.failure, "clockUntrusted");
  const afterFirst = fleet.floorAt;
  assert(afterFirst >= NOW + DAY_MS);
  fleet.director.part("timestamp").expires = daysOn(5000);
  fleet.director.publish("timestamp");
  await fleet.verify();
  assertEquals(fleet.floorAt, Date.parse(daysOn(365)) - 1);
  fleet.director.part("timestamp").expires = daysOn(30);
  fleet.director.keys.set("timestamp", [new TestKey()]);
  fleet.director.part("root").expires = daysOn(900);
  fleet.director.publish("root", "timestamp");
  await fleet.verify();
  assertEquals(fleet.floorAt, Date.parse(daysOn(365)) - 1);
});
