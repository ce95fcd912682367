/**
 * What the head unit shows, from what the gateway knows. Pure.
 *
 * @module
 */
import type { DirectorTargets } from "shared/protocol/director.ts";
import type { HmiOffer, HmiPhase, HmiSnapshot, Signals } from "shared/protocol/hmi.ts";
import type { ImageMessage } from "shared/protocol/ecu.ts";
import type { EcuReport, RotReport } from "shared/protocol/messages.ts";
import type { EcuInventory } from "vehicle/bus/ecu_port.ts";
import { undrivable } from "./drivable.ts";
import type { JournalState } from "./journal.ts";
import type { PlanStep } from "./plan.ts";
import { judge } from "./signals.ts";
import type { Phase } from "./update_table.ts";

/** What the gateway knows. */
export interface GatewayView {
  readonly vin: string;
  readonly at: string;
  readonly journal: JournalState;
  readonly targets: DirectorTargets | null;
  /** The steps under way, with the way each ECU takes. */
  readonly steps: readonly PlanStep[];
  readonly inventories: readonly EcuInventory[];
  /** ECUs that do not answer. */
  readonly absent: ReadonlySet<string>;
  readonly reports: readonly EcuReport[];
  readonly signals: Signals;
  readonly displays: Readonly<Record<string, ImageMessage>>;
  readonly bytesPerSecond: number;
  readonly serverReachable: boolean;
  readonly brokerConnected: boolean;
  readonly checkedAt: string | null;
  /** Rot has left the vehicle with half a bundle. */
  readonly mixed?: boolean;
  /** What was found rotten. */
  readonly rot?: readonly RotReport[];
}

/**
 * Draws the snapshot.
 *
 * @param view What the gateway knows.
 * @returns Everything the screens need.
 */
export function hmiSnapshot(view: GatewayView): HmiSnapshot {
  const { journal, reports, rot = [] } = view;
  const { phase: gatewayPhase } = journal;
  const busy = gatewayPhase !== "idle" && gatewayPhase !== "reporting";
  const moving = reports.filter((ecu) => ecu.progress !== null);
  return {
    v: 1,
    vin: view.vin,
    at: view.at,
    phase: screen(view),
    serverReachable: view.serverReachable,
    brokerConnected: view.brokerConnected,
    checkedAt: view.checkedAt,
    offer: busy ? offer(view) : null,
    progress: gatewayPhase !== "preparing" ? null : {
      doneBytes: moving.reduce((sum, ecu) => sum + ecu.progress!.doneBytes, 0),
      totalBytes: totalBytes(view),
      bytesPerSecond: view.bytesPerSecond,
    },
    checks: judge(view.targets?.preconditions ?? [], view.signals),
    trial: gatewayPhase === "trialAll" ? trial(view) : null,
    result: journal.result,
    driveLock: undrivable({ ...view, phase: gatewayPhase }) !== undefined || view.mixed === true,
    ecus: [...reports],
    ...(rot.length === 0 ? {} : { rot: [...rot] }),
    displays: { ...view.displays },
    signals: view.signals,
  };
}

const SCREENS: Readonly<Partial<Record<Phase, HmiPhase>>> = {
  preparing: "preparing",
  ready: "ready",
  postponed: "postponed",
  waiting: "waiting",
  installing: "installing",
  confirmAll: "confirming",
  rollBackAll: "rollingBack",
};

function screen({ journal, reports, inventories }: GatewayView): HmiPhase {
  if (journal.phase === "trialAll") {
    return reports.some((ecu) => ecu.state === "activating") ? "restarting" : "trial";
  }
  const fixed = SCREENS[journal.phase];
  if (fixed !== undefined) return fixed;
  if (journal.result !== null) {
    return journal.result.outcome === "confirmed" ? "succeeded" : journal.result.outcome;
  }
  // An ECU that never had an image waits for its first one; one that lost it needs help.
  const lost = inventories.some(({ running, record }) =>
    running === null && (record.A.image !== null || record.B.image !== null)
  );
  return lost ? "recovery" : "upToDate";
}

function offer({ journal, targets, steps, inventories }: GatewayView): HmiOffer | null {
  if (targets === null || targets.campaign === null) return null;
  const releases = Object.entries(targets.ecus).filter(([serial]) =>
    journal.members.includes(serial)
  )
    .map(([serial, { release, hardware }]) => ({
      serial,
      hardware,
      from: journal.ecus[serial]?.from ?? null,
      to: release.version,
      notes: release.notes,
      transferBytes: steps.find((step) => step.serial === serial)?.ways[0]?.transferBytes ??
        release.lengthBytes,
      imageBytes: release.lengthBytes,
    }));
  if (releases.length === 0) return null;
  const trialMs = inventories.filter(({ serial }) => journal.members.includes(serial))
    .map((inventory) => inventory.trialMs);
  return {
    campaign: targets.campaign,
    releases,
    minutes: Math.max(...releases.map((release) => release.notes.minutes)),
    // Trials overlap, since the next ECU restarts as soon as the one before passed its self-test.
    restartSeconds: Math.ceil(Math.max(0, ...trialMs) / 1000) + 2 * releases.length,
  };
}

function totalBytes({ steps, reports }: GatewayView): number {
  return steps.reduce((sum, step) => {
    const known = reports.find((ecu) => ecu.serial === step.serial)?.progress?.totalBytes;
    return sum + (known ?? step.ways[0]?.transferBytes ?? 0);
  }, 0);
}

function trial({ inventories, journal }: GatewayView): HmiSnapshot["trial"] {
  const trying = inventories.filter(({ running, serial }) =>
    running?.trial === true && journal.members.includes(serial)
  );
  return {
    serials: trying.map(({ serial }) => serial),
    secondsLeft: Math.ceil(
      Math.max(0, ...trying.map(({ running }) => running!.trialLeftMs)) / 1000,
    ),
    triesRemaining: Math.min(3, ...trying.map(({ running }) => running!.triesRemaining)),
  };
}
