/**
 * The slot diagram: two boxes and the lever that says which one boots next. The same
 * part serves the head unit and the notice board.
 *
 * @module
 */
import type { VNode } from "preact";
import type { EcuReport } from "shared/protocol/messages.ts";
import { type SlotsView, slotsView, type SlotView } from "../model.ts";
import { Icon, type IconName } from "./icon.tsx";

const ROLE_ICON: Record<SlotView["role"], IconName> = {
  running: "check",
  spare: "pause",
  filling: "download",
  full: "layers",
  trial: "shield",
  struck: "x",
  empty: "file",
};

/** The diagram of one ECU. */
export function SlotDiagram({ ecu }: { readonly ecu: EcuReport }): VNode {
  const view = slotsView(ecu);
  return (
    <div class="slots" role="img" aria-label={view.spoken}>
      <Box slot={view.slots[0]} />
      <Lever view={view} />
      <Box slot={view.slots[1]} />
    </div>
  );
}

function Box({ slot }: { readonly slot: SlotView }): VNode {
  return (
    <div class="slot" data-role={slot.role}>
      <div class="slot-fill" style={{ height: `${slot.fill}%` }} />
      <b class="slot-name">{slot.slot}</b>
      <span class="slot-version">{slot.version}</span>
      <span class="slot-label">
        <Icon name={ROLE_ICON[slot.role]} />
        {slot.label}
      </span>
    </div>
  );
}

function Lever({ view }: { readonly view: SlotsView }): VNode {
  return (
    <div class="lever" data-to={view.lever ?? "none"} data-locked={view.locked}>
      <svg viewBox="0 0 60 100" aria-hidden="true">
        <g class="lever-arm">
          <path d="M30 78V26" />
          <circle cx="30" cy="22" r="9" />
        </g>
        <path class="lever-base" d="M12 92a18 18 0 0 1 36 0z" />
      </svg>
      <span class="lever-label">
        {view.locked && <Icon name="lock" />}
        {view.leverLabel}
      </span>
    </div>
  );
}
