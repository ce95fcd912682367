/**
 * What `ota watch` has seen: which lines are new, and whether the end is reached. Pure.
 *
 * @module
 */
import type { Campaign, Vehicle } from "shared/protocol/api.ts";
import { type EcuState, type FailureReport, isFinal } from "shared/protocol/common.ts";
import { EXIT, type ExitCode } from "./exit.ts";

/** One line of `ota watch --json`: an ECU came to another state. */
export interface WatchLine {
  /** When the vehicle said so. */
  readonly at: string;
  readonly vin: string;
  readonly serial: string;
  readonly state: EcuState;
  /** The version that runs. */
  readonly version: string | null;
  readonly progress?: NonNullable<Vehicle["ecus"][number]["progress"]>;
  readonly failure?: FailureReport;
  /** It is not told to go yet: a delta for it is being made, so long at most. */
  readonly heldUntil?: string;
}

/** How the watch ended. */
export interface Verdict {
  readonly exit: ExitCode;
  /** The vehicle that decided it, if it was one. */
  readonly vin?: string;
  readonly state?: EcuState;
  readonly failure?: FailureReport;
}

/** What is watched. */
export interface WatchOptions {
  readonly campaign: string;
  /** Only this vehicle. */
  readonly vin?: string;
  readonly until: "confirmed" | "rolledBack";
}

/** Folds updates of one campaign and its vehicles. */
export class WatchLedger {
  readonly #options: WatchOptions;
  readonly #vehicles = new Map<string, Vehicle>();
  readonly #states = new Map<string, string>();
  /** Vehicles that were seen at work on the campaign. */
  readonly #joined = new Set<string>();
  /** ECUs, `VIN/SERIAL`, that were seen to have heard of it. */
  readonly #about = new Set<string>();
  #campaign: Campaign | undefined;

  /** @param options What is watched. */
  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** The campaign as last seen. */
  get campaign(): Campaign | undefined {
    return this.#campaign;
  }

  /**
   * Takes what changed.
   *
   * @param update Whole entities; those of other campaigns and vehicles are passed over.
   * @returns What is new, in the order of the update.
   */
  take(update: {
    readonly campaigns: readonly Campaign[];
    readonly vehicles: readonly Vehicle[];
  }): WatchLine[] {
    for (const campaign of update.campaigns) {
      if (campaign.campaign === this.#options.campaign) this.#campaign = campaign;
    }
    for (const vehicle of update.vehicles) {
      const { vin } = this.#options;
      if (vin === undefined || vehicle.vin === vin) this.#vehicles.set(vehicle.vin, vehicle);
    }
    return [...this.#vehicles.values()].flatMap((vehicle) => this.#news(vehicle));
  }

  #news(vehicle: Vehicle): WatchLine[] {
    const { campaign: id } = this.#options;
    if (vehicle.campaign === id) this.#joined.add(vehicle.vin);
    const mine = vehicle.campaign === id || vehicle.campaign === null &&
        (this.#joined.has(vehicle.vin) || this.#row(vehicle.vin) !== undefined);
    if (!mine) return []; // Its states are those of another assignment.
    const lines: WatchLine[] = [];
    for (const ecu of this.#ecusOf(vehicle)) {
      const key = `${vehicle.vin}/${ecu.serial}`;
      const about = this.#isAbout(key, ecu);
      const row = this.#row(vehicle.vin);
      const state = about ? ecu.state : row?.state ?? "assigned";
      const failure = about ? ecu.failure : row?.failure ?? null; // Why it must wait, perhaps.
      const heldUntil = about ? undefined : row?.heldUntil;
      const seen = heldUntil === undefined ? state : `${state} held`;
      const before = this.#states.get(key);
      // That it is held no longer is said by what follows.
      if (before === seen || before === `${seen} held`) continue;
      this.#states.set(key, seen);
      lines.push({
        at: vehicle.lastSeenAt ?? this.#campaign!.createdAt,
        vin: vehicle.vin,
        serial: ecu.serial,
        state,
        version: ecu.version,
        ...(about && ecu.progress !== null ? { progress: ecu.progress } : {}),
        ...(failure !== null ? { failure } : {}),
        ...(heldUntil === undefined ? {} : { heldUntil }),
      });
    }
    return lines;
  }

  /** Until an ECU heard of the campaign, its state is that of an earlier assignment. */
  #isAbout(key: string, { hardware, desired, version }: Vehicle["ecus"][number]): boolean {
    const releases = this.#campaign?.releases ?? [];
    const about = this.#about.has(key) ||
      [desired?.version, version].some((each) =>
        each !== undefined && each !== null && releases.includes(`${hardware}/${each}`)
      );
    if (about) this.#about.add(key);
    return about;
  }

  #row(vin: string): Campaign["vehicles"][number] | undefined {
    return this.#campaign?.vehicles.find((row) => row.vin === vin);
  }

  #ecusOf(vehicle: Vehicle): Vehicle["ecus"] {
    const releases = this.#campaign?.releases ?? [];
    return vehicle.ecus.filter((ecu) => releases.some((id) => id.startsWith(`${ecu.hardware}/`)));
  }

  /**
   * Bytes that are on their way to the watched ECUs.
   *
   * @returns Done and all, or `undefined` if nothing is being fetched.
   */
  transfer(): { readonly doneBytes: number; readonly totalBytes: number } | undefined {
    let [doneBytes, totalBytes] = [0, 0];
    for (const vehicle of this.#vehicles.values()) {
      if (vehicle.campaign !== this.#options.campaign) continue;
      for (const { progress } of this.#ecusOf(vehicle)) {
        doneBytes += progress?.doneBytes ?? 0;
        totalBytes += progress?.totalBytes ?? 0;
      }
    }
    return totalBytes === 0 ? undefined : { doneBytes, totalBytes };
  }

  /**
   * Where the watched vehicles stand, in words.
   *
   * @returns Like `VIN downloading, VIN confirmed`.
   */
  standing(): string {
    const rows = this.#watched();
    if (rows.length === 0) return "no vehicle has joined the campaign";
    return rows.map(({ vin, state, heldUntil }) =>
      `${vin} ${state}${heldUntil === undefined ? "" : " (held for a delta)"}`
    ).join(", ");
  }

  #watched(): Campaign["vehicles"] {
    const { vin } = this.#options;
    return (this.#campaign?.vehicles ?? []).filter((row) => vin === undefined || row.vin === vin);
  }

  /**
   * Whether the watch is over: every watched vehicle reached the wanted state, or one can
   * no longer reach it.
   *
   * @returns How it ended, or `undefined` while it goes on.
   */
  verdict(): Verdict | undefined {
    const { until } = this.#options;
    const rows = this.#watched();
    if (rows.length === 0) {
      return this.#campaign?.state === "withdrawn" ? { exit: EXIT.failed } : undefined;
    }
    const missed = rows.filter(({ state }) => isFinal(state) && state !== until);
    const worst = missed.find(({ state }) => state === "rolledBack") ?? missed[0];
    if (worst !== undefined) {
      const { vin, state, failure } = worst;
      return {
        exit: state === "rolledBack" ? EXIT.rolledBack : EXIT.failed,
        vin,
        state,
        ...(failure === null ? {} : { failure }),
      };
    }
    return rows.every(({ state }) => state === until) ? { exit: EXIT.done } : undefined;
  }
}
