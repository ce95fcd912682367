/**
 * U10, U11, U12: what came of it. Stays until a person has seen it (UN R156 7.2.2.4).
 *
 * @module
 */
import type { VNode } from "preact";
import type { HmiSnapshot } from "shared/protocol/hmi.ts";
import type { ScreenProps } from "./app.tsx";
import { driverRemedy, ecuName, FAILURE_COPY, PHASE_COPY } from "../copy.ts";
import { formatSpan } from "../format.ts";
import { careNote } from "../care.ts";
import { CareLine } from "../parts/care_line.tsx";
import { Icon } from "../parts/icon.tsx";
import { Mark } from "../parts/frame.tsx";

type Outcome = NonNullable<HmiSnapshot["result"]>;

/** The screen. */
export function Result({ hmi, snapshot }: ScreenProps): VNode {
  const { phase, result } = snapshot;
  const copy = PHASE_COPY[phase];
  const locked = snapshot.driveLock ? careNote(snapshot) : null;
  const sentence = phase === "rolledBack" ? "You can drive." : copy.body;
  return (
    <div class="page result">
      <div class="page-head">
        <Mark icon={copy.icon} tone={copy.tone} />
        <div>
          <h1>{copy.headline}</h1>
          {locked === null ? <p>{sentence}</p> : <CareLine note={locked} />}
        </div>
      </div>
      {result !== null && (
        <div
          class="result-body"
          data-failed={result.failure !== null}
          tabIndex={0}
          role="region"
          aria-label="Details"
        >
          {result.failure !== null && <Reason failure={result.failure} />}
          {result.changes.length > 0 && <Changes result={result} />}
        </div>
      )}
      <div class="actions">
        <button
          type="button"
          class="button primary"
          data-testid="acknowledge"
          disabled={hmi.busy.value !== null}
          onClick={() => hmi.ask({ command: "acknowledge" })}
        >
          <Icon name="check" />OK
        </button>
        {result !== null && (
          <span class="small">
            {new Date(result.at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}
            , took {formatSpan(result.secondsTaken)}
          </span>
        )}
      </div>
    </div>
  );
}

function Reason({ failure }: { readonly failure: NonNullable<Outcome["failure"]> }): VNode {
  return (
    <section class="reason">
      <p>
        <b>{ecuName(failure.serial)}:</b> {FAILURE_COPY[failure.name]}.
      </p>
      <p>{driverRemedy(failure.name)}.</p>
      <details>
        <summary>For the workshop: code {failure.code}</summary>
        <p class="small">
          {failure.name}, stage {failure.stage}: {failure.message}
        </p>
        <p class="small">{failure.remedy}</p>
      </details>
    </section>
  );
}

function Changes({ result }: { readonly result: Outcome }): VNode {
  const confirmed = result.outcome === "confirmed";
  return (
    <ul class="changes">
      {result.changes.map(({ serial, from, to, changes }) => (
        <li key={serial}>
          <b>{ecuName(serial)}</b>{" "}
          <span class="versions">
            {confirmed && from !== null && `${from} → `}
            {confirmed ? to : from === null ? `not ${to}` : `${from} runs, not ${to}`}
          </span>
          {confirmed && <p class="small">{changes}</p>}
        </li>
      ))}
    </ul>
  );
}
