/**
 * What a person at the head unit decides, and what the vehicle's signals hold back.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { POSTPONE_MS } from "shared/limits.ts";
import type { EcuState } from "shared/protocol/common.ts";
import { everyEcu } from "./sim_bundle.ts";
import { SimVehicle } from "./sim_vehicle.ts";

const ALL = <T>(value: T) => ({ body: value, cluster: value, ivi: value });

async function asked(preconditions: Parameters<SimVehicle["offer"]>[2] = []): Promise<SimVehicle> {
  const vehicle = await SimVehicle.running({ consent: "ask" });
  vehicle.offer("c2", everyEcu(2), preconditions);
  await vehicle.phase("ready");
  return vehicle;
}

/** Nothing of the offer boots, now or soon. */
async function stays(vehicle: SimVehicle, phase: string, state: EcuState): Promise<void> {
  await vehicle.pass(300_000);
  assertEquals([vehicle.journal().phase, vehicle.states()], [phase, ALL(state)]);
  assertEquals(vehicle.starts.filter(({ version }) => version !== "1.0.0"), []);
}

Deno.test("an offer waits until somebody accepts it, and shows its notes meanwhile", async () => {
  const vehicle = await asked();
  await stays(vehicle, "ready", "ready");
  const { offer, phase } = vehicle.screen();
  assertEquals([phase, offer?.campaign], ["ready", "c2"]);
  assertEquals(offer?.releases.map(({ serial, from, to }) => [serial, from, to]), [
    ["body", "1.0.0", "2.0.0"],
    ["cluster", "1.0.0", "2.0.0"],
    ["ivi", "1.0.0", "2.0.0"],
  ]);
  vehicle.say("accept", "c2");
  await vehicle.settled("c2");
  assert(vehicle.allRun("2.0.0"));
});

Deno.test("consent to another campaign than the one that is offered is void", async () => {
  const vehicle = await asked();
  vehicle.say("accept", "c1");
  await stays(vehicle, "ready", "ready");
  vehicle.say("accept", "c3");
  await stays(vehicle, "ready", "ready");
});

Deno.test("consent given before a newer campaign arrived does not count for that one", async () => {
  const vehicle = await SimVehicle.running({ consent: "ask" });
  const bundle = everyEcu(2);
  vehicle.backend.fault(bundle.ivi.full.carrier.carrierSha256, { kind: "silent" });
  vehicle.offer("c2", bundle);
  await vehicle.until(() => vehicle.states()["ivi"] === "downloading", "ivi downloads");
  vehicle.say("accept", "c2");
  vehicle.offer("c3", everyEcu(3));
  await vehicle.until(() => vehicle.screen().offer?.campaign === "c3", "c3 is offered");
  await vehicle.phase("ready");
  await stays(vehicle, "ready", "ready");
});

Deno.test("a command that is sent twice counts once", async () => {
  const vehicle = await asked();
  const id = vehicle.say("postpone", "c2");
  await vehicle.phase("postponed");
  await vehicle.phase("ready", POSTPONE_MS + 1000);
  vehicle.say("postpone", "c2", id);
  await stays(vehicle, "ready", "ready");
});

Deno.test("a declined campaign ends as declined and is not offered again, nor after a power cut", async () => {
  const vehicle = await asked();
  vehicle.say("decline", "c2");
  await vehicle.settled("c2");
  assertEquals(vehicle.states(), ALL<EcuState>("declined"));
  assertEquals(vehicle.backend.reported("ivi")?.failure?.name, "declined");
  assertEquals(vehicle.screen().phase, "upToDate");
  vehicle.hint();
  await stays(vehicle, "idle", "declined");
  vehicle.cut(() => "old");
  vehicle.powerOn();
  await stays(vehicle, "idle", "declined");
  vehicle.offer("c3", everyEcu(3));
  await vehicle.phase("ready");
  assertEquals(vehicle.screen().offer?.campaign, "c3");
});

Deno.test("a postponed campaign is offered again after POSTPONE_MS", async () => {
  const vehicle = await asked();
  vehicle.say("postpone", "c2");
  await vehicle.phase("postponed");
  assertEquals(vehicle.states(), ALL<EcuState>("postponed"));
  await vehicle.pass(POSTPONE_MS - 2000);
  assertEquals(vehicle.journal().phase, "postponed");
  await vehicle.pass(4000);
  assertEquals([vehicle.journal().phase, vehicle.states()], ["ready", ALL<EcuState>("ready")]);
  vehicle.say("accept", "c2");
  await vehicle.settled("c2");
  assert(vehicle.allRun("2.0.0"));
});

Deno.test("a postponed campaign comes back in time across a power cut", async () => {
  const vehicle = await asked();
  vehicle.say("postpone", "c2");
  await vehicle.phase("postponed");
  await vehicle.pass(POSTPONE_MS / 2);
  vehicle.cut(() => "old");
  vehicle.powerOn();
  await vehicle.pass(POSTPONE_MS / 2 - 2000);
  assertEquals(vehicle.journal().phase, "postponed");
  await vehicle.pass(4000);
  assertEquals(vehicle.journal().phase, "ready");
});

Deno.test("a clock that was set back does not postpone for ever", async () => {
  const vehicle = await asked();
  vehicle.say("postpone", "c2");
  await vehicle.phase("postponed");
  vehicle.clock.epochMs -= 10 * 365 * 24 * 3_600_000;
  await vehicle.phase("ready", 2 * 60_000);
});

Deno.test("a postponed campaign can be accepted or declined at once", async () => {
  const first = await asked();
  first.say("postpone", "c2");
  await first.phase("postponed");
  first.say("accept", "c2");
  await first.settled("c2");
  assert(first.allRun("2.0.0"));
  const second = await asked();
  second.say("postpone", "c2");
  await second.phase("postponed");
  second.say("decline", "c2");
  await second.settled("c2");
  assertEquals(second.states(), ALL<EcuState>("declined"));
});

const HELD = [
  ["parked", { speedKmh: 30 }, "moving at 30 km/h"],
  ["parked", { speedKmh: null }, "speed unknown"],
  ["parked", { parked: false }, "standing, not in P"],
  ["brake", { brake: false }, "released"],
  ["battery", { batteryPercent: 29 }, "29 %"],
  ["battery", { batteryPercent: null }, "unknown"],
] as const;
for (const [name, signals, found] of HELD) {
  Deno.test(`with ${name} "${found}" an accepted update waits, and goes on when that is mended`, async () => {
    const vehicle = await asked(["parked", "brake", "battery"]);
    vehicle.signals(signals);
    vehicle.say("accept", "c2");
    await vehicle.phase("waiting");
    await stays(vehicle, "waiting", "waiting");
    const checks = vehicle.screen().checks.filter(({ ok }) => !ok);
    assertEquals(checks.map((check) => [check.name, check.found]), [[name, found]]);
    vehicle.signals({});
    await vehicle.settled("c2");
    assert(vehicle.allRun("2.0.0"));
  });
}

Deno.test("a campaign that wants one precondition is not held back by another", async () => {
  const vehicle = await asked(["battery"]);
  vehicle.signals({ speedKmh: 90, parked: false, brake: false });
  vehicle.say("accept", "c2");
  await vehicle.settled("c2");
  assert(vehicle.allRun("2.0.0"));
});

Deno.test("cancel while waiting returns to ready, and asks again", async () => {
  const vehicle = await asked();
  vehicle.signals({ brake: false });
  vehicle.say("accept", "c2");
  await vehicle.phase("waiting");
  vehicle.say("cancel", "c2");
  await vehicle.phase("ready");
  vehicle.signals({});
  await stays(vehicle, "ready", "ready");
});

Deno.test("a power cut while waiting asks again: consent was given before it", async () => {
  const vehicle = await asked();
  vehicle.signals({ brake: false });
  vehicle.say("accept", "c2");
  await vehicle.phase("waiting");
  vehicle.cut(() => "old");
  vehicle.powerOn();
  await stays(vehicle, "ready", "ready");
});

Deno.test("from installing on the vehicle may not be driven and hears no decline or cancel", async () => {
  const vehicle = await asked();
  vehicle.say("accept", "c2");
  await vehicle.phase("trialAll");
  assertEquals(vehicle.screen().driveLock, true);
  vehicle.say("cancel", "c2");
  vehicle.say("decline", "c2");
  await vehicle.settled("c2");
  assert(vehicle.allRun("2.0.0"));
  assertEquals(vehicle.screen().driveLock, false);
});

Deno.test("a result stays on the screen, across a power cut, until it is acknowledged", async () => {
  const vehicle = await SimVehicle.running({ consent: "auto" });
  vehicle.offer("c2", everyEcu(2));
  await vehicle.settled("c2");
  vehicle.cut(() => "old");
  vehicle.powerOn();
  await vehicle.pass(60_000);
  assertEquals(vehicle.screen().phase, "succeeded");
  vehicle.say("acknowledge");
  assertEquals([vehicle.screen().phase, vehicle.screen().result], ["upToDate", null]);
});
