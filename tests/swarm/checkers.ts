/**
 * What must hold at every moment of every world. Truth is what the runners run and what the disks
 * keep; what the vehicle says of itself is held against it.
 *
 * @module
 */
import { type FailureName, FAILURES, UpdateFailure } from "shared/failure.ts";
import { sha256Hex } from "shared/node/digest.ts";
import type { DirectorTargets } from "shared/protocol/director.ts";
import { HmiSnapshot } from "shared/protocol/hmi.ts";
import { COMMITTED } from "vehicle/gateway/update_table.ts";
import type { BootRecord } from "vehicle/bootloader/boot_record.ts";
import type { SimClock } from "../sim/sim_clock.ts";
import type { Plan } from "./plan.ts";
import type { SwarmCampaign, SwarmRelease } from "./publisher.ts";
import type { RunsNow } from "./running.ts";
import type { SwarmVehicle } from "./swarm_vehicle.ts";
import type { Troubles } from "./troubles.ts";

/** What must hold, by name. */
export const LAWS = [
  "noBug",
  "neverUnbootable",
  "neverUnverified",
  "neverMixed",
  "driveLock",
  "validScreen",
  "knownFailures",
  "boundedTime",
  "boundedWrites",
  "reportsAreTrue",
  "reasonsAreTrue",
] as const;
/** What must hold, by name. */
export type Law = typeof LAWS[number];

/** A law that did not hold. */
export interface Violation {
  readonly law: Law;
  readonly what: string;
}

/** What the checkers look at. */
export interface CheckerParts {
  readonly plan: Plan;
  readonly world: SimClock;
  readonly vehicle: () => SwarmVehicle;
  readonly troubles: () => Troubles | undefined;
  readonly releases: ReadonlyMap<string, SwarmRelease>;
  readonly campaigns: ReadonlyMap<string, SwarmCampaign>;
}

/** Longest pause between two starts of an image that is not there, and what a boot takes, in ms. */
const NOTHING_RUNS_MS = 150_000;

/** The checkers of one world. */
export class Checkers {
  readonly #parts: CheckerParts;
  readonly violations: Violation[] = [];
  /** Digests of images that this vehicle was offered, by serial. */
  readonly #offered = new Map<string, Set<string>>();
  /** Since when nothing runs, by serial; the time of the world, in ms. */
  readonly #idleSinceMs = new Map<string, number>();
  /** ECUs that once kept an image: from then on one must be able to boot. */
  readonly #kept = new Set<string>();
  #locked = true;
  /** Starts of images. */
  starts = 0;

  constructor(parts: CheckerParts) {
    this.#parts = parts;
  }

  /** The newest screen forbids to drive: in between is allowed. */
  get locked(): boolean {
    return this.#locked;
  }

  /** A law did not hold. */
  violate(law: Law, what: string): void {
    this.violations.push({ law, what });
  }

  /** Targets really arrived at the vehicle. */
  offered(text: string): void {
    const { ecus } = JSON.parse(text) as DirectorTargets;
    for (const [serial, { release }] of Object.entries(ecus)) {
      const digests = this.#offered.get(serial) ?? new Set();
      this.#offered.set(serial, digests.add(release.sha256));
    }
  }

  /** An image is about to run: its bytes must be those of a release that was offered here. */
  start({ serial, sha256, version }: RunsNow, bytes: Uint8Array): void {
    this.starts++;
    const { plan, releases } = this.#parts;
    const { hardware } = plan.ecus.find((ecu) => ecu.serial === serial)!;
    const found = sha256Hex(bytes);
    const release = releases.get(found);
    const wrong = found !== sha256
      ? "its bytes are not those that were proved"
      : release === undefined || release.hardware !== hardware
      ? "nobody published it for this hardware"
      : `${release.counter}.0.0` !== version
      ? `it was published as ${release.counter}.0.0`
      : !this.#offered.get(serial)?.has(found)
      ? "it was never offered to this vehicle"
      : undefined;
    if (wrong !== undefined) {
      this.violate("neverUnverified", `${serial} starts ${version}: ${wrong}`);
    }
  }

  /** Asked after every event. Answers the screen, if it is new. */
  look(): HmiSnapshot | undefined {
    const vehicle = this.#parts.vehicle();
    if (vehicle.bug !== undefined) {
      const bug = vehicle.bug as Error;
      this.violate("noBug", bug.stack ?? String(bug));
      vehicle.bug = undefined;
    }
    if (!vehicle.on) {
      this.#locked = true; // What the screen said before the cut counts no more.
      return undefined;
    }
    this.#runsSomething(vehicle);
    const screen = vehicle.touched ? this.#screen(vehicle) : undefined;
    vehicle.touched = false;
    if (vehicle.stored) this.#mixed(vehicle); // It changes by what is stored alone.
    vehicle.stored = false;
    return screen;
  }

  /** Looked at while the power is off: what the disks keep must be able to boot. */
  medium(): void {
    const vehicle = this.#parts.vehicle();
    for (const { serial } of this.#parts.plan.ecus) {
      const record = vehicle.record(serial);
      if (record.A.successful || record.B.successful) this.#kept.add(serial);
      if (!this.#kept.has(serial) || this.#boots(vehicle, serial, record)) continue;
      this.violate("neverUnbootable", `${serial}: no slot can boot: ${JSON.stringify(record)}`);
    }
  }

  /** A failure as it is told anywhere. */
  failure(where: string, failure: { readonly name: string; readonly code: number } | null): void {
    if (failure === null) return;
    const kind = FAILURES[failure.name as FailureName] as { readonly code: number } | undefined;
    if (kind?.code === failure.code) return;
    this.violate("knownFailures", `${where}: ${failure.name} ${failure.code}`);
  }

  #boots(vehicle: SwarmVehicle, serial: string, record: BootRecord): boolean {
    return (["A", "B"] as const).some((slot) => {
      const { image, unbootable, successful, triesRemaining } = record[slot];
      if (image === null || unbootable || !(successful || triesRemaining > 0)) return false;
      const disk = vehicle.disks.get(`${serial}.${slot}`)!;
      const bytes = disk.read(0, Math.ceil(image.lengthBytes / 512)).subarray(0, image.lengthBytes);
      return sha256Hex(bytes) === image.sha256;
    });
  }

  #runsSomething(vehicle: SwarmVehicle): void {
    const nowMs = this.#parts.world.elapsedMs;
    for (const { serial } of this.#parts.plan.ecus) {
      if (vehicle.runs.has(serial)) {
        this.#idleSinceMs.delete(serial);
        continue;
      }
      const sinceMs = Math.max(
        this.#idleSinceMs.get(serial) ?? nowMs,
        vehicle.onSinceMs,
        this.#failedAtMs(serial),
      );
      this.#idleSinceMs.set(serial, sinceMs);
      if (nowMs - sinceMs < NOTHING_RUNS_MS || !this.#kept.has(serial)) continue;
      this.#idleSinceMs.set(serial, nowMs);
      this.violate("neverUnbootable", `${serial}: nothing runs for ${nowMs - sinceMs} ms`);
    }
  }

  /** When storage last failed an ECU. */
  #failedAtMs(serial: string): number {
    const failed = this.#parts.troubles()?.failedAtMs;
    return Math.max(...["boot", "A", "B"].map((disk) => failed?.get(`${serial}.${disk}`) ?? 0));
  }

  #screen(vehicle: SwarmVehicle): HmiSnapshot | undefined {
    let drawn: HmiSnapshot | undefined;
    try {
      drawn = vehicle.screen();
    } catch (error) {
      // The page's stream breaks, and it asks again.
      if (!(error instanceof UpdateFailure)) throw error;
      return undefined;
    }
    if (drawn === undefined) return undefined;
    const read = HmiSnapshot.safeParse(drawn);
    if (!read.success) {
      this.violate("validScreen", read.error.message);
      return undefined;
    }
    for (const ecu of drawn.ecus) this.failure(`screen, ${ecu.serial}`, ecu.failure);
    this.failure("screen, result", drawn.result?.failure ?? null);
    this.#locked = drawn.driveLock;
    if (drawn.driveLock) return drawn;
    this.#halves(vehicle);
    for (const { serial, slot, version } of vehicle.runs.values()) {
      if (this.#record(vehicle, serial)?.[slot].successful !== false) continue;
      this.violate("driveLock", `${serial} tries ${version}, and the vehicle may be driven`);
    }
    return drawn;
  }

  /** What runs now, confirmed or not, is no half of a bundle on a vehicle that may be driven. */
  #halves(vehicle: SwarmVehicle): void {
    const { campaigns, plan } = this.#parts;
    if (plan.ecus.some(({ serial }) => !vehicle.runs.has(serial))) return; // One is just starting.
    const counterOf = (serial: string) => Number(vehicle.runs.get(serial)!.version.split(".")[0]);
    for (const { campaign, releases } of campaigns.values()) {
      const news = releases.filter(({ serial, counter }) => counterOf(serial) === counter);
      const olds = releases.filter(({ serial, counter }) => counterOf(serial) < counter);
      if (news.length === 0 || olds.length === 0) continue;
      const runs = JSON.stringify(
        [...vehicle.runs.values()].map((one) => [one.serial, one.version]),
      );
      this.violate(
        "driveLock",
        `a part of ${campaign} runs, and the vehicle may be driven: ${runs}`,
      );
    }
  }

  #record(vehicle: SwarmVehicle, serial: string): BootRecord | undefined {
    const record = vehicle.record(serial);
    if (record.A.successful || record.B.successful) this.#kept.add(serial);
    return record;
  }

  /** Outside of the committed phases, each bundle runs on all of its ECUs or on none. */
  #mixed(vehicle: SwarmVehicle): void {
    if (this.#locked || COMMITTED.includes(vehicle.journal().phase)) return;
    const confirmed = new Map(this.#parts.plan.ecus.map(({ serial }) => {
      const { A, B } = vehicle.record(serial);
      const kept = [A, B].filter(({ successful, unbootable }) => successful && !unbootable)
        .toSorted((a, b) => b.priority - a.priority)[0];
      return [serial as string, kept?.image?.counter ?? 0];
    }));
    for (const { campaign, releases } of this.#parts.campaigns.values()) {
      const news = releases.filter(({ serial, counter }) => confirmed.get(serial) === counter);
      const olds = releases.filter(({ serial, counter }) => confirmed.get(serial)! < counter);
      if (news.length > 0 && olds.length > 0) {
        const all = JSON.stringify(Object.fromEntries(confirmed));
        this.violate("neverMixed", `${campaign} is kept on a part of the vehicle: ${all}`);
      }
      for (const { release, needs } of news) {
        for (const need of needs) {
          const needed = [...this.#parts.releases.values()].find((one) => one.release === need)!;
          if (confirmed.get(needed.serial)! >= needed.counter) continue;
          this.violate("neverMixed", `${release} is kept without ${need}`);
        }
      }
    }
  }
}
