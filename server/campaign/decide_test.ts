import { assertEquals } from "@std/assert/mod.js";
import fc from "fast-check";
import { needOf } from "shared/needs.ts";
import { COMMITTED_STATES, ECU_STATES, type EcuState } from "shared/protocol/common.ts";
import { decide, type Decision, type Offer, type RunningEcu, type Standing } from "./decide.ts";

function ecu(serial: string, counter: number | null, hardware = serial): RunningEcu {
  const sha256 = counter === null ? null : `${hardware}${counter}`;
  return { serial, hardware, counter, sha256, successful: counter !== null };
}

/** `offer("c2", {ivi: 2}, "running", {ivi: ["body/1"]})` offers ivi 2, which needs body 1. */
function offer(
  campaign: string,
  counters: Record<string, number>,
  state: Offer["state"] = "running",
  needs: Record<string, readonly string[]> = {},
): Offer {
  const releases = Object.entries(counters).map(([hardware, counter]) => ({
    release: `${hardware}/${counter}`,
    hardware,
    counter,
    sha256: `${hardware}${counter}`,
    needs: (needs[hardware] ?? []).map((id) => needOf(id, Number(id.split("/")[1]))),
  }));
  return { campaign, state, releases };
}

function stands(
  campaign: string,
  state: EcuState,
  targets: Record<string, string> = { ivi: "ivi/2" },
): Standing {
  return { campaign, state, failure: null, targets };
}

function ended(decision: Decision): [string, EcuState, string | undefined][] {
  return decision.changed.map(({ campaign, state, failure }) => [campaign, state, failure?.name]);
}

Deno.test("decide() gives a vehicle below the counter the release, and one at it nothing", () => {
  const offers = [offer("c1", { ivi: 2 })];
  for (const counter of [null, 1]) {
    const decision = decide([ecu("ivi", counter)], offers, []);
    assertEquals(decision.current, "c1");
    assertEquals(decision.targets, { ivi: "ivi/2" });
    assertEquals(ended(decision), [["c1", "assigned", undefined]]);
  }
  for (const counter of [2, 3]) {
    const decision = decide([ecu("ivi", counter)], offers, []);
    assertEquals([decision.current, decision.changed], [null, []]);
  }
  assertEquals(decide([ecu("body", 1)], offers, []).current, null);
  assertEquals(decide([], offers, []).current, null);
});

Deno.test("decide() gives every ECU of the hardware its release", () => {
  const ecus = [ecu("left", 1, "cam"), ecu("right", null, "cam"), ecu("rear", 2, "cam")];
  assertEquals(decide(ecus, [offer("c1", { cam: 2 })], []).targets, {
    left: "cam/2",
    right: "cam/2",
  });
});

Deno.test("decide() lets a newer campaign replace an older one until that one is committed", () => {
  const offers = [offer("c2", { ivi: 3 }), offer("c1", { ivi: 2 })];
  for (const state of ECU_STATES) {
    const decision = decide([ecu("ivi", 1)], offers, [stands("c1", state)]);
    if (COMMITTED_STATES.includes(state)) {
      assertEquals([decision.current, decision.queue], ["c1", ["c2"]], state);
      assertEquals(decision.targets, { ivi: "ivi/2" });
    } else {
      assertEquals([decision.current, decision.queue], ["c2", []], state);
      assertEquals(decision.targets, { ivi: "ivi/3" });
    }
  }
  const decision = decide([ecu("ivi", 1)], offers, [stands("c1", "downloading")]);
  assertEquals(ended(decision), [["c2", "assigned", undefined], ["c1", "canceled", "replaced"]]);
});

Deno.test("decide() lets an older campaign wait when the newer one does not cover it", () => {
  const offers = [offer("c2", { ivi: 3 }), offer("c1", { ivi: 2, body: 2 })];
  const ecus = [ecu("ivi", 1), ecu("body", 1)];
  const first = decide(ecus, offers, [
    stands("c1", "downloading", { ivi: "ivi/2", body: "body/2" }),
  ]);
  assertEquals([first.current, first.queue], ["c2", ["c1"]]);
  // Its turn comes, with what is left of it.
  const after = [ecu("ivi", 3), ecu("body", 1)];
  const then = decide(after, offers, [
    stands("c2", "confirmed", { ivi: "ivi/3" }),
    stands("c1", "assigned", { ivi: "ivi/2", body: "body/2" }),
  ]);
  assertEquals([then.current, then.queue, then.targets], ["c1", [], { body: "body/2" }]);
});

Deno.test("decide() does not fall back to an older campaign when the newer one failed", () => {
  const offers = [offer("c2", { ivi: 3 }), offer("c1", { ivi: 2 })];
  const failed = stands("c2", "rolledBack", { ivi: "ivi/3" });
  assertEquals(decide([ecu("ivi", 1)], offers, [failed]).current, null);
  const withdrawn = [offer("c2", { ivi: 3 }, "withdrawn"), offer("c1", { ivi: 2 })];
  assertEquals(decide([ecu("ivi", 1)], withdrawn, [failed]).current, "c1");
});

Deno.test("decide() keeps what ended ended", () => {
  for (const state of ["confirmed", "rolledBack", "failed", "declined", "canceled"] as const) {
    const decision = decide([ecu("ivi", 1)], [offer("c1", { ivi: 2 })], [stands("c1", state)]);
    assertEquals([decision.current, decision.changed], [null, []], state);
  }
});

Deno.test("decide() ends a withdrawn campaign, but not on a vehicle that is committed", () => {
  const offers = [offer("c1", { ivi: 2 }, "withdrawn")];
  for (const state of ECU_STATES) {
    const decision = decide([ecu("ivi", 1)], offers, [stands("c1", state)]);
    if (COMMITTED_STATES.includes(state)) assertEquals(decision.current, "c1", state);
    else assertEquals(decision.current, null, state);
  }
  const decision = decide([ecu("ivi", 1)], offers, [stands("c1", "ready")]);
  assertEquals(ended(decision), [["c1", "canceled", "withdrawn"]]);
  assertEquals(decide([ecu("ivi", 1)], offers, []).changed, []);
});

Deno.test("decide() gives nothing of a halted campaign, and goes on when it is resumed", () => {
  const halted = [offer("c1", { ivi: 2 }, "halted")];
  const decision = decide([ecu("ivi", 1)], halted, [stands("c1", "downloading")]);
  assertEquals([decision.current, decision.targets], [null, {}]);
  assertEquals(ended(decision), [["c1", "assigned", undefined]]);
  assertEquals(decide([ecu("ivi", 1)], halted, [stands("c1", "trial")]).current, "c1");
  const resumed = decide([ecu("ivi", 1)], [offer("c1", { ivi: 2 })], decision.changed);
  assertEquals([resumed.current, resumed.changed], ["c1", []]);
  assertEquals(decide([ecu("ivi", 1)], halted, []).current, null);
});

Deno.test("decide() confirms what runs already, and ends what something newer overtook", () => {
  const offers = [offer("c1", { ivi: 2 })];
  const same = decide([ecu("ivi", 2)], offers, [stands("c1", "assigned")]);
  assertEquals(ended(same), [["c1", "confirmed", undefined]]);
  const newer = decide([ecu("ivi", 3)], offers, [stands("c1", "assigned")]);
  assertEquals(ended(newer), [["c1", "canceled", "replaced"]]);
  const foreign = [{ ...ecu("ivi", 2), sha256: "other" }];
  assertEquals(ended(decide(foreign, offers, [stands("c1", "assigned")])), [
    ["c1", "canceled", "replaced"],
  ]);
});

Deno.test("decide() never takes an image on trial for a confirmed one", () => {
  const offers = [offer("c1", { ivi: 2 })];
  const standing = (state: Standing["state"]): Standing => ({
    campaign: "c1",
    state,
    failure: null,
    targets: { ivi: "ivi/2" },
  });
  for (const state of ["assigned", "ready", "trial"] as const) {
    const onTrial = [{ ...ecu("ivi", 2), successful: false }];
    const { changed, current } = decide(onTrial, offers, [standing(state)]);
    assertEquals([current, changed.map((each) => each.state)], ["c1", []], state);
  }
});

Deno.test("decide() lets a release wait for what it needs, and says so", () => {
  const needy = offer("c1", { ivi: 2 }, "running", { ivi: ["body/2"] });
  const partners = [[], [ecu("body", null)], [ecu("body", 1)]];
  partners.push([{ ...ecu("body", 2), successful: false }]);
  for (const partner of partners) {
    const decision = decide([ecu("ivi", 1), ...partner], [needy], []);
    assertEquals([decision.current, decision.targets, decision.queue], [null, {}, ["c1"]]);
    assertEquals(ended(decision), [["c1", "assigned", "needsUnmet"]]);
    const ready = decide([ecu("ivi", 1), ecu("body", 2)], [needy], decision.changed);
    assertEquals([ready.current, ready.targets, ready.queue], ["c1", { ivi: "ivi/2" }, []]);
    assertEquals(ended(ready), [["c1", "assigned", undefined]]);
  }
  assertEquals(decide([ecu("ivi", 1), ecu("body", 3)], [needy], []).current, "c1");
  // A vehicle on its way whose partner went back meanwhile is stopped.
  const stopped = decide([ecu("ivi", 1), ecu("body", 1)], [needy], [stands("c1", "downloading")]);
  assertEquals([stopped.current, ended(stopped)], [null, [["c1", "assigned", "needsUnmet"]]]);
});

Deno.test("decide() takes a need as met by the same bundle, and lets no part of a bundle go alone", () => {
  const needs = { ivi: ["body/2"] };
  const bundle = offer("c1", { ivi: 2, body: 2 }, "running", needs);
  assertEquals(decide([ecu("ivi", 1), ecu("body", 1)], [bundle], []).targets, {
    ivi: "ivi/2",
    body: "body/2",
  });
  const short = offer("c1", { ivi: 2, cam: 2 }, "running", needs);
  const ecus = [ecu("ivi", 1), ecu("cam", 1), ecu("body", 1)];
  assertEquals(decide(ecus, [short], []).targets, {});
  // Where there is no ivi, nothing needs anything.
  assertEquals(decide([ecu("cam", 1)], [short], []).targets, { cam: "cam/2" });
});

Deno.test("decide() sends a vehicle to an older campaign while a newer one must wait", () => {
  const offers = [
    offer("c3", { ivi: 3 }, "running", { ivi: ["body/2"] }),
    offer("c2", { body: 2 }),
    offer("c1", { ivi: 2 }),
  ];
  const first = decide([ecu("ivi", 1), ecu("body", 1)], offers, []);
  assertEquals([first.current, first.queue], ["c2", ["c3", "c1"]]);
  const none = decide([ecu("ivi", 1)], offers, []);
  assertEquals([none.current, none.queue], ["c1", ["c3"]], "a vehicle without body gets c1");
  const then = decide([ecu("ivi", 1), ecu("body", 2)], offers, [
    ...first.changed.filter(({ campaign }) => campaign !== "c2"),
    stands("c2", "confirmed", { body: "body/2" }),
  ]);
  assertEquals([then.current, then.targets], ["c3", { ivi: "ivi/3" }]);
  assertEquals(ended(then), [["c3", "assigned", undefined], ["c1", "canceled", "replaced"]]);
});

/** What a vehicle is sent runs beside what it needs, afterwards. */
function assertNeedsMet(
  decision: Decision,
  offers: readonly Offer[],
  ecus: readonly RunningEcu[],
): void {
  const releases = offers.find(({ campaign }) => campaign === decision.current)?.releases ?? [];
  const target = (serial: string) =>
    releases.find(({ release }) => release === decision.targets[serial]);
  for (const serial of Object.keys(decision.targets)) {
    for (const need of target(serial)!.needs) {
      const partners = ecus.filter(({ hardware }) => hardware === need.hardware);
      const after = partners.map((each) => target(each.serial)?.counter ?? each.counter ?? 0);
      assertEquals(after.length > 0 && after.every((counter) => counter >= need.counter!), true);
    }
  }
}

Deno.test("decide() on its own outcome changes nothing, and never has two campaigns at work", () => {
  const counter = fc.option(fc.integer({ min: 1, max: 5 }), { nil: null });
  const world = fc.record({
    ecus: fc.tuple(counter, counter, counter),
    offers: fc.array(
      fc.record({
        state: fc.constantFrom<Offer["state"]>("running", "halted", "withdrawn"),
        counters: fc.dictionary(
          fc.constantFrom("ivi", "body", "cam"),
          fc.integer({ min: 1, max: 6 }),
          { minKeys: 1 },
        ),
        before: fc.option(fc.constantFrom(...ECU_STATES), { nil: undefined }),
        needs: fc.dictionary(
          fc.constantFrom("ivi", "body"),
          fc.uniqueArray(fc.constantFrom("body/2", "body/4", "cam/3", "rear/1"), { maxLength: 2 }),
        ),
      }),
      { maxLength: 5 },
    ),
  });
  fc.assert(fc.property(world, (drawn) => {
    const ecus = ["ivi", "body", "cam"].map((id, i) => ecu(id, drawn.ecus[i]!));
    const offers = drawn.offers.map((each, i) =>
      offer(`c${drawn.offers.length - i}`, each.counters, each.state, each.needs)
    );
    const standings = drawn.offers.flatMap(({ before, counters }, i) => {
      const targets = Object.fromEntries(
        Object.entries(counters).map(([k, n]) => [k, `${k}/${n}`]),
      );
      return before === undefined ? [] : [stands(offers[i]!.campaign, before, targets)];
    });
    const first = decide(ecus, offers, standings);
    const merged = new Map(standings.concat(first.changed).map((each) => [each.campaign, each]));
    const second = decide(ecus, offers, [...merged.values()]);
    assertEquals(second, { ...first, changed: [] });
    assertEquals(first.queue.includes(first.current ?? ""), false);
    for (const [serial, release] of Object.entries(first.targets)) {
      const standing = merged.get(first.current!)!;
      assertEquals(standing.targets[serial], release);
    }
    const committed = standings.some((each) => COMMITTED_STATES.includes(each.state));
    if (!committed) assertNeedsMet(first, offers, ecus);
    // Nothing that ended is touched: rules 6 and 2.
    for (const { campaign } of first.changed) {
      const was = standings.find((each) => each.campaign === campaign)?.state;
      assertEquals(
        ["confirmed", "rolledBack", "failed", "declined", "canceled"].includes(was ?? ""),
        false,
      );
    }
  }));
});

Deno.test("decide() takes an ECU whose newer image is still on trial into the bundle that comes after it", () => {
  // The vehicle has told that it gives c2 up; what the proved report says is from the trial.
  const offers = [offer("c2", { ivi: 4, body: 4 }), offer("c1", { ivi: 3, body: 3, cluster: 3 })];
  const onTrial = { ...ecu("ivi", 4), successful: false };
  const given = stands("c2", "rolledBack", { ivi: "ivi/4", body: "body/4" });
  const after = decide([onTrial, ecu("body", 1), ecu("cluster", 1)], offers, [given]);
  assertEquals(after.targets, { ivi: "ivi/3", body: "body/3", cluster: "cluster/3" });
  const kept = decide([ecu("ivi", 4), ecu("body", 1), ecu("cluster", 1)], offers, [given]);
  assertEquals(kept.targets, { body: "body/3", cluster: "cluster/3" });
});
