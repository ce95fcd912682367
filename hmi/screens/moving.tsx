/**
 * U15: all that may be shown while the vehicle moves: one card, one icon, thirty
 * characters, at most one choice.
 *
 * @module
 */
import type { VNode } from "preact";
import type { ScreenProps } from "./app.tsx";
import { PHASE_COPY } from "../copy.ts";
import { careNote } from "../care.ts";
import { Icon } from "../parts/icon.tsx";
import { Mark } from "../parts/frame.tsx";

/** The screen. */
export function Moving({ hmi, snapshot }: ScreenProps): VNode {
  const { phase, offer } = snapshot;
  const copy = PHASE_COPY[phase];
  const locked = snapshot.driveLock ? careNote(snapshot) : null;
  return (
    <div class="moving">
      <Mark icon={locked?.icon ?? copy.icon} tone={locked?.tone ?? copy.tone} />
      <h1>{locked?.moving ?? copy.moving}</h1>
      {phase === "ready" && offer !== null && (
        <button
          type="button"
          class="button primary"
          data-testid="postpone"
          disabled={hmi.busy.value !== null}
          onClick={() => hmi.ask({ command: "postpone", campaign: offer.campaign })}
        >
          <Icon name="clock" />Later
        </button>
      )}
    </div>
  );
}
