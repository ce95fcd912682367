import { assert, assertEquals, assertRejects } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import { BUS_SENDS, BUS_SILENCE_MS, BUS_WORK_MS } from "shared/limits.ts";
import { type Fate, SimBus, UNHURT } from "../../tests/sim/sim_bus.ts";
import { SimClock } from "../../tests/sim/sim_clock.ts";
import { image, inventory } from "../../tests/sim/sim_inventory.ts";
import { joinBus, localWire } from "./bus_local.ts";
import type { EcuPort, EcuService } from "./ecu_port.ts";
import type { SlotCare } from "./slot_care.ts";

/** An ECU that notes what it does, each after the time that a test gives it. */
class NotingEcu implements EcuService {
  readonly profile = {
    ...{ serial: "body", hardware: "body-sim", runner: "worker", slotBytes: 16_384 } as const,
    restartRank: 1,
  };
  readonly serial = "body";
  readonly did: string[] = [];
  workMs = 0;
  readonly #clock;

  constructor(clock: SimClock) {
    this.#clock = clock.life();
  }

  async #work(word: string, signal?: AbortSignal): Promise<void> {
    if (this.workMs > 0) await this.#clock.sleep(this.workMs, signal);
    this.did.push(word);
  }

  inventory = () => inventory("body");
  begin = () => (this.did.push("begin"), 0);
  write = (bytes: Uint8Array) => void this.did.push(`write ${bytes.length}`);
  written = () => ({ lengthBytes: 0, read: () => new Uint8Array(0) });
  verify = (_: unknown, signal?: AbortSignal) => this.#work("verify", signal);
  arm = () => this.#work("arm");
  restart = () => this.#work("restart");
  confirm = () => void this.did.push("confirm");
  revert = () => this.#work("revert");
  activeFile = () => null;
  proveFallback = () => this.#work("proveFallback");

  get care(): SlotCare {
    throw new Error("nobody cares for this one");
  }
}

function world(rule: (nth: number, way: "request" | "answer") => Fate = () => UNHURT) {
  const clock = new SimClock();
  const [bus, ecu] = [new SimBus(), new NotingEcu(clock)];
  const counts = { request: 0, answer: 0 };
  bus.rule = ({ kind, way }) => kind === "open" ? UNHURT : rule(counts[way]++, way);
  const [port] = joinBus([ecu], clock.life(), bus.wire);
  return { clock, bus, ecu, port: port! };
}

/** Lets time pass until a promise is settled; its value, or its failure. */
async function within<T>(clock: SimClock, promise: Promise<T>, limitMs = 3_600_000): Promise<T> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  assert(await clock.drive(() => settled, limitMs), "it is settled in time");
  return await promise;
}

const REQUESTS: Readonly<Record<string, (port: EcuPort) => Promise<unknown>>> = {
  "begin": (port) => port.begin(image(2)),
  "verify": (port) => port.verify(image(2)),
  "arm": (port) => port.arm(image(2), "ab".repeat(8)),
  "restart": (port) => port.restart(),
  "confirm": (port) => port.confirm(image(2)),
  "revert": (port) => port.revert(image(2), null),
};
for (const [word, ask] of Object.entries(REQUESTS)) {
  Deno.test(`${word} is done once, however often it is sent and answered`, async () => {
    for (const workMs of word === "begin" || word === "confirm" ? [0] : [0, 700, 4000]) {
      const { clock, ecu, port } = world(() => [0, 1, 900, 30_000]);
      ecu.workMs = workMs;
      await within(clock, ask(port));
      await clock.drive(() => false, 60_000);
      assertEquals(ecu.did, [word]);
    }
  });

  Deno.test(`${word} is ecuLost after ${BUS_SENDS} silences, and no sooner`, async () => {
    const { clock, ecu, port } = world((_, way) => way === "request" ? [] : UNHURT);
    const error = await assertRejects(() => within(clock, ask(port)), UpdateFailure);
    assertEquals([error.failure, error.subject, ecu.did], ["ecuLost", "body", []]);
    assertEquals(clock.elapsedMs, BUS_SENDS * BUS_SILENCE_MS);
  });
}

Deno.test("work that takes minutes is waited for as long as the ECU says so", async () => {
  const { clock, ecu, port } = world();
  ecu.workMs = 600_000;
  await within(clock, port.verify(image(2)));
  assertEquals([ecu.did, clock.elapsedMs], [["verify"], 600_000]);
});

Deno.test("work that never ends is ecuSlow in bounded time", async () => {
  const { clock, ecu, port } = world();
  ecu.workMs = Infinity;
  const error = await assertRejects(() => within(clock, port.restart()), UpdateFailure);
  assertEquals(error.failure, "ecuSlow");
  assert(clock.elapsedMs <= BUS_WORK_MS + 2 * BUS_SILENCE_MS);
});

Deno.test("a request that arrives behind a newer one is not done any more", async () => {
  // The third copy of the first request comes when revert was done long ago.
  const { clock, ecu, port } = world((nth, way) =>
    way === "request" && nth < 3 ? [60_000] : UNHURT
  );
  await assertRejects(() => within(clock, port.arm(image(2))), UpdateFailure);
  await within(clock, port.revert(image(2), "partnerFailed"));
  await clock.drive(() => false, 120_000);
  assertEquals(ecu.did, ["revert"]);
});

Deno.test("a newer request ends a verification that nobody waits for, and is done behind the work before it", async () => {
  const { clock, ecu, port } = world();
  ecu.workMs = 5000;
  const stop = new AbortController();
  const verified = port.verify(image(2), stop.signal);
  verified.catch(() => {});
  await clock.drive(() => false, 1000);
  stop.abort(new Error("replaced"));
  await within(clock, port.revert(image(2), null));
  assertEquals([ecu.did, clock.elapsedMs], [["revert"], 6000]);
  await assertRejects(() => verified, Error, "replaced");
});

Deno.test("work that waited behind other work is not done once a newer request has come", async () => {
  let deaf = true;
  const { clock, ecu, port } = world((_, way) => deaf && way === "answer" ? [] : UNHURT);
  ecu.workMs = 60_000;
  await assertRejects(() => within(clock, port.restart()), UpdateFailure);
  await assertRejects(() => within(clock, port.arm(image(2))), UpdateFailure);
  deaf = false;
  await within(clock, port.revert(image(2), "partnerFailed"));
  assertEquals(ecu.did, ["restart", "revert"]);
});

Deno.test("segments are written once each and in order, whatever the bus does", async () => {
  let random = 7;
  const fate = (): Fate => {
    random = random * 48271 % 2147483647;
    return [[0], [], [0, 0], [5000], [0, 4000]][random % 5]!;
  };
  const { clock, ecu, port } = world(fate);
  const write = async (bytes: number): Promise<void> => {
    try {
      await port.write(new Uint8Array(bytes));
    } catch (error) { // It is not known whether it was done: asked again, it is not done again.
      assertEquals((error as UpdateFailure).failure, "ecuLost");
      await write(bytes);
    }
  };
  const all = async () => {
    await port.begin(image(2)).catch(() => port.begin(image(2)));
    for (let i = 1; i <= 50; i++) await write(512 * i);
  };
  await within(clock, all());
  const writes = ecu.did.filter((word) => word !== "begin");
  assertEquals(writes, Array.from({ length: 50 }, (_, i) => `write ${512 * (i + 1)}`));
});

Deno.test("an ECU that started anew takes nothing of the session before, and then is asked anew", async () => {
  const { clock, bus, ecu, port } = world();
  await within(clock, port.begin(image(2)));
  bus.reset("body");
  const error = await assertRejects(
    () => within(clock, port.write(new Uint8Array(512))),
    UpdateFailure,
    "started anew",
  );
  assertEquals([error.failure, ecu.did], ["ecuLost", ["begin"]]);
  await within(clock, port.begin(image(2)));
  assertEquals(ecu.did, ["begin", "begin"]);
});

Deno.test("a reason that this version knows is the failure, any other is ecuRefused and named", async () => {
  const { clock, bus, port } = world();
  bus.refuses = () => "imageTooLarge";
  const known = await assertRejects(() => within(clock, port.begin(image(2))), UpdateFailure);
  bus.refuses = ({ kind }) => kind === "begin" ? "ofTomorrow" : undefined;
  const other = await assertRejects(() => within(clock, port.begin(image(2))), UpdateFailure);
  assertEquals([known.failure, other.failure], ["imageTooLarge", "ecuRefused"]);
  assert(other.message.includes('"ofTomorrow"'));
});

Deno.test("the roll call passes by long work", async () => {
  const { clock, ecu, port } = world();
  ecu.workMs = 60_000;
  const restarted = port.restart();
  assertEquals((await within(clock, port.inventory(), 0)).serial, "body");
  await within(clock, restarted);
});

Deno.test("what an ECU throws that is no failure of the catalogue ends whoever asked, as a bug does", async () => {
  const { clock, ecu, port } = world();
  ecu.confirm = () => {
    throw new TypeError("a bug");
  };
  await assertRejects(() => within(clock, port.confirm(image(2))), TypeError, "a bug");
});

Deno.test("without a wire's length a request is answered without a timer or a copy", async () => {
  const clock = new SimClock();
  const ecu = new NotingEcu(clock);
  let taken: Uint8Array | undefined;
  ecu.write = (bytes) => void (taken = bytes);
  const [port] = joinBus([ecu], clock.life(), localWire);
  await port!.begin(image(2));
  const bytes = new Uint8Array(512);
  await port!.write(bytes); // No timer is fired here: nobody drives the clock.
  assert(taken === bytes);
});
