/**
 * U3: the inactive slots are written while driving is allowed.
 *
 * @module
 */
import type { VNode } from "preact";
import type { EcuReport } from "shared/protocol/messages.ts";
import type { ScreenProps } from "./app.tsx";
import { ecuName, PHASE_COPY, STATE_COPY } from "../copy.ts";
import { keptPercent, leadingEcu, progressView } from "../model.ts";
import { percent } from "../format.ts";
import { careNote } from "../care.ts";
import { CareLine } from "../parts/care_line.tsx";
import { Icon } from "../parts/icon.tsx";
import { Chip } from "../parts/frame.tsx";
import { SlotDiagram } from "../parts/slot_diagram.tsx";

/** The screen. */
export function Preparing({ hmi, snapshot }: ScreenProps): VNode {
  const { offer, progress } = snapshot;
  const kept = keptPercent(snapshot);
  const locked = snapshot.driveLock ? careNote(snapshot) : null;
  const view = progressView(progress ?? { doneBytes: 0, totalBytes: 0, bytesPerSecond: 0 });
  return (
    <div class="columns">
      <section class="column">
        <h1>{PHASE_COPY.preparing.headline}</h1>
        <div class="progress-row">
          <b class="percent">{`${view.percent}\u00a0%`}</b>
          <span class="small">
            {progress === null ? "Waiting for the first bytes" : view.amount}
            <br />
            {progress === null ? "" : [view.rate, view.eta].filter(Boolean).join(", ")}
          </span>
        </div>
        <Bar percent={view.percent} label="Download" />
        {locked === null ? <p>{PHASE_COPY.preparing.body}</p> : <CareLine note={locked} />}
        <p class="assurance">
          <Icon name="shield" />
          {kept === 0
            ? "If power is lost now it goes on by itself"
            : `If power is lost now you go on at ${kept}\u00a0%`}
        </p>
        {!snapshot.serverReachable && (
          <p class="assurance" data-tone="warn">
            <Icon name="offline" />
            The server cannot be reached: it goes on as soon as it is back
          </p>
        )}
        <div class="actions">
          {offer !== null && (
            <button
              type="button"
              class="button"
              data-testid="whats-new"
              onClick={() => hmi.notesOpen.value = true}
            >
              <Icon name="info" />What's new
            </button>
          )}
        </div>
      </section>
      <EcuColumn snapshot={snapshot} />
    </div>
  );
}

/** A bar that fills; its value is spoken and stands beside it as a number. */
export function Bar(
  { percent, label }: { readonly percent: number; readonly label: string },
): VNode {
  return (
    <div
      class="bar"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <span style={{ width: `${percent}%` }} />
    </div>
  );
}

/** The diagram of the ECU that works, and one line for each of the others. */
export function EcuColumn({ snapshot }: { readonly snapshot: ScreenProps["snapshot"] }): VNode {
  const concerned = snapshot.ecus.filter((ecu) => ecu.desired !== null);
  const ecus = concerned.length > 0 ? concerned : snapshot.ecus;
  const leading = leadingEcu(ecus);
  return (
    <section class="column side">
      {leading !== undefined && (
        <>
          <h2>{ecuName(leading.serial)}</h2>
          <SlotDiagram ecu={leading} />
        </>
      )}
      {ecus.length > 1 && (
        <ul class="ecu-lines" tabIndex={0} aria-label="Control units">
          {ecus.map((ecu) => <EcuLine key={ecu.serial} ecu={ecu} />)}
        </ul>
      )}
    </section>
  );
}

function EcuLine({ ecu }: { readonly ecu: EcuReport }): VNode {
  const { label, tone, icon } = STATE_COPY[ecu.state];
  const done = ecu.state === "downloading" && ecu.progress !== null
    ? ` ${percent(ecu.progress.doneBytes, ecu.progress.totalBytes)} %`
    : "";
  return (
    <li>
      <span class="grow">{ecuName(ecu.serial)}</span>
      <Chip icon={icon} tone={tone}>{label}{done}</Chip>
    </li>
  );
}
