/**
 * V1: every control unit with its hardware, versions, slots and state.
 *
 * @module
 */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type { EcuReport } from "shared/protocol/messages.ts";
import type { ScreenProps } from "./app.tsx";
import { ecuName, FAILURE_COPY, STATE_COPY } from "../copy.ts";
import { headUnitFirst, leadingEcu } from "../model.ts";
import { careRows, hasOwnFailure } from "../care.ts";
import { Chip } from "../parts/frame.tsx";
import { SlotDiagram } from "../parts/slot_diagram.tsx";

/** The page. */
export function VehiclePage({ snapshot }: ScreenProps): VNode {
  const chosen = useSignal<string | null>(null);
  const { ecus } = snapshot;
  const shown = ecus.find((ecu) => ecu.serial === chosen.value) ?? leadingEcu(ecus);
  return (
    <div class="columns">
      <section class="column">
        <h1>Control units</h1>
        <ul class="ecus">
          {headUnitFirst(ecus).map((ecu) => (
            <li key={ecu.serial}>
              <button
                type="button"
                class="ecu"
                aria-pressed={ecu.serial === shown?.serial}
                onClick={() => chosen.value = ecu.serial}
              >
                <span class="grow">
                  <b>{ecuName(ecu.serial)}</b>
                  <span class="small">{ecu.hardware}</span>
                </span>
                <span class="version">
                  <b>{ecu.version ?? "Empty"}</b>
                  <State ecu={ecu} />
                </span>
              </button>
            </li>
          ))}
        </ul>
      </section>
      <section class="column side">
        {shown !== undefined && <Details ecu={shown} snapshot={snapshot} />}
      </section>
    </div>
  );
}

function State({ ecu }: { readonly ecu: EcuReport }): VNode {
  const { icon, label, tone } = STATE_COPY[ecu.state];
  return <Chip icon={icon} tone={tone}>{label}</Chip>;
}

interface DetailsProps {
  readonly ecu: EcuReport;
  readonly snapshot: ScreenProps["snapshot"];
}

function Details({ ecu, snapshot }: DetailsProps): VNode {
  return (
    <>
      <h2>{ecuName(ecu.serial)}</h2>
      <SlotDiagram ecu={ecu} />
      <dl class="facts small">
        <div>
          <dt>Serial</dt>
          <dd>{ecu.serial}</dd>
        </div>
        <div>
          <dt>Counter</dt>
          <dd>{ecu.counter ?? "none"}</dd>
        </div>
        <div>
          <dt>Digest</dt>
          <dd class="mono">{ecu.sha256?.slice(0, 12) ?? "none"}</dd>
        </div>
        {careRows(snapshot, ecu.serial).map(({ place, icon, tone, label }) => (
          <div key={place} data-testid="care">
            <dt>{place}</dt>
            <dd>
              <Chip icon={icon} tone={tone}>{label}</Chip>
            </dd>
          </div>
        ))}
      </dl>
      {ecu.failure !== null && hasOwnFailure(ecu, snapshot) && (
        <p class="small">
          Last failure: {FAILURE_COPY[ecu.failure.name]} ({ecu.failure.code})
        </p>
      )}
    </>
  );
}
