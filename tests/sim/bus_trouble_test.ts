/**
 * Every kind of trouble on the bus, at every kind of request, with good and bad releases: the
 * vehicle ends wholly new or wholly old, or waits where it must, and never calls itself drivable
 * while it is mixed.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { BUS_SENDS, BUS_SILENCE_MS } from "shared/limits.ts";
import type { EcuState } from "shared/protocol/common.ts";
import type { BusKind } from "vehicle/bus/bus_messages.ts";
import { everyEcu } from "./sim_bundle.ts";
import { type Fate, type Passing, type SimBus, UNHURT } from "./sim_bus.ts";
import { busWorld, concluded, watched } from "./bus_world.ts";

const ALL = <T>(value: T) => ({ body: value, cluster: value, ivi: value });
const BAD = { ivi: { does: "crash@300" } } as const;
const LATER_MS = 4 * BUS_SILENCE_MS; // Whoever asked has given up by then.

/** Requests that a good update makes of each ECU, and those of one that goes back. */
const GOOD_KINDS = ["open", "inventory", "begin", "write", "verify", "arm", "restart", "confirm"];
const BAD_KINDS = ["open", "inventory", "begin", "write", "verify", "arm", "restart", "revert"];
const CASES: readonly (readonly [boolean, BusKind])[] = [
  ...GOOD_KINDS.map((kind) => [true, kind as BusKind] as const),
  ...BAD_KINDS.map((kind) => [false, kind as BusKind] as const),
];

/** Troubles that pass: what becomes of the nth frame of a kind. */
const PASSING: Readonly<Record<string, (nth: number, way: Passing["way"]) => Fate>> = {
  "is lost once": (nth, way) => way === "request" && nth === 0 ? [] : UNHURT,
  "is lost twice": (nth, way) => way === "request" && nth < 2 ? [] : UNHURT,
  "is lost until the gateway gives up": (nth, way) =>
    way === "request" && nth < BUS_SENDS ? [] : UNHURT,
  "comes twice": (_, way) => way === "request" ? [0, 1] : UNHURT,
  "comes again much later": (_, way) => way === "request" ? [0, LATER_MS] : UNHURT,
  "comes only when the gateway has given up": (nth, way) =>
    way === "request" && nth < BUS_SENDS ? [LATER_MS] : UNHURT,
  "is done, but the answer is lost once": (nth, way) => way === "answer" && nth === 0 ? [] : UNHURT,
  "is done, but no answer comes until the gateway gives up": (nth, way) =>
    way === "answer" && nth < BUS_SENDS ? [] : UNHURT,
  "is answered twice, and once more much later": (_, way) =>
    way === "answer" ? [0, 0, LATER_MS] : UNHURT,
  "is answered only when the gateway has given up": (nth, way) =>
    way === "answer" && nth < BUS_SENDS ? [LATER_MS] : UNHURT,
};

function hurtOne(
  bus: SimBus,
  wanted: { readonly serial: string; readonly kind: BusKind },
  fate: (nth: number, way: Passing["way"]) => Fate,
): void {
  const counts = { request: 0, answer: 0 };
  bus.rule = ({ serial, kind, way }) =>
    serial === wanted.serial && kind === wanted.kind ? fate(counts[way]++, way) : UNHURT;
}

for (const [words, fate] of Object.entries(PASSING)) {
  for (const [i, [good, kind]] of CASES.entries()) {
    const release = good ? "good" : "bad";
    const serial = i % 2 === 0 ? "body" : "ivi"; // The first and the last in the order of restarts.
    Deno.test(`a ${release} release ends as it must when "${kind}" to ${serial} ${words}`, async () => {
      const { bus, vehicle } = await busWorld();
      if (kind === "open") bus.reset(serial);
      hurtOne(bus, { serial, kind }, fate);
      vehicle.offer("c2", everyEcu(2, good ? {} : BAD));
      await watched(vehicle, concluded(vehicle, "c2"), "c2 is concluded");
      assert(bus.hurt > 0, `no ${kind} to ${serial}`);
      bus.rule = () => UNHURT;
      await watched(vehicle, () => !vehicle.screen().driveLock, "it may be driven");
      assertEquals(vehicle.runs(), ALL(good ? "2.0.0" : "1.0.0"));
      assertEquals(vehicle.states(), ALL<EcuState>(good ? "confirmed" : "rolledBack"));
      if (!good) assertEquals(vehicle.failures()["ivi"], "imageCrashed");
    });
  }
}
