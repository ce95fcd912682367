/**
 * A board full of everything: releases in both states, deltas, a bundle, campaigns in
 * every state, vehicles that download, failed, are new. Checked against the contract.
 *
 * @module
 */
import { BoardSnapshot } from "shared/protocol/api.ts";
import { FAILURES } from "shared/failure.ts";
import { ecu } from "./hmi_fixtures.ts";

const sha = (digit: string) => digit.repeat(64);
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

const notes = {
  purpose: "Security: closes a weakness in the Bluetooth stack. Recommended for all.",
  changes: "Faster route search. The parking camera shows its guide lines again.",
  minutes: 6,
  unavailable: "Radio, navigation and hands-free telephone while the head unit restarts.",
  instructions: "Park in a safe place, set the parking brake and leave the ignition on.",
};

const failure = {
  code: FAILURES.imageHung.code,
  name: "imageHung" as const,
  stage: "boot",
  message: "Cannot confirm cluster 1.5.0: no heartbeat for 4000 ms",
};

interface Made {
  readonly hardware: string;
  readonly version: string;
  readonly counter: number;
  readonly digit: string;
  readonly lengthBytes: number;
  readonly state?: "draft";
  readonly delta?: { readonly from: string; readonly lengthBytes: number };
}

function release(made: Made): unknown {
  const { hardware, version, counter, digit, lengthBytes, delta } = made;
  const full = { v: 1, carrierSha256: sha(digit), lengthBytes, sha256: sha(digit) };
  const container = { ...full, format: "container" };
  const carriers: unknown[] = [
    { ...full, format: "raw" },
    { ...container, carrierSha256: sha("9"), lengthBytes: lengthBytes + 9000 },
  ];
  if (delta !== undefined) {
    const { from, lengthBytes: deltaBytes } = delta;
    const compressed = Math.round(lengthBytes * 0.65);
    carriers.push({ ...container, carrierSha256: sha("8"), lengthBytes: compressed }, {
      ...{ ...container, carrierSha256: sha("f"), lengthBytes: deltaBytes },
      baseSha256: sha(from),
    });
  }
  return {
    v: 1,
    release: `${hardware}/${version}`,
    hardware,
    version,
    counter,
    sha256: sha(digit),
    lengthBytes,
    merkleRoot: sha("0"),
    notes,
    rxswin: [],
    needs: [],
    state: made.state ?? "published",
    carriers,
    createdAt: minutesAgo(200 - counter * 20),
    createdBy: "admin",
  };
}

const VINS = ["WVWZZZ1JZXW000001", "WVWZZZ1JZXW000002", "WVWZZZ1JZXW000003"] as const;
const progress = { doneBytes: 23_400_000, totalBytes: 38_400_000, via: "delta" as const };
const desired = { version: "1.5.0", sha256: sha("b") };

function campaignVehicle(vin: string, state: string, failed = false): unknown {
  return { vin, state, failure: failed ? failure : null, updatedAt: minutesAgo(2) };
}

/** A job of release 1.5.0. */
function job(number: number, base: string | null, more: Record<string, unknown>): unknown {
  return {
    ...{ v: 1, job: `d${number}`, sha256: sha("b"), baseSha256: base && sha(base) },
    ...{ effort: "best", state: "queued", reason: null, failure: null, doneBytes: 0 },
    ...{ totalBytes: 412e6, carrierSha256: null, lengthBytes: null, fullBytes: null },
    ...{ createdAt: minutesAgo(12), updatedAt: minutesAgo(1), ...more },
  };
}

const crash = {
  code: FAILURES.deltaMakerCrashed.code,
  name: "deltaMakerCrashed" as const,
  stage: "delta",
  message: "Cannot make a carrier: the process that makes it ended with signal SIGKILL",
};

/** The board. */
export const BOARD: BoardSnapshot = BoardSnapshot.parse({
  v: 1,
  releases: [
    release({ hardware: "ivi-rpi4", version: "1.4.0", counter: 7, digit: "a", lengthBytes: 409e6 }),
    release({
      hardware: "ivi-rpi4",
      version: "1.5.0",
      counter: 8,
      digit: "b",
      lengthBytes: 412e6,
      delta: { from: "a", lengthBytes: 38_400_000 },
    }),
    release({
      hardware: "cluster-sim",
      version: "1.5.0",
      counter: 4,
      digit: "c",
      lengthBytes: 12e5,
    }),
    release({
      hardware: "body-sim",
      version: "2.0.0-rc.1",
      counter: 9,
      digit: "d",
      lengthBytes: 84_000,
      state: "draft",
    }),
  ],
  campaigns: [
    {
      v: 1,
      campaign: "c11",
      state: "complete",
      releases: ["ivi-rpi4/1.4.0"],
      vehicles: VINS.map((vin) => campaignVehicle(vin, "confirmed")),
      createdAt: minutesAgo(4000),
      createdBy: "admin",
    },
    {
      v: 1,
      campaign: "c12",
      state: "running",
      releases: ["ivi-rpi4/1.5.0", "cluster-sim/1.5.0"],
      vehicles: [
        campaignVehicle(VINS[0], "downloading"),
        campaignVehicle(VINS[1], "rolledBack", true),
        campaignVehicle(VINS[2], "confirmed"),
        {
          ...{ vin: "WVWZZZ1JZXW000004", state: "assigned", failure: null },
          ...{ updatedAt: minutesAgo(1), heldUntil: minutesAgo(-1) },
        },
      ],
      createdAt: minutesAgo(12),
      createdBy: "admin",
    },
    {
      v: 1,
      campaign: "c10",
      state: "halted",
      releases: ["cluster-sim/1.5.0"],
      vehicles: [],
      createdAt: minutesAgo(6000),
      createdBy: "admin",
    },
  ],
  vehicles: [
    {
      v: 1,
      vin: VINS[0],
      online: true,
      conn: "online",
      lastSeenAt: minutesAgo(0),
      campaign: "c12",
      queue: [],
      ecus: [
        ecu("ivi", "ivi-rpi4", { state: "downloading", desired, progress }),
        ecu("cluster", "cluster-sim", { state: "ready", desired }),
        ecu("body", "body-sim"),
      ],
    },
    {
      v: 1,
      vin: VINS[1],
      online: true,
      conn: "rebooting",
      lastSeenAt: minutesAgo(3),
      campaign: "c12",
      queue: ["c13"],
      ecus: [
        ecu("ivi", "ivi-rpi4", { state: "rolledBack", desired }),
        ecu("cluster", "cluster-sim", { state: "rolledBack", desired, failure }),
      ],
    },
    {
      v: 1,
      vin: VINS[2],
      online: false,
      conn: "never",
      lastSeenAt: null,
      campaign: null,
      queue: [],
      ecus: [],
    },
  ],
  hardware: [
    { hardware: "ivi-rpi4", origin: "builtIn" },
    { hardware: "cluster-sim", origin: "builtIn" },
    { hardware: "body-sim", origin: "builtIn" },
  ],
  deltas: [
    job(1, null, { effort: "fast", state: "kept", lengthBytes: 268e6, fullBytes: 412e6 }),
    job(2, "1", { state: "dropped", reason: "larger", fullBytes: 268e6 }),
    job(3, "2", { state: "running", doneBytes: 165e6, fullBytes: 268e6 }),
    job(4, "3", {}),
    job(5, null, {}),
    job(6, "4", { state: "dropped", reason: "failed", failure: crash, sha256: sha("c") }),
    job(7, null, { state: "dropped", reason: "larger", sha256: sha("c") }),
  ],
  server: { state: "running", since: minutesAgo(300) },
});
