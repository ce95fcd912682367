/**
 * What the head-unit page remembers: the last snapshot, and which page a person opened.
 *
 * @module
 */
import { type Signal, signal } from "@preact/signals";
import type { HmiCommand, HmiPhase, HmiSnapshot } from "shared/protocol/hmi.ts";

/** The connection to the vehicle. */
export type LinkState = "connecting" | "open" | "lost";
/** The pages of the rail. */
export type Page = "update" | "vehicle" | "workshop";
/** Day, night, or as the device says. */
export type Theme = "auto" | "day" | "night";

type Stamped<T> = T extends unknown ? Omit<T, "v" | "commandId"> : never;
/** A command without what the feed adds to each. */
export type Wish = Stamped<HmiCommand>;

/** Everything the screens read, and the one thing they can do. */
export interface Hmi {
  readonly snapshot: Signal<HmiSnapshot | null>;
  readonly link: Signal<LinkState>;
  readonly page: Signal<Page>;
  /** The campaign whose consent is being asked, bound to what the person saw. */
  readonly consent: Signal<string | null>;
  /** The campaign whose notes were shown to their end. */
  readonly readCampaign: Signal<string | null>;
  /** Whether the five notes are open where they are not the screen itself. */
  readonly notesOpen: Signal<boolean>;
  /** Why the last command did not reach the gateway, or was refused. */
  readonly problem: Signal<string | null>;
  /** The command that is under way. */
  readonly busy: Signal<Wish["command"] | null>;
  readonly theme: Signal<Theme>;
  /** Milliseconds since the Unix epoch, once a second. */
  readonly nowMs: Signal<number>;
  /** When the last snapshot arrived, on the same clock. */
  readonly heardMs: Signal<number>;
  /** Asks the gateway; the effect shows up in the next snapshot. */
  ask(wish: Wish): void;
}

/**
 * An empty state.
 *
 * @param nowMs Milliseconds since the Unix epoch.
 * @param ask How a wish travels.
 * @returns The state.
 */
export function createHmi(nowMs: number, ask: (hmi: Hmi, wish: Wish) => void): Hmi {
  const hmi: Hmi = {
    snapshot: signal(null),
    link: signal("connecting"),
    page: signal("update"),
    consent: signal(null),
    readCampaign: signal(null),
    notesOpen: signal(false),
    problem: signal(null),
    busy: signal(null),
    theme: signal("auto"),
    nowMs: signal(nowMs),
    heardMs: signal(nowMs),
    ask: (wish) => ask(hmi, wish),
  };
  return hmi;
}

/** Phases that do not call a person away from the page that is open. */
const QUIET_PHASES: readonly HmiPhase[] = ["upToDate", "preparing", "postponed", "waiting"];

/**
 * Takes a snapshot in. Consent that was being given for another campaign is void:
 * the person has not read the new offer.
 *
 * @param hmi The state.
 * @param snapshot What the gateway says now.
 * @param nowMs Milliseconds since the Unix epoch.
 */
export function takeSnapshot(hmi: Hmi, snapshot: HmiSnapshot, nowMs: number): void {
  const seen = hmi.consent.value;
  if (seen !== null) {
    const open = snapshot.phase === "ready" || snapshot.phase === "postponed";
    if (!open) hmi.consent.value = null;
    else if (snapshot.offer?.campaign !== seen) {
      hmi.consent.value = null;
      hmi.problem.value = "The offer has changed. Please read it again";
    }
  }
  if (snapshot.offer === null) hmi.notesOpen.value = false;
  const quiet = QUIET_PHASES.includes(snapshot.phase);
  if (snapshot.phase !== hmi.snapshot.value?.phase && !quiet) hmi.page.value = "update";
  hmi.heardMs.value = nowMs;
  hmi.nowMs.value = nowMs;
  hmi.snapshot.value = snapshot;
}
