/**
 * The scripted tour: `deno task demo --scenario [--json]`. Drives the real programs over real
 * sockets, and prints only what it observed.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes.js";
import { MIB } from "shared/limits.ts";
import { bsdiff } from "./bsdiff_encoder.ts";
import { build } from "./build.ts";
import { ROOT } from "./process.ts";
import { VIN, type Watched, World } from "./scenario_world.ts";

/** One line of `--json`. */
export interface StepResult {
  readonly step: "full" | "delta" | "badFirmware" | "powerCut";
  readonly ok: boolean;
  /** Versions that ran, as the vehicle reported them. */
  readonly before: string | null;
  readonly after: string | null;
  /** Bytes that the server sent to the vehicle. */
  readonly bytes: number;
  /** States of the ECU, in the order observed. */
  readonly states: readonly string[];
  /** What was not as it should be. */
  readonly why?: string;
}

/** Options of {@linkcode scenario}. */
export interface ScenarioOptions {
  /** Called with each step as soon as it is over. */
  readonly onStep: (result: StepResult) => void;
  /** Called with what is being done. */
  readonly onNote: (text: string) => void;
  /** Ends it early: what runs is stopped, what was made is removed. */
  readonly signal?: AbortSignal;
}

const FIRMWARE = `${ROOT}dist/firmware`;
const NOTES = "Scenario of the update system; not critical";
/** Longest a step may take, on a small machine. */
const STEP_MS = 180_000;
/** Map data so large that a download can be cut in its middle; doubled if it was too fast. */
const MAP_BYTES = 128 * MIB;
const MAP_ATTEMPTS = 3;
/** The power is cut when this much has come. */
const CUT_SHARE = 0.2;

/**
 * Runs all four steps.
 *
 * @param options Whom to tell.
 * @returns Whether all four were observed to go as they should.
 * @throws {Error} If server or vehicle cannot be started or observed.
 */
export async function scenario(options: ScenarioOptions): Promise<boolean> {
  const { onStep, onNote, signal } = options;
  onNote("Building the sample firmware");
  await build();
  signal?.throwIfAborted();
  onNote("Starting a server and a vehicle, and installing the first releases");
  const world = await World.open();
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => {}); // Heard by the race below only while something runs.
  const stop = () => stopped.reject(signal?.reason);
  signal?.addEventListener("abort", stop);
  try {
    const within = <T>(work: Promise<T>) => Promise.race([work, stopped.promise]);
    await within(prepare(world));
    let ok = true;
    for (const step of [full, delta, badFirmware, powerCut]) {
      const result = await within(step(world));
      onStep(result);
      ok &&= result.ok;
      if (!result.ok) { for (const line of world.logs()) onNote(line); }
    }
    return ok;
  } catch (error) {
    if (!signal?.aborted) { for (const line of world.logs()) onNote(line); }
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    await world.close();
  }
}

/** Enrols the vehicle and brings the first release to each ECU, as one bundle. */
async function prepare(world: World): Promise<void> {
  const [{ token }] = await world.ota("enrol", "--vin", VIN) as [{ token: string }];
  await world.ota("hardware", "add", "maps-store");
  const releases: string[] = [];
  const maps = await writeMaps(world, "1.0.0", MIB);
  for (
    const [file, hardware] of [
      [`${FIRMWARE}/body-1.0.0.bin`, "body-sim"],
      [`${FIRMWARE}/cluster-1.0.0.bin`, "cluster-sim"],
      [maps, "maps-store"],
      [`${FIRMWARE}/ivi-1.0.0.bin`, "ivi-rpi4"],
    ] as const
  ) {
    const args = ["publish", file, "--hardware", hardware, "--version", "1.0.0", "--draft"];
    const [{ release }] = await world.ota(...args, "--notes", NOTES) as [{ release: string }];
    releases.push(release);
  }
  const [{ campaign }] = await world.ota("offer", ...releases) as [{ campaign: string }];
  await world.startVehicle(token);
  const watched = await world.follow({ campaign, serial: "ivi", until: "confirmed" }, STEP_MS);
  if (watched.verdict.exit !== 0) {
    const { state, failure } = watched.verdict;
    throw new Error(`Cannot install the first releases: ${state}, ${failure?.message}`);
  }
}

interface Publication {
  readonly file: string;
  readonly hardware: string;
  readonly version: string;
  readonly deltaFrom?: string;
  /** What a patch gives: its owners sign what they have at hand. */
  readonly image?: string;
}

async function publish(world: World, what: Publication): Promise<string> {
  const { file, hardware, version, deltaFrom, image } = what;
  const args = ["publish", file, "--hardware", hardware, "--version", version, "--notes", NOTES];
  if (deltaFrom !== undefined) args.push("--delta-from", deltaFrom);
  if (image !== undefined) args.push("--image", image);
  const [{ campaign }] = await world.ota(...args) as [{ campaign: string }];
  return campaign;
}

/** Publishes for the head unit, waits for the end, and takes down what was seen. */
async function update(
  world: World,
  what: Omit<Publication, "hardware">,
  until: "confirmed" | "rolledBack",
): Promise<Watched & Pick<StepResult, "before" | "after" | "bytes">> {
  const before = (await world.ecu("ivi")).version;
  const sentBefore = await world.sentBytes();
  const campaign = await publish(world, { ...what, hardware: "ivi-rpi4" });
  const watched = await world.follow({ campaign, serial: "ivi", until }, STEP_MS);
  const after = (await world.ecu("ivi")).version;
  return { ...watched, before, after, bytes: await world.sentBytes() - sentBefore };
}

/** Judges a step: every claim that does not hold is told. */
function result(
  step: StepResult["step"],
  seen: Pick<StepResult, "before" | "after" | "bytes" | "states">,
  claims: Readonly<Record<string, boolean>>,
): StepResult {
  const { before, after, bytes, states } = seen;
  const broken = Object.entries(claims).filter(([, holds]) => !holds).map(([claim]) => claim);
  return {
    step,
    ok: broken.length === 0,
    before,
    after,
    bytes,
    states,
    ...(broken.length === 0 ? {} : { why: `not observed: ${broken.join("; ")}` }),
  };
}

async function full(world: World): Promise<StepResult> {
  const file = `${FIRMWARE}/ivi-1.1.0.bin`;
  const seen = await update(world, { file, version: "1.1.0" }, "confirmed");
  return result("full", seen, {
    "the campaign ended confirmed": seen.verdict.exit === 0,
    "another version runs": seen.before !== seen.after && seen.after === "1.1.0",
    "the bytes of a full container and no others were fetched":
      (await world.containerBytes("ivi-rpi4/1.1.0", false)).includes(seen.bytes),
    "none came as delta": !seen.ways.has("delta"),
  });
}

async function delta(world: World): Promise<StepResult> {
  const patch = bsdiff(
    await Deno.readFile(`${FIRMWARE}/ivi-1.1.0.bin`),
    await Deno.readFile(`${FIRMWARE}/ivi-1.2.0.bin`),
  );
  const file = `${world.folder}/ivi-1.1.0-1.2.0.patch`;
  await Deno.writeFile(file, patch);
  const image = `${FIRMWARE}/ivi-1.2.0.bin`;
  const what = { file, version: "1.2.0", deltaFrom: "1.1.0", image };
  const seen = await update(world, what, "confirmed");
  return result("delta", seen, {
    "the campaign ended confirmed": seen.verdict.exit === 0,
    "another version runs": seen.before !== seen.after && seen.after === "1.2.0",
    "the bytes of a delta and no others were fetched":
      (await world.containerBytes("ivi-rpi4/1.2.0", true)).includes(seen.bytes),
    "none came as full image": !seen.ways.has("full"),
  });
}

async function badFirmware(world: World): Promise<StepResult> {
  const others = async () =>
    JSON.stringify(
      (await world.ecus()).filter(({ serial }) => serial !== "ivi")
        .map(({ serial, sha256, slot, slots }) => [serial, sha256, slot, slots]),
    );
  const othersBefore = await others();
  const file = `${FIRMWARE}/faulty-hang.bin`;
  const seen = await update(world, { file, version: "1.3.0" }, "rolledBack");
  return result("badFirmware", seen, {
    "the campaign ended rolled back": seen.verdict.exit === 0,
    "the failure was told": (await world.ecu("ivi")).failure !== null,
    "the old version runs": seen.before !== null && seen.before === seen.after,
    "a trial was begun": seen.states.includes("trial"),
    "the other ECUs are as they were": othersBefore === await others(),
    "the vehicle goes on": await world.vehicleRuns(),
  });
}

async function powerCut(world: World): Promise<StepResult> {
  const before = (await world.ecu("maps")).version;
  for (let attempt = 1;; attempt++) {
    const lengthBytes = MAP_BYTES * 2 ** (attempt - 1);
    const version = `2.${attempt}.0`;
    const file = await writeMaps(world, version, lengthBytes);
    const sentBefore = await world.sentBytes();
    const campaign = await publish(world, { file, hardware: "maps-store", version });
    await Deno.remove(file); // The server has it; the disk may be small.
    const target = { campaign, serial: "maps" };
    const cutAtBytes = await world.midDownload({ ...target, share: CUT_SHARE }, STEP_MS);
    if (cutAtBytes !== undefined) await world.cutPower();
    const cut = await world.ecu("maps");
    const wasCut = cutAtBytes !== undefined && cut.state === "downloading" &&
      cut.version !== version;
    const sentAtCut = await world.sentBytes();
    if (!await world.vehicleRuns()) await world.startVehicle();
    const watched = await world.follow({ ...target, until: "confirmed" }, STEP_MS);
    if (!wasCut && attempt < MAP_ATTEMPTS) continue; // It was over too soon: again with more.
    const sentAfter = await world.sentBytes();
    const after = (await world.ecu("maps")).version;
    const seen = { before, after, bytes: sentAfter - sentBefore, states: watched.states };
    return result("powerCut", seen, {
      "the download was cut in its middle": wasCut,
      "the campaign ended confirmed": watched.verdict.exit === 0,
      "another version runs": before !== after && after === version,
      "it went on where it stopped": sentAfter > sentAtCut && sentAfter - sentAtCut < lengthBytes,
    });
  }
}

/** Map data: bytes that nothing can compress, written in pieces. */
async function writeMaps(world: World, version: string, lengthBytes: number): Promise<string> {
  const path = `${world.folder}/maps-${version}.bin`;
  using file = await Deno.open(path, { write: true, createNew: true });
  const piece = new Uint8Array(MIB);
  for (let at = 0; at < lengthBytes; at += piece.length) {
    for (let i = 0; i < piece.length; i += 65536) {
      crypto.getRandomValues(piece.subarray(i, i + 65536));
    }
    const end = Math.min(piece.length, lengthBytes - at);
    for (let rest = piece.subarray(0, end); rest.length > 0;) {
      rest = rest.subarray(await file.write(rest));
    }
  }
  return path;
}

/**
 * A step for a person.
 *
 * @param step The step.
 * @returns One or two lines.
 */
export function stepInWords(step: StepResult): string {
  const head = `${step.ok ? "ok    " : "FAILED"}  ${step.step.padEnd(11)}  ` +
    `${step.before ?? "nothing"} -> ${step.after ?? "nothing"}, ` +
    `${formatBytes(step.bytes)} fetched: ${step.states.join(" > ")}`;
  return step.why === undefined ? head : `${head}\n        ${step.why}`;
}
