/**
 * Downloads over a bad line: what is there already is never asked for again, and what
 * cannot be the release never reaches a boot record.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert/mod.js";
import { DOWNLOAD_STALL_MS, MAX_CARRIER_ATTEMPTS, MAX_ODD_ANSWERS, MIB } from "shared/limits.ts";
import type { Fault } from "./sim_backend.ts";
import { release, type SimRelease } from "./sim_release.ts";
import { SimVehicle } from "./sim_vehicle.ts";

const SIZE = 2 * MIB + 100_000;
const SLOT = { slotBytes: 3 * MIB };
/** Large enough for three segments, the last of them short. */
const LARGE = release("ivi-sim", 2, { sizeBytes: SIZE });

async function offered(
  one: SimRelease,
  ...faults: readonly Fault[]
): Promise<SimVehicle> {
  const vehicle = await SimVehicle.running(SLOT);
  vehicle.backend.fault(one.release.sha256, ...faults);
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

Deno.test("one wrong byte is found by reading the slot back, and the image is fetched anew", async () => {
  const vehicle = await offered(LARGE, { kind: "wrong", at: SIZE - 1 });
  await vehicle.settled("c2");
  assertEquals(offsets(vehicle), [0, 0]);
  assertEquals(vehicle.runs()["ivi"], "2.0.0");
  assert(vehicle.log.some((line) => line.includes("slotDigestDiffers")));
});

Deno.test("bytes that stay wrong fail with slotDigestDiffers after the bound, and nothing was armed", async () => {
  const wrong = Array.from({ length: 9 }, (): Fault => ({ kind: "wrong", at: 7 }));
  const vehicle = await offered(LARGE, ...wrong);
  await vehicle.settled("c2");
  assertEquals(offsets(vehicle), Array(MAX_CARRIER_ATTEMPTS).fill(0));
  untouched(vehicle, "slotDigestDiffers");
  await takesGood(vehicle);
});

Deno.test("a power cut in the download goes on from the last whole segment, whatever the cache lost", async () => {
  for (const choice of ["old", "new", "torn"] as const) {
    const vehicle = await offered(LARGE, { kind: "stall", afterBytes: MIB + 300_000 });
    await vehicle.pass(5000);
    vehicle.cut(() => choice);
    vehicle.powerOn();
    await vehicle.settled("c2");
    assertEquals(offsets(vehicle), [0, MIB]);
    assertEquals(vehicle.runs()["ivi"], "2.0.0");
  }
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
    vehicle.backend.requests.filter(({ sha256 }) => sha256 === LARGE.release.sha256).length,
    1,
  );
});
