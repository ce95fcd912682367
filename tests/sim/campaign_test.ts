/**
 * Campaigns that replace each other or are withdrawn, offers that may not be taken, and
 * answers of the server that are no offers at all.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import type { FailureName } from "shared/failure.ts";
import type { EcuState } from "shared/protocol/common.ts";
import { release, type SimRelease, targets } from "./sim_release.ts";
import { everyEcu } from "./sim_bundle.ts";
import { SimVehicle } from "./sim_vehicle.ts";

const ALL = <T>(value: T) => ({ body: value, cluster: value, ivi: value });

type Early = "preparing" | "ready" | "postponed" | "waiting";

/** Brings a vehicle's second campaign to a phase in which nothing is committed yet. */
async function upTo(phase: Early): Promise<SimVehicle> {
  const vehicle = await SimVehicle.running({ consent: "ask" });
  const bundle = everyEcu(2);
  const { carrierSha256 } = bundle.ivi.full.carrier;
  if (phase === "preparing") vehicle.backend.fault(carrierSha256, { kind: "silent" });
  if (phase === "waiting") vehicle.signals({ brake: false });
  vehicle.offer("c2", bundle);
  if (phase === "preparing") {
    await vehicle.until(() => vehicle.states()["ivi"] === "downloading", "ivi downloads");
    return vehicle;
  }
  await vehicle.phase("ready");
  if (phase === "postponed") vehicle.say("postpone", "c2");
  if (phase === "waiting") vehicle.say("accept", "c2");
  await vehicle.phase(phase);
  return vehicle;
}

for (const phase of ["preparing", "ready", "postponed", "waiting"] as const) {
  Deno.test(`a newer campaign replaces one in ${phase}`, async () => {
    const vehicle = await upTo(phase);
    vehicle.offer("c3", everyEcu(3));
    await vehicle.until(() => vehicle.told("ivi").includes("canceled"), "c2 is canceled", 2000);
    vehicle.signals({});
    const canceled = vehicle.broker.events.filter(({ state }) => state === "canceled");
    assertEquals(canceled.map(({ ecu, failure, campaign }) => [ecu, failure?.name, campaign]), [
      ["body", "replaced", "c2"],
      ["cluster", "replaced", "c2"],
      ["ivi", "replaced", "c2"],
    ]);
    await vehicle.until(() => vehicle.screen().offer?.campaign === "c3", "c3 goes on", 5000);
    await vehicle.phase("ready");
    vehicle.say("accept", "c3");
    await vehicle.settled("c3");
    assert(vehicle.allRun("3.0.0"));
    assertEquals(vehicle.failures(), ALL(null));
    assertEquals(vehicle.starts.filter(({ version }) => version === "2.0.0"), []);
  });

  Deno.test(`a campaign in ${phase} that is withdrawn is canceled, and begun again when it is offered again`, async () => {
    const vehicle = await upTo(phase);
    vehicle.offer(null, {});
    await vehicle.until(() => vehicle.journal().phase === "idle", "nothing is under way", 5000);
    vehicle.signals({});
    await vehicle.pass(2000);
    assertEquals(vehicle.states(), ALL<EcuState>("canceled"));
    assertEquals(vehicle.failures(), ALL("withdrawn"));
    assertEquals(vehicle.backend.reported("body")?.failure?.name, "withdrawn");
    assert(vehicle.allRun("1.0.0"));
    vehicle.offer("c2", everyEcu(2));
    await vehicle.phase("ready");
    vehicle.say("accept", "c2");
    await vehicle.settled("c2");
    assert(vehicle.allRun("2.0.0"));
  });
}

Deno.test("a newer campaign waits its turn behind one in its trial", async () => {
  const vehicle = await SimVehicle.running({ consent: "auto" });
  vehicle.offer("c2", everyEcu(2));
  await vehicle.phase("trialAll");
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3");
  const won = vehicle.broker.events.filter(({ state }) => state === "confirmed");
  assertEquals(won.map(({ campaign }) => campaign), ["c2", "c2", "c2", "c3", "c3", "c3"]);
  assert(vehicle.allRun("3.0.0"));
});

Deno.test("a newer campaign waits its turn behind one that goes back", async () => {
  const vehicle = await SimVehicle.running({ consent: "auto" });
  vehicle.offer("c2", everyEcu(2, { ivi: { does: "crash@300" } }));
  await vehicle.phase("trialAll");
  vehicle.offer("c3", everyEcu(3));
  await vehicle.settled("c3");
  assertEquals(vehicle.told("body").filter((state) => state === "rolledBack").length, 1);
  assert(vehicle.allRun("3.0.0"));
});

Deno.test("a campaign that is withdrawn in its trial is carried to its end", async () => {
  const vehicle = await SimVehicle.running({ consent: "auto" });
  vehicle.offer("c2", everyEcu(2));
  await vehicle.phase("trialAll");
  vehicle.offer(null, {});
  await vehicle.settled("c2");
  assert(vehicle.allRun("2.0.0"));
});

const REFUSED: readonly (readonly [string, FailureName, Record<string, SimRelease>])[] = [
  ["the counter that runs", "releaseDowngrade", {
    ivi: release("ivi-sim", 1, { sizeBytes: 3001 }),
  }],
  ["the same bytes under the counter that runs, but another version", "releaseDowngrade", {
    ivi: release("ivi-sim", 1, { sizeBytes: 2999, version: "9.9.9" }),
  }],
  ["a release for other hardware", "hardwareDiffers", { ivi: release("ivi-other", 2) }],
  ["an image larger than the slot", "imageTooLarge", {
    ivi: release("ivi-sim", 2, { sizeBytes: 16 * 1024 + 1 }),
  }],
  ["a release that wants a higher counter to run before it", "releaseDowngrade", {
    ivi: release("ivi-sim", 5, { minCounter: 4 }),
  }],
];
for (const [words, failure, offer] of REFUSED) {
  Deno.test(`${words} fails with ${failure} before a byte travels`, async () => {
    const vehicle = await SimVehicle.running();
    vehicle.offer("c2", offer);
    await vehicle.settled("c2");
    assertEquals([vehicle.states()["ivi"], vehicle.failures()["ivi"]], ["failed", failure]);
    assertEquals(vehicle.backend.reported("ivi")?.failure?.name, failure);
    assertEquals(vehicle.screen().result?.failure?.name, failure);
    assertEquals([vehicle.backend.requests, vehicle.allRun("1.0.0")], [[], true]);
  });
}

Deno.test("one refused release of a bundle stops the others: they carry partnerFailed", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(2, { cluster: { sizeBytes: 17_000 } }));
  await vehicle.settled("c2");
  assertEquals(vehicle.states(), ALL<EcuState>("failed"));
  assertEquals(vehicle.failures(), { ...ALL("partnerFailed"), cluster: "imageTooLarge" });
  assertEquals(vehicle.backend.requests, []);
});

Deno.test("a lower counter than the one that runs is refused after an update, too", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", everyEcu(7));
  await vehicle.settled("c2");
  vehicle.offer("c3", everyEcu(6));
  await vehicle.settled("c3");
  assertEquals(vehicle.failures(), {
    body: "releaseDowngrade",
    cluster: "partnerFailed",
    ivi: "partnerFailed",
  });
  assert(vehicle.allRun("7.0.0"));
});

Deno.test("an offer with an ECU that this vehicle lacks fails with ecuUnknown", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", { ...everyEcu(2), trailer: release("trailer-sim", 1) });
  await vehicle.settled("c2");
  assertEquals(vehicle.states(), ALL<EcuState>("failed"));
  assertEquals(vehicle.failures(), ALL("ecuUnknown"));
  assert(vehicle.allRun("1.0.0"));
});

Deno.test("an offer for nothing but an unknown ECU fails, and says so on the screen and in the log", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.offer("c2", { trailer: release("trailer-sim", 1) });
  await vehicle.settled("c2");
  const { result } = vehicle.screen();
  assertEquals([result?.outcome, result?.failure?.name], ["failed", "ecuUnknown"]);
  assert(vehicle.log.some((line) => line.startsWith("trailer: ecuUnknown")));
});

Deno.test("an offer without a usable carrier fails with metadataInvalid", async () => {
  const vehicle = await SimVehicle.running();
  const one = release("ivi-sim", 2);
  const offer = targets(50, "c2", { ivi: one });
  const carriers = (["raw", "bsdiff40"] as const).map((format) => ({
    ...offer.ecus["ivi"]!.carriers[0]!,
    format,
  }));
  vehicle.answer({ ...offer, ecus: { ivi: { ...offer.ecus["ivi"]!, carriers } } });
  await vehicle.settled("c2");
  assertEquals(vehicle.failures()["ivi"], "metadataInvalid");
  assertEquals([vehicle.backend.requests, vehicle.allRun("1.0.0")], [[], true]);
});

const IGNORED: readonly (readonly [string, (offer: object) => unknown, string])[] = [
  [
    "targets for another vehicle",
    (offer) => ({ ...offer, vin: "SIMVEHICLE0000002" }),
    "SIMVEHICLE0000002",
  ],
  ["targets of an unknown schema version", (offer) => ({ ...offer, v: 2 }), "schema version 2"],
  [
    "targets older than some seen before",
    (offer) => ({ ...offer, version: 1 }),
    "version 1 is older",
  ],
  ["targets with a field missing", (offer) => ({ ...offer, ecus: undefined }), "ecus"],
  ["an answer that is no object", () => "targets", "targets"],
];
for (const [words, change, named] of IGNORED) {
  Deno.test(`${words} are ignored and named in the log`, async () => {
    const vehicle = await SimVehicle.running();
    vehicle.offer("c2", everyEcu(2));
    await vehicle.settled("c2");
    vehicle.answer(change(targets(90, "c3", everyEcu(3))));
    await vehicle.pass(300_000);
    assert(vehicle.allRun("2.0.0"));
    assertEquals(vehicle.journal().concluded, "c2");
    const lines = vehicle.log.filter((line) =>
      line.startsWith("director:") && line.includes(named)
    );
    assertEquals(lines.length, 1, vehicle.log.join("\n"));
    vehicle.offer("c4", everyEcu(4));
    await vehicle.settled("c4");
    assert(vehicle.allRun("4.0.0"));
  });
}

Deno.test("targets that were seen before a power cut are not undone by older ones after it", async () => {
  const vehicle = await SimVehicle.running();
  vehicle.answer(targets(40, null, {}));
  await vehicle.pass(5000);
  vehicle.cut(() => "old");
  vehicle.backend.offer = targets(39, "c9", everyEcu(9));
  vehicle.powerOn();
  await vehicle.pass(300_000);
  assert(vehicle.allRun("1.0.0"));
  assert(vehicle.log.some((line) => line.includes("version 39 is older than 40")));
});

Deno.test("a flood of hints is no flood of requests, whether the server answers or not", async () => {
  const vehicle = await SimVehicle.running();
  for (const down of [false, true]) {
    vehicle.backend.down = down;
    vehicle.backend.looks = 0;
    for (let i = 0; i < 1000; i++) {
      vehicle.hint();
      await vehicle.pass(10);
    }
    assert(vehicle.backend.looks < 60, `${vehicle.backend.looks} requests in 10 s, down: ${down}`);
  }
});

Deno.test("a hint that is lost delays an update by a minute at most", async () => {
  const vehicle = await SimVehicle.running();
  await vehicle.pass(5000);
  const offer = everyEcu(2);
  for (const { full: { carrier, bytes } } of Object.values(offer)) {
    vehicle.backend.carriers.set(carrier.carrierSha256, bytes);
  }
  vehicle.backend.offer = targets(80, "c2", offer);
  await vehicle.until(() => vehicle.journal().campaign === "c2", "c2 is begun", 61_000);
});
