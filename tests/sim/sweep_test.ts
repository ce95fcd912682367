/**
 * The power is cut before one disk operation after another of a whole three-ECU update,
 * with every kind of loss: the vehicle always comes back, runs something sound at once,
 * and ends wholly new if the release is good, wholly old if it is not.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import type { CutChoice } from "./sim_disk.ts";
import { everyDelta, everyEcu, type Serial } from "./sim_bundle.ts";
import { seeded, type SimRelease } from "./sim_release.ts";
import { SimVehicle } from "./sim_vehicle.ts";

/** Each kind of loss begins at another operation, so that all are met. */
const STRIDE = 3;
const random = seeded(2026);
const WORDS = ["old", "new", "torn"] as const;

const LOSSES: Readonly<Record<string, () => CutChoice>> = {
  "everything unsynced": () => () => "old",
  "nothing": () => () => "new",
  "any part": () => () => WORDS[Math.floor(random() * 3)]!,
};

type Bundle = Record<Serial, SimRelease>;

/** The offers of a sweep; each is told which of the ones before was the last to be kept. */
const WAYS: Readonly<Record<string, (counter: number, good: boolean, kept: Bundle) => Bundle>> = {
  full: (counter, good) => everyEcu(counter, good ? {} : { cluster: { does: "crash@250" } }),
  delta: (counter, good, { body, cluster, ivi }) =>
    everyDelta(
      counter,
      { body: body.bytes, cluster: cluster.bytes, ivi: ivi.bytes },
      good ? {} : { cluster: "crash@250" },
    ),
};

for (const [first, [words, loss]] of Object.entries(LOSSES).entries()) {
  for (const [way, bundle] of Object.entries(WAYS)) {
    for (const good of [true, false]) {
      const kind = good ? "good" : "bad";
      Deno.test(`a ${kind} release by ${way} containers survives every cut that loses ${words}`, async () => {
        const vehicle = await SimVehicle.running();
        let [counter, cuts, kept] = [1, 0, everyEcu(1)];
        const seen = new Set<string>();
        for (let at = first;; at += STRIDE) {
          const before = vehicle.runs()["ivi"]!;
          const offer = bundle(++counter, good, kept);
          vehicle.power.cutAt = vehicle.power.operations + at;
          vehicle.offer(`c${counter}`, offer);
          const concluded = () => vehicle.journal().concluded === `c${counter}`;
          await vehicle.until(() => !vehicle.on || concluded(), "a cut or the end");
          if (vehicle.on) break;
          seen.add(await comesBack(vehicle, loss, [before, `${counter}.0.0`]));
          cuts++;
          await vehicle.settled(`c${counter}`);
          const wanted = good ? `${counter}.0.0` : before;
          assert(vehicle.allRun(wanted), `cut ${at}: ${JSON.stringify(vehicle.runs())}`);
          const states = Object.values(vehicle.states());
          assertEquals(new Set(states), new Set([good ? "confirmed" : "rolledBack"]));
          onlyBy(way, vehicle, offer);
          if (good) kept = offer;
        }
        // The sweep went through the whole update, and met it old, new and on its way.
        assert(cuts >= 34, `${cuts} cuts`);
        assert(seen.size >= 3, [...seen].join("; "));
      });
    }
  }
}

/** A cut is no reason to go over: what was asked for is the way that the sweep is about. */
function onlyBy(way: string, { backend }: SimVehicle, offer: Bundle): void {
  const carriers = Object.values(offer).flatMap(({ full, deltas }) =>
    way === "full" ? [full] : deltas
  );
  const names = carriers.map(({ carrier }) => carrier.carrierSha256);
  const asked = new Set(backend.requests.splice(0).map(({ sha256 }) => sha256));
  assertEquals(asked, new Set(names)); // Two ECUs may have the same image.
}

/** Gives power back, and cuts it a second time while the vehicle recovers; what then runs. */
async function comesBack(
  vehicle: SimVehicle,
  loss: () => CutChoice,
  sound: readonly string[],
): Promise<string> {
  vehicle.cut(loss());
  vehicle.power.cutAt = vehicle.power.operations + Math.floor(random() * 24);
  vehicle.powerOn();
  await vehicle.pass(60);
  if (!vehicle.on) {
    vehicle.cut(loss());
    vehicle.powerOn();
    await vehicle.pass(60);
  }
  vehicle.power.cutAt = Infinity;
  const runs = Object.values(vehicle.runs()).map((version) => version?.replace("trial", ""));
  assert(runs.every((version) => sound.includes(version ?? "")), JSON.stringify(runs));
  return `${vehicle.journal().phase} ${runs.map((version) => sound.indexOf(version!))}`;
}
