import { assertEquals } from "@std/assert/mod.js";
import { image, inventory, running, slot } from "../../tests/sim/sim_inventory.ts";
import { EMPTY_SLOT, type SlotRecord } from "vehicle/bootloader/boot_record.ts";
import type { EcuInventory } from "vehicle/bus/ecu_port.ts";
import { undrivable } from "./drivable.ts";
import { strays } from "./strays.ts";
import { COMMITTED, type Phase, UPDATE } from "./update_table.ts";

const [OLD, NEW] = ["0a".repeat(8), "0b".repeat(8)];
const KEPT = slot(1, { successful: true, priority: 1, bundle: OLD });

/** What the other slot of an ECU can hold, of the release with counter 2. */
const STATES: Readonly<Record<string, SlotRecord>> = {
  empty: EMPTY_SLOT,
  armed: slot(2, { priority: 2, triesRemaining: 3, bundle: NEW }),
  lastTry: slot(2, { priority: 2, triesRemaining: 0, bundle: NEW }),
  judged: slot(2, { priority: 2, unbootable: true, verdict: "imageCrashed", bundle: NEW }),
  confirmed: slot(2, { priority: 2, successful: true, bundle: NEW }),
  rotted: slot(2, {
    ...{ priority: 2, successful: true, unbootable: true },
    ...{ verdict: "slotUnsound", bundle: NEW },
  }),
  wentBack: slot(2, { priority: 0, successful: true, bundle: NEW }),
};
type State = keyof typeof STATES;
const WORDS = Object.keys(STATES) as State[];

function ecu(serial: string, state: State, runsNew: boolean): EcuInventory {
  const B = STATES[state]!;
  const trial = !B.successful;
  return inventory(serial, {
    record: { A: KEPT, B },
    running: runsNew ? running(2, { slot: "B", trial }) : running(1),
  });
}

/** Every pair of ECUs there can be: each in one of the states, on its old or its new slot. */
function* pairs(): Generator<readonly [EcuInventory, EcuInventory, string]> {
  const sides = WORDS.flatMap((state) =>
    [false, true].filter((runs) => !runs || !["empty", "judged", "rotted"].includes(state))
      .map((runs) => [state, runs] as const)
  );
  for (const [one, runsOne] of sides) {
    for (const [two, runsTwo] of sides) {
      const words = `${one} ${runsOne}, ${two} ${runsTwo}`;
      yield [ecu("body", one, runsOne), ecu("ivi", two, runsTwo), words];
    }
  }
}

const idle = (inventories: EcuInventory[], absent: string[] = []) =>
  undrivable({ phase: "idle", inventories, absent: new Set(absent) });

Deno.test("undrivable() lets no pair of ECUs drive that is neither wholly old nor wholly new", () => {
  let [free, locked] = [0, 0];
  for (const [body, ivi, words] of pairs()) {
    if (idle([body, ivi]) !== undefined) {
      locked++;
      continue;
    }
    free++;
    if (words.includes("empty")) continue; // An update of one of the two.
    const [one, two] = [body.running!, ivi.running!];
    assertEquals(
      [one.image.counter, one.trial, two.trial],
      [two.image.counter, false, false],
      words,
    );
  }
  assertEquals([free > 3, locked > 50], [true, true]);
});

Deno.test("strays() settles every pair of ECUs whose images are sound: all that is left may drive", () => {
  for (const [body, ivi, words] of pairs()) {
    // What cannot be read any more has no way forward from the records alone.
    if (words.includes("rotted") || words.includes("confirmed false")) continue;
    if (words.includes("wentBack")) continue; // The journal's retreat takes the rest of it back.
    let inventories = [body, ivi];
    for (let steps = 0; strays(inventories).length > 0; steps++) {
      assertEquals(steps < 4, true, words);
      const [stray] = strays(inventories);
      inventories = inventories.map((one) =>
        one.serial === stray!.serial ? settled(one, stray!.way) : one
      );
    }
    assertEquals(idle(inventories), undefined, words);
    const kept = [body, ivi].some(({ record }) => record.B.successful);
    const wanted = kept && !words.includes("empty") ? 2 : 1;
    // Beside an empty slot nothing tells of partners: the release stood alone.
    if (!kept || !words.includes("empty")) {
      assertEquals(inventories.map((one) => one.running!.image.counter), [wanted, wanted], words);
    }
  }
});

/** The ECU, taken its way. */
function settled(one: EcuInventory, way: "forward" | "back"): EcuInventory {
  const forward = way === "forward";
  const verdict = forward ? {} : { unbootable: true, triesRemaining: 0, successful: false };
  const B = { ...one.record.B, ...verdict, ...(forward ? { successful: true } : {}) };
  const runs = forward ? running(2, { slot: "B" }) : running(1);
  return { ...one, record: { ...one.record, B }, running: runs };
}

Deno.test("strays() does the same whatever the order of the roll call", () => {
  for (const [body, ivi, words] of pairs()) {
    const one = new Map(strays([body, ivi]).map(({ serial, way }) => [serial, way]));
    const two = new Map(strays([ivi, body]).map(({ serial, way }) => [serial, way]));
    assertEquals([...one].toSorted(), [...two].toSorted(), words);
  }
});

Deno.test("strays() leaves alone what a later release has replaced", () => {
  const body = inventory("body", {
    record: { A: slot(3, { successful: true }), B: slot(2, { bundle: NEW, unbootable: true }) },
    running: running(3),
  });
  const ivi = ecu("ivi", "confirmed", true);
  assertEquals(strays([body, ivi]), []);
  assertEquals(idle([body, ivi]), undefined);
});

Deno.test("undrivable() locks in committed phases, and in no other", () => {
  const inventories = [ecu("body", "confirmed", true), ecu("ivi", "confirmed", true)];
  for (const phase of Object.keys(UPDATE) as Phase[]) {
    const locked = undrivable({ phase, inventories, absent: new Set() }) !== undefined;
    assertEquals(locked, COMMITTED.includes(phase), phase);
  }
});

Deno.test("undrivable() locks while an ECU does not answer, or runs nothing although it had an image", () => {
  const well = ecu("body", "confirmed", true);
  assertEquals(idle([well], ["body"]), "body does not answer");
  assertEquals(idle([{ ...well, running: null }]), "body runs nothing");
  assertEquals(idle([well, inventory("ivi")]), undefined); // It never had one: it waits for it.
});

Deno.test("undrivable() locks while a slot is empty whose release is confirmed beside it", () => {
  const emptied = { ...ecu("body", "empty", false) };
  const missing = { ...emptied, record: { A: KEPT, B: { ...EMPTY_SLOT, bundle: NEW } } };
  assertEquals(idle([emptied, ecu("ivi", "confirmed", true)]), undefined);
  assertEquals(idle([missing, ecu("ivi", "confirmed", true)]) !== undefined, true);
  assertEquals(idle([missing, ecu("ivi", "judged", false)]), undefined); // Nobody has confirmed it.
});

Deno.test("undrivable() lets an ECU that is alone with its release fall back to the one before", () => {
  const rotted = ecu("body", "rotted", false);
  const other = inventory("ivi", { record: { A: KEPT, B: EMPTY_SLOT }, running: running(1) });
  const alone = { ...rotted, record: { A: KEPT, B: { ...STATES["rotted"]!, bundle: null } } };
  assertEquals(idle([alone, other]), undefined);
  assertEquals(idle([alone, ecu("ivi", "confirmed", true)]), undefined);
  assertEquals(image(2).counter, alone.record.B.image!.counter);
});

Deno.test("undrivable() locks while an ECU lost its part of a bundle, whatever its partners have taken since", () => {
  const owed = { counter: 2, bundle: NEW, successful: true };
  const emptied = (debt: typeof owed & { readonly back?: boolean }) =>
    inventory("body", {
      record: { A: KEPT, B: { ...EMPTY_SLOT, bundle: NEW, owed: debt } },
      running: running(1),
    });
  const later = (first: SlotRecord) =>
    inventory("ivi", {
      record: { A: first, B: slot(4, { successful: true, priority: 2 }) },
      running: running(4, { slot: "B" }),
    });
  const once = later(STATES["confirmed"]!); // Its part is the way back of a later release.
  const twice = later(slot(3, { successful: true, priority: 1 }));
  for (const body of [ecu("body", "rotted", false), emptied(owed)]) {
    for (const ivi of [ecu("ivi", "confirmed", true), once, twice]) {
      assertEquals(idle([body, ivi]) !== undefined, true);
    }
  }
  // What went back with its partners is missed by nobody: who has something later has left them.
  for (const body of [ecu("body", "wentBack", false), emptied({ ...owed, back: true })]) {
    assertEquals([idle([body, once]), idle([body, twice])], [undefined, undefined]);
    assertEquals(idle([body, ecu("ivi", "confirmed", true)]) !== undefined, true);
  }
});

Deno.test("undrivable() lets a bundle drive that went back together, and not half of it", () => {
  const back = (serial: string) => ecu(serial, "wentBack", false);
  assertEquals(idle([back("body"), back("ivi")]), undefined);
  assertEquals(idle([back("body"), ecu("ivi", "rotted", false)]) !== undefined, true);
  assertEquals(idle([back("body"), ecu("ivi", "confirmed", true)]) !== undefined, true);
  // Its older image rotted in turn, so that the loader took the newer one.
  assertEquals(idle([back("body"), ecu("ivi", "wentBack", true)]) !== undefined, true);
  const untold = (one: EcuInventory) => ({
    ...one,
    record: { A: KEPT, B: { ...one.record.B, bundle: null } },
  });
  assertEquals(idle([untold(back("body")), untold(back("ivi"))]), undefined);
});

Deno.test("undrivable() locks while a slot owes the release that is confirmed beside it, whatever it holds", () => {
  const partner = ecu("ivi", "confirmed", true);
  const owed = { counter: 2, bundle: NEW, successful: true };
  const failed = slot(3, { unbootable: true, verdict: "imageCrashed", bundle: "0c".repeat(8) });
  for (const B of [EMPTY_SLOT, failed]) {
    const body = (debt: NonNullable<SlotRecord["owed"]> | null) =>
      inventory("body", { record: { A: KEPT, B: { ...B, owed: debt } }, running: running(1) });
    assertEquals(idle([body(null), partner]), undefined);
    assertEquals(idle([body(owed), partner]) !== undefined, true);
    assertEquals(idle([body({ ...owed, successful: false }), partner]) !== undefined, true);
    assertEquals(idle([body({ ...owed, bundle: null }), partner]), undefined); // It came alone.
    const missed = { ...owed, successful: false };
    assertEquals(idle([body(missed), ecu("ivi", "judged", false)]), undefined); // Nobody has it.
    const later = { A: slot(4, { successful: true }), B: { ...B, owed } };
    assertEquals(
      idle([inventory("body", { record: later, running: running(4) }), partner]),
      undefined,
    );
  }
});

Deno.test("strays() takes forward what is tried again in the slot that was emptied of it", () => {
  const owed = { counter: 2, bundle: NEW, successful: true };
  const again = { ...STATES["armed"]!, owed };
  const body = inventory("body", { record: { A: KEPT, B: again }, running: running(1) });
  const ways = strays([body, ecu("ivi", "confirmed", true)]).map((
    { serial, way },
  ) => [serial, way]);
  assertEquals(ways, [["body", "forward"]]);
});
