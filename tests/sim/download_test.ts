/**
 * Downloads over a bad line: what is there already is never asked for again, and what
 * cannot be the release never reaches a boot record.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { DOWNLOAD_STALL_MS, MAX_CARRIER_ATTEMPTS, MAX_ODD_ANSWERS, MIB } from "shared/limits.ts";
import type { Fault } from "./sim_backend.ts";
import { PRODUCT } from "./sim_container.ts";
import { release, type SimRelease } from "./sim_release.ts";
import { SimVehicle } from "./sim_vehicle.ts";

const SLOT = { slotBytes: 3 * MIB };
/** Large enough for three segments, the last of them short. */
const LARGE = release("ivi-sim", 2, { sizeBytes: 2 * MIB + 100_000, geometry: PRODUCT });
/** Where the payloads of its container begin, and where the file ends. */
const [FIRST, SECOND, THIRD, END] = LARGE.full.offsets as [number, number, number, number];

async function offered(
  one: SimRelease,
  ...faults: readonly Fault[]
): Promise<SimVehicle> {
  const vehicle = await SimVehicle.running(SLOT);
  vehicle.backend.fault(one.full.carrier.carrierSha256, ...faults);
  vehicle.offer("c2", { ivi: one });
  return vehicle;
}

const offsets = ({ backend }: SimVehicle) => backend.requests.map(({ offset }) => offset);

/** The old image runs, the update failed, and no boot record ever lent a try. */
function untouched(vehicle: SimVehicle, failure: string): void {
  assertEquals(vehicle.runs()["ivi"], "1.0.0");
  assertEquals([vehicle.states()["ivi"], vehicle.failures()["ivi"]], ["failed", failure]);
  assertEquals(vehicle.backend.reported("ivi")?.failure?.name, failure);
  assert(!vehicle.told("ivi").includes("installing"));
  const { record, running } = vehicle.ecu("ivi").inventory();
  const inactive = record[running!.slot === "A" ? "B" : "A"];
  assertEquals([inactive.triesRemaining, inactive.successful], [0, false]);
  assertEquals(vehicle.screen().phase, "failed");
}

async function takesGood(vehicle: SimVehicle): Promise<void> {
  vehicle.offer("c3", { ivi: release("ivi-sim", 3) });
  await vehicle.settled("c3");
  assertEquals(vehicle.runs()["ivi"], "3.0.0");
}

Deno.test("a download that is cut again and again goes on at the exact byte", async () => {
  const cuts = [100_000, MIB, 5, 900_000];
  const faults = cuts.map((afterBytes): Fault => ({ kind: "cut", afterBytes }));
  const vehicle = await offered(LARGE, ...faults);
  await vehicle.settled("c2");
  assertEquals(offsets(vehicle), [0, 100_000, MIB + 100_000, MIB + 100_005, MIB + 1_000_005]);
  assertEquals(vehicle.runs()["ivi"], "2.0.0");
});

Deno.test("a body that ends early without an error is gone on with as well", async () => {
  const vehicle = await offered(LARGE, { kind: "ends", afterBytes: 4096 }, {
    kind: "ends",
    afterBytes: 0,
  });
  await vehicle.settled("c2");
  assertEquals(offsets(vehicle), [0, 4096, 4096]);
  assertEquals(vehicle.runs()["ivi"], "2.0.0");
});

for (const fault of [{ kind: "stall", afterBytes: 50_000 }, { kind: "silent" }] as const) {
  Deno.test(`a server that goes ${fault.kind} is noticed after DOWNLOAD_STALL_MS`, async () => {
    const vehicle = await offered(LARGE, fault);
    await vehicle.settled("c2");
    const [first, second] = vehicle.backend.requests;
    const waitedMs = second!.atMs - first!.atMs;
    assert(waitedMs >= DOWNLOAD_STALL_MS && waitedMs < DOWNLOAD_STALL_MS + 1000, `${waitedMs}`);
    assertEquals(second!.offset, fault.kind === "stall" ? 50_000 : 0);
    assertEquals(vehicle.runs()["ivi"], "2.0.0");
  });
}

Deno.test("an unreachable server is waited out with pauses that double up to a minute", async () => {
  const refused = Array.from({ length: 10 }, (): Fault => ({
    kind: "refuses",
    failure: "serverUnreachable",
  }));
  const vehicle = await offered(LARGE, ...refused);
  await vehicle.settled("c2", 3_600_000);
  const at = vehicle.backend.requests.map(({ atMs }) => atMs);
  const pauses = at.slice(1).map((ms, i) => ms - at[i]! - 2);
  assertEquals(pauses, [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
  assertEquals(vehicle.runs()["ivi"], "2.0.0");
});

Deno.test("after bytes have come the next pause is short again", async () => {
  const refuses: Fault = { kind: "refuses", failure: "serverUnreachable" };
  const cut: Fault = { kind: "cut", afterBytes: 1000 };
  const vehicle = await offered(LARGE, refuses, refuses, refuses, cut);
  await vehicle.settled("c2");
  const at = vehicle.backend.requests.map(({ atMs }) => atMs);
  assert(at[4]! - at[3]! < 600);
});

Deno.test("404 on the only carrier fails with carrierMissing", async () => {
  const vehicle = await offered(LARGE, { kind: "refuses", failure: "carrierMissing" });
  await vehicle.settled("c2");
  untouched(vehicle, "carrierMissing");
  assertEquals(vehicle.backend.requests.length, 1);
  await takesGood(vehicle);
});

for (
  const fault of [
    { kind: "claims", extraBytes: 1 },
    { kind: "claims", extraBytes: -1 },
    { kind: "floods", extraBytes: 1 },
    { kind: "floods", extraBytes: 200_000 },
  ] as const
) {
  Deno.test(`a carrier that ${fault.kind} ${fault.extraBytes} bytes too many is asked for again, and fails with carrierLengthDiffers after MAX_ODD_ANSWERS`, async () => {
    const odd = (times: number) => Array.from({ length: times }, () => fault);
    const patient = await offered(LARGE, ...odd(MAX_ODD_ANSWERS - 1));
    await patient.settled("c2");
    assertEquals(patient.runs()["ivi"], "2.0.0");

    const vehicle = await offered(LARGE, ...odd(MAX_CARRIER_ATTEMPTS * MAX_ODD_ANSWERS));
    await vehicle.settled("c2");
    untouched(vehicle, "carrierLengthDiffers");
    assertEquals(vehicle.backend.requests.length, MAX_ODD_ANSWERS);
    vehicle.backend.faults.clear();
    await takesGood(vehicle);
  });
}

Deno.test("an answer from the first byte when later ones were asked for is used from there on", async () => {
  const vehicle = await offered(LARGE, { kind: "cut", afterBytes: 900_000 }, {
    kind: "ignoresRange",
  });
  await vehicle.settled("c2");
  assertEquals([offsets(vehicle), vehicle.runs()["ivi"]], [[0, 900_000], "2.0.0"]);
});

Deno.test("a head with a wrong byte is fetched again, once", async () => {
  const vehicle = await offered(LARGE, { kind: "wrong", at: 200 });
  await vehicle.settled("c2");
  assertEquals(offsets(vehicle), [0, 0]);
  assertEquals(vehicle.runs()["ivi"], "2.0.0");
  const again = await offered(LARGE, { kind: "wrong", at: 200 }, { kind: "wrong", at: 201 });
  await again.settled("c2");
  assertEquals(offsets(again), [0, 0]);
  untouched(again, "containerDamaged");
});

Deno.test("a wrong byte in a segment is found before it is written, and that segment is fetched again", async () => {
  const vehicle = await offered(LARGE, { kind: "wrong", at: SECOND + 77 });
  await vehicle.settled("c2");
  assertEquals(offsets(vehicle), [0, SECOND]);
  assertEquals(vehicle.runs()["ivi"], "2.0.0");
  assert(vehicle.log.some((line) => line.includes("containerDamaged")));
});

Deno.test("a segment that stays wrong on the only way fails with containerDamaged, and nothing was armed", async () => {
  const wrong = Array.from({ length: 9 }, (): Fault => ({ kind: "wrong", at: THIRD + 5 }));
  const vehicle = await offered(LARGE, ...wrong);
  await vehicle.settled("c2");
  assertEquals(offsets(vehicle), [0, THIRD]);
  untouched(vehicle, "containerDamaged");
  await takesGood(vehicle);
});

Deno.test("a line that damages every segment is given up after the bound", async () => {
  const sizeBytes = 8 * 1024;
  const one = release("ivi-sim", 2, { sizeBytes });
  const vehicle = await SimVehicle.running();
  const faults = one.full.offsets.slice(0, -1).map((at): Fault => ({ kind: "wrong", at }));
  vehicle.backend.fault(one.full.carrier.carrierSha256, ...faults);
  vehicle.offer("c2", { ivi: one });
  await vehicle.settled("c2");
  assertEquals(offsets(vehicle), [0, ...one.full.offsets.slice(0, MAX_CARRIER_ATTEMPTS)]);
  untouched(vehicle, "containerDamaged");
});

Deno.test("a slot that keeps other bytes than were written is written anew, all of it, once", async () => {
  for (const times of [1, 2]) {
    const vehicle = await SimVehicle.running(SLOT);
    const { slot } = vehicle.ecu("ivi").inventory().running!;
    vehicle.disksOf("ivi")[slot === "A" ? "B" : "A"].worn.set(3000, times);
    vehicle.offer("c2", { ivi: LARGE });
    await vehicle.settled("c2");
    assertEquals(offsets(vehicle), [0, 0]);
    assert(vehicle.log.some((line) => line.includes("slotDigestDiffers")));
    if (times === 1) assertEquals(vehicle.runs()["ivi"], "2.0.0");
    else untouched(vehicle, "slotDigestDiffers");
  }
});

/** Cuts the power in the second segment. */
async function cutInSecond(choice: "old" | "new" | "torn"): Promise<SimVehicle> {
  const vehicle = await offered(LARGE, { kind: "stall", afterBytes: SECOND + 300_000 });
  await vehicle.pass(5000);
  vehicle.cut(() => choice);
  assertEquals(vehicle.backend.requests.splice(0).map(({ sentBytes }) => sentBytes), [
    SECOND + 300_000,
  ]);
  return vehicle;
}

Deno.test("a power cut in the download goes on from the last whole segment, whatever the cache lost", async () => {
  for (const choice of ["old", "new", "torn"] as const) {
    const vehicle = await cutInSecond(choice);
    vehicle.powerOn();
    await vehicle.settled("c2");
    // The head comes again, and not a byte more than the head; then what is missing.
    const asked = vehicle.backend.requests.map(({ offset, endBytes }) => [offset, endBytes]);
    assertEquals(asked, [[0, 960], [960, FIRST], [SECOND, undefined]]);
    const sent = vehicle.backend.requests.map(({ sentBytes }) => sentBytes);
    assertEquals(sent, [960, FIRST - 960, END - SECOND]);
    assertEquals(vehicle.runs()["ivi"], "2.0.0");
  }
});

Deno.test("a segment that rots in the slot while the power is away is fetched again", async () => {
  const vehicle = await cutInSecond("new");
  const { A, B } = vehicle.disksOf("ivi");
  A.flip(1234, 8); // One of them runs, a small image: nothing of it lies there.
  B.flip(1234, 8);
  vehicle.powerOn();
  await vehicle.settled("c2");
  assertEquals(offsets(vehicle), [0, 960, FIRST]);
  assertEquals(vehicle.runs()["ivi"], "2.0.0");
  assert(vehicle.log.some((line) => line.includes("slotDigestDiffers")));
});

Deno.test("progress tells what arrived of what has to, goes on after a power cut, and never goes back", async () => {
  const vehicle = await offered(LARGE, { kind: "stall", afterBytes: SECOND + 300_000 });
  const seen: [number, number][] = [];
  const look = () => {
    const { progress } = vehicle.screen().ecus.find(({ serial }) => serial === "ivi")!;
    if (progress !== null) seen.push([progress.doneBytes, progress.totalBytes]);
    return false;
  };
  await vehicle.clock.drive(look, 5000);
  assertEquals(seen.at(-1), [SECOND + 300_000, END]);
  vehicle.cut(() => "old");
  vehicle.powerOn();
  const before = seen.length;
  await vehicle.clock.drive(() => look() || vehicle.journal().phase !== "preparing", 60_000);
  assert(seen.length > before + 10);
  for (const part of [seen.slice(0, before), seen.slice(before)]) {
    assert(part.every(([done], i) => i === 0 || done >= part[i - 1]![0]), JSON.stringify(part));
  }
  assert(Math.abs(seen[before]![0] - SECOND) < MIB / 2, `${seen[before]}`); // An estimate at first.
  assertEquals(seen.at(-1), [END, END]);
  assert(seen.every(([, total]) => total === END));
});

Deno.test("a power cut when all bytes are there asks for none", async () => {
  const vehicle = await SimVehicle.running({ ...SLOT, consent: "ask" });
  vehicle.offer("c2", { ivi: LARGE });
  await vehicle.phase("ready");
  vehicle.backend.requests.length = 0;
  vehicle.cut(() => "old");
  vehicle.powerOn();
  await vehicle.pass(1000);
  vehicle.say("accept", "c2");
  await vehicle.settled("c2");
  assertEquals([offsets(vehicle), vehicle.runs()["ivi"]], [[], "2.0.0"]);
});

Deno.test("bytes that rot in the slot between consent and arming never boot", async () => {
  const vehicle = await SimVehicle.running({ ...SLOT, consent: "ask" });
  vehicle.offer("c2", { ivi: LARGE });
  await vehicle.phase("ready");
  const { slot } = vehicle.ecu("ivi").inventory().running!;
  vehicle.cut(() => "new");
  vehicle.power.ecus["ivi"]![slot === "A" ? "B" : "A"].flip(40, 3);
  vehicle.powerOn();
  await vehicle.pass(1000);
  vehicle.say("accept", "c2");
  await vehicle.settled("c2");
  assertEquals([vehicle.runs()["ivi"], vehicle.failures()["ivi"]], ["1.0.0", "slotDigestDiffers"]);
  assertEquals(vehicle.starts.filter(({ version }) => version === "2.0.0"), []);
});

Deno.test("a newer offer ends a download that hangs", async () => {
  const vehicle = await offered(LARGE, { kind: "silent" });
  await vehicle.pass(3000);
  vehicle.offer("c3", { ivi: release("ivi-sim", 3) });
  await vehicle.pass(3000);
  await vehicle.settled("c3");
  assertEquals(vehicle.runs()["ivi"], "3.0.0");
  assertEquals(
    vehicle.backend.requests.filter(({ sha256 }) => sha256 === LARGE.full.carrier.carrierSha256)
      .length,
    1,
  );
});
