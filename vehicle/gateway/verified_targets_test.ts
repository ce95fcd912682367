/** @module */
import { assert, assertEquals } from "@std/assert/mod.js";
import { DirectorTargets } from "shared/protocol/director.ts";
import {
  content,
  DAY_MS,
  directorCustom,
  imageCustom,
  sha256,
  TestFleet,
  VIN,
} from "../../tests/trust/fleet.ts";
import { type Loose, NOW } from "../../tests/trust/repository.ts";
import { outcome } from "../../tests/trust/world.ts";
import { VerifiedTargets } from "./verified_targets.ts";

const IVI = "ivi-rpi4/1.3.0";
const BODY = "body-sim/1.3.0";

function carrier(fleet: TestFleet, digit: string, path: string, custom: Loose = {}): void {
  const bytes = new TextEncoder().encode(`carrier ${digit}`.padEnd(10 + Number(digit)));
  fleet.image.target("carriers", digit.repeat(64), bytes, {
    ...{ v: 1, format: "container", sha256: sha256(path) },
    merkle: { alg: "sha256-rfc6962", leafBytes: 65_536, root: "b".repeat(64) },
    ...custom,
  });
}

function ready(): TestFleet {
  const fleet = new TestFleet();
  for (const [digit, path] of [["1", IVI], ["2", BODY]] as const) carrier(fleet, digit, path);
  fleet.publish();
  return fleet;
}

function targetsOf(fleet: TestFleet, log: (line: string) => void = () => {}): VerifiedTargets {
  // The plan judges counters.
  const ecus = new Map(
    [...fleet.ecus].map(([serial, { hardware }]) => [
      serial,
      { hardware, counterFloor: 0, runningCounter: null },
    ]),
  );
  return new VerifiedTargets({ open: () => fleet.verification(), vin: VIN, ecus, log });
}

Deno.test("targets() says what the Director wants, what the owner signed, and what brings it", async () => {
  const fleet = ready();
  carrier(fleet, "5", IVI);
  carrier(fleet, "3", IVI, { baseSha256: "c".repeat(64) });
  carrier(fleet, "4", IVI, { format: "bsdiff40", baseSha256: "c".repeat(64) });
  fleet.publish();
  const targets = await targetsOf(fleet).targets();
  assertEquals(DirectorTargets.parse(targets), targets);
  assertEquals([targets.vin, targets.campaign, targets.action], [VIN, "c1", "install"]);
  const { hardware, release, carriers } = targets.ecus.ivi!;
  assertEquals([hardware, release.version, release.counter], ["ivi-rpi4", "1.3.0", 3]);
  assertEquals([release.sha256, release.lengthBytes], [sha256(IVI), content(IVI).length]);
  assertEquals(release.merkle.root, "a".repeat(64));
  const digits = carriers.map(({ carrierSha256 }) => carrierSha256[0]);
  assertEquals(digits, ["1", "5", "3"], "full ones, small ones, then deltas; no patch of tools");
  assertEquals(targets.ecus.body!.carriers.length, 1);
});

Deno.test("targets() with nothing to do withdraws what was offered before", async () => {
  const fleet = ready();
  fleet.director.part("targets").targets = {};
  fleet.publish();
  const targets = await targetsOf(fleet).targets();
  assertEquals([targets.campaign, targets.action, targets.ecus], [null, "none", {}]);
});

Deno.test("targets() knows the counters of what an image needs from their own owner", async () => {
  const fleet = ready();
  fleet.own(IVI, 3, { needs: ["body-sim/1.2.0", "body-sim/9.9.9"] });
  fleet.own("body-sim/1.2.0", 2);
  fleet.publish();
  const { release } = (await targetsOf(fleet).targets()).ecus.ivi!;
  assertEquals(release.needCounters, { "body-sim/1.2.0": 2 });
});

Deno.test("targets() refuses an image that no listed file brings", async () => {
  const fleet = new TestFleet();
  assertEquals(await outcome(() => targetsOf(fleet).targets()), "metadataInvalid");
});

Deno.test("targets() tells once that the clock is behind", async () => {
  const fleet = ready();
  fleet.floorAt = NOW + DAY_MS;
  const lines: string[] = [];
  const targets = targetsOf(fleet, (line) => lines.push(line));
  await targets.targets();
  await targets.targets();
  assert(
    lines.length === 1 && lines[0]!.startsWith("clockUntrusted: Cannot trust the clock: "),
    lines.join(),
  );
});

Deno.test("prove() agrees with what is stored, also when it has expired, and with nothing else", async () => {
  const fleet = ready();
  const { ecus } = await targetsOf(fleet).targets();
  fleet.image.files.clear();
  fleet.director.files.clear();
  const prove = (serial: string, change: Loose = {}, startAt = NOW) =>
    outcome(() =>
      targetsOf(fleet).prove(new Map([[serial, { ...ecus[serial]!.release, ...change }]]), startAt)
    );
  fleet.nowAt += 1000 * DAY_MS;
  assertEquals(await prove("ivi"), "trusted");
  const wrong = [
    { sha256: "0".repeat(64) },
    { lengthBytes: 1 },
    { counter: 4 },
    { merkle: { ...ecus.ivi!.release.merkle, root: "0".repeat(64) } },
    { version: "1.4.0" },
    { hardware: "body-sim" },
  ];
  for (const change of wrong) assertEquals(await prove("ivi", change), "targetUnproved");
  assertEquals(await prove("ivi", {}, fleet.nowAt), "metadataExpired");
  const bytes = fleet.stores.image.read("snapshot")!.slice();
  bytes[20]! ^= 1;
  fleet.stores.image.commit([["snapshot", bytes]]);
  assert(await prove("ivi") !== "trusted");
});

Deno.test("a bundle of one image for several ECUs reaches each of them", async () => {
  const fleet = ready();
  fleet.ecus.set("ivi2", { hardware: "ivi-rpi4", counterFloor: 0, runningCounter: null });
  fleet.direct(IVI, directorCustom(["ivi", "ivi2"], "ivi-rpi4", 1));
  fleet.publish();
  const { ecus } = await targetsOf(fleet).targets();
  assertEquals(Object.keys(ecus).toSorted(), ["body", "ivi", "ivi2"]);
  assertEquals(ecus.ivi, ecus.ivi2);
  assertEquals(imageCustom(IVI, 3).version, ecus.ivi!.release.version);
});
