/**
 * A bus that loses, delays, repeats and reorders at random, ECUs that vanish for a while, and power
 * cuts on top, some of them with the journal gone: in the end all is old or all is new, and never
 * may a mixed vehicle be driven.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import fc from "fast-check";
import { loseJournal } from "./rot_world.ts";
import { everyEcu, type Serial } from "./sim_bundle.ts";
import { busWorld, concluded, lasts, watched } from "./bus_world.ts";
import { type Fate, UNHURT } from "./sim_bus.ts";
import { seeded } from "./sim_release.ts";

/** Worlds of one run; each takes some tenths of a second. */
const WORLDS = 40;
const SERIALS = ["body", "cluster", "ivi"] as const;

const troubles = fc.record({
  seed: fc.nat(2 ** 31 - 1),
  /** Shares of frames that are lost, late and doubled, in percent. */
  lost: fc.constantFrom(0, 5, 25, 60),
  late: fc.constantFrom(0, 10, 40),
  twice: fc.constantFrom(0, 10, 40),
  /** One ECU is out of reach, from when, for how long, in seconds. */
  gone: fc.option(fc.record({
    serial: fc.constantFrom(...SERIALS),
    fromS: fc.nat(40),
    forS: fc.constantFrom(3, 20, 200, 900),
  })),
  bad: fc.option(fc.constantFrom<readonly [Serial, "crash@300" | "crash@9000" | "hang@2000"]>(
    ["body", "crash@300"],
    ["cluster", "hang@2000"],
    ["ivi", "crash@9000"],
  )),
  cuts: fc.array(
    fc.record({
      afterS: fc.nat(40),
      leaves: fc.constantFrom("old", "new", "torn"),
      journal: fc.boolean(),
    }),
    { maxLength: 3 },
  ),
});

/** Frames of such a bus. */
function ruleOf(
  world: Awaited<ReturnType<typeof busWorld>>,
  { seed, lost, late, twice, gone }: typeof troubles extends fc.Arbitrary<infer T> ? T : never,
): void {
  const random = seeded(seed);
  const { bus, vehicle } = world;
  const startMs = vehicle.clock.elapsedMs;
  const delay = () => Math.floor(random() ** 3 * 12_000);
  bus.rule = ({ serial }): Fate => {
    const nowS = (vehicle.clock.elapsedMs - startMs) / 1000;
    const away = gone !== null && serial === gone.serial && nowS >= gone.fromS &&
      nowS < gone.fromS + gone.forS;
    if (away || random() * 100 < lost) return [];
    const first = random() * 100 < late ? delay() : 0;
    if (random() * 100 < twice) return [first, first + delay()];
    return first === 0 ? UNHURT : [first];
  };
}

Deno.test("whatever the bus does, the vehicle ends wholly old or wholly new, and is locked while it is neither", async () => {
  const ends = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(troubles, async (trouble) => {
      const world = await busWorld();
      const { bus, vehicle } = world;
      ruleOf(world, trouble);
      const { bad } = trouble;
      vehicle.offer("c2", everyEcu(2, bad === null ? {} : { [bad[0]]: { does: bad[1] } }));
      for (const { afterS, leaves, journal } of trouble.cuts) {
        await lasts(vehicle, 1000 * afterS);
        vehicle.cut(() => leaves as "old" | "new" | "torn");
        if (!journal) loseJournal(vehicle);
        vehicle.powerOn();
      }
      await lasts(vehicle, 120_000);
      bus.rule = () => UNHURT; // From here on every wait is bounded.
      await watched(vehicle, concluded(vehicle, "c2"), "c2 is concluded", 1_800_000);
      await watched(vehicle, () => !vehicle.screen().driveLock, "it may be driven", 120_000);
      const [version] = Object.values(vehicle.runs());
      assert(vehicle.allRun(version!), JSON.stringify(vehicle.runs()));
      assert(version === "1.0.0" || (version === "2.0.0" && bad === null), version!);
      const result = vehicle.states()["ivi"]!;
      assertEquals(version === "2.0.0", result === "confirmed");
      ends.set(`${version} ${result}`, (ends.get(`${version} ${result}`) ?? 0) + 1);
      vehicle.offer("c3", everyEcu(3));
      await watched(vehicle, concluded(vehicle, "c3"), "c3 is concluded", 600_000);
      assert(vehicle.allRun("3.0.0"));
    }),
    { numRuns: WORLDS, seed: 5, endOnFailure: true },
  );
  for (const end of ["2.0.0 confirmed", "1.0.0 rolledBack"]) {
    assert(ends.has(end), `no world ended ${end}: ${JSON.stringify([...ends])}`);
  }
});
