/**
 * Chooses the screen by phase and by whether the vehicle moves.
 *
 * @module
 */
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { HmiPhase, HmiSnapshot } from "shared/protocol/hmi.ts";
import type { Hmi } from "../state.ts";
import { modeOf } from "../model.ts";
import { Notices, Rail, StatusBar } from "../parts/frame.tsx";
import { Checks } from "./checks.tsx";
import { Consent } from "./consent.tsx";
import { Inert } from "./inert.tsx";
import { Moving } from "./moving.tsx";
import { NotesPage } from "./notes_page.tsx";
import { Offer } from "./offer.tsx";
import { Preparing } from "./preparing.tsx";
import { Recovery } from "./recovery.tsx";
import { Result } from "./result.tsx";
import { UpToDate } from "./up_to_date.tsx";
import { VehiclePage } from "./vehicle_page.tsx";
import { Workshop } from "./workshop.tsx";

/** What every screen is handed. */
export interface ScreenProps {
  readonly hmi: Hmi;
  readonly snapshot: HmiSnapshot;
}

/** Total: a new phase must choose its screen. */
const SCREENS: Record<HmiPhase, (props: ScreenProps) => VNode> = {
  upToDate: UpToDate,
  preparing: Preparing,
  ready: Offer,
  postponed: Offer,
  waiting: Checks,
  installing: Inert,
  restarting: Inert,
  trial: Inert,
  confirming: Inert,
  rollingBack: Inert,
  succeeded: Result,
  rolledBack: Result,
  failed: Result,
  recovery: Recovery,
};

/** The whole page. */
export function App({ hmi }: { readonly hmi: Hmi }): VNode {
  const snapshot = hmi.snapshot.value;
  useHeadlineFocus([snapshot?.phase, hmi.page.value, hmi.consent.value, hmi.notesOpen.value]);
  if (snapshot === null) return <Connecting hmi={hmi} />;
  const mode = modeOf(snapshot);
  if (mode === "inert") {
    return (
      <div class="screen inert" data-phase={snapshot.phase} data-mode={mode}>
        <Notices hmi={hmi} />
        <Inert hmi={hmi} snapshot={snapshot} />
      </div>
    );
  }
  return (
    <div class="screen" data-phase={snapshot.phase} data-mode={mode}>
      <Notices hmi={hmi} />
      <StatusBar hmi={hmi} snapshot={snapshot} />
      <Rail hmi={hmi} />
      <main class="content">
        <Content hmi={hmi} snapshot={snapshot} />
      </main>
    </div>
  );
}

/**
 * A screen that went away with what had the focus leaves it nowhere. The new headline takes it, so
 * that it is read out and the next Tab goes on from there.
 */
function useHeadlineFocus(screen: readonly unknown[]): void {
  const first = useRef(true);
  useEffect(() => {
    const nowhere = document.activeElement === null || document.activeElement === document.body;
    const headline = document.querySelector("h1");
    if (nowhere && !first.current && headline !== null) {
      headline.tabIndex = -1;
      headline.focus();
    }
    first.current = screen[0] === undefined; // A page that was just opened begins at its top.
  }, [...screen]);
}

function Content({ hmi, snapshot }: ScreenProps): VNode {
  const props = { hmi, snapshot };
  // The workshop page drives the simulated signals: without it a simulated vehicle
  // that moves could never be stopped again.
  if (hmi.page.value === "workshop") return <Workshop {...props} />;
  if (modeOf(snapshot) === "moving") return <Moving {...props} />;
  if (hmi.page.value === "vehicle") return <VehiclePage {...props} />;
  if (hmi.consent.value !== null && snapshot.offer !== null) return <Consent {...props} />;
  if (hmi.notesOpen.value && snapshot.offer !== null) return <NotesPage {...props} />;
  const Screen = SCREENS[snapshot.phase];
  return <Screen {...props} />;
}

function Connecting({ hmi }: { readonly hmi: Hmi }): VNode {
  return (
    <main class="splash" data-phase="starting">
      <Notices hmi={hmi} />
      <div class="pulse" aria-hidden="true" />
      <h1>{hmi.link.value === "lost" ? "No connection to the vehicle" : "Starting"}</h1>
      <p>
        {hmi.link.value === "lost"
          ? "This page tries again by itself."
          : "Waiting for the vehicle to report."}
      </p>
    </main>
  );
}
