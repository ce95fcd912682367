/**
 * The life of one update of the whole vehicle, as the gateway drives it.
 *
 *   offered > preparing > ready > waiting > installing > trialAll > confirmAll > reporting > idle
 *                                                          \-> rollBackAll -/
 *
 * A phase is what the journal remembers across a power cut; an event is what the
 * world did. {@linkcode RESUME} says where each phase picks up again.
 *
 * @module
 */
import { ECU_ABSENT_COMMITTED_MS, ECU_ABSENT_MS } from "shared/limits.ts";
import type { Table } from "shared/machine.ts";

/** What the journal remembers. */
export type Phase =
  | "idle" // The confirmed releases run; nothing is pending.
  | "preparing" // Inactive slots are filled and read back; what boots is untouched.
  | "ready" // Every ECU holds a verified image; the driver is asked.
  | "postponed" // The driver wants to be asked again later.
  | "waiting" // The driver agreed; a precondition does not hold.
  | "installing" // The boot records are marked for trial, one ECU after another.
  | "trialAll" // The new release runs on borrowed tries.
  | "confirmAll" // The commit point: from here the way leads only forward.
  | "rollBackAll" // At least one ECU must go back, so all go back.
  | "reporting"; // The outcome is decided; the server has not heard it.

/** What the world did. */
export type Event =
  | "offered"
  | "prepared"
  | "accepted"
  | "postponed"
  | "declined"
  | "due"
  | "canceled"
  | "satisfied"
  | "armed"
  | "passed"
  | "failed"
  | "withdrawn"
  | "confirmed"
  | "restored"
  | "again"
  | "delivered";

// deno-fmt-ignore
/** Every phase, the events it takes, and where each leads. */
export const UPDATE = {
  idle:        { offered:   "preparing",   failed:    "reporting" },
  preparing:   { prepared:  "ready",       failed:    "reporting",   withdrawn: "reporting" },
  ready:       { accepted:  "waiting",     postponed: "postponed",   declined:  "reporting", withdrawn: "reporting" },
  postponed:   { due:       "ready",       accepted:  "waiting",     declined:  "reporting", withdrawn: "reporting" },
  waiting:     { satisfied: "installing",  canceled:  "ready",       withdrawn: "reporting" },
  installing:  { armed:     "trialAll",    failed:    "rollBackAll" },
  trialAll:    { passed:    "confirmAll",  failed:    "rollBackAll" },
  confirmAll:  { confirmed: "reporting" },
  rollBackAll: { restored:  "reporting",   again:     "installing" },
  reporting:   { delivered: "idle" },
} as const satisfies Table<Phase, Event>;

// deno-fmt-ignore
/** Where each phase picks up when power returns. Total: a new phase must choose. */
export const RESUME = {
  idle:        "idle",
  preparing:   "preparing",   // The checkpoints on disk say what is missing.
  ready:       "ready",
  postponed:   "postponed",
  waiting:     "ready",       // Consent was given before a restart: ask again.
  installing:  "installing",  // Arming twice changes nothing.
  trialAll:    "trialAll",    // The boot records, not the gateway, are the judge.
  confirmAll:  "confirmAll",  // Only forward.
  rollBackAll: "rollBackAll", // Only back.
  reporting:   "reporting",
} as const satisfies Record<Phase, Phase>;

// deno-fmt-ignore
/**
 * How long each phase waits for an ECU that does not answer, in milliseconds, before it takes
 * `failed`; 0 where none is asked. `Infinity`: the way leads there and nowhere else, so the vehicle
 * waits, locked, and says for whom. Total: a new phase must choose.
 */
export const WAITS = {
  idle:        ECU_ABSENT_MS,
  preparing:   ECU_ABSENT_MS,
  ready:       0,
  postponed:   0,
  waiting:     0,
  installing:  ECU_ABSENT_COMMITTED_MS,
  trialAll:    ECU_ABSENT_COMMITTED_MS,
  confirmAll:  Infinity,
  rollBackAll: Infinity,
  reporting:   0,
} as const satisfies Record<Phase, number>;

/** Phases in which the vehicle may no longer be given another campaign, nor be driven. */
export const COMMITTED: readonly Phase[] = ["installing", "trialAll", "confirmAll", "rollBackAll"];
