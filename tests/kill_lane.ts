/**
 * One vehicle of the kill test: it takes one update after the other, its process is killed again
 * and again meanwhile and started anew, and each update must end right by itself.
 *
 * @module
 */
import { assertEquals } from "@std/assert/mod.js";
import type { EcuProfile } from "shared/protocol/ecu.ts";
import { type Running, startVehicleProcess } from "../scripts/process.ts";
import { digestOf, type ImageProcess, imageProcesses, runs, serialOf } from "./image_processes.ts";
import { type DiskPhase, VehicleDisks } from "./kill_disk.ts";
import type { KillImage, KillStep } from "./kill_images.ts";
import type { KillTally } from "./kill_tally.ts";
import type { KillWorld } from "./kill_world.ts";
import { TroubleProxy } from "./trouble_proxy.ts";

/** When a process is to be killed: after a time from its start, or when its disk tells a phase. */
export type Aim =
  | { readonly kind: "time"; readonly afterMs: number }
  | { readonly kind: "phase"; readonly phase: DiskPhase; readonly thenMs: number };

/** An update that ends later, without a kill, hangs: its trials take seconds. */
const PATIENCE_MS = 240_000;
/** How often the disk is looked at when a phase is aimed at: the shortest takes some 20 ms. */
const LOOK_MS = 3;
const ASK_MS = 200;
/** The most kills in one update: a release is given up after 18 boots of its trial. */
const MAX_KILLS = 5;
/** Answers arrive in so many pieces or so, with pauses: else no download could be hit. */
const PIECES = { full: { bytes: 49_152, everyMs: 10 }, delta: { bytes: 4_096, everyMs: 10 } };

/** How a lane is made. */
export interface LaneOptions {
  readonly world: KillWorld;
  readonly vin: string;
  readonly profile: readonly EcuProfile[];
  readonly random: () => number;
  /** Options of the runtime. */
  readonly runtime: readonly string[];
}

interface Update {
  readonly campaign: string;
  readonly step: KillStep;
  /** The ECU whose image is bad, if one is. */
  readonly guilty: string | null;
  readonly startedMs: number;
  readonly kills: DiskPhase[];
  /** Requests that were made before it was offered. */
  readonly asked: number;
}

/** One vehicle. */
export class KillLane implements AsyncDisposable {
  readonly vin: string;
  readonly #options: LaneOptions;
  readonly #proxy = new TroubleProxy();
  readonly #folder: string;
  readonly #tally: KillTally;
  #disks: VehicleDisks | undefined;
  #process: Running | undefined;
  #ready: Promise<unknown> = Promise.resolve();
  #listening = false;
  #expectedEnd = false;
  /** The image that all its ECUs run, once the first was installed. */
  #runs: KillImage | undefined;
  #position = 0;
  #version = 0;
  /** How long an update took of late from its offer, or from a start of the process, to its end, ms. */
  #lengthMs = 0;
  #logs: string[] = [];

  constructor(options: LaneOptions) {
    this.#options = options;
    this.vin = options.vin;
    this.#folder = `${options.world.folder}/${options.vin}`;
    this.#tally = options.world.tally;
    this.#proxy.server = options.world.http;
  }

  /** What all its ECUs run. */
  get sha256(): string {
    return this.#runs!.sha256;
  }

  get #data(): string {
    return `${this.#folder}/data`;
  }

  /** Enrols, installs a first image and measures an update that nobody disturbs. */
  async begin(): Promise<void> {
    const { world, vin, profile } = this.#options;
    await Deno.mkdir(this.#folder);
    await Deno.writeTextFile(
      `${this.#folder}/profile.json`,
      JSON.stringify({ v: 1, ecus: profile }),
    );
    const { token } = await world.api.enrol(vin);
    this.#start(token);
    await this.#ready;
    // A campaign covers the vehicles that the server knows to have its hardware.
    const isKnown = async () => {
      const known = (await world.api.hardware()).map(({ hardware }) => hardware);
      const row = (await world.api.vehicles()).find((one) => one.vin === vin);
      return row?.ecus.length === profile.length &&
        profile.every(({ hardware }) => known.includes(hardware));
    };
    while (!await isKnown()) await pause(ASK_MS);
    this.#disks = new VehicleDisks(this.#data, profile);
    await this.update(0);
    await this.update(0);
  }

  /** Takes one update with up to so many kills, and checks its end. */
  async update(kills: number): Promise<void> {
    const update = await this.#offer(kills);
    let lastStart = update.startedMs;
    for (let left = Math.min(kills, MAX_KILLS);; left--) {
      const aim = left > 0 ? this.#aim(update) : undefined;
      const end = await this.#ended(update, aim, lastStart);
      if (end) {
        const lengthMs = performance.now() - lastStart;
        this.#lengthMs = this.#lengthMs === 0 ? lengthMs : (3 * this.#lengthMs + lengthMs) / 4;
        break;
      }
      await this.#kill(update);
      lastStart = performance.now();
      this.#start();
    }
    await this.#ready; // A start that the end of the update overtook.
    await this.#check(update);
    this.#tally.update({
      vin: this.vin,
      way: this.#wayOf(update),
      good: update.guilty === null,
      kills: update.kills,
      ms: performance.now() - update.startedMs,
    });
  }

  /** The next of the round, or now and then a bad one in its place. */
  async #offer(kills: number): Promise<Update> {
    const { world, profile, random } = this.#options;
    const bad = kills > 0 && random() < 0.6 && world.images.bad.has(this.#runs!.sha256);
    const step = bad
      ? world.images.bad.get(this.#runs!.sha256)!
      : world.images.round[this.#position++ % world.images.round.length]!;
    const guilty = bad ? profile[Math.floor(random() * profile.length)]!.serial : null;
    const next = world.images.round[this.#position % world.images.round.length]!.image;
    const version = `1.${++this.#version}.0`;
    this.#proxy.trouble = (path) => {
      if (!path.startsWith("/carriers/")) return undefined;
      // Images that share only their code may have deltas, too: such a one is lost on the line.
      const isDelta = this.#disks?.carrierAt(path)?.baseSha256 !== undefined;
      if (step.way === "full" && isDelta) return { kind: "status", status: 404 };
      return { kind: "drip", ...PIECES[step.way] };
    };
    const drafts: string[] = [];
    for (const { serial, hardware } of profile) {
      // Beside a bad one stands what would be good by itself.
      const image = guilty === null || serial === guilty ? step.image : next;
      drafts.push(await world.draft(hardware, version, image));
    }
    const [startedMs, asked] = [performance.now(), this.#proxy.passed.length];
    const { campaign } = await world.api.offer({ releases: drafts });
    return { campaign, step, guilty, startedMs, kills: [], asked };
  }

  /** Where the next kill is to fall: anywhere, or in the phase that was hit least. */
  #aim(update: Update): Aim {
    const { random } = this.#options;
    // Soon after a kill: in recovery itself.
    if (update.kills.length > 0 && random() < 0.4) {
      return { kind: "time", afterMs: random() * this.#lengthMs / 2 };
    }
    if (random() < 0.5) return { kind: "time", afterMs: random() * this.#lengthMs };
    const last = update.guilty === null ? "confirming" : "rollingBack";
    const way: DiskPhase[] = ["downloading", "verifying", "installing", "trial", last];
    // What is behind it does not come again.
    const behind = way.indexOf(update.kills.at(-1) ?? "downloading");
    const phase = this.#tally.leastOf(way.slice(Math.max(behind, 0)), update.step.way);
    return { kind: "phase", phase, thenMs: random() < 0.5 ? 0 : random() * 20 };
  }

  /** Waits for the end of the update, or for the moment to kill; true if it ended. */
  async #ended(update: Update, aim: Aim | undefined, startMs: number): Promise<boolean> {
    let askedMs = 0;
    let hitMs: number | undefined;
    for (;;) {
      const now = performance.now();
      if (aim?.kind === "time" && now - startMs >= aim.afterMs) return false;
      if (aim?.kind === "phase") {
        if (hitMs === undefined && this.#disks!.phase() === aim.phase) hitMs = now;
        if (hitMs !== undefined && now - hitMs >= aim.thenMs) return false;
      }
      if (now - askedMs >= ASK_MS) {
        askedMs = now;
        // The server is asked only when the vehicle is through: it has other things to do.
        const through = this.#disks!.concluded === update.campaign;
        if (through && await this.#options.world.isOver(update.campaign)) return true;
        this.#stillThere(update);
        if (now - startMs > PATIENCE_MS) throw this.#fault(update, "it does not end");
      }
      await pause(aim === undefined ? ASK_MS : aim.kind === "time" ? 5 * LOOK_MS : LOOK_MS);
    }
  }

  #stillThere(update: Update): void {
    if (this.#expectedEnd) return;
    const { pid } = this.#process!;
    if (!isAlive(pid)) throw this.#fault(update, `process ${pid} ended by itself`);
  }

  /** Kills the process, notes where that hit, and sees that nothing of it stays. */
  async #kill(update: Update): Promise<void> {
    const listening = this.#listening;
    this.#expectedEnd = true;
    await this.#process!.kill();
    // All that it started and nobody ended: they have to find out by themselves.
    const left = imageProcesses(this.#data);
    const phase = this.#disks!.phase();
    if (phase === undefined) throw this.#fault(update, "the journal of a dead process is torn");
    update.kills.push(phase);
    this.#tally.kill(phase, { way: this.#wayOf(update), inRecovery: !listening });
    this.#tally.watch(this.#gone(left));
  }

  /** How the bytes came: by what the vehicle asked for, since a delta may be made too late. */
  #wayOf({ step, asked }: Update): "full" | "delta" {
    const fetched = this.#proxy.passed.slice(asked).flatMap(({ path, trouble }) =>
      trouble === "drip" ? this.#disks!.carrierAt(path) ?? [] : []
    );
    if (fetched.length === 0) return step.way;
    return fetched.every(({ baseSha256 }) => baseSha256 !== undefined) ? "delta" : "full";
  }

  async #gone(left: readonly ImageProcess[]): Promise<void> {
    const untilMs = performance.now() + PATIENCE_MS;
    for (const one of left) {
      while (runs(one, this.#data)) {
        if (performance.now() > untilMs) throw new Error(`${one.pid} outlived its vehicle`);
        await pause(ASK_MS);
      }
    }
  }

  #start(enrol?: string): void {
    const { vin, runtime } = this.#options;
    this.#listening = this.#expectedEnd = false;
    this.#ready = startVehicleProcess({
      data: this.#data,
      server: this.#proxy.url,
      vin,
      profile: `${this.#folder}/profile.json`,
      consent: "auto",
      runtime,
      onSpawn: (running) => this.#process = running,
      onLog: (line) => this.#log(line),
      ...(enrol === undefined ? {} : { enrol }),
    }).then(() => this.#listening = true);
    this.#ready.catch(() => {}); // Killed before it listened; else #stillThere() tells.
  }

  #log(line: string): void {
    this.#logs.push(line);
    if (this.#logs.length > 60) this.#logs.shift();
  }

  /** Server, disk and the processes that run agree on what had to come of it. */
  async #check(update: Update): Promise<void> {
    const { world, profile } = this.#options;
    const { step, guilty } = update;
    if (guilty === null) this.#runs = step.image;
    const wanted = this.#runs!.sha256;
    const row = (await world.api.vehicles()).find(({ vin }) => vin === this.vin);
    for (const { serial } of profile) {
      const told = row?.ecus.find((one) => one.serial === serial);
      const failure = guilty === null
        ? null
        : serial === guilty
        ? step.image.failure
        : "partnerFailed";
      assertEquals(
        [serial, told?.state, told?.failure?.name ?? null, told?.sha256],
        [serial, guilty === null ? "confirmed" : "rolledBack", failure, wanted],
        this.#fault(update, "the server tells something else").message,
      );
      const { sha256, counter, settled } = this.#disks!.booted(serial);
      assertEquals(
        [serial, sha256, counter, settled],
        [serial, wanted, told!.counter, true],
        this.#fault(update, "the disk holds something else").message,
      );
    }
    await this.#checkRunning(update, wanted);
  }

  async #checkRunning(update: Update, wanted: string): Promise<void> {
    const serials = this.#options.profile.map(({ serial }) => serial).sort();
    const untilMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const found = imageProcesses(this.#data);
      const settled = JSON.stringify(found.map(serialOf).sort()) === JSON.stringify(serials) &&
        found.every((one) => digestOf(one) === wanted);
      if (settled) return;
      const shown = found.map((one) => `${serialOf(one)} ${digestOf(one)}`).join(", ");
      if (performance.now() > untilMs) {
        throw this.#fault(update, `not ${wanted} runs, but ${shown}`);
      }
      await pause(ASK_MS);
    }
  }

  #fault(update: Update, why: string): Error {
    const { campaign, step, guilty, kills } = update;
    const what = `${step.way}${guilty === null ? "" : `, bad ${guilty}`}`;
    const journal = JSON.stringify(this.#disks?.journal()?.state);
    return new Error(
      `${this.vin}, ${campaign} (${what}), killed in [${kills}]: ${why}\n` +
        `${this.#tally.replay}\n${journal}\n${this.#logs.join("\n")}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#expectedEnd = true;
    await this.#process?.stop();
    await this.#ready.catch(() => {});
    await this.#proxy[Symbol.asyncDispose]();
    this.#disks?.[Symbol.dispose]();
    await this.#gone(imageProcesses(this.#data)); // Of one that was stopped, too.
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function isAlive(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT"); // Changes nothing in a process that runs.
    return true;
  } catch {
    return false;
  }
}
