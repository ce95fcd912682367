/**
 * `--self-test`: whether this program, as it was built, can do its work on this machine. On a
 * temporary data folder one ECU boots a sample image and keeps it, then a whole vehicle starts
 * without its server, and its screen is asked for over HTTP. Not the checks at start.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { fileURLToPath } from "node:url";
import type { Clock } from "shared/clock.ts";
import { systemClock } from "shared/host/clock_system.ts";
import { provePage } from "shared/host/page_proof.ts";
import { sha256Digest, sha256Hex } from "shared/node/digest.ts";
import { HmiSnapshot } from "shared/protocol/hmi.ts";
import type { EcuProfile } from "shared/protocol/ecu.ts";
import type { FileDisk } from "vehicle/adapters/disk_file.ts";
import { openEcu } from "vehicle/adapters/ecu_storage.ts";
import { runnerFactory } from "vehicle/adapters/runner_factory.ts";
import { Ecu } from "vehicle/ecu/ecu.ts";
import { startVehicle } from "./compose.ts";

/** Given up after this: it takes two seconds, on a Raspberry Pi some more. */
const PATIENCE_MS = 60_000;
/** An emulator runs an image so much slower than it was written for: time must pass slower, too. */
const EMULATION = 10;
const LOOK_EVERY_MS = 50;
const VIN = "SELFTEST000000001";
/** Nobody listens on it: the vehicle must come up without its server. */
const NOWHERE = "127.0.0.1:9";
const PROFILE: EcuProfile = {
  serial: "body",
  hardware: "body-sim",
  runner: "worker",
  slotBytes: 1024 * 1024,
  restartRank: 1,
  trialSeconds: 1,
};

/** What a self-test that went well prints. */
export interface HeadunitAnswer {
  readonly v: 1;
  readonly selfTest: "headunit";
  readonly ok: true;
  readonly deno: string;
  readonly arch: string;
  /** Digest of the page, and of each file it names, in order. */
  readonly page: string;
  readonly assets: readonly string[];
  /** Digest and version of the image that booted, and the slot it runs from. */
  readonly image: string;
  readonly version: string;
  readonly slot: string;
}

/**
 * Runs it, and prints its answer as one line of JSON, or the reason.
 *
 * @param emulator The program that runs this one, where the kernel would not find it when this
 *   one starts itself for an image; only for programs of another processor.
 * @returns The exit code.
 */
export async function selfTest(emulator?: string): Promise<0 | 1> {
  let folder: string | undefined;
  try {
    folder = Deno.makeTempDirSync({ prefix: "headunit-self-test-" });
    const signal = AbortSignal.timeout(PATIENCE_MS * (emulator === undefined ? 1 : EMULATION));
    const image = Deno.readFileSync(shipped("firmware/body-1.0.0.bin"));
    await bootOne(folder, image, { signal, emulator });
    console.log(JSON.stringify({ ...await showAll(folder, signal), image: sha256Hex(image) }));
    return 0;
  } catch (error) {
    console.error(`self-test of the head unit failed: ${(error as Error).message ?? error}`);
    return 1;
  } finally {
    if (folder !== undefined) Deno.removeSync(folder, { recursive: true });
  }
}

/** A file that is built into the program, or lies in `dist`. */
function shipped(name: string): string {
  return fileURLToPath(new URL(`../dist/${name}`, import.meta.url));
}

/** One ECU takes an image into its slot, boots it on trial, and keeps it. */
async function bootOne(
  dataDir: string,
  bytes: Uint8Array,
  { signal, emulator }: { readonly signal: AbortSignal; readonly emulator: string | undefined },
): Promise<void> {
  const disks: FileDisk[] = [];
  const log = (line: string) => console.error(line);
  const host = emulator === undefined ? {} : {
    hostCommand: (file: string) => [emulator, Deno.execPath(), "runner-host", file],
  };
  const ecu = new Ecu({
    profile: PROFILE,
    slots: openEcu(dataDir, PROFILE, disks),
    runner: runnerFactory({ runDir: `${dataDir}/run`, log, ...host })(PROFILE),
    clock: emulator === undefined ? systemClock : slowClock(),
    newDigest: sha256Digest,
    listener: { changed() {}, display() {} },
  });
  const sha256 = sha256Hex(bytes);
  const image = { sha256, lengthBytes: bytes.length, counter: 1, version: "1.0.0" };
  try {
    ecu.begin(image);
    ecu.write(bytes);
    await ecu.verify(image);
    await ecu.arm(image);
    await ecu.restart();
    for (;;) {
      const { running, record, verdictDetail } = ecu.inventory();
      if (running?.passed && running.selfTested) break;
      if (running === null || signal.aborted) {
        const verdict = record.A.verdict ?? record.B.verdict ?? "no self-test in time";
        throw new Error(`Cannot boot the sample image: ${verdict}, ${verdictDetail}`);
      }
      await systemClock.sleep(LOOK_EVERY_MS);
    }
    ecu.confirm(image);
  } finally {
    await ecu.powerOff();
    for (const disk of disks) disk[Symbol.dispose]();
  }
}

/** The clock by which an emulated image is judged. */
function slowClock(): Clock {
  return {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic() / EMULATION,
    sleep: (ms, signal) => systemClock.sleep(ms, signal),
  };
}

/** The whole vehicle, without its server: it runs what was confirmed, and shows it. */
async function showAll(
  dataDir: string,
  signal: AbortSignal,
): Promise<Omit<HeadunitAnswer, "image">> {
  const identity = {
    ...{ v: 1, vin: VIN, secret: "0".repeat(64) },
    ...{ device: `http://${NOWHERE}`, broker: `mqtt://${NOWHERE}` },
  };
  Deno.writeTextFileSync(`${dataDir}/identity.json`, JSON.stringify(identity), { mode: 0o600 });
  const vehicle = await startVehicle({
    dataDir,
    vin: VIN,
    server: `http://${NOWHERE}`,
    hmi: { hostname: "127.0.0.1", port: 0 },
    enrolToken: undefined,
    profile: { v: 1, ecus: [PROFILE] },
    consent: "ask",
    pagesDir: shipped("hmi"),
  }, () => {});
  try {
    const proof = await provePage(vehicle.hmi, signal);
    const shown = await firstSnapshot(vehicle.hmi, signal);
    const { version, slot } = shown.ecus.find(({ serial }) => serial === PROFILE.serial) ?? {};
    if (!version || !slot) throw new Error("Cannot show the screen: the ECU runs nothing");
    return {
      ...{ v: 1, selfTest: "headunit", ok: true, deno: Deno.version.deno, arch: Deno.build.arch },
      ...{ ...proof, version, slot },
    };
  } finally {
    await vehicle.stop();
  }
}

/** What the screen would draw first. */
async function firstSnapshot(hmi: string, signal: AbortSignal): Promise<HmiSnapshot> {
  const answer = await fetch(`${hmi}/api/events`, { signal });
  let text = "";
  for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    const [, data] = /^data: ?(.*)\n/m.exec(text) ?? [];
    if (data !== undefined) return HmiSnapshot.parse(JSON.parse(data));
  }
  throw new Error("Cannot show the screen: its stream of events ended at once");
}
