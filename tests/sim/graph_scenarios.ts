/**
 * What the power-cut graph is explored for: full and delta, good and bad releases, withdrawn and
 * replaced ones, a driver who declines; for one ECU and for three.
 *
 * @module
 */
import { MAX_INTERRUPTED_TRIALS } from "shared/limits.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import { PARKED } from "vehicle/gateway/signals.ts";
import { ECUS, type Serial } from "./sim_bundle.ts";
import { disksOf, type LifeEnd, type Scenario, type Stage } from "./graph_life.ts";
import type { Geometry } from "./sim_container.ts";
import type { SimOptions, SimParts } from "./sim_options.ts";
import { imageBytes, release, seeded, type SimRelease, targets, withDelta } from "./sim_release.ts";
import type { Behaviour } from "./sim_runner.ts";
import { SimVehicle } from "./sim_vehicle.ts";

/** What matters is the order of writes, not their number (house 7). */
const GEOMETRY: Geometry = { leafBytes: 1024, segmentBytes: 2048 };
/** Ten sectors, the last not full: three segments, of which one is not full either. */
const IMAGE_BYTES = 5000;
const SLOT_BYTES = 12 * 512;
/** Short, so that the metadata take few sectors: of more than ten not every subset can be tried. */
const NOTES = { purpose: "p", changes: "c", minutes: 1, unavailable: "u", instructions: "i" };

/** How a scenario is made. */
export interface ScenarioWish {
  readonly ecus: 1 | 3;
  readonly way: "full" | "delta";
  readonly course:
    | "good"
    | "bad" // The image of one ECU crashes.
    | "withdrawn" // At any time the server takes the offer back.
    | "replaced" // At any time the server offers another release: an emergency.
    | "declined" // The driver says no.
    | "canceled" // The driver agrees, and takes it back while the vehicle waits.
    | "rotten"; // What runs has rotted: the release before boots, and the offer comes to it.
}

/** All scenarios. What has rotted is one ECU's affair: beside others it would be half a vehicle. */
export const WISHES: readonly ScenarioWish[] = ([1, 3] as const).flatMap((ecus) =>
  (["full", "delta"] as const).flatMap((way) =>
    (["good", "bad", "withdrawn", "replaced", "declined", "canceled", "rotten"] as const)
      .filter((course) => ecus === 1 || course !== "rotten").map((course) => ({
        ecus,
        way,
        course,
      }))
  )
);

/** The scenario's name. */
export function nameOf({ ecus, way, course }: ScenarioWish): string {
  return `${ecus === 1 ? "one ECU" : "three ECUs"}, ${way}, ${course}`;
}

type Bundle = Readonly<Record<string, SimRelease>>;

/**
 * Makes a scenario: a vehicle that ran release 1, runs release 2, and is offered release 3.
 *
 * @param wish What it is to be.
 * @param parts Deliberate faults, new for each power-on; the vehicle got where it is without them.
 */
export async function scenario(
  wish: ScenarioWish,
  parts?: () => SimParts,
): Promise<Scenario> {
  const serials = ECUS.map(([serial]) => serial).slice(0, wish.ecus);
  const base: SimOptions = {
    serials,
    slotBytes: SLOT_BYTES,
    consent: "auto",
    profile: (profile) => ({ ...profile, trialSeconds: 1 }),
  };
  const bad = wish.course === "bad" ? serials.at(-2) ?? serials[0]! : undefined;
  const second = bundle(serials, 2);
  const third = bundle(serials, 3, {
    ...(wish.way === "delta" ? { base: second } : {}),
    ...(bad === undefined ? {} : { bad }),
  });
  const fourth = bundle(serials, 4);
  const bundles = [bundle(serials, 1), second, third, fourth];
  const carriers = new Map(
    bundles.flatMap((one) => Object.values(one)).flatMap(({ full, deltas }) =>
      [full, ...deltas].map(({ carrier, bytes }) => [carrier.carrierSha256, bytes] as const)
    ),
  );
  const vehicle = await rootOf(base, bundles.slice(0, 2));
  const rotten = wish.course === "rotten";
  if (rotten) rot(vehicle, serials[0]!);
  const asks = wish.course === "declined" || wish.course === "canceled";
  const options: SimOptions = {
    ...base,
    ...(asks ? { consent: "ask" } : {}),
    ...(wish.course === "canceled" ? { signals: { ...PARKED, brake: false } } : {}),
  };
  return {
    name: nameOf(wish),
    serials,
    options,
    ...(parts === undefined ? {} : { parts }),
    rotten,
    carriers,
    root: disksOf(vehicle, serials).map((disk) => disk.snapshot()),
    outside: {
      stage: 0,
      knownSeq: vehicle.backend.manifests.at(-1)!.seq,
      elapsedMs: vehicle.clock.elapsedMs,
    },
    stages: stages(wish.course, third, fourth),
    images: Object.fromEntries(serials.map((serial) => [
      serial,
      Object.fromEntries(bundles.map((one, i) => [`${i + 1}.0.0`, one[serial]!.bytes])),
    ])),
    ...(asks ? { driver: DRIVERS[wish.course as keyof typeof DRIVERS] } : {}),
  };
}

const DRIVERS: Readonly<Record<"declined" | "canceled", NonNullable<Scenario["driver"]>>> = {
  declined: [{ at: "ready", says: "decline" }],
  canceled: [
    { at: "ready", says: "accept" },
    { at: "waiting", says: "cancel" },
    { at: "ready", says: "decline" },
  ],
};

/** A vehicle that took releases one after the other, and then lost its power. */
async function rootOf(options: SimOptions, bundles: readonly Bundle[]): Promise<SimVehicle> {
  const vehicle = new SimVehicle(options);
  vehicle.powerOn();
  for (const [i, one] of bundles.entries()) {
    vehicle.offer(`c${i + 1}`, one);
    await vehicle.settled(`c${i + 1}`);
  }
  vehicle.cut(() => "new");
  return vehicle;
}

/** One bit of the image that runs is lost. */
function rot(vehicle: SimVehicle, serial: Serial): void {
  const { A, B } = vehicle.disksOf(serial);
  const running = vehicle.starts.at(-1)!.slot;
  (running === "A" ? A : B).flip(5, 77);
}

function bundle(
  serials: readonly Serial[],
  counter: number,
  { base, bad }: { readonly base?: Bundle; readonly bad?: Serial } = {},
): Bundle {
  return Object.fromEntries(serials.map((serial, i) => {
    const does: Behaviour = serial === bad ? "crash@900" : "good";
    const [, hardware] = ECUS.find(([one]) => one === serial)!;
    const old = base?.[serial]?.bytes;
    const bytes = old === undefined
      ? imageBytes(does, IMAGE_BYTES, counter * 10 + i)
      : nextOf(old, does, counter * 10 + i);
    const one = release(hardware, counter, { bytes, geometry: GEOMETRY, notes: NOTES });
    return [serial, old === undefined ? one : withDelta(one, old)];
  }));
}

/** Edited in the first segment, the same in the second, new in the third. */
function nextOf(old: Uint8Array, does: Behaviour, seed: number): Uint8Array {
  const random = seeded(seed);
  const bytes = old.slice();
  for (let i = 0; i < 200; i++) bytes[64 + Math.floor(random() * 1900)]! ^= 0x55;
  for (let at = 2 * GEOMETRY.segmentBytes; at < bytes.length; at++) bytes[at] = random() * 256;
  bytes.set(new TextEncoder().encode(`${does}\n`));
  return bytes;
}

function stages(course: ScenarioWish["course"], third: Bundle, fourth: Bundle): Stage[] {
  const offer = (version: number, campaign: string | null, one: Bundle): DirectorTargets =>
    targets(version, campaign, one, course === "canceled" ? ["brake"] : []);
  const good: Stage = { answer: offer(3, "c3", third), wrong: (end) => wrongEnd(end, "3.0.0") };
  const bad: Stage = { ...good, wrong: (end) => wrongEnd(end, "2.0.0", "imageCrashed") };
  if (course === "good" || course === "rotten") return [good];
  if (course === "bad") return [bad];
  if (course === "withdrawn") {
    const either = (end: LifeEnd) =>
      ["2.0.0", "3.0.0"].includes(end.version) ? undefined : `it runs ${end.version}`;
    return [good, { answer: offer(4, null, {}), wrong: either }];
  }
  if (course === "replaced") {
    const wrong = (end: LifeEnd) => wrongEnd(end, "4.0.0");
    return [good, { answer: offer(4, "c4", fourth), wrong }];
  }
  return [{ ...good, wrong: (end) => wrongEnd(end, "2.0.0", "declined") }];
}

/** The end that is wanted; or the old release, after as many interrupted trials as are allowed. */
function wrongEnd(
  { version, journal }: LifeEnd,
  wanted: string,
  failure?: string,
): string | undefined {
  const failures = Object.values(journal.ecus).map((ecu) => ecu.failure?.name);
  const worn = failures.includes("trialInterrupted") && version === "2.0.0" &&
    journal.interruptedTrials === MAX_INTERRUPTED_TRIALS;
  if (worn && failure !== "declined") return undefined;
  if (version !== wanted) return `it runs ${version}, not ${wanted}`;
  const found = failures.filter((name) => name !== undefined && name !== "partnerFailed");
  const right = failure === undefined ? found.length === 0 : found.every((one) => one === failure);
  return right ? undefined : `it ends with ${found}, not ${failure ?? "without a failure"}`;
}
