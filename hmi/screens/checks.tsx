/**
 * U5: the preconditions, each with what was found and what to do. Goes on by itself.
 *
 * @module
 */
import type { VNode } from "preact";
import type { HmiSnapshot } from "shared/protocol/hmi.ts";
import type { ScreenProps } from "./app.tsx";
import { CHECK_COPY, PHASE_COPY } from "../copy.ts";
import { Icon } from "../parts/icon.tsx";

/** The screen. */
export function Checks({ hmi, snapshot }: ScreenProps): VNode {
  const { offer, checks } = snapshot;
  const copy = PHASE_COPY.waiting;
  const open = checks.filter((check) => !check.ok).length;
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>{copy.headline}</h1>
          <p>
            {open === 0
              ? "Everything holds. Installing begins …"
              : `${
                open === 1 ? "One condition is" : `${open} conditions are`
              } still open. ${copy.body}`}
          </p>
        </div>
        {offer !== null && (
          <button
            type="button"
            class="button"
            data-testid="cancel"
            disabled={hmi.busy.value !== null}
            onClick={() => hmi.ask({ command: "cancel", campaign: offer.campaign })}
          >
            <Icon name="x" />Cancel
          </button>
        )}
      </div>
      <ul class="checks">
        {checks.map((check) => <CheckLine key={check.name} check={check} />)}
      </ul>
    </div>
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function CheckLine({ check }: { readonly check: HmiSnapshot["checks"][number] }): VNode {
  const { label, icon } = CHECK_COPY[check.name];
  return (
    <li class="check" data-ok={check.ok}>
      <Icon name={icon} />
      <div class="grow">
        <b>{label}</b>
        <span class="small">
          {capital(check.found)}
          {!check.ok && `. ${check.remedy}`}
        </span>
      </div>
      <span class="verdict">
        <Icon name={check.ok ? "check" : "x"} />
        {check.ok ? "OK" : "Not yet"}
      </span>
    </li>
  );
}
