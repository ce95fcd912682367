/**
 * What happens in one world, drawn from its seed before it begins: first WHICH faults exist there
 * at all (a world in which everything happens at once hides what two faults alone would show),
 * then the vehicle, the campaigns, and when each fault comes.
 *
 * @module
 */
import type { FailureName } from "shared/failure.ts";
import type { Phase } from "vehicle/gateway/update_table.ts";
import type { Behaviour } from "../sim/sim_runner.ts";
import { Dice } from "./dice.ts";

/** Every kind of fault that a world can have. */
export const FAULTS = [
  ...["mqttBreak", "mqttDuplicate", "mqttReorder", "mqttStale", "mqttLoss"] as const,
  ...["httpLoss", "httpSlow", "httpDuplicate", "httpFlip", "httpShort", "httpLong"] as const,
  ...["httpStall", "serverStop", "serverCrash", "serverFull", "badDelta"] as const,
  ...["clockStep", "clockReset", "powerCut", "cutAgain", "processCrash"] as const,
  ...["diskError", "diskFull", "diskSlow", "wornSectors"] as const,
  ...["imageFaulty", "imageTurnsBad", "noRoom"] as const,
  ...["postpones", "declines", "cancels", "doubleTaps", "absent", "preconditions"] as const,
  ...["replaced", "withdrawn", "halted", "needs"] as const,
  ...["busLoss", "busSlow", "busDouble", "busReset"] as const,
] as const;
/** One kind of fault. */
export type Fault = typeof FAULTS[number];

/** Kinds that came later: drawn from a stream of their own, so that a seed stays the world it was. */
const LATER_FAULTS: ReadonlySet<Fault> = new Set(["busLoss", "busSlow", "busDouble", "busReset"]);

/** One ECU of the vehicle. */
export interface EcuPlan {
  readonly serial: "body" | "cluster" | "ivi";
  readonly hardware: string;
  readonly restartRank: number;
  /** It has no image before its first campaign. */
  readonly empty: boolean;
  readonly trialSeconds: number;
}

/** One campaign of the publisher. */
export interface CampaignPlan {
  readonly atMs: number;
  readonly serials: readonly EcuPlan["serial"][];
  /** What images do instead of nothing but good. */
  readonly does: Readonly<Partial<Record<EcuPlan["serial"], Behaviour>>>;
  /** The second release needs the first. */
  readonly needs: boolean;
  /** Offered one after the other instead of as a bundle. */
  readonly apart: boolean;
  readonly then?: { readonly verb: "withdraw" | "halt"; readonly afterMs: number };
}

/** The power goes: at a time, or so many disk operations after a phase was written down. */
export interface CutPlan {
  readonly atMs: number;
  readonly phase?: Phase;
  readonly operations: number;
  readonly offMs: number;
  /** Again so many operations after it came back. */
  readonly again?: number;
  /** Caches stay: the process alone ended. */
  readonly processOnly: boolean;
}

/** A disk misbehaves for a while. */
export interface DiskPlan {
  readonly atMs: number;
  readonly lastsMs: number;
  readonly disk: string;
  readonly action: "read" | "write" | "sync";
  readonly failure: FailureName;
}

/** Something happens at a time, and may last. */
export interface TimedPlan {
  readonly atMs: number;
  readonly lastsMs: number;
}

/** One world. */
export interface Plan {
  readonly seed: number;
  readonly faults: ReadonlySet<Fault>;
  readonly ecus: readonly EcuPlan[];
  readonly slotBytes: number;
  readonly imageBytes: number;
  readonly consent: "ask" | "auto";
  readonly broker: "embedded" | "outside";
  readonly campaigns: readonly CampaignPlan[];
  readonly cuts: readonly CutPlan[];
  readonly disks: readonly DiskPlan[];
  readonly breaks: readonly TimedPlan[];
  readonly serverEnds: readonly (TimedPlan & { readonly crash: boolean })[];
  readonly serverFull: readonly TimedPlan[];
  readonly steps: readonly { readonly atMs: number; readonly stepMs: number }[];
  readonly habits: readonly (TimedPlan & { readonly serial: string; readonly does: Behaviour })[];
  readonly signals: readonly TimedPlan[];
  readonly syncMs: number;
  /** From then on nothing goes wrong any more. */
  readonly quietAtMs: number;
}

const KIB = 1024;
/** Half of the faults would make every world the same; a third leaves most pairs together or apart. */
const SHARE = 0.3;
const SHARES: Readonly<Partial<Record<Fault, number>>> = { powerCut: 0.6, cutAgain: 0.5 };
const EVERY: readonly [EcuPlan["serial"], string, number][] = [
  ["body", "body-sim", 1],
  ["cluster", "cluster-sim", 2],
  ["ivi", "ivi-rpi4", 3],
];
const FAULTY: readonly Behaviour[] = [
  ...["crash@150", "crash@2500", "crash@9000", "hang@900", "hang@6000", "memory@700"] as const,
  ...["selfTestFails@300", "selfTestMissing", "silent", "exit@1200", "syntax@20"] as const,
  ...["import@20", "crash@10500", "crash@12000"] as const,
];
/** Where cuts hurt most. */
const PHASES: readonly Phase[] = [
  ...["preparing", "preparing", "installing", "trialAll", "trialAll"] as const,
  ...["confirmAll", "confirmAll", "rollBackAll", "reporting", "ready"] as const,
];

/**
 * Draws a world.
 *
 * @param seed Its seed.
 * @returns All that will happen.
 */
export function drawPlan(seed: number): Plan {
  const dice = new Dice(seed, "plan");
  const laterDice = new Dice(seed, "later faults");
  const exists = (fault: Fault) =>
    (LATER_FAULTS.has(fault) ? laterDice : dice).chance(SHARES[fault] ?? SHARE);
  const faults = new Set(FAULTS.filter(exists));
  const count = dice.between(1, 3);
  const names = dice.chance(0.5) ? EVERY.slice(0, count) : EVERY.slice(-count);
  const ecus = names.map(([serial, hardware, restartRank]): EcuPlan => ({
    ...{ serial, hardware, restartRank },
    empty: dice.chance(0.08),
    trialSeconds: dice.pick([2, 5, 10, 10]),
  }));
  const imageBytes = dice.chance(0.04)
    ? dice.between(1030, 2300) * KIB // Several segments, as the product has them.
    : dice.pick([3, 12, 40, 150]) * KIB + dice.between(0, 700);
  const campaigns = drawCampaigns(dice, faults, ecus);
  const lastMs = campaigns.at(-1)!.atMs;
  const quietAtMs = lastMs + dice.between(40, 150) * 1000;
  // Most while an update is under way.
  const when = () =>
    dice.chance(0.3)
      ? dice.between(1000, quietAtMs)
      : Math.min(dice.pick(campaigns).atMs + dice.between(0, 40_000), quietAtMs - 1);
  const timed = (fault: Fault, most: number, longestMs: number) =>
    dice.times(
      faults.has(fault) ? dice.between(1, most) : 0,
      () => ({ atMs: when(), lastsMs: dice.between(100, longestMs) }),
    );
  return {
    ...{ seed, faults, ecus, imageBytes, campaigns, quietAtMs },
    slotBytes: Math.ceil(imageBytes * 1.5 / (4 * KIB)) * 4 * KIB,
    consent: dice.chance(0.3) ? "auto" : "ask",
    broker: dice.chance(0.6) ? "embedded" : "outside",
    cuts: drawCuts(dice, faults, when),
    disks: drawDisks(dice, faults, { ecus, when }),
    breaks: timed("mqttBreak", 4, 90_000),
    serverEnds: [
      ...timed("serverStop", 3, 60_000).map((end) => ({ ...end, crash: false })),
      ...timed("serverCrash", 3, 60_000).map((end) => ({ ...end, crash: true })),
    ],
    serverFull: timed("serverFull", 2, 60_000),
    steps: timed("clockStep", 3, 1).map(({ atMs }) => ({
      atMs,
      stepMs: dice.pick([-1, 1]) * dice.pick([1, 60, 3600, 86_400, 31_536_000]) * 1000,
    })),
    habits: [
      ...timed("imageTurnsBad", 1, 40_000).map((habit) => ({
        ...habit,
        serial: dice.pick(ecus).serial,
        does: dice.pick(["crash@1500", "hang@3000", "memory@800"] as const),
      })),
      ...timed("noRoom", 2, 30_000).map((habit) => ({
        ...habit,
        serial: dice.pick(ecus).serial,
        does: "noRoom" as const,
      })),
    ],
    signals: timed("preconditions", 4, 90_000),
    syncMs: faults.has("diskSlow") ? dice.pick([20, 200, 900]) : 0,
  };
}

function drawCampaigns(
  dice: Dice,
  faults: ReadonlySet<Fault>,
  ecus: readonly EcuPlan[],
): CampaignPlan[] {
  const count = faults.has("replaced") ? dice.between(2, 3) : dice.between(1, 2);
  let atMs = 0;
  return dice.times(count, (index) => {
    // One that is to be replaced has not ended when the next one comes.
    const gapMs = faults.has("replaced") ? dice.between(2, 40) : dice.between(30, 120);
    atMs += (index === 0 ? dice.between(1, 5) : gapMs) * 1000;
    const all = ecus.map(({ serial }) => serial);
    const some = all.filter(() => dice.chance(0.7));
    const serials = dice.chance(0.6) || some.length === 0 ? all : some;
    const faulty = faults.has("imageFaulty") && dice.chance(0.6);
    const verb = faults.has("withdrawn") && dice.chance(0.5)
      ? "withdraw"
      : faults.has("halted") && dice.chance(0.5)
      ? "halt"
      : undefined;
    return {
      ...{ atMs, serials },
      does: faulty ? { [dice.pick(serials)]: dice.pick(FAULTY) } : {},
      needs: faults.has("needs") && serials.length > 1,
      apart: faults.has("needs") && dice.chance(0.4),
      ...(verb === undefined ? {} : { then: { verb, afterMs: dice.between(100, 30_000) } }),
    };
  });
}

function drawCuts(dice: Dice, faults: ReadonlySet<Fault>, when: () => number): CutPlan[] {
  const cut = (processOnly: boolean): CutPlan => ({
    atMs: when(),
    ...(dice.chance(0.75) ? { phase: dice.pick(PHASES) } : {}),
    operations: dice.pick([dice.between(0, 6), dice.between(0, 30)]),
    offMs: dice.pick([50, 2000, 2000, 30_000, 120_000]),
    ...(faults.has("cutAgain") && dice.chance(0.7) ? { again: dice.between(0, 24) } : {}),
    processOnly,
  });
  return [
    ...dice.times(faults.has("powerCut") ? dice.between(1, 7) : 0, () => cut(false)),
    ...dice.times(faults.has("processCrash") ? dice.between(1, 3) : 0, () => cut(true)),
  ].toSorted((a, b) => a.atMs - b.atMs);
}

function drawDisks(
  dice: Dice,
  faults: ReadonlySet<Fault>,
  { ecus, when }: { readonly ecus: readonly EcuPlan[]; readonly when: () => number },
): DiskPlan[] {
  const disks = [
    "gateway",
    ...ecus.flatMap(({ serial }) => ["boot", "A", "B"].map((d) => `${serial}.${d}`)),
  ];
  const one = (failure: FailureName): DiskPlan => ({
    atMs: when(),
    lastsMs: dice.pick([10, 900, 4000, 20_000]),
    disk: dice.pick(disks),
    action: failure === "storageFull" ? "write" : dice.pick(["read", "write", "sync"]),
    failure,
  });
  return [
    ...dice.times(faults.has("diskError") ? dice.between(1, 4) : 0, () => one("storageFailed")),
    ...dice.times(faults.has("diskFull") ? dice.between(1, 2) : 0, () => one("storageFull")),
  ];
}
