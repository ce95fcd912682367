/**
 * U6: consent, given by holding a button, and bound to the campaign that was shown.
 *
 * @module
 */
import type { VNode } from "preact";
import { invariant } from "shared/assert.ts";
import type { ScreenProps } from "./app.tsx";
import { ecuName } from "../copy.ts";
import { offerFacts } from "../model.ts";
import { HoldButton } from "../parts/hold_button.tsx";
import { Icon } from "../parts/icon.tsx";

/** The screen. */
export function Consent({ hmi, snapshot }: ScreenProps): VNode {
  const campaign = hmi.consent.value;
  const { offer } = snapshot;
  invariant(offer !== null && offer.campaign === campaign, "consent is asked for another campaign");
  const facts = offerFacts(offer);
  const names = offer.releases.map(({ serial, to }) => `${ecuName(serial)} ${to}`);
  return (
    <div class="consent">
      <div class="page-head">
        <div>
          <h1>Install now?</h1>
          <p>{names.join(", ")}</p>
        </div>
        <button
          type="button"
          class="button"
          data-testid="back"
          onClick={() => hmi.consent.value = null}
        >
          <Icon name="back" />Back
        </button>
      </div>
      <ul class="promises">
        <li>
          <Icon name="park" />
          <span>
            Stay parked: the vehicle cannot be driven until it is done. Restart:{" "}
            {facts.restart.toLowerCase().replace(", stay parked", "")}.
          </span>
        </li>
        <li>
          <Icon name="undo" />
          <span>If anything fails, your present software comes back by itself.</span>
        </li>
      </ul>
      <div class="grow" />
      <HoldButton
        label="Press and hold to install"
        holding="Keep holding …"
        testId="hold-install"
        disabled={hmi.busy.value !== null}
        onHeld={() => hmi.ask({ command: "accept", campaign })}
      />
      <p id="hold-help" class="small center">
        Hold for one and a half seconds. Campaign {campaign}
      </p>
    </div>
  );
}
