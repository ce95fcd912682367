/**
 * U0: nothing to do. Shows what runs, with what the running software says of itself.
 *
 * @module
 */
import type { VNode } from "preact";
import type { EcuReport } from "shared/protocol/messages.ts";
import type { HmiSnapshot } from "shared/protocol/hmi.ts";
import type { ScreenProps } from "./app.tsx";
import { headUnitFirst } from "../model.ts";
import { ecuName, PHASE_COPY } from "../copy.ts";
import { formatAgo } from "../format.ts";
import { careNote } from "../care.ts";
import { CareLine } from "../parts/care_line.tsx";
import { Icon } from "../parts/icon.tsx";
import { Mark } from "../parts/frame.tsx";

/** The screen. */
export function UpToDate({ hmi, snapshot }: ScreenProps): VNode {
  const { checkedAt, serverReachable, driveLock } = snapshot;
  const note = careNote(snapshot);
  // Nothing is being installed, and yet it must not be driven: then that is the headline.
  const copy = driveLock
    ? { icon: "lock", tone: "bad", headline: "Do not drive yet" } as const
    : PHASE_COPY.upToDate;
  return (
    <div class="columns">
      <section class="column lead">
        <Mark icon={copy.icon} tone={copy.tone} />
        <h1>{copy.headline}</h1>
        <p>
          {checkedAt === null
            ? "Not checked yet"
            : `Checked ${formatAgo(checkedAt, hmi.nowMs.value)}`}
          {!serverReachable && ". The server cannot be reached: we keep trying"}
        </p>
        {note !== null && <CareLine note={note} />}
        <div class="actions">
          <button
            type="button"
            class="button primary"
            data-testid="check-now"
            disabled={hmi.busy.value === "checkNow"}
            onClick={() => hmi.ask({ command: "checkNow" })}
          >
            <Icon name="refresh" />
            {hmi.busy.value === "checkNow" ? "Checking …" : "Check now"}
          </button>
        </div>
      </section>
      <ul class="column running" tabIndex={0} aria-label="Software that runs">
        {headUnitFirst(snapshot.ecus).map((ecu) => (
          <Running key={ecu.serial} ecu={ecu} display={snapshot.displays[ecu.serial]} />
        ))}
      </ul>
    </div>
  );
}

interface RunningProps {
  readonly ecu: EcuReport;
  readonly display: HmiSnapshot["displays"][string] | undefined;
}

function Running({ ecu, display }: RunningProps): VNode {
  const shown = display?.type === "display" ? display : undefined;
  return (
    <li class="running-ecu">
      <span class="swatch" style={{ background: shown?.color ?? "var(--line)" }} />
      <div class="grow">
        <h2>{ecuName(ecu.serial)}</h2>
        {shown?.title !== undefined && <p class="display-title">{shown.title}</p>}
        {(shown?.lines ?? []).map((line, at) => <p key={at} class="small">{line}</p>)}
      </div>
      <div class="version">
        <b>{ecu.version ?? "–"}</b>
        <span class="small">{ecu.slot === null ? "No software yet" : `Slot ${ecu.slot}`}</span>
      </div>
    </li>
  );
}
