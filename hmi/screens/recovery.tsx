/**
 * U13: an ECU has no slot that boots. Says which, whether one may drive, what helps.
 *
 * @module
 */
import type { VNode } from "preact";
import type { ScreenProps } from "./app.tsx";
import { ecuName, FAILURE_COPY, PHASE_COPY } from "../copy.ts";
import { Icon } from "../parts/icon.tsx";
import { Mark } from "../parts/frame.tsx";
import { SlotDiagram } from "../parts/slot_diagram.tsx";

/** The screen. */
export function Recovery({ hmi, snapshot }: ScreenProps): VNode {
  const copy = PHASE_COPY.recovery;
  const dead = snapshot.ecus.filter((ecu) => ecu.slot === null);
  const first = dead[0];
  return (
    <div class="columns">
      <section class="column">
        <div class="page-head">
          <Mark icon={copy.icon} tone={copy.tone} />
          <h1>{copy.headline}</h1>
        </div>
        <ul class="changes">
          {dead.map((ecu) => (
            <li key={ecu.serial}>
              <b>{ecuName(ecu.serial)}</b>
              <p class="small">
                {ecu.failure === null
                  ? FAILURE_COPY.noBootableSlot
                  : `${FAILURE_COPY[ecu.failure.name]} (code ${ecu.failure.code})`}
              </p>
            </li>
          ))}
        </ul>
        <p>{copy.body}</p>
        <p class="assurance" data-tone={snapshot.driveLock ? "bad" : "warn"}>
          <Icon name={snapshot.driveLock ? "lock" : "car"} />
          {snapshot.driveLock ? "Do not drive. Call your workshop." : "Drive to your workshop."}
        </p>
        <div class="actions">
          <button
            type="button"
            class="button primary"
            data-testid="check-now"
            disabled={hmi.busy.value !== null}
            onClick={() => hmi.ask({ command: "checkNow" })}
          >
            <Icon name="refresh" />Look for help now
          </button>
        </div>
      </section>
      <section class="column side">
        {first !== undefined && (
          <>
            <h2>{ecuName(first.serial)}</h2>
            <SlotDiagram ecu={first} />
          </>
        )}
      </section>
    </div>
  );
}
