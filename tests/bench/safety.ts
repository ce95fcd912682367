/**
 * What safety costs: the installation of an image by real processes, from the first byte fetched
 * to the armed slot, against a plain copy of the same file with one sync, in the same run.
 *
 * The image is that of `$OTA_CORPUS/pairs/root-ext4` (default `./corpus`); without it one of the
 * same size is made.
 *
 * @module
 */
import os from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { ApiClient } from "server/cli/client.ts";
import { ota, otaJson, startServerProcess, startVehicleProcess } from "../../scripts/process.ts";
import { type DiskCount, type DiskMark, DiskMeter } from "./disk_meter.ts";
import { median } from "./measure.ts";

const ROUNDS = 5;
const MIB = 2 ** 20;
/** The size of the corpus' image. */
const MADE_BYTES = 128 * MIB;
const HARDWARE = "ivi-bench";
/** An SD card of the better kind: what it writes in a second, and what a sync takes. */
const CARD = { bytesPerSecond: 40e6, syncMs: 5 };
const PASSWORD = "bench-password";
const NOTES = {
  purpose: "A bench",
  changes: "None",
  minutes: 1,
  unavailable: "Nothing",
  instructions: "None",
};

/** One installation; times in ms. */
interface Install {
  /** To the sync of the last segment: fetch, unpack, prove, write. */
  readonly fillMs: number;
  /** Of these: in the calls that write and sync. */
  readonly writeMs: number;
  /** The slot read back and digested. */
  readonly verifyMs: number;
  /** The boot record, and the journal's way there. */
  readonly armMs: number;
  readonly portBytes: number;
  readonly mediumBytes: number;
  readonly syncs: number;
  /** The plain copy of the same file, just before. */
  readonly copyMs: number;
}

/**
 * Runs the bench.
 *
 * @param log Takes a line about each step.
 * @returns Markdown.
 */
export async function benchSafety(log: (line: string) => void): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "bench-safety-" });
  const server = await startServerProcess({ data: `${folder}/server`, password: PASSWORD });
  try {
    const { images, origin } = await imagesOf(folder);
    const { token } = await new ApiClient(server.urls.http)
      .login({ user: "admin", password: PASSWORD });
    const bench: Bench = {
      folder,
      http: server.urls.http,
      images,
      log,
      api: new ApiClient(server.urls.http, token),
    };
    const digests = await carriersOfBoth(bench);
    const full: Install[] = [];
    const delta: Install[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const [first, second] = await oneVehicle(bench, round, digests);
      full.push(first);
      delta.push(second);
      log(
        `round ${round + 1}: copy ${first.copyMs.toFixed(0)} ms, full ${
          total(first).toFixed(0)
        } ms`,
      );
    }
    const { size } = await Deno.stat(images[0]);
    return report(origin, size, { full, delta });
  } finally {
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

interface Bench {
  readonly folder: string;
  readonly http: string;
  readonly api: ApiClient;
  /** Old and new. */
  readonly images: readonly [string, string];
  readonly log: (line: string) => void;
}

async function imagesOf(
  folder: string,
): Promise<{ images: readonly [string, string]; origin: string }> {
  const pair = join(Deno.env.get("OTA_CORPUS") ?? "corpus", "pairs", "root-ext4");
  const there = await Deno.stat(join(pair, "new")).then(() => true, () => false);
  if (there) {
    return {
      images: [join(pair, "old"), join(pair, "new")],
      origin: "the ext4 root of the corpus",
    };
  }
  const images = [`${folder}/old`, `${folder}/new`] as const;
  // In pages: random, text of few letters, zeros. The next one has every fiftieth page anew.
  const page = (i: number) =>
    i % 5 < 2
      ? randomBytes(4096)
      : i % 5 < 4
      ? new Uint8Array(randomBytes(4096).map((byte) => 97 + byte % 16))
      : new Uint8Array(4096);
  const bytes = new Uint8Array(MADE_BYTES);
  for (let i = 0; i * 4096 < bytes.length; i++) bytes.set(page(i), i * 4096);
  await Deno.writeFile(images[0], bytes);
  for (let i = 0; i * 4096 < bytes.length; i += 50) bytes.set(page(i), i * 4096);
  await Deno.writeFile(images[1], bytes);
  return { images, origin: "made: two fifths random, two fifths text, one fifth zeros" };
}

/**
 * Publishes both for a hardware that no vehicle has, and waits for every carrier that the server
 * makes of them; their digests.
 */
async function carriersOfBoth(bench: Bench): Promise<readonly [string, string]> {
  const home = `${bench.folder}/home`;
  const login = await ota(["login", "--server", bench.http], {
    home,
    env: { OTA_PASSWORD: PASSWORD },
  });
  if (login.code !== 0) throw new Error(login.stderr);
  await bench.api.addHardware(HARDWARE);
  const digests: string[] = [];
  for (const [i, image] of bench.images.entries()) {
    const what = ["--hardware", HARDWARE, "--version", `${i + 1}.0.0`, "--notes", "A bench"];
    const [line] = await otaJson(["publish", image, ...what], { home }) as [{ sha256: string }];
    digests.push(line.sha256);
  }
  for (let waiting = 1; waiting > 0;) {
    await pause(1000);
    const answer = await bench.api.send("/api/v1/deltas", {
      method: "GET",
      signal: AbortSignal.timeout(15_000),
    });
    const jobs = await answer.json() as { state: string }[];
    waiting = jobs.filter(({ state }) => state === "queued" || state === "running").length;
  }
  bench.log("all carriers are made");
  return [digests[0]!, digests[1]!];
}

/** A new vehicle takes the old image in full, and then a delta to the new one. */
async function oneVehicle(
  bench: Bench,
  round: number,
  digests: readonly [string, string],
): Promise<[Install, Install]> {
  const vin = `BENCHVEHCLE0000${String(round).padStart(2, "0")}`;
  const home = `${bench.folder}/${vin}`;
  await Deno.mkdir(home);
  const { size } = await Deno.stat(bench.images[0]);
  // Hardware of its own: else the releases of the vehicles before would be offered to it at once.
  const hardware = `${HARDWARE}-${round}`;
  await bench.api.addHardware(hardware);
  const ecu = { serial: "ivi", hardware, runner: "opaque", restartRank: 1 };
  const ecus = [{ ...ecu, slotBytes: size + 32 * MIB, trialSeconds: 0 }];
  await Deno.writeTextFile(`${home}/profile.json`, JSON.stringify({ v: 1, ecus }));
  const meter = new DiskMeter(home);
  const { token } = await bench.api.enrol(vin);
  const vehicle = await startVehicleProcess({
    data: `${home}/data`,
    server: bench.http,
    vin,
    enrol: token,
    profile: `${home}/profile.json`,
    consent: "auto",
    runtime: meter.runtime,
  });
  try {
    const known = async () =>
      (await bench.api.vehicles()).some((one) => one.vin === vin && one.ecus.length > 0);
    while (!await known()) await pause(100);
    const found: Install[] = [];
    for (const [i, sha256] of digests.entries()) {
      const copyMs = await plainCopy(bench.images[i]!, `${home}/copy`);
      const before = meter.marks().length;
      const version = `${i + 1}.0.0`;
      await bench.api.publish({ hardware, version, sha256, notes: NOTES });
      const confirmed = async () => {
        const row = (await bench.api.vehicles()).find((one) => one.vin === vin);
        const { state, version: runs, failure } = row!.ecus[0]!;
        if (failure !== null) throw new Error(`Cannot install ${version}: ${failure.message}`);
        return state === "confirmed" && runs === version;
      };
      while (!await confirmed()) await pause(100);
      while (meter.marks().at(-1)!.phase !== "idle") await pause(100);
      found.push({ ...installOf(meter.marks().slice(before - 1)), copyMs });
    }
    return [found[0]!, found[1]!];
  } finally {
    await vehicle.stop();
    await Deno.remove(home, { recursive: true });
  }
}

/** What anybody would do: copy, and one sync of the file. */
async function plainCopy(source: string, target: string): Promise<number> {
  const begunMs = performance.now();
  const { success } = await new Deno.Command("sh", {
    args: ["-c", 'cp "$1" "$2" && sync -d "$2"', "sh", source, target],
  }).output();
  const tookMs = performance.now() - begunMs;
  if (!success) throw new Error(`Cannot copy ${source}`);
  await Deno.remove(target);
  return tookMs;
}

/** Reads the marks of one update; the first is the one before it. */
function installOf(marks: readonly DiskMark[]): Omit<Install, "copyMs"> {
  const at = (phase: string) => marks.find((mark) => mark.phase === phase)!;
  const [begun, ready, armed] = [at("preparing"), at("ready"), at("trialAll")];
  const end = marks.at(-1)!;
  const sum = (mark: DiskMark, what: (count: DiskCount) => number) =>
    Object.values(mark.disks).reduce((all, count) => all + what(count), 0);
  const spent = (from: DiskMark, to: DiskMark, what: (count: DiskCount) => number) =>
    sum(to, what) - sum(from, what);
  return {
    fillMs: ready.slotDoneMs - begun.atMs,
    writeMs: spent(begun, ready, ({ writeMs, syncMs }) => writeMs + syncMs),
    verifyMs: ready.atMs - ready.slotDoneMs,
    armMs: armed.atMs - ready.atMs,
    // To the very end of the update, with trial and confirmation.
    portBytes: spent(marks[0]!, end, ({ writtenBytes }) => writtenBytes),
    mediumBytes: end.mediumBytes < 0 ? NaN : end.mediumBytes - marks[0]!.mediumBytes,
    syncs: spent(marks[0]!, end, ({ syncs }) => syncs),
  };
}

function total({ fillMs, verifyMs, armMs }: Install): number {
  return fillMs + verifyMs + armMs;
}

/** The part of an installation that a copy has too, and what makes it safe. */
function storage({ writeMs, verifyMs, armMs }: Install): number {
  return writeMs + verifyMs + armMs;
}

/** The same on a slow medium: what was measured without the disk, and what the disk would take. */
function onCard(one: Install, imageBytes: number): number {
  const writtenMs = (bytes: number) => bytes / CARD.bytesPerSecond * 1000;
  const copyMs = writtenMs(imageBytes) + CARD.syncMs;
  const diskMs = writtenMs(one.portBytes) + one.syncs * CARD.syncMs;
  return (total(one) - one.writeMs + diskMs) / copyMs;
}

function report(
  origin: string,
  imageBytes: number,
  runs: Readonly<Record<"full" | "delta", readonly Install[]>>,
): string {
  const spread = (values: readonly number[], digits: number) =>
    `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${
      Math.max(...values).toFixed(digits)
    })`;
  const row = (name: string, aim: string, value: (one: Install) => number, digits = 0) =>
    `| ${name} | ${aim} | ${spread(runs.full.map(value), digits)} | ${
      spread(runs.delta.map(value), digits)
    } |`;
  return [
    `The image: ${origin}, ${
      imageBytes.toLocaleString("en")
    } bytes; ${ROUNDS} new vehicles, each ` +
    "installs one in full and then a delta, over loopback, each beside a plain copy (`cp` and one " +
    "`sync -d`) of the same file. Median (lowest to highest); ratios are taken within a pair. Others " +
    `had the machine too: ${
      os.loadavg()[0]!.toFixed(0)
    } processes wanted its ${os.cpus().length} cores.`,
    "",
    "| measure | aim | full | delta |",
    "| --- | --- | --- | --- |",
    row("Plain copy, ms", "", ({ copyMs }) => copyMs),
    row("Installation, ms", "", total),
    row("… fetch, unpack, prove leaves, ms", "", ({ fillMs, writeMs }) => fillMs - writeMs),
    row("… write and sync, with journal and checkpoints, ms", "", ({ writeMs }) => writeMs),
    row("… read the slot back and prove it, ms", "", ({ verifyMs }) => verifyMs),
    row("… consent to armed, ms", "", ({ armMs }) => armMs),
    row("Storage path against the copy", "1.5", (one) => storage(one) / one.copyMs, 2),
    row("Installation against the copy", "1.5", (one) => total(one) / one.copyMs, 2),
    row(
      "Bytes written at the port per byte of image",
      "1.1",
      (one) => one.portBytes / imageBytes,
      4,
    ),
    row(
      "Bytes the kernel counted per byte of image",
      "1.1",
      (one) => one.mediumBytes / imageBytes,
      4,
    ),
    row("Syncs", "", ({ syncs }) => syncs),
    row(
      `Computed from these: installation against the copy at ${
        CARD.bytesPerSecond / 1e6
      } MB/s and ` +
        `${CARD.syncMs} ms a sync`,
      "1.5",
      (one) => onCard(one, imageBytes),
      2,
    ),
  ].join("\n");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
