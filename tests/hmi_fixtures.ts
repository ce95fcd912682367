/**
 * One snapshot for every screen of the head unit, each checked against the wire
 * contract, with the headline that must be seen.
 *
 * @module
 */
import { HmiSnapshot } from "shared/protocol/hmi.ts";
import type { EcuReport } from "shared/protocol/messages.ts";
import { FAILURES } from "shared/failure.ts";
import { LONG, NOTES, SINGLE, THREE, TWO } from "./hmi_offers.ts";

const OLD_SHA = "a".repeat(64);
const NEW_SHA = "b".repeat(64);
const AT = "2026-03-14T09:26:53.000Z";

type Change = Partial<EcuReport>;

/** One ECU, idle on slot A with an empty slot B, changed as wanted. */
export function ecu(serial: string, hardware: string, change: Change = {}): EcuReport {
  const empty = {
    version: null,
    sha256: null,
    successful: false,
    unbootable: true,
    triesRemaining: 0,
  };
  return {
    serial,
    hardware,
    slotBytes: 1024 ** 3,
    state: "idle",
    slot: "A",
    version: "1.4.0",
    counter: 7,
    sha256: OLD_SHA,
    slots: {
      A: {
        version: "1.4.0",
        sha256: OLD_SHA,
        successful: true,
        unbootable: false,
        triesRemaining: 0,
      },
      B: empty,
    },
    desired: null,
    progress: null,
    failure: null,
    ...change,
  };
}

const running = ecu("ivi", "ivi-rpi4").slots.A;
const written = {
  version: "1.5.0",
  sha256: NEW_SHA,
  successful: false,
  unbootable: false,
  triesRemaining: 0,
};
const desired = { version: "1.5.0", sha256: NEW_SHA };

function fleet(ivi: Change, cluster: Change = {}, body: Change = {}): EcuReport[] {
  return [
    ecu("ivi", "ivi-rpi4", { desired, ...ivi }),
    ecu("cluster", "cluster-sim", { desired, ...cluster }),
    ecu("body", "body-sim", { desired, ...body }),
  ];
}

const signals = { speedKmh: 0, parked: true, brake: true, batteryPercent: 80 };
const checks = [
  { name: "parked" as const, ok: false, found: "The gear lever is in D", remedy: "Shift to P" },
  { name: "brake" as const, ok: true, found: "The parking brake is set", remedy: "" },
  {
    name: "battery" as const,
    ok: false,
    found: "24 %, with going back 30 % are needed",
    remedy: "Charge or start the engine",
  },
];

const rest: HmiSnapshot = {
  v: 1,
  vin: "WVWZZZ1JZXW000001",
  at: AT,
  phase: "upToDate",
  serverReachable: true,
  brokerConnected: true,
  checkedAt: AT,
  offer: null,
  progress: null,
  checks: [],
  trial: null,
  result: null,
  driveLock: false,
  ecus: [ecu("ivi", "ivi-rpi4"), ecu("cluster", "cluster-sim"), ecu("body", "body-sim")],
  displays: {
    ivi: {
      type: "display",
      title: "Head unit 1.4.0",
      lines: ["Radio, navigation, telephone"],
      color: "#2563eb",
    },
    cluster: { type: "display", title: "Cluster 1.4.0", lines: ["0 km/h"], color: "#0e9f6e" },
  },
  signals,
};

const TRIAL: Change = {
  state: "trial",
  slot: "B",
  version: "1.5.0",
  sha256: NEW_SHA,
  slots: { A: running, B: { ...written, triesRemaining: 2 } },
};
const READY: Change = { state: "ready" };
const INSTALLED: Change = {
  state: "installed",
  slots: { A: running, B: { ...written, triesRemaining: 3 } },
};
const CONFIRMED: Change = {
  state: "confirmed",
  slot: "B",
  version: "1.5.0",
  sha256: NEW_SHA,
  slots: { A: running, B: { ...written, successful: true } },
};
const STRUCK: Change = {
  state: "rolledBack",
  slots: { A: running, B: { ...written, unbootable: true } },
};

const failure = {
  code: FAILURES.imageHung.code,
  name: "imageHung" as const,
  stage: "boot",
  message: "Cannot confirm cluster 1.5.0: no heartbeat for 4000 ms",
  serial: "cluster",
  remedy: FAILURES.imageHung.remedy,
};
const changes = [
  { serial: "ivi", from: "1.4.0", to: "1.5.0", changes: NOTES.changes },
  { serial: "cluster", from: "1.4.0", to: "1.5.0", changes: "The range is shown in tenths." },
];

/** A screen: what the gateway says, the headline to be seen, and where to click first. */
export interface Fixture {
  readonly snapshot: HmiSnapshot;
  readonly headline: string;
  /** `data-testid` of what leads from the phase's screen to this one. */
  readonly open?: string;
}

function screen(headline: string, change: Partial<HmiSnapshot>, open?: string): Fixture {
  const snapshot = HmiSnapshot.parse({ ...rest, ...change });
  return { headline, snapshot, ...(open === undefined ? {} : { open }) };
}

/** Every screen by name. */
export const FIXTURES: Record<string, Fixture> = {
  upToDate: screen("Your software is up to date", {}),
  upToDateOffline: screen("Your software is up to date", {
    serverReachable: false,
    brokerConnected: false,
    checkedAt: null,
    displays: {},
  }),
  preparing: screen("Getting the update ready", {
    phase: "preparing",
    offer: TWO,
    progress: { doneBytes: 23_500_000, totalBytes: 38_610_000, bytesPerSecond: 4_200_000 },
    ecus: fleet(
      {
        state: "downloading",
        progress: { doneBytes: 23_400_000, totalBytes: 38_400_000, via: "delta" },
      },
      READY,
      { state: "idle", desired: null },
    ),
  }),
  ready: screen("Update ready to install", {
    phase: "ready",
    offer: TWO,
    ecus: fleet(READY, READY, { desired: null }),
  }),
  readySingle: screen("Update ready to install", {
    phase: "ready",
    offer: SINGLE,
    ecus: fleet(READY, { desired: null }, { desired: null }),
  }),
  readyThree: screen("Update ready to install", {
    phase: "ready",
    offer: THREE,
    ecus: fleet(READY, READY, READY),
  }),
  readyLong: screen("Update ready to install", {
    phase: "ready",
    offer: LONG,
    ecus: fleet(READY, { desired: null }, { desired: null }),
  }),
  consent: screen("Install now?", {
    phase: "ready",
    offer: TWO,
    ecus: fleet(READY, READY, { desired: null }),
  }, "accept"),
  notes: screen("What's new", {
    phase: "preparing",
    offer: TWO,
    progress: { doneBytes: 0, totalBytes: 38_610_000, bytesPerSecond: 0 },
    ecus: fleet({ state: "assigned" }, { state: "assigned" }),
  }, "whats-new"),
  postponed: screen("Postponed", {
    phase: "postponed",
    offer: TWO,
    ecus: fleet({ ...READY, state: "postponed" }, { ...READY, state: "postponed" }),
  }),
  waiting: screen("Almost there", {
    phase: "waiting",
    offer: TWO,
    checks,
    signals: { ...signals, parked: false, batteryPercent: 24 },
    ecus: fleet({ ...READY, state: "waiting" }, { ...READY, state: "waiting" }),
  }),
  installing: screen("Installing", {
    phase: "installing",
    offer: TWO,
    driveLock: true,
    ecus: fleet(INSTALLED, { ...READY, state: "installing" }),
  }),
  restarting: screen("Restarting", {
    phase: "restarting",
    offer: TWO,
    driveLock: true,
    ecus: fleet({ ...INSTALLED, state: "activating" }, TRIAL),
  }),
  trial: screen("Testing the new software", {
    phase: "trial",
    offer: TWO,
    driveLock: true,
    trial: { serials: ["ivi", "cluster"], secondsLeft: 8, triesRemaining: 2 },
    ecus: fleet(TRIAL, TRIAL),
  }),
  confirming: screen("All tests passed. Finishing", {
    phase: "confirming",
    offer: TWO,
    driveLock: true,
    ecus: fleet(CONFIRMED, CONFIRMED),
  }),
  rollingBack: screen("Going back to your previous software", {
    phase: "rollingBack",
    offer: TWO,
    driveLock: true,
    ecus: fleet({ ...STRUCK, state: "rollingBack" }, { ...STRUCK, state: "rollingBack" }),
  }),
  succeeded: screen("Update installed", {
    phase: "succeeded",
    result: { outcome: "confirmed", at: AT, secondsTaken: 74, changes, failure: null },
    ecus: fleet(CONFIRMED, CONFIRMED, { desired: null }),
  }),
  rolledBack: screen("Your previous software is back", {
    phase: "rolledBack",
    result: { outcome: "rolledBack", at: AT, secondsTaken: 96, changes, failure },
    ecus: fleet(STRUCK, STRUCK, { desired: null }),
  }),
  failed: screen("The update was not installed", {
    phase: "failed",
    result: {
      outcome: "failed",
      at: AT,
      secondsTaken: 12,
      changes: [],
      failure: {
        ...failure,
        name: "carrierDigestDiffers",
        code: FAILURES.carrierDigestDiffers.code,
        stage: "download",
        message: "Cannot prove carrier of ivi 1.5.0: SHA-256 is 9f86d0…, announced 2c26b4…",
        serial: "ivi",
        remedy: FAILURES.carrierDigestDiffers.remedy,
      },
    },
  }),
  recovery: screen("A control unit needs help", {
    phase: "recovery",
    driveLock: true,
    ecus: [
      ecu("ivi", "ivi-rpi4"),
      ecu("cluster", "cluster-sim", {
        state: "failed",
        slot: null,
        version: null,
        counter: null,
        sha256: null,
        slots: {
          A: { ...written, unbootable: true },
          B: {
            version: null,
            sha256: null,
            successful: false,
            unbootable: true,
            triesRemaining: 0,
          },
        },
        failure: {
          code: FAILURES.noBootableSlot.code,
          name: "noBootableSlot",
          stage: "boot",
          message: "Cannot boot cluster: neither slot is bootable",
        },
      }),
    ],
  }),
  moving: screen("Update ready. Park to install", {
    phase: "ready",
    offer: TWO,
    signals: { ...signals, speedKmh: 50, parked: false, brake: false },
    ecus: fleet(READY, READY),
  }),
  movingUnknown: screen("Update is being prepared", {
    phase: "preparing",
    offer: TWO,
    signals: { ...signals, speedKmh: null },
    ecus: fleet({ state: "assigned" }),
  }),
  vehicle: screen("Control units", { ecus: fleet(CONFIRMED, STRUCK) }, "page-vehicle"),
  workshop: screen("Service", {
    signals: { ...signals, brake: false, batteryPercent: 20 },
  }, "page-workshop"),
};
