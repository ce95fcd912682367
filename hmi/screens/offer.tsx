/**
 * U1, U2 and U4 in one: what the update is, all five notes, the two times, and the
 * choice. Also the screen of a postponed update, which may still be installed.
 *
 * @module
 */
import type { VNode } from "preact";
import type { ScreenProps } from "./app.tsx";
import { PHASE_COPY } from "../copy.ts";
import { offerFacts } from "../model.ts";
import { Icon } from "../parts/icon.tsx";
import { NotesList } from "../parts/notes.tsx";

/** The screen. */
export function Offer({ hmi, snapshot }: ScreenProps): VNode {
  const { offer, phase } = snapshot;
  if (offer === null) return <Fetching />;
  const facts = offerFacts(offer);
  const { campaign } = offer;
  const postponed = phase === "postponed";
  const copy = PHASE_COPY[phase];
  return (
    <div class="columns offer">
      <section class="column">
        <h1>{copy.headline}</h1>
        <NotesList offer={offer} />
      </section>
      <section class="column side">
        <dl class="facts">
          <Fact label="Installs" value={facts.installs} />
          <Fact label="Restart" value={facts.restart} />
          <Fact label="Size" value={facts.size} />
        </dl>
        <p class="small">
          {postponed
            ? copy.body
            : "If you wait: nothing changes and you can drive. We ask you again."}
        </p>
        <div class="actions stack">
          <button
            type="button"
            class="button primary"
            data-testid="accept"
            onClick={() => hmi.consent.value = campaign}
          >
            <Icon name="download" />Install now
          </button>
          <div class="actions">
            {!postponed && (
              <button
                type="button"
                class="button"
                data-testid="postpone"
                disabled={hmi.busy.value !== null}
                onClick={() => hmi.ask({ command: "postpone", campaign })}
              >
                <Icon name="clock" />Later
              </button>
            )}
            <button
              type="button"
              class="button"
              data-testid="decline"
              disabled={hmi.busy.value !== null}
              onClick={() => hmi.ask({ command: "decline", campaign })}
            >
              <Icon name="x" />Decline
            </button>
          </div>
        </div>
      </section>
    </div>
  );
}

/** Between two snapshots of a vehicle that has just started the offer may not be read yet. */
function Fetching(): VNode {
  return (
    <div class="page">
      <h1>{PHASE_COPY.preparing.headline}</h1>
      <p>The offer is being read.</p>
    </div>
  );
}

function Fact({ label, value }: { readonly label: string; readonly value: string }): VNode {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}
