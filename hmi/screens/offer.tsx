/**
 * U1, U2 and U4 in one: what the update is, all five notes, the two times, and the
 * choice. Also the screen of a postponed update, which may still be installed.
 *
 * @module
 */
import type { VNode } from "preact";
import { useSignalEffect } from "@preact/signals";
import type { HmiOffer } from "shared/protocol/hmi.ts";
import type { ScreenProps } from "./app.tsx";
import { PHASE_COPY } from "../copy.ts";
import type { Hmi } from "../state.ts";
import { Icon } from "../parts/icon.tsx";
import {
  atEnd,
  NotesHead,
  NotesPages,
  NotesTurn,
  type Paging,
  usePaging,
} from "../parts/notes.tsx";

/** The screen. */
export function Offer({ hmi, snapshot }: ScreenProps): VNode {
  const { offer, phase } = snapshot;
  if (offer === null) return <Fetching />;
  return <Choice key={offer.campaign} hmi={hmi} offer={offer} phase={phase} />;
}

interface ChoiceProps {
  readonly hmi: Hmi;
  readonly offer: HmiOffer;
  readonly phase: ScreenProps["snapshot"]["phase"];
}

function Choice({ hmi, offer, phase }: ChoiceProps): VNode {
  const paging = usePaging();
  const { campaign } = offer;
  useSignalEffect(() => {
    if (atEnd(paging)) hmi.readCampaign.value = campaign;
  });
  return (
    <div class="page offer">
      <div class="offer-head">
        <NotesHead title={PHASE_COPY[phase].headline} offer={offer} paging={paging} />
      </div>
      <NotesPages offer={offer} paging={paging} choice />
      <div class="actions">
        <NotesTurn paging={paging} />
        <Accept hmi={hmi} campaign={campaign} paging={paging} />
        {phase !== "postponed" && (
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
  );
}

interface AcceptProps {
  readonly hmi: Hmi;
  readonly campaign: string;
  readonly paging: Paging;
}

/** UN R156 7.2.2.2 wants all notes shown before: until then the way leads through the pages. */
function Accept({ hmi, campaign, paging }: AcceptProps): VNode {
  if (hmi.readCampaign.value !== campaign) {
    return (
      <button
        type="button"
        class="button primary grow"
        data-testid="read-on"
        onClick={() => paging.page.value++}
      >
        Read on<Icon name="arrow" />
      </button>
    );
  }
  return (
    <button
      type="button"
      class="button primary grow"
      data-testid="accept"
      onClick={() => hmi.consent.value = campaign}
    >
      <Icon name="download" />Install now
    </button>
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
