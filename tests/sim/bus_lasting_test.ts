/**
 * Trouble on the bus that lasts: an ECU that is gone, that never does one thing, or that refuses.
 * Before anything was switched the campaign is given up, on trial all go back, and beyond the
 * commit point the vehicle waits, locked, and goes forward.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { ECU_ABSENT_COMMITTED_MS, ECU_ABSENT_MS } from "shared/limits.ts";
import type { EcuState } from "shared/protocol/common.ts";
import type { BusKind } from "vehicle/bus/bus_messages.ts";
import type { Phase } from "vehicle/gateway/update_table.ts";
import { everyEcu, type Serial } from "./sim_bundle.ts";
import { busWorld, concluded, lasts, watched } from "./bus_world.ts";
import { type SimBus, UNHURT } from "./sim_bus.ts";
import type { SimVehicle } from "./sim_vehicle.ts";

const ALL = <T>(value: T) => ({ body: value, cluster: value, ivi: value });
const BAD = { ivi: { does: "crash@300" } } as const;
/** Longer than anything is waited for, unless without end. */
const LONG_MS = 15 * 60_000;
/** Any wait that is bounded, with the longest pause between two looks. */
const BOUNDED_MS = ECU_ABSENT_MS + 3 * 60_000;

const loses = (bus: SimBus, serial: string, kind?: BusKind) =>
  bus.rule = (frame) =>
    frame.serial === serial && (kind === undefined || frame.kind === kind) ? [] : UNHURT;
const heals = (bus: SimBus) => {
  bus.rule = () => UNHURT;
  bus.refuses = () => undefined;
};

/** The next release installs, and the vehicle may be driven. */
async function isWell(vehicle: SimVehicle): Promise<void> {
  vehicle.offer("c9", everyEcu(9));
  await watched(vehicle, concluded(vehicle, "c9"), "c9 is concluded");
  assertEquals(vehicle.runs(), ALL("9.0.0"));
  assertEquals([vehicle.failures(), vehicle.screen().driveLock], [ALL(null), false]);
}

type End = "failed" | "rolledBack" | "waits";
/** Where a request is never done: how a good release ends, or for `revert` a bad one. */
const ENDS: readonly (readonly [BusKind, End])[] = [
  ["inventory", "failed"],
  ["open", "failed"],
  ["begin", "failed"],
  ["write", "failed"],
  ["verify", "failed"],
  ["arm", "rolledBack"],
  ["restart", "rolledBack"],
  ["confirm", "waits"],
  ["revert", "waits"],
];
const WAYS = ["is always lost", "is always refused", "is never done"] as const;
for (const [w, way] of WAYS.entries()) {
  for (const [i, [kind, end]] of ENDS.entries()) {
    const serial = (w + i) % 2 === 0 ? "ivi" : "body"; // The last and the first to restart.
    if (way === "is never done" && (kind === "open" || kind === "inventory")) continue;
    if (way === "is always refused" && kind === "open") continue;
    Deno.test(`where "${kind}" to ${serial} ${way}, the update ${end}`, async () => {
      const { bus, vehicle } = await busWorld();
      if (kind === "open") bus.reset(serial);
      const failure = trouble(bus, { serial, kind, way });
      vehicle.offer("c2", everyEcu(2, kind === "revert" ? BAD : {}));
      const longest = way === "is never done" ? 2 * LONG_MS : BOUNDED_MS;
      if (end === "waits") await waits(vehicle, { serial, kind, failure });
      else {
        await watched(vehicle, concluded(vehicle, "c2"), "c2 is concluded", longest);
        assertEquals(vehicle.runs(), ALL("1.0.0"));
        assertEquals(vehicle.states(), ALL<EcuState>(end));
        assertEquals(vehicle.failures(), { ...ALL("partnerFailed"), [serial]: failure });
        assertEquals(vehicle.screen().result?.failure?.serial, serial);
      }
      heals(bus);
      if (end === "waits") {
        await watched(vehicle, concluded(vehicle, "c2"), "c2 is concluded", LONG_MS);
        assertEquals(vehicle.runs(), ALL(kind === "confirm" ? "2.0.0" : "1.0.0"));
      }
      await isWell(vehicle);
    });
  }
}

function trouble(
  bus: SimBus,
  { serial, kind, way }: { serial: string; kind: BusKind; way: typeof WAYS[number] },
): string {
  if (way === "is always lost") {
    loses(bus, serial, kind);
    return "ecuLost";
  }
  const word = way === "is always refused" ? "ofTomorrow" : "busy";
  bus.refuses = (frame) => frame.serial === serial && frame.kind === kind ? word : undefined;
  return way === "is always refused" ? "ecuRefused" : "ecuSlow";
}

/** For a long time: in its phase, locked, and told to the server; the others have done their part. */
async function waits(
  vehicle: SimVehicle,
  { serial, kind, failure }: { serial: Serial; kind: BusKind; failure: string },
): Promise<void> {
  const phase: Phase = kind === "confirm" ? "confirmAll" : "rollBackAll";
  await watched(vehicle, () => vehicle.journal().phase === phase, phase);
  await lasts(vehicle, 2 * LONG_MS);
  assertEquals([vehicle.journal().phase, vehicle.screen().driveLock], [phase, true]);
  assertEquals(vehicle.failures()[serial], failure);
  assertEquals(vehicle.backend.reported(serial)?.failure?.name, failure);
  const others = Object.entries(vehicle.runs()).filter(([one]) => one !== serial);
  const version = kind === "confirm" ? "2.0.0" : "1.0.0";
  assertEquals(others.map(([, one]) => one), [version, version]);
}

const GONE: readonly (readonly [Phase, boolean, number, string])[] = [
  // From this phase on, with a good release or a bad one, for so long: what all run in the end.
  ["preparing", true, 60_000, "2.0.0"],
  ["preparing", true, LONG_MS, "1.0.0"],
  ["installing", true, 60_000, "2.0.0"],
  ["installing", true, LONG_MS, "1.0.0"],
  ["trialAll", true, 60_000, "2.0.0"],
  ["trialAll", true, LONG_MS, "1.0.0"],
  ["trialAll", false, LONG_MS, "1.0.0"],
  ["confirmAll", true, 60_000, "2.0.0"],
  ["confirmAll", true, LONG_MS, "2.0.0"],
  ["rollBackAll", false, 60_000, "1.0.0"],
  ["rollBackAll", false, LONG_MS, "1.0.0"],
];
for (const [phase, good, ms, version] of GONE) {
  for (const serial of ["body", "ivi"] as const) {
    const release = good ? "good" : "bad";
    Deno.test(`with a ${release} release ${serial} is gone from ${phase} on for ${ms / 1000} s: all end on ${version}`, async () => {
      const { bus, vehicle } = await busWorld();
      let gone = false;
      bus.rule = (frame) => {
        gone ||= vehicle.journal().phase === phase;
        return gone && frame.serial === serial ? [] : UNHURT;
      };
      vehicle.offer("c2", everyEcu(2, good ? {} : BAD));
      await watched(vehicle, () => gone, phase);
      await lasts(vehicle, ms);
      if (ms === LONG_MS) {
        assert(vehicle.screen().driveLock, "an ECU that is gone may run anything");
      }
      heals(bus);
      await watched(vehicle, concluded(vehicle, "c2"), "c2 is concluded", BOUNDED_MS);
      await watched(vehicle, () => !vehicle.screen().driveLock, "it may be driven");
      assertEquals(vehicle.runs(), ALL(version));
      await isWell(vehicle);
    });
  }
}

Deno.test("an ECU that is gone on trial is waited for two minutes, then the others go back", async () => {
  const { bus, vehicle } = await busWorld();
  vehicle.offer("c2", everyEcu(2));
  await watched(vehicle, () => vehicle.runs()["ivi"] === "trial2.0.0", "ivi is on trial");
  loses(bus, "cluster");
  await watched(vehicle, () => false, "most of it", ECU_ABSENT_COMMITTED_MS - 15_000).catch(
    () => {},
  );
  assertEquals(vehicle.journal().phase, "trialAll");
  await lasts(vehicle, 90_000);
  assertEquals(vehicle.runs(), { body: "1.0.0", cluster: "trial2.0.0", ivi: "1.0.0" });
  assertEquals([vehicle.journal().phase, vehicle.screen().driveLock], ["rollBackAll", true]);
  assertEquals(vehicle.backend.reported("cluster")?.failure?.name, "ecuLost");
  heals(bus);
  await watched(vehicle, concluded(vehicle, "c2"), "c2 is concluded");
  assertEquals(vehicle.failures(), { ...ALL("partnerFailed"), cluster: "ecuLost" });
});

Deno.test("an update of other ECUs does not wait for one that is gone", async () => {
  const { bus, vehicle } = await busWorld();
  loses(bus, "body");
  const { cluster, ivi } = everyEcu(2);
  vehicle.offer("c2", { cluster, ivi });
  await watched(vehicle, concluded(vehicle, "c2"), "c2 is concluded");
  assertEquals(vehicle.runs(), { body: "1.0.0", cluster: "2.0.0", ivi: "2.0.0" });
});

Deno.test("an ECU that is gone when the power comes is asked before the vehicle is drivable", async () => {
  const { bus, vehicle } = await busWorld();
  vehicle.cut(() => "new");
  loses(bus, "cluster");
  vehicle.powerOn();
  await vehicle.pass(60_000);
  assertEquals([vehicle.screen().driveLock, vehicle.failures()["cluster"]], [true, "ecuLost"]);
  heals(bus);
  await watched(vehicle, () => !vehicle.screen().driveLock, "it may be driven", 61_000);
  assertEquals(vehicle.failures(), ALL(null));
});

Deno.test("an ECU's end of the bus that starts anew at any request is found again", async () => {
  for (const at of [1, 5, 9, 14, 20, 27, 35, 50, 70]) {
    const { bus, vehicle } = await busWorld();
    let left = at;
    bus.rule = ({ way }) => {
      if (way === "request" && --left === 0) {
        for (const [serial] of Object.entries(ALL(0))) bus.reset(serial);
      }
      return UNHURT;
    };
    vehicle.offer("c2", everyEcu(2));
    await watched(vehicle, concluded(vehicle, "c2"), `c2 is concluded, ${at}`);
    assert(left < 0, "the update had so many requests");
    assertEquals(vehicle.runs(), ALL("2.0.0"));
  }
});
